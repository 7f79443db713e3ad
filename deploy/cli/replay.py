"""`fengxiang replay`: analyse stored documents once more."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

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
from stream.log import Log, LogAway, open_producer
from stream.records import DOCUMENTS, encode
from stream.replay import Cursor, Selection, count, count_cut, pages
from stream.store import first_line

SHANGHAI = ZoneInfo("Asia/Shanghai")
MAX_LAG = 2_000  # live documents must not queue behind the past


def command(
    from_: Annotated[str, typer.Option("--from", help="First day or moment (Asia/Shanghai). 起")],
    to: Annotated[str, typer.Option("--to", help="Last day, included, or a moment, not included. 止")],
    theme: Annotated[str, typer.Option(help="Only documents of this theme. 题材")] = "",
    source: Annotated[str, typer.Option(help="Only documents of this source. 来源")] = "",
    model_version: Annotated[str, typer.Option(help="Only what this version analysed. 模型版本")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count. 只计数")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="From the beginning. 从头开始")] = False,
) -> None:
    """Analyse stored documents once more with today's models and themes; nobody is alerted. 重算

    A replay that was cut off goes on where it stopped when it is called again in the same way.
    """
    settings = load()
    selection = Selection(_moment(from_), _moment(to, end=True), theme, source, model_version)
    if selection.start >= selection.end:
        raise UserError(f"--from {from_} is not before --to {to}")
    place = _place(settings, selection)
    cursor = Cursor(began=time.time_ns() // 1000) if restart else _resume(place)
    try:
        with open_store(settings, writer=True, refusals=(LogAway,)) as client:
            total = count(client, selection, cursor)
            if cut := count_cut(client, selection, cursor):
                print(f"{cut:,} 篇只剩摘录，保持原分析 documents stay as analysed: only excerpts of them are left")
            if cursor.sent:
                print(f"继续 going on after {cursor.sent:,}")
            if dry_run or not total:
                print(f"{total:,} 篇 documents")
                return
            sent = _send(settings, client, selection, cursor, total, place)
    except KafkaError as error:
        raise UserError(f"Kafka: {first_line(error)}; call again to go on") from error
    place.unlink(missing_ok=True)
    print(f"已送 sent {sent:,}; `fengxiang status` shows how far the workers are")


def _send(settings: Settings, client: Client, selection: Selection, cursor: Cursor, total: int, place: Path) -> int:
    columns = (TextColumn("重算 replay"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        closing(open_producer(settings)) as producer,
        Log(settings.kafka_servers) as log,
        Progress(*columns, console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task("replay", total=total)
        for documents, reached in pages(client, selection, cursor):
            while sum(state.lag for state in log.partitions([DOCUMENTS])) > MAX_LAG:
                time.sleep(1)
            _send_page(producer, documents)
            cursor = reached
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(msgspec.json.encode(cursor))
            bar.advance(task, len(documents))
    return cursor.sent


def _send_page(producer: KafkaProducer, documents: list[Document]) -> None:
    flights = [producer.send(DOCUMENTS, key=document.id.encode(), value=encode(document)) for document in documents]
    for flight in flights:
        flight.get(60)


def _place(settings: Settings, selection: Selection) -> Path:
    name = hashlib.blake2b(msgspec.json.encode(selection), digest_size=8).hexdigest()
    return settings.data_dir / "replay" / f"{name}.json"


def _resume(place: Path) -> Cursor:
    try:
        return msgspec.json.decode(place.read_bytes(), type=Cursor)
    except FileNotFoundError:
        return Cursor(began=time.time_ns() // 1000)
    except msgspec.MsgspecError as error:
        raise UserError(f"{place} can't be read ({error}): delete it, or use --restart") from error


def _moment(text: str, *, end: bool = False) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is neither a day (2026-11-01) nor a moment (2026-11-01T09:30)") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    return moment + timedelta(days=1) if end and len(text) <= 10 else moment
