"""`fengxiang replay`: analyse documents once more, from the store or from the log."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.cli import UserError
from deploy.cli.connections import open_store
from deploy.settings import Settings, load
from models.records import Document
from models.trading import SHANGHAI
from stream.log import Log, LogAway, open_producer
from stream.records import DOCUMENTS, encode
from stream.replay import Cursor, Selection, count, count_cut, held, pages
from stream.replay_log import LogCursor, begin, log_pages
from stream.store import first_line

MAX_LAG = 2_000  # live documents must not queue behind the past
Kept = TypeVar("Kept", Cursor, LogCursor)


def command(
    from_: Annotated[str, typer.Option("--from", help="First day or moment (Asia/Shanghai). 起")],
    to: Annotated[str, typer.Option("--to", help="Last day, included, or a moment, not included. 止")],
    theme: Annotated[str, typer.Option(help="Only documents that have this theme. 题材")] = "",
    source: Annotated[str, typer.Option(help="Only documents of this source. 来源")] = "",
    model_version: Annotated[str, typer.Option(help="Only what this version analysed. 模型版本")] = "",
    from_log: Annotated[bool, typer.Option("--from-log", help="What Kafka keeps, not the store. 取自日志")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count. 只计数")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="From the beginning. 从头开始")] = False,
) -> None:
    """Analyse documents once more with today's models and themes; nobody is alerted. 重算

    They are read from the store, or from Kafka with --from-log. A replay that was cut off goes on where it stopped when
    it is called again in the same way. For a theme that is new, leave --theme out: no document has it yet.
    """
    settings = load()
    selection = Selection(_moment(from_), _moment(to, end=True), theme, source, model_version)
    if selection.start >= selection.end:
        raise UserError(f"--from {from_} is not before --to {to}")
    place = _place(settings, selection, "log" if from_log else "store")
    if restart:
        place.unlink(missing_ok=True)
    try:
        with open_store(settings, writer=True, refusals=(LogAway,)) as client:
            plan = (_of_log if from_log else _of_store)(settings, client, selection, place)
            if plan.cut:
                print(
                    f"{plan.cut:,} 篇只剩摘录，保持原分析 documents stay as analysed: only excerpts are left here;"
                    " --from-log reads what Kafka still holds"
                )
            if plan.sent:
                print(f"继续 going on after {plan.sent:,}")
            if dry_run:
                print(f"{plan.count():,} 篇 documents")
                return
            sent = _send(settings, plan, place)
            hint = "" if sent else _hint(client, selection)
    except KafkaError as error:
        raise UserError(f"Kafka: {first_line(error)}; call again to go on") from error
    place.unlink(missing_ok=True)
    print(f"已送 sent {sent:,}; `fengxiang status` shows how far the workers are{hint}")


@dataclass(frozen=True)
class _Plan:
    """What is still to be done. total: the length of the bar; each page comes with how far the bar is then, and with
    the cursor to keep once it was sent; count: the documents, without sending any; cut: that are only excerpts here."""

    sent: int
    total: int
    pages: Iterator[tuple[list[Document], int, Cursor | LogCursor]]
    count: Callable[[], int]
    cut: int = 0


def _of_store(settings: Settings, client: Client, selection: Selection, place: Path) -> _Plan:
    cursor = _resume(place, Cursor) or Cursor(began=time.time_ns() // 1000)
    total = count(client, selection, cursor)
    found = ((page, at.sent - cursor.sent, at) for page, at in pages(client, selection, cursor))
    return _Plan(cursor.sent, total, found, lambda: total, count_cut(client, selection, cursor))


def _of_log(settings: Settings, client: Client, selection: Selection, place: Path) -> _Plan:
    with Log(settings.kafka_servers) as log:
        epoch = log.epochs([DOCUMENTS]).get(DOCUMENTS, "")
    cursor = _resume(place, LogCursor)
    if cursor and cursor.epoch != epoch:
        raise UserError(f"{DOCUMENTS} was made anew since this replay began: start it over with --restart")
    cursor = cursor or begin(settings.kafka_servers, epoch, selection, time.time_ns() // 1000)
    total = cursor.left
    found = ((page, total - at.left, at) for page, at in log_pages(settings.kafka_servers, client, selection, cursor))
    return _Plan(cursor.sent, total, found, lambda: sum(len(page) for page, _, _ in found))


def _hint(client: Client, selection: Selection) -> str:
    """Why nothing was sent, where a name may be wrong."""
    themes, versions = held(client, selection)
    if selection.theme and selection.theme not in themes:
        said, there = f"没有此题材的文档 no document has the theme {selection.theme!r}", themes
    elif selection.model_version and selection.model_version not in versions:
        said, there = f"没有此版本的分析 nothing was analysed by {selection.model_version!r}", versions
    else:
        return ""
    return f"\n{said}; there are: {', '.join(there) or '—'}"


def _send(settings: Settings, plan: _Plan, place: Path) -> int:
    sent = plan.sent
    columns = (TextColumn("重算 replay"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        closing(open_producer(settings)) as producer,
        Log(settings.kafka_servers) as log,
        Progress(*columns, console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task("replay", total=plan.total)
        for documents, done, reached in plan.pages:
            while documents and sum(state.lag for state in log.partitions([DOCUMENTS])) > MAX_LAG:
                time.sleep(1)
            _send_page(producer, documents)
            sent += len(documents)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(msgspec.json.encode(reached))
            bar.update(task, completed=done)
    return sent


def _send_page(producer: KafkaProducer, documents: list[Document]) -> None:
    flights = [producer.send(DOCUMENTS, key=document.id.encode(), value=encode(document)) for document in documents]
    for flight in flights:
        flight.get(60)


def _place(settings: Settings, selection: Selection, where: str) -> Path:
    name = hashlib.blake2b(msgspec.json.encode((where, selection)), digest_size=8).hexdigest()
    return settings.data_dir / "replay" / f"{name}.json"


def _resume(place: Path, kind: type[Kept]) -> Kept | None:
    try:
        return msgspec.json.decode(place.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise UserError(f"{place} can't be read ({error}): delete it, or use --restart") from error


def _moment(text: str, *, end: bool = False) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is neither a day (2026-11-01) nor a moment (2026-11-01T09:30)") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    return moment + timedelta(days=1) if end and len(text) <= 10 else moment
