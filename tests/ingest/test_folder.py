from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ingest.entries import Added, OutboxFull, State
from ingest.folder import SETTLED_SECONDS, SWEEP_SECONDS, Folder
from ingest.outbox import Outbox
from ingest.pdf import ReportReader
from models.records import Document
from stream.records import DeadLetter, decode
from tests.ingest.make import Clock, in_gbk


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.db", limit_bytes=10**8)


@pytest.fixture
def pdfs() -> Iterator[ReportReader]:
    reader = ReportReader()
    yield reader
    reader.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def row(native: str) -> str:
    return json.dumps({"id": native, "source": "desk", "title": f"标题{native}", "time": "2026-06-01 10:00"}) + "\n"


def settled() -> float:
    """The time at which everything has settled."""
    return time.time() + SETTLED_SECONDS + 1


def later(inbox: Path, max_bytes: int = 10**7) -> Folder:
    return Folder(inbox, max_bytes=max_bytes, clock=settled)


def rejections(outbox: Outbox) -> list[str]:
    entries = [entry for entry in outbox.pending(100) if entry.topic == "fengxiang.dead"]
    return [decode(entry.value, DeadLetter).reason for entry in entries]


def test_each_file_is_read_once_whatever_its_name(inbox: Path, outbox: Outbox, pdfs: ReportReader) -> None:
    (inbox / "a.jsonl").write_text(row("1") + row("2"))
    assert later(inbox).sweep(outbox, pdfs) == 1
    (inbox / "a.jsonl").rename(inbox / "b.jsonl")
    (inbox / "copy.jsonl").write_text(row("1") + row("2"))
    assert later(inbox).sweep(outbox, pdfs) == 0
    (inbox / "b.jsonl").write_text(row("1") + row("3"))
    assert later(inbox).sweep(outbox, pdfs) == 1
    assert outbox.counts()[State.PENDING] == 3


def test_what_has_gone_is_forgotten_and_what_is_there_is_not_read_again(
    tmp_path: Path, inbox: Path, pdfs: ReportReader
) -> None:
    clock = Clock()
    clock.seconds = time.time() + 3600  # every file has settled
    outbox = Outbox(tmp_path / "outbox.db", limit_bytes=10**8, retention_days=3, clock=clock)

    def notes() -> int:
        with sqlite3.connect(outbox.path) as db:
            return int(db.execute("SELECT count(*) FROM notes").fetchone()[0])

    (inbox / "stays.jsonl").write_text(row("stays"))
    folder = Folder(inbox, max_bytes=10**7, clock=clock)
    for day in range(10):  # a file comes each day and goes again
        (inbox / f"{day}.jsonl").write_text(row(str(day)))
        assert folder.sweep(outbox, pdfs) == (2 if day == 0 else 1)
        (inbox / f"{day}.jsonl").unlink()
        clock.pass_(86_400)
    assert folder.sweep(outbox, pdfs) == 0
    assert notes() == 2 * (1 + 3)
    (inbox / "9.jsonl").write_text(row("9"))  # back soon: known
    (inbox / "stays.jsonl").rename(inbox / "renamed.jsonl")
    assert folder.sweep(outbox, pdfs) == 0
    clock.pass_(400 * 86_400)  # switched off for a year
    assert Folder(inbox, max_bytes=10**7, clock=clock).sweep(outbox, pdfs) == 0
    assert notes() == 4
    outbox.close()


def test_a_file_that_is_being_written_waits(inbox: Path, outbox: Outbox, pdfs: ReportReader) -> None:
    (inbox / "growing.jsonl").write_text(row("1"))
    (inbox / "download.jsonl.part").write_text(row("2"))
    assert Folder(inbox, max_bytes=10**7).sweep(outbox, pdfs) == 0
    (inbox / "download.jsonl.part").rename(inbox / "download.jsonl")
    assert later(inbox).sweep(outbox, pdfs) == 2


def test_a_bad_file_becomes_a_dead_letter_and_the_rest_goes_on(inbox: Path, outbox: Outbox, pdfs: ReportReader) -> None:
    (inbox / "bad.pdf").write_bytes(b"no pdf at all")
    (inbox / "deep").mkdir()
    (inbox / "deep" / "good.jsonl").write_text(row("1"))
    assert later(inbox).sweep(outbox, pdfs) == 2
    topics = {entry.topic for entry in outbox.pending(10)}
    assert topics == {"fengxiang.documents", "fengxiang.dead"}


def test_odd_files_stop_no_other(inbox: Path, outbox: Outbox, pdfs: ReportReader) -> None:
    in_gbk(inbox / "甲.jsonl").write_text(row("1"))
    in_gbk(inbox / "乙.文档").write_text("x")
    (inbox / "b.txt").write_text("charset=rot13\n正文", encoding="utf-8")
    (inbox / "c.jsonl").write_text(row("2").replace("2026-06-01 10:00", "1 Jan 99999999999999999999 00:00:00"))
    (inbox / "\U0010ffff.jsonl").write_text(row("3"))  # the last by name
    assert later(inbox).sweep(outbox, pdfs) == 5
    assert [reason.split(": ")[0] for reason in rejections(outbox)] == ["c.jsonl row 1", "乙.文档"]
    assert outbox.counts()[State.PENDING] == 5
    assert later(inbox).sweep(outbox, pdfs) == 0


def test_what_nobody_foresaw_is_told_and_stops_no_other_file(inbox: Path, outbox: Outbox, pdfs: ReportReader) -> None:
    def arrived(items: Sequence[Document | DeadLetter], _: Added) -> None:
        if any(isinstance(item, Document) and item.title == "标题odd" for item in items):
            raise KeyError("odd")

    (inbox / "a.jsonl").write_text(row("odd"))
    (inbox / "b.jsonl").write_text(row("1"))
    failed: list[str] = []
    folder = Folder(inbox, max_bytes=10**7, arrived=arrived, failed=lambda _, why: failed.append(why), clock=settled)
    for _ in range(2):
        folder.sweep(outbox, pdfs)
    assert failed == ["a.jsonl: KeyError: 'odd'"] * 2
    assert rejections(outbox) == ["a.jsonl: can't be read (KeyError: 'odd'): correct it, or leave it out"]
    assert outbox.counts()[State.PENDING] == 3


def test_a_full_outbox_is_no_fault_of_the_file(inbox: Path, tmp_path: Path, pdfs: ReportReader) -> None:
    (inbox / "a.jsonl").write_text(row("1" * 200_000))
    outbox = Outbox(tmp_path / "full.db", limit_bytes=150_000)
    with pytest.raises(OutboxFull):
        later(inbox).sweep(outbox, pdfs)
    assert not rejections(outbox)
    outbox.close()


def test_what_replaces_a_file_while_it_is_read_is_read_too(inbox: Path, outbox: Outbox, pdfs: ReportReader) -> None:
    (inbox / "a.jsonl").write_text(row("1"))

    def replaces(*_: object) -> None:
        (inbox / "a.jsonl").write_text(row("2"))

    Folder(inbox, max_bytes=10**7, arrived=replaces, clock=settled).sweep(outbox, pdfs)
    assert later(inbox).sweep(outbox, pdfs) == 1
    assert outbox.counts()[State.PENDING] == 2


def test_a_rejected_file_is_read_again_after_its_remedy(inbox: Path, outbox: Outbox, pdfs: ReportReader) -> None:
    (inbox / "rows.data").write_text(row("1"))
    (inbox / "long.txt").write_text("长" * 1000, encoding="utf-8")
    (inbox / "report.pdf").write_bytes(b"no pdf at all")
    small = later(inbox, max_bytes=2000)
    assert (small.sweep(outbox, pdfs), small.sweep(outbox, pdfs)) == (3, 0)
    (inbox / "rows.data").rename(inbox / "rows.jsonl")
    assert (small.sweep(outbox, pdfs), small.sweep(outbox, pdfs)) == (1, 0)
    os.utime(inbox / "report.pdf", (0, 0))  # as after the PDF reader was mended
    assert (small.sweep(outbox, pdfs), small.sweep(outbox, pdfs)) == (1, 0)
    large = later(inbox, max_bytes=4000)
    assert (large.sweep(outbox, pdfs), large.sweep(outbox, pdfs)) == (2, 0)  # and the PDF once more
    assert len(rejections(outbox)) == 3 and outbox.counts()[State.PENDING] == 5


def test_a_time_in_the_future_does_not_hold_a_file_back(inbox: Path, outbox: Outbox, pdfs: ReportReader) -> None:
    (inbox / "unpacked.jsonl").write_text(row("1"))
    os.utime(inbox / "unpacked.jsonl", (time.time() + 8 * 3600,) * 2)
    assert later(inbox).sweep(outbox, pdfs) == 1


@pytest.mark.parametrize("name", ["new.jsonl", in_gbk(Path("新.jsonl"))], ids=["utf-8", "gbk"])
def test_it_watches_until_told_to_stop(inbox: Path, outbox: Outbox, name: Path | str) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Folder(inbox, max_bytes=10**7).run, args=(outbox, stop))
    thread.start()
    time.sleep(0.3)
    (inbox / name).write_text(row("1"))
    deadline = time.monotonic() + SWEEP_SECONDS + 15  # a file that came before the watch is found by the next sweep
    while not outbox.counts()[State.PENDING]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
