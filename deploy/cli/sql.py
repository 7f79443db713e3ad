"""`fengxiang sql`: SQL as the read-only user, to a table, CSV, JSON or Parquet."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from rich.console import Console
from rich.table import Table

from deploy.cli import UserError
from deploy.cli.connections import open_store
from deploy.cli.sql_progress import progress
from deploy.settings import load
from stream.queries import LIMIT_CODES
from stream.store import connect, error_code, first_line

MAX_TABLE_ROWS = 1000
TAIL = 1 << 15  # bytes of a stream's end; ClickHouse's note of a late error has 16 KB at most
LESS = "ask for less time, one security or one theme; counts of long windows are ready in trends FINAL"


def command(
    query: Annotated[
        str, typer.Argument(help="One statement; «-» reads it from standard input. 一条语句；«-» 读标准输入")
    ],
    param: Annotated[list[str] | None, typer.Option("-p", "--param", help="name=value for {name:Type}. 参数")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="CSV with a header. 带表头的 CSV")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a row. 每行一个 JSON")] = False,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write a Parquet file. 写成 Parquet 文件")] = None,
) -> None:
    """Run SQL as the read-only user. 查询

    fengxiang sql "SELECT * FROM theme_trend(from='2026-11-01 00:00:00', to='2026-11-08 00:00:00', minutes=1440)"
    """
    sql = (sys.stdin.read() if query == "-" else query).strip().rstrip(";")
    if not sql:
        raise UserError('empty statement: fengxiang sql "SELECT count() FROM documents FINAL"')
    if sum((csv, json, parquet is not None)) > 1:
        raise UserError("choose one of --csv, --json and --parquet")
    parameters = dict(_parameter(text) for text in param or [])
    settings = load()
    with open_store(settings, writer=False) as client:
        try:
            with progress(sql, lambda: connect(settings, writer=False), Console(stderr=True)) as marked:
                if parquet:
                    _to_file(client, marked, parameters, parquet)
                elif csv or json:
                    _to_stdout(client, marked, parameters, "CSVWithNames" if csv else "JSONEachRow")
                else:
                    _to_table(client, marked, parameters)
        except (UserError, BrokenPipeError):
            raise
        except Exception as error:
            raise UserError(_readable(error)) from error


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UserError(f"-p {text!r} is not name=value")
    return name, value


def _to_table(client: Client, sql: str, parameters: dict[str, Any]) -> None:
    result = client.query(sql, parameters=parameters)
    table = Table(*result.column_names)
    for row in result.result_rows[:MAX_TABLE_ROWS]:
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console()
    if result.column_names:
        console.print(table)
    left_out = len(result.result_rows) - MAX_TABLE_ROWS
    tail = f", {MAX_TABLE_ROWS:,} shown: --csv, --json and --parquet give all" if left_out > 0 else ""
    console.print(f"{len(result.result_rows):,} 行 rows{tail}", style="dim")


def _to_stdout(client: Client, sql: str, parameters: dict[str, Any], format_: str) -> None:
    """Writes rows as they come. A query may fail when 200 is sent: then the store writes the error after the rows."""
    output, held = sys.stdout.buffer, b""
    with client.raw_stream(sql, parameters=parameters, fmt=format_) as stream:
        tag = re.escape(stream.headers.get("X-ClickHouse-Exception-Tag", ""))
        note = re.compile(rf"__exception__\r\n{tag}\r\n(.*)\n\d+ {tag}\r\n__exception__".encode(), re.DOTALL)
        for chunk in stream.stream(TAIL, decode_content=True):
            held += chunk
            if tag and (found := note.search(held)):
                output.write(held[: found.start()].removesuffix(b"\r\n"))
                output.flush()
                raise DatabaseError(found[1].decode("utf-8", "replace"))
            output.write(held[:-TAIL])
            held = held[-TAIL:]
    output.write(held)
    output.flush()


def _to_file(client: Client, sql: str, parameters: dict[str, Any], path: Path) -> None:
    import pyarrow.parquet as parquet_

    table = client.query_arrow(sql, parameters=parameters, use_strings=True)
    try:
        parquet_.write_table(table, path)
    except OSError as error:
        raise UserError(f"can't write {path}: {error.strerror or error}") from error
    print(f"{table.num_rows:,} 行 rows -> {path}")


def _readable(error: Exception) -> str:
    """ClickHouse's own sentence, without what surrounds it."""
    text = first_line(error, 2000)
    _, mark, rest = text.partition("DB::Exception: ")
    said = (rest if mark else text).split(" (version ")[0].split(" (for url")[0]
    return f"{said.rstrip('.')}: {LESS}" if error_code(error) in LIMIT_CODES else said
