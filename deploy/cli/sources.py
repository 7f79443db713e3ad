"""`fengxiang sources`: the feeds of the settings, how each is doing, what one would bring; one more, one less."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from deploy.cli import UserError
from deploy.cli.settings_file import read_text, replace
from deploy.feeds_file import with_feed, without_feed
from deploy.sections import FeedSettings
from deploy.settings import Settings, load, read, settings_file
from ingest.entries import OutboxFull
from ingest.feeds.base import Feed, ShapeChanged, poll
from ingest.feeds.registry import fault, feeds_of
from ingest.outbox import Outbox
from ingest.polite import Fetcher, FetchError, host_of
from ingest.store import Store, StoreAway
from models.records import Document
from stream.records import DOCUMENTS, decode
from stream.store import away

command = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Feeds: list, test, add, remove. 来源",
)
FEEDS_VARIABLE = "FENGXIANG_INGEST__FEEDS"
SHOWN = 20  # documents of a test
_HEALTH = """
SELECT source, argMax(state, checked_at), max(checked_at), max(last_item_at), argMax(message, checked_at), sum(h.new)
FROM source_health AS h WHERE checked_at > now() - INTERVAL 7 DAY GROUP BY source ORDER BY source
"""
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON. 以 JSON 输出")]


@command.command("list")
def list_(json_: JsonOption = False) -> None:
    """Every feed with its state, and what was pushed or put into the folder in the last 7 days. 列出来源及其状态"""
    settings = load()
    known = _health(settings)
    rows = [
        {"name": name, "type": config.type, **known.pop(name, {"state": "?"})} for name, config, _ in _feeds(settings)
    ]
    rows += [{"name": name, "type": "", **health} for name, health in known.items()]
    if json_:
        print(json.dumps(rows, ensure_ascii=False))
        return
    if not rows:
        print("尚未配置来源 no feeds are set up: `fengxiang sources add` makes one (docs/sources.md)")
        return
    table = Table("名称 name", "类型 type", "状态 state", "最近检查 checked", "最新条目 newest", "说明 message")
    for row in rows:
        cells = (row.get(name) or "" for name in ("name", "type", "state", "checked_at", "last_item_at", "message"))
        table.add_row(*map(str, cells))
    Console().print(table)


@command.command("test")
def test(name: Annotated[str, typer.Argument(help="Name of a feed. 来源名")], json_: JsonOption = False) -> None:
    """Fetch a feed once and show what would be ingested; nothing is kept. 试取一次，不入库"""
    found = {known: (config, feed) for known, config, feed in _feeds(load())}
    if name not in found:
        raise UserError(
            f"no feed {name!r}; there are: {', '.join(found) or 'none (`fengxiang sources add` makes one)'}"
        )
    documents, rejected = _try(name, *found[name])
    if json_:
        rows = [
            {"id": d.id, "title": d.title, "published_at": d.published_at.isoformat(), "url": d.url} for d in documents
        ]
        print(json.dumps({"documents": rows, "rejected": rejected}, ensure_ascii=False))
        return
    _show(documents, rejected)


@command.command("add")
def add(
    what: Annotated[str, typer.Argument(help="The type, or the address of an RSS or Atom feed. 类型或 RSS 地址")],
    name: Annotated[str, typer.Option(help="The source's name; by default the type, or the feed's host. 名称")] = "",
    url: Annotated[str, typer.Option(help="Another address than the vendor's. 地址")] = "",
    every: Annotated[float | None, typer.Option(help="Seconds between polls. 间隔秒数")] = None,
    securities: Annotated[str, typer.Option(help="Of eastmoney-stock: 300413,600519. 证券代码")] = "",
    column: Annotated[str, typer.Option(help="Of cninfo, wallstreetcn, tushare: the channel. 栏目")] = "",
    token: Annotated[
        str, typer.Option(help="Of tushare; - asks for it, or reads a line of standard input. tushare 的令牌")
    ] = "",
    attachments: Annotated[bool, typer.Option(help="Fetch the PDFs of reports and announcements. 附件")] = True,
    robots: Annotated[
        bool, typer.Option(help="Obey robots.txt; --no-robots for hosts of your own. 遵守 robots.txt")
    ] = True,
    test: Annotated[bool, typer.Option(help="Fetch once before it is written. 先试取一次")] = True,
) -> None:
    """Fetch a feed once and write it into the settings file. 试取后写入设置文件"""
    _only_file()
    if what.startswith(("http://", "https://")):
        what, url = "rss", what
    given: dict[str, Any] = {
        "type": what,
        "name": name or (host_of(url).removeprefix("www.") if what == "rss" else ""),
        "url": url,
        "every_seconds": every,
        "securities": [code.strip() for code in securities.split(",") if code.strip()] or None,
        "column": column,
        "token": (getpass("token: ") if sys.stdin.isatty() else sys.stdin.readline().strip())
        if token == "-"
        else token,
        "attachments": attachments,
        "robots": robots,
    }
    try:
        config = FeedSettings.model_validate({key: value for key, value in given.items() if value not in (None, "")})
    except ValidationError as error:
        wrong = error.errors(include_input=False)[0]
        raise UserError(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']} (docs/sources.md has the types)") from None
    if why := fault(config):
        raise UserError(f"{why} (docs/sources.md)")
    new = list(feeds_of(config))
    path = settings_file()
    text = read_text(path)
    settings = read() if path.exists() else Settings()
    _refuse_twice(settings, config, [feed_name for feed_name, _ in new])
    changed = with_feed(text, config, str(path))
    if test:
        first, feed = new[0]
        try:
            _show(*_try(first, config, feed))
        except UserError as error:
            raise UserError(f"{error}; nothing was written (--no-test writes it all the same)") from error
    replace(path, changed)
    print(f"已写入 written to {path}: {', '.join(feed_name for feed_name, _ in new)}; {_TAKES_EFFECT}")
    if config.token and path.stat().st_mode & 0o077:
        print(f"注意：其他用户可读 others can read the token there: chmod 600 {path}")


@command.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Name of a feed. 来源名")]) -> None:
    """Take a feed out of the settings file; its documents stay, and its place, should it come back. 移除来源"""
    _only_file()
    path = settings_file()
    if not path.exists():
        raise UserError(f"{path} does not exist: there is no feed to remove")
    replace(path, without_feed(read_text(path), name, str(path)))
    print(f"已移除 removed from {path}: {name}; {_TAKES_EFFECT}")


_TAKES_EFFECT = "运行中的采集进程十几秒内生效 a running ingestor takes it up within 15 seconds"


def _only_file() -> None:
    if os.environ.get(FEEDS_VARIABLE):
        raise UserError(f"{FEEDS_VARIABLE} holds the feeds, and the settings file's don't count: change them there")


def _refuse_twice(settings: Settings, config: FeedSettings, names: Sequence[str]) -> None:
    there = {name: known for name, known, _ in _feeds(settings)}
    if taken := [name for name in names if name in there]:
        raise UserError(f"there is a feed {taken[0]!r} already: choose another --name, or remove that one first")
    same = ("type", "url", "column", "securities")
    for name, known in there.items():
        if all(getattr(known, key) == getattr(config, key) for key in same):
            raise UserError(f"this feed is there already, by the name {name!r}")


def _show(documents: Sequence[Document], rejected: int) -> None:
    for document in documents[:SHOWN]:
        print(f"{document.published_at:%m-%d %H:%M}  {document.title or document.body[:40]}  {document.url}")
    print(f"{len(documents)} 篇 documents, 拒收 rejected {rejected}")


def _feeds(settings: Settings) -> list[tuple[str, FeedSettings, Feed]]:
    return [(name, config, feed) for config in settings.ingest.feeds for name, feed in feeds_of(config)]


def _try(name: str, config: FeedSettings, feed: Feed) -> tuple[list[Document], int]:
    with tempfile.TemporaryDirectory() as folder:
        outbox, fetch = Outbox(Path(folder) / "outbox.db", limit_bytes=100_000_000), Fetcher(robots=config.robots)
        try:
            polled = poll(feed, name, fetch, outbox, datetime.now(UTC))
        except (FetchError, ShapeChanged, OutboxFull) as error:
            raise UserError(f"{name}: {error}") from error
        finally:
            fetch.close()
        entries = outbox.pending(10_000)
        outbox.close()
    return [decode(e.value, Document) for e in entries if e.topic == DOCUMENTS], polled.rejected


def _health(settings: Settings) -> dict[str, dict[str, Any]]:
    """Latest state by source; empty where the store is away, which is told."""
    store = Store(settings)
    try:
        rows = store.query(_HEALTH, {})
    except StoreAway as error:
        why = away(settings.clickhouse_url(writer=True), error.__cause__ or error)
        print(f"状态未知 states are not known: {why}", file=sys.stderr)
        return {}
    finally:
        store.close()
    names = ("state", "checked_at", "last_item_at", "message", "new")
    return {
        row[0]: {k: v.isoformat() if isinstance(v, datetime) else v for k, v in zip(names, row[1:], strict=True)}
        for row in rows
    }
