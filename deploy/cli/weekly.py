"""`fengxiang weekly`: the digest of a week, shown here or written as HTML and PDF."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid
from rich.text import Text
from streamlit.logger import set_log_level

from deploy.cli import UserError
from deploy.settings import load

set_log_level("ERROR")  # before the pages are imported: else their caches warn that no server runs here

from dashboard import queries, weekly, weekly_pdf  # noqa: E402
from dashboard.client import StoreError, run  # noqa: E402
from models.trading import SHANGHAI  # noqa: E402
from stream.store import away  # noqa: E402

COLOURS = {"fx-up": "red", "fx-down": "green", "fx-flat": "dim", "": ""}


class Language(StrEnum):
    zh = "zh"
    en = "en"


def command(
    week: Annotated[str, typer.Argument(help="An ISO week, as 2023-W16; the newest of the data by default. 周")] = "",
    html: Annotated[Path | None, typer.Option(help="Write it as a page. 网页")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write it as a PDF. 写成 PDF")] = None,
    language: Annotated[
        Language | None, typer.Option(help="zh or en; the setting dashboard.language by default. 语言")
    ] = None,
) -> None:
    """What changed in a week by theme and security, its stories, and what brokers recommended. 每周跟踪"""
    made = _digest(week, language or load().dashboard.language)
    if html:
        _write(html, weekly.page(made).encode())
    if pdf:
        _write(pdf, weekly_pdf.pdf(made))
    if not (html or pdf):
        _show(made)


def _digest(week: str, language: str) -> weekly.Digest:
    try:
        if week:
            weekly.bounds(week)
        extent = run(queries.extent()).iloc[0]
        if not extent["any"]:
            raise UserError("there are no documents yet: bring some in with fengxiang ingest FILE, or make run")
        first, newest = (pd.Timestamp(extent[key]).tz_convert(SHANGHAI).to_pydatetime() for key in ("first", "newest"))
        known = weekly.weeks(first, max(first, newest))
        week = week or known[0]
        start, end = weekly.bounds(week)
        if end <= first or start > newest:
            raise UserError(f"no documents in {week}: there are some from {known[-1]} to {known[0]}")
        names = run(queries.names())
        return weekly.digest(week, first, newest, dict(zip(names["code"], names["name"], strict=True)), run, language)
    except ValueError as error:
        raise UserError(str(error)) from error
    except StoreError as error:
        if error.kind == "away":
            raise UserError(str(away(load().clickhouse_url(writer=False), error.__cause__ or error))) from error
        remedy = "run: fengxiang migrate" if error.kind == "unready" else "run: fengxiang doctor"
        raise UserError(f"{error}: {remedy}") from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"can't write {path}: {error.strerror or error}") from error
    print(f"{len(content):,} bytes -> {path}")


def _show(made: weekly.Digest) -> None:
    console = Console()
    console.print(Text.assemble((made.title, "bold"), "\n", made.intro, " ", _text(made.change)))
    for table in made.tables:
        heads = [Column(head, justify="right" if i else "left") for i, head in enumerate(table.heads)]
        grid = Grid(*heads, title=table.title, title_justify="left", caption="" if table.lines else table.empty)
        for line in table.lines:
            grid.add_row(*(_text(cell) for cell in line))
        console.print(grid)


def _text(cell: weekly.Cell) -> Text:
    return Text.assemble((cell.text, COLOURS[cell.css]), (f" {cell.note}" if cell.note else "", "dim"))
