"""`fengxiang sources`: the feeds of the settings, how each is doing, and what one would bring."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli import UserError
from deploy.settings import Settings, load
from ingest.feeds.base import Feed, ShapeChanged, poll
from ingest.feeds.registry import feeds_of
from ingest.outbox import Outbox, OutboxFull
from ingest.polite import Fetcher, FetchError
from ingest.store import Store, StoreAway
from models.records import Document
from stream.records import DOCUMENTS, decode

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
_HEALTH = """
SELECT source, argMax(state, checked_at), max(checked_at), max(last_item_at), argMax(message, checked_at), sum(new)
FROM source_health WHERE checked_at > now() - INTERVAL 7 DAY GROUP BY source
"""
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON. 以 JSON 输出")]


@command.command("list")
def list_(json_: JsonOption = False) -> None:
    """Every configured feed with its state. 列出来源及其状态"""
    settings = load()
    known = _health(settings)
    rows = [{"name": name, "type": config, **known.get(name, {"state": "?"})} for name, config, _ in _feeds(settings)]
    if json_:
        print(json.dumps(rows, ensure_ascii=False))
        return
    if not rows:
        print("no feeds are set up: add [[ingest.feeds]] tables to fengxiang.toml (docs/sources.md). 尚未配置来源")
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
            f"no feed {name!r}; there are: {', '.join(found) or 'none (docs/sources.md says how to add one)'}"
        )
    documents, rejected = _try(name, found[name][1])
    if json_:
        rows = [
            {"id": d.id, "title": d.title, "published_at": d.published_at.isoformat(), "url": d.url} for d in documents
        ]
        print(json.dumps({"documents": rows, "rejected": rejected}, ensure_ascii=False))
        return
    for document in documents[:20]:
        print(f"{document.published_at:%m-%d %H:%M}  {document.title or document.body[:40]}  {document.url}")
    print(f"{len(documents)} 篇 documents, 拒收 rejected {rejected}")


def _feeds(settings: Settings) -> list[tuple[str, str, Feed]]:
    return [(name, config.type, feed) for config in settings.ingest.feeds for name, feed in feeds_of(config)]


def _try(name: str, feed: Feed) -> tuple[list[Document], int]:
    with tempfile.TemporaryDirectory() as folder:
        outbox, fetch = Outbox(Path(folder) / "outbox.db", limit_bytes=100_000_000), Fetcher()
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
    """Latest state by source; empty where the store is away."""
    store = Store(settings)
    try:
        rows = store.query(_HEALTH, {})
    except StoreAway:
        return {}
    finally:
        store.close()
    names = ("state", "checked_at", "last_item_at", "message", "new")
    return {
        row[0]: {k: v.isoformat() if isinstance(v, datetime) else v for k, v in zip(names, row[1:], strict=True)}
        for row in rows
    }
