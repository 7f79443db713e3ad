"""`fengxiang ingest`: files, folders and web pages into the outbox, and from there to Kafka.

Where an ingestor runs, it publishes what this command adds; otherwise the command publishes and confirms itself.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files as package_files
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.cli import UserError
from deploy.settings import Settings, load
from ingest.drain import Drain, outbox_of
from ingest.entries import OutboxFull, State
from ingest.fields import KINDS, Options, RowError
from ingest.files import FileError, Item, Reader
from ingest.outbox import Outbox
from ingest.outbox_file import OutboxBroken
from ingest.pdf import ReportReader
from ingest.polite import Fetcher
from ingest.times import parse_time
from ingest.web import read_url
from models.records import Document, Kind

CHUNK = 500  # items an fsync
GIVE_UP_SECONDS = 10.0  # of trouble with Kafka or the store before saying so and ending, unless --wait
SHOWN = 5  # rejections told one by one


def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH|URL]...", help="Files, folders, http(s) addresses. 文件、文件夹、网址"),
    ] = None,
    *,
    map_: Annotated[list[str] | None, typer.Option("--map", help="FIELD=COLUMN: title=headline. 字段映射")] = None,
    kind: Annotated[str, typer.Option(help="wire, news, announcement, report; for rows without. 类型")] = "",
    source: Annotated[str, typer.Option(help="Name of the source, where the rows do not say. 来源名")] = "",
    date: Annotated[str, typer.Option(help="Publication time of rows that have none. 缺省发布时间")] = "",
    sample: Annotated[bool, typer.Option("--sample", help="The fictional sample corpus. 导入虚构样例")] = False,
    again: Annotated[bool, typer.Option("--again", help="Publish known documents once more. 重新发送已知文档")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until all is stored or a dead letter. 等待全部入库")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Counts as JSON. 以 JSON 输出")] = False,
) -> None:
    """Ingest files, folders or web pages. 导入文件、文件夹或网址。

    Known: JSONL, JSON, CSV, TSV, Parquet (each also .gz), PDF, HTML, txt, md. Rows that can't be read become dead
    letters with the reason (`fengxiang dead list`). Repeating an ingest is harmless: known documents are skipped.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # troubles are shown with the progress
    settings = load()
    pdfs = ReportReader()
    reader = _reader(settings, pdfs, map_ or [], kind, source, date)
    _check(inputs or [], sample)
    console = Console(stderr=True)
    try:
        outbox = outbox_of(settings)
    except OutboxBroken as error:
        raise UserError(str(error)) from error
    drain = Drain(settings, outbox)
    drain.start()
    try:
        run = _Run(outbox, drain, console, label=secrets.token_hex(6), again=again)
        run.add(_items(inputs or [], sample, reader, settings))
        run.follow(wait=wait)
    except FileError as error:
        raise UserError(str(error)) from error
    finally:
        pdfs.close()
        drain.stop()
    result = run.result()
    if json_:
        print(json.dumps(result))
    else:
        _tell(console, result, run)
    if run.rejections and not run.documents:
        raise typer.Exit(1)


def _reader(settings: Settings, pdfs: ReportReader, maps: list[str], kind: str, source: str, date: str) -> Reader:
    names = {}
    for text in maps:
        name, _, column = text.partition("=")
        if not column:
            raise UserError(f"--map {text!r}: write FIELD=COLUMN, such as title=headline")
        names[name.strip()] = column.strip()
    if kind and kind not in KINDS:
        raise UserError(f"--kind {kind!r}: one of {', '.join(sorted(KINDS))}")
    try:
        default_time = parse_time(date) if date else None
    except ValueError as error:
        raise UserError(f"--date: {error}") from error
    try:
        given: Kind | None = kind or None  # type: ignore[assignment]
        options = Options(now=datetime.now(UTC), source=source, kind=given, published_at=default_time, names=names)
    except RowError as error:
        raise UserError(f"--map: {error}") from error
    return Reader(options, max_bytes=settings.ingest.max_file_mb * 1_000_000, pdf=pdfs.read)


def _check(inputs: list[str], sample: bool) -> None:
    """Say what is wrong with the inputs before anything is read."""
    if not inputs and not sample:
        raise UserError("name a file, a folder or an address, or give --sample. 请指定文件、文件夹或网址")
    for text in inputs:
        if not _is_url(text) and not Path(text).expanduser().exists():
            raise UserError(f"{text}: no such file or folder")


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _items(inputs: list[str], sample: bool, reader: Reader, settings: Settings) -> Iterator[Item]:
    for text in inputs:
        if _is_url(text):
            fetch = Fetcher(public_only=True, max_bytes=settings.ingest.max_file_mb * 1_000_000)
            yield from read_url(text, fetch, reader)
            fetch.close()
        else:
            yield from reader.read(Path(text).expanduser())
    if sample:
        folder = Path(str(package_files("ingest") / "sample"))
        yield from reader.read(folder / "corpus.jsonl")
        yield from reader.read(folder / "reports")


class _Run:
    """One ingest: reads into the outbox under a label of its own, then follows what becomes of it."""

    def __init__(self, outbox: Outbox, drain: Drain, console: Console, *, label: str, again: bool) -> None:
        self.documents = 0
        self.known = 0
        self.rejections = 0
        self.reasons: list[str] = []
        self.trouble = ""
        self._outbox, self._drain, self._label, self._again = outbox, drain, label, again
        self._started = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def add(self, items: Iterable[Item]) -> None:
        """Read everything into the outbox, at its pace when it is full."""
        with self._progress as progress:
            task = progress.add_task("读取 read", total=None, rate="")
            for chunk in _chunks(items):
                for item in chunk:
                    if isinstance(item, Document):
                        self.documents += 1
                    else:
                        self.rejections += 1
                        self.reasons.append(item.reason) if len(self.reasons) < SHOWN else None
                self.known += self._put(chunk)
                progress.update(task, completed=self.documents + self.rejections, rate=self._rate())
            progress.update(task, total=self.documents + self.rejections)

    def _put(self, chunk: list[Item]) -> int:
        while True:
            try:
                return self._outbox.add(chunk, batch=self._label, again=self._again).known
            except OutboxFull as error:
                if trouble := "; ".join(self._drain.troubles.values()):
                    raise UserError(f"{error}; now: {trouble}") from error
                time.sleep(0.5)

    def follow(self, *, wait: bool) -> None:
        """Until Kafka has all of it, or with `wait` until the store has; gives up on lasting trouble unless `wait`."""
        if not (wait or self._drain.owns):
            return
        open_states = (State.PENDING, State.SENT) if wait else (State.PENDING,)
        total = sum(self._outbox.counts(self._label).values())
        troubled = time.monotonic()
        with self._progress as progress:
            task = progress.add_task("入库 stored" if wait else "发送 sent", total=total, rate="")
            while True:
                counts = self._outbox.counts(self._label)
                left = sum(counts[state] for state in open_states)
                progress.update(task, completed=total - left, rate=self.trouble or self._rate(total - left))
                self.trouble = (
                    "; ".join(self._drain.troubles.values()) if wait else self._drain.troubles.get("publish", "")
                )
                if not self.trouble:
                    troubled = time.monotonic()
                if not left or (not wait and time.monotonic() - troubled > GIVE_UP_SECONDS):
                    return
                time.sleep(0.2)

    def _rate(self, count: int | None = None) -> str:
        count = self.documents + self.rejections if count is None else count
        return f"{count / max(0.001, time.monotonic() - self._started):,.0f}/s"

    def result(self) -> dict[str, int | float | str]:
        counts = self._outbox.counts(self._label)
        return {
            "documents": self.documents,
            "rejected": self.rejections,
            "known": self.known,
            **{state.name.lower(): count for state, count in counts.items()},
            "seconds": round(time.monotonic() - self._started, 2),
            "trouble": self.trouble,
        }


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _tell(console: Console, result: dict[str, int | float | str], run: _Run) -> None:
    say = partial(console.print, soft_wrap=True)  # whoever reads it wraps it: a log does not
    say(
        f"读取 read {result['documents']}, 已知 known {result['known']}, 拒收 rejected {result['rejected']}; "
        f"待发 pending {result['pending']}, 已发 sent {result['sent']}, 入库 stored {result['stored']}, "
        f"死信 dead {result['dead']}; {result['seconds']} s"
    )
    for reason in run.reasons:
        say(f"  拒收 rejected: {reason}", markup=False, highlight=False)
    if run.rejections > len(run.reasons):
        say(f"  … {run.rejections - len(run.reasons)} more: `fengxiang dead list` lists them")
    if result["pending"] or result["sent"]:
        say("未入库的文档留在发件箱，由采集进程继续处理。 The rest stays in the outbox; an ingestor goes on.")
    if run.trouble:
        say(f"  {run.trouble}", markup=False, highlight=False)
