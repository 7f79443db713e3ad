from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.entries import OutboxFull, State, digest
from ingest.outbox import Outbox
from ingest.outbox_file import OutboxBroken, Ownership
from models.records import Document
from stream.records import DEAD, DOCUMENTS, decode, encode
from tests.ingest.make import NOW, Clock, document, letter


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", limit_bytes=50_000_000, clock=clock)
    yield box
    box.close()


def send(outbox: Outbox, log: str = "log-1", start: int = 0) -> None:
    entries = outbox.pending(100)
    outbox.mark_sent([(entry, 0, start + n) for n, entry in enumerate(entries)], log)


def test_keeps_order_and_text(outbox: Outbox) -> None:
    documents = [document(str(n)) for n in range(5)]
    assert outbox.add(documents)[:2] == (5, 0)
    outbox.add([letter()])
    entries = outbox.pending(10)
    assert [decode(entry.value, Document) for entry in entries[:5]] == documents
    assert [entry.topic for entry in entries] == [DOCUMENTS] * 5 + [DEAD]


def test_adding_again_changes_nothing_in_any_state(outbox: Outbox) -> None:
    outbox.add([document()])
    assert outbox.add([document()])[:2] == (0, 1)
    send(outbox)
    assert outbox.add([document()])[:2] == (0, 1)
    outbox.confirm(outbox.sent(10), State.STORED)
    assert outbox.add([document()])[:2] == (0, 1)
    assert outbox.pending(10) == []
    assert outbox.counts()[State.STORED] == 1


def test_an_edit_and_a_forced_repeat_are_published_again(outbox: Outbox, clock: Clock) -> None:
    outbox.add([document()])
    send(outbox)
    outbox.confirm(outbox.sent(10), State.STORED)
    assert outbox.add([document(body="更正：芒果超媒盘中涨5%。")])[:2] == (1, 0)
    assert "更正" in outbox.pending(1)[0].value.decode()
    send(outbox)
    outbox.confirm(outbox.sent(10), State.STORED)
    clock.pass_(1)
    assert outbox.add([document(body="更正：芒果超媒盘中涨5%。")], again=True)[:2] == (1, 0)


def test_an_edit_while_in_flight_stays_pending(outbox: Outbox) -> None:
    outbox.add([document()])
    in_flight = outbox.pending(1)
    outbox.add([document(body="第二稿")])
    outbox.mark_sent([(in_flight[0], 0, 0)], "log-1")
    assert outbox.counts()[State.PENDING] == 1
    assert "第二稿" in outbox.pending(1)[0].value.decode()


def test_an_edit_while_being_confirmed_stays_open(outbox: Outbox) -> None:
    outbox.add([document()])
    send(outbox)
    seen = outbox.sent(10)
    outbox.add([document(body="第二稿", at=NOW.replace(hour=4))])
    send(outbox)
    outbox.confirm(seen, State.STORED)
    assert outbox.counts()[State.SENT] == 1


def test_full_takes_nothing_of_the_batch_and_frees_room(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", limit_bytes=400_000)
    outbox.add([document("0")])
    with pytest.raises(OutboxFull, match="outbox_limit_mb"):
        outbox.add([document(str(n), body="长" * 50_000) for n in range(1, 4)])
    assert outbox.counts()[State.PENDING] == 1
    outbox.add([document("1", body="长" * 50_000)])
    assert outbox.room() < 0.65
    send(outbox)
    outbox.confirm(outbox.sent(10), State.STORED)
    assert outbox.room() > 0.8
    outbox.add([document("2", body="长" * 50_000)])


def test_what_is_stored_fills_neither_the_limit_nor_the_disk(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", limit_bytes=300_000)
    for batch in range(40):  # 3 MB of texts, each batch confirmed at once
        outbox.add([document(f"{batch} {n}", body="长" * 400) for n in range(50)])
        send(outbox)
        outbox.confirm(outbox.sent(50), State.STORED)
    assert (outbox.counts()[State.STORED], outbox.used_bytes()) == (2000, 0)
    outbox.close()
    assert outbox.path.stat().st_size < 1_000_000


def test_the_limit_counts_what_is_open_through_edits_and_replacements(outbox: Outbox) -> None:
    outbox.add([document("a", body="长" * 100), document("a", body="长" * 3000), document("b"), letter()])
    outbox.add([document("b", body="第二稿"), document("b", body="第二稿"), document("c")])
    outbox.replace(outbox.pending(1)[0], letter("a"))
    held = outbox.pending(10)
    assert len(held) == 4 and held[0].value == encode(letter("a"))
    assert outbox.used_bytes() == sum(len(entry.value) for entry in held)
    send(outbox)
    outbox.confirm(outbox.sent(3), State.STORED)
    assert outbox.used_bytes() == len(held[3].value)


def test_survives_kill_9(tmp_path: Path) -> None:
    code = f"""
import os, pathlib
from ingest.outbox import Outbox
from tests.ingest.make import document
box = Outbox(pathlib.Path({str(tmp_path)!r}) / "outbox.db", limit_bytes=10**8)
box.add([document(str(n)) for n in range(300)])
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == -9
    assert Outbox(tmp_path / "outbox.db", limit_bytes=10**8).counts()[State.PENDING] == 300


def test_two_processes_add_at_once(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys
from ingest.outbox import Outbox
from tests.ingest.make import document
box = Outbox(pathlib.Path({str(tmp_path)!r}) / "outbox.db", limit_bytes=10**8)
for n in range(50):
    box.add([document(sys.argv[1] + str(n)), document("shared" + str(n))])
"""
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    assert Outbox(tmp_path / "outbox.db", limit_bytes=10**8).counts()[State.PENDING] == 150


def test_ids_are_forgotten_after_the_retention(tmp_path: Path, clock: Clock) -> None:
    outbox = Outbox(tmp_path / "outbox.db", limit_bytes=10**8, retention_days=1, clock=clock)
    outbox.add([document("old"), document("open")])
    entry = outbox.pending(1)[0]
    outbox.mark_sent([(entry, 0, 0)], "log-1")
    outbox.confirm(outbox.sent(1), State.STORED)
    clock.pass_(86_401)
    assert outbox.forget() == 1
    assert outbox.add([document("old"), document("open")])[:2] == (1, 1)


def test_counts_of_a_batch(outbox: Outbox) -> None:
    outbox.add([document("a"), document("b")], batch="mine")
    outbox.add([document("c")])
    assert outbox.counts("mine")[State.PENDING] == 2
    assert outbox.counts()[State.PENDING] == 3


def test_what_went_to_a_lost_log_is_sent_again(outbox: Outbox) -> None:
    outbox.add([document("a")])
    send(outbox, "log-1")
    outbox.add([document("b")])
    send(outbox, "log-2")
    assert outbox.send_lost_again(DOCUMENTS, "log-2") == 1
    assert [entry.id for entry in outbox.pending(10)] == [document("a").id]


def test_the_first_offset_stays_within_a_log(outbox: Outbox) -> None:
    outbox.add([document("a")])
    send(outbox, "log-1", start=7)
    outbox.send_again(outbox.sent(1))
    send(outbox, "log-1", start=90)
    assert (outbox.sent(1)[0].offset, outbox.sent(1)[0].first_offset) == (90, 7)
    outbox.send_again(outbox.sent(1))
    send(outbox, "log-2", start=1)
    assert (outbox.sent(1)[0].offset, outbox.sent(1)[0].first_offset) == (1, 1)


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    first, second = Ownership(tmp_path / "outbox.db"), Ownership(tmp_path / "outbox.db")
    assert first.take() and first.take()
    assert not second.take()
    first.give_back()
    assert second.take()
    second.give_back()


def test_notes(outbox: Outbox) -> None:
    assert outbox.note("rss") == {}
    outbox.set_note("rss", {"etag": "x"})
    assert outbox.note("rss") == {"etag": "x"}


def test_notes_that_nobody_uses_are_forgotten_and_cursors_never(tmp_path: Path, clock: Clock) -> None:
    outbox = Outbox(tmp_path / "outbox.db", limit_bytes=10**8, retention_days=1, clock=clock)
    outbox.set_note("cursor cls", {"newest": "x"})
    for n in range(12_000):
        outbox.set_note(f"file {n}", {"size": n}, lasting=False)
    outbox.set_note("pdf 1", {"done": True}, lasting=False)
    assert outbox.forget_notes("file ", []) == 0
    clock.pass_(86_401)
    in_use = [f"file {n}" for n in range(0, 12_000, 2)]
    assert outbox.forget_notes("file ", [*in_use, "cursor cls", "file that never was"]) == 6000
    assert outbox.note("file 2") and not outbox.note("file 3") and outbox.note("cursor cls") and outbox.note("pdf 1")
    clock.pass_(86_401)
    assert outbox.forget_notes("", []) == 6001
    assert outbox.note("cursor cls")


def test_an_outbox_of_before_learns_to_forget(tmp_path: Path, clock: Clock) -> None:
    with sqlite3.connect(tmp_path / "outbox.db") as old:
        old.execute("CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        old.executemany("INSERT INTO notes VALUES (?, '{}')", [("cursor cls",), ("file a",), ("pdf 1",)])
    old.close()
    for _ in range(2):
        outbox = Outbox(tmp_path / "outbox.db", limit_bytes=10**8, clock=lambda: time.time() + 91 * 86400)
    assert outbox.forget_notes("file ", []) == 1 and outbox.forget_notes("", []) == 1


BEFORE = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, digest BLOB NOT NULL, state INTEGER NOT NULL,
    value BLOB, batch TEXT NOT NULL, fetched_at REAL NOT NULL, published_at REAL NOT NULL, changed_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, log TEXT, "partition" INTEGER, "offset" INTEGER, first_offset INTEGER
);
CREATE INDEX entries_open ON entries (state, seq) WHERE state < 2;
CREATE INDEX entries_done ON entries (changed_at) WHERE state >= 2;
CREATE INDEX entries_batch ON entries (batch, state) WHERE batch != '';
"""


def with_texts_in_rows(path: Path, items: list[Document], state: Callable[[int], int]) -> None:
    """An outbox of before texts had a table of their own."""
    with sqlite3.connect(path) as old:
        old.executescript("PRAGMA journal_mode=WAL;" + BEFORE)
        for n, item in enumerate(items):
            value = encode(item) if state(n) < 2 else None
            times = item.fetched_at.timestamp(), item.published_at.timestamp(), time.time()
            row = (None, item.id, DOCUMENTS, digest(item), state(n), value, "mine", *times, 1, "log-1", 0, n, n)
            old.execute(f"INSERT INTO entries VALUES ({', '.join('?' * 15)})", row)
    old.close()


def test_an_outbox_of_before_keeps_what_it_holds(tmp_path: Path) -> None:
    items = [document(str(n)) for n in range(9)]
    with_texts_in_rows(tmp_path / "outbox.db", items, lambda n: n % 3)
    for _ in range(2):
        outbox = Outbox(tmp_path / "outbox.db", limit_bytes=10**8)
        assert [decode(entry.value, Document) for entry in outbox.pending(10)] == items[::3]
        assert [(one.id, one.offset) for one in outbox.sent(10)] == [(items[n].id, n) for n in (1, 4, 7)]
        assert outbox.counts("mine")[State.STORED] == 3 and outbox.add(items)[:2] == (0, 9)
        assert outbox.used_bytes() == sum(len(encode(item)) for n, item in enumerate(items) if n % 3 < 2)
        outbox.close()


@pytest.mark.parametrize("before", ["ALTER TABLE entries", "INSERT INTO texts", "DROP TABLE entries_before", "COMMIT"])
def test_an_outbox_of_before_survives_kill_9_while_it_is_copied(tmp_path: Path, before: str) -> None:
    with_texts_in_rows(tmp_path / "outbox.db", [document(str(n)) for n in range(3000)], lambda n: n % 3)
    code = f"""
import os, pathlib, sqlite3
from ingest.outbox_file import open_database
connect = sqlite3.connect
def watched(*arguments, **options):
    db = connect(*arguments, **options)
    db.set_trace_callback(lambda sql: sql.lstrip().startswith({before!r}) and os.kill(os.getpid(), 9))
    return db
sqlite3.connect = watched
open_database(pathlib.Path({str(tmp_path)!r}) / "outbox.db")
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == -9
    outbox = Outbox(tmp_path / "outbox.db", limit_bytes=10**8)
    assert set(outbox.counts().values()) == {0, 1000}
    assert len(outbox.pending(2000)) == len(outbox.sent(2000)) == 1000
    assert outbox.used_bytes() > 0 and outbox.add([document("0"), document("2")])[:2] == (0, 2)


def test_a_damaged_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(OutboxBroken, match="move it away"):
        Outbox(tmp_path / "outbox.db", limit_bytes=10**8)
