from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.entries import State
from ingest.folder import SETTLED_SECONDS, SWEEP_SECONDS, Folder
from ingest.outbox import Outbox
from ingest.pdf import ReportReader
from tests.ingest.make import Clock


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


def later(inbox: Path) -> Folder:
    """The folder as it is seen when everything has settled."""
    return Folder(inbox, max_bytes=10**7, clock=lambda: time.time() + SETTLED_SECONDS + 1)


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


def test_it_watches_until_told_to_stop(inbox: Path, outbox: Outbox) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Folder(inbox, max_bytes=10**7).run, args=(outbox, stop))
    thread.start()
    time.sleep(0.3)
    (inbox / "new.jsonl").write_text(row("1"))
    deadline = time.monotonic() + SWEEP_SECONDS + 15  # a file that came before the watch is found by the next sweep
    while not outbox.counts()[State.PENDING]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
