"""The outbox: a document handed to an ingestor is on this disk until the store, or the dead letters, have it.

The embedded broker forgets everything when it restarts, and a cluster can lose a partition, so Kafka's
acknowledgement ends nothing. An entry goes `PENDING` (here only), `SENT` (Kafka took it), then `STORED` or `DEAD`
(seen in the store). From then on only its id stays, for `retention_days`, so that adding the same document again
does nothing; adding the same id with another text is an edit and is published again. Only texts count towards the
limit: the ids of stored documents never keep new ones out.

One SQLite file (`ingest.outbox_file`) in WAL mode with `synchronous=FULL`: `add` returns after the fsync, so an
acknowledged document survives a power cut. Callers add in batches, which makes the fsync cheap. Any process may add;
`Ownership` keeps publishing and confirming to one process at a time.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ingest.entries import Added, Entry, OutboxFull, Sent, State, digest
from ingest.outbox_file import Transaction, open_database
from models.records import Document
from stream.records import DEAD, DOCUMENTS, DeadLetter, encode

# An edit of a message that is open or done takes the row over; the same text again changes nothing.
_ADD = """
INSERT INTO entries (id, topic, digest, state, batch, fetched_at, published_at, changed_at)
VALUES (?, ?, ?, 0, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    topic = excluded.topic, digest = excluded.digest, state = 0, batch = excluded.batch,
    fetched_at = excluded.fetched_at, published_at = excluded.published_at, changed_at = excluded.changed_at,
    log = NULL
WHERE entries.digest != excluded.digest
"""
_TEXT = """
INSERT INTO texts SELECT seq, ? FROM entries WHERE id = ?
ON CONFLICT (seq) DO UPDATE SET value = excluded.value
"""

# SQLite uses a partial index only where the query repeats its condition: hence `state < 2 AND state = 1`.
# `first_offset` stays when a message is sent again into the same log: either copy may be the one that gets stored.
_SENT = """
UPDATE entries SET
    state = 1, "partition" = :partition, "offset" = :offset, changed_at = :now, attempts = attempts + 1,
    first_offset = CASE WHEN log = :log THEN first_offset ELSE :offset END, log = :log
WHERE seq = :seq AND digest = :digest AND state = 0
"""


def _about(item: Document | DeadLetter) -> tuple[bool, str]:
    """Whether it is a dead letter, and its source."""
    return isinstance(item, DeadLetter), item.source


class Outbox:
    """See the module's text. Safe for use by several threads; each process opens its own.

    limit_bytes: room for the texts of unconfirmed messages; clock: epoch seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit_bytes: int,
        retention_days: float = 90,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._limit = limit_bytes
        self._retention = retention_days * 86400
        self._clock = clock
        self._lock = threading.RLock()
        self._db = open_database(path)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # ------------------------------------------------------------------ adding

    def add(self, items: Sequence[Document | DeadLetter], *, batch: str = "", again: bool = False) -> Added:
        """Take the items, all or none; on return they are on disk and may be acknowledged to whoever gave them.

        `batch` is a label to ask `counts` for. `again` publishes known ids once more. Raises `OutboxFull`.
        """
        now = self._clock()
        rows = [self._row(item, batch, now, again) for item in items]
        values = [encode(item) for item in items]
        changed: Counter[tuple[bool, str]] = Counter()
        try:
            with self._transaction():
                if self.used_bytes() + sum(map(len, values)) > self._limit:
                    raise OutboxFull(
                        f"outbox {self.path} holds its limit of {self._limit // 1_000_000} MB: start Kafka, the worker "
                        "and ClickHouse so that it drains, or raise ingest.outbox_limit_mb"
                    )
                for item, row, value in zip(items, rows, values, strict=True):
                    if self._db.execute(_ADD, row).rowcount:
                        self._db.execute(_TEXT, (value, row[0]))
                        changed[_about(item)] += 1
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise OutboxFull(f"no room on the disk of {self.path}: free some ({error})") from error
            raise
        new = changed.total()
        return Added(new, len(rows) - new, {source: n for (letter, source), n in changed.items() if n and not letter})

    @staticmethod
    def _row(item: Document | DeadLetter, batch: str, now: float, again: bool) -> tuple[Any, ...]:
        mark = digest(item) + (str(now).encode() if again else b"")
        if isinstance(item, Document):
            times = item.fetched_at.timestamp(), item.published_at.timestamp()
            return (item.id, DOCUMENTS, mark, batch, *times, now)
        return (item.document_id, DEAD, mark, batch, item.failed_at.timestamp(), 0.0, now)

    def room(self) -> float:
        """Share of the limit that is free, 0..1."""
        return max(0.0, 1 - self.used_bytes() / self._limit)

    def used_bytes(self) -> int:
        """Bytes of the texts that the store has not shown yet."""
        return int(self._all("SELECT bytes FROM used")[0][0])

    # ------------------------------------------------------------------ publishing

    def pending(self, limit: int) -> list[Entry]:
        """The oldest unpublished messages, in the order they were added."""
        sql = (
            "SELECT seq, id, topic, digest, value FROM entries JOIN texts USING (seq) "
            "WHERE state < 2 AND state = 0 ORDER BY seq LIMIT ?"
        )
        return [Entry(*row) for row in self._all(sql, (limit,))]

    def mark_sent(self, acks: Iterable[tuple[Entry, int, int]], log: str) -> None:
        """Kafka took these: (entry, partition, offset), into the topic of identity `log`.

        An entry edited meanwhile stays pending.
        """
        now = self._clock()
        with self._transaction():
            self._db.executemany(
                _SENT,
                [
                    {
                        "log": log,
                        "partition": partition,
                        "offset": offset,
                        "now": now,
                        "seq": entry.seq,
                        "digest": entry.digest,
                    }
                    for entry, partition, offset in acks
                ],
            )

    def replace(self, entry: Entry, letter: DeadLetter) -> None:
        """Publish a dead letter in place of a message that Kafka will never take."""
        with self._transaction():
            sql = "UPDATE entries SET topic = ? WHERE seq = ? AND digest = ?"
            if self._db.execute(sql, (DEAD, entry.seq, entry.digest)).rowcount:
                self._db.execute("UPDATE texts SET value = ? WHERE seq = ?", (encode(letter), entry.seq))

    # ------------------------------------------------------------------ confirming

    def sent(self, limit: int, after: int = 0) -> list[Sent]:
        """Messages that Kafka took and the store has not shown, from sequence number `after` on."""
        sql = (
            'SELECT seq, id, topic, "partition", "offset", first_offset, fetched_at, published_at, changed_at '
            "FROM entries WHERE state < 2 AND state = 1 AND seq > ? ORDER BY seq LIMIT ?"
        )
        return [Sent(*row) for row in self._all(sql, (after, limit))]

    def confirm(self, entries: Iterable[Sent], state: State) -> None:
        """The store has these: forget the text, remember the id."""
        now = self._clock()
        done = "UPDATE entries SET state = ?, changed_at = ? WHERE seq = ? AND state = 1 AND fetched_at = ?"
        with self._transaction():
            for entry in entries:
                if self._db.execute(done, (state, now, entry.seq, entry.fetched_at)).rowcount:
                    self._db.execute("DELETE FROM texts WHERE seq = ?", (entry.seq,))

    def send_again(self, entries: Iterable[Sent]) -> None:
        """Set sent messages pending."""
        with self._transaction():
            self._db.executemany(
                "UPDATE entries SET state = 0, changed_at = ? WHERE seq = ? AND state = 1",
                [(self._clock(), entry.seq) for entry in entries],
            )

    def send_lost_again(self, topic: str, log: str) -> int:
        """Set pending what was sent to another identity of the topic than `log`: that log is gone. How many."""
        with self._transaction():
            sql = (
                "UPDATE entries SET state = 0, changed_at = ? "
                "WHERE state < 2 AND state = 1 AND topic = ? AND log IS NOT ?"
            )
            return self._db.execute(sql, (self._clock(), topic, log)).rowcount

    def forget(self) -> int:
        """Drop the ids of confirmed messages older than the retention; how many."""
        with self._transaction():
            sql = "DELETE FROM entries WHERE state >= 2 AND changed_at < ?"
            return self._db.execute(sql, (self._clock() - self._retention,)).rowcount

    # ------------------------------------------------------------------ asking and small notes

    def counts(self, batch: str = "") -> dict[State, int]:
        """Messages by state, of one batch or of all."""
        where, values = ("WHERE batch = ?", (batch,)) if batch else ("", ())
        found = dict(self._all(f"SELECT state, count(*) FROM entries {where} GROUP BY state", values))
        return {state: found.get(state, 0) for state in State}

    def waiting(self) -> dict[State, int]:
        """Messages that the store has not shown yet, by state; cheap however many were confirmed."""
        found = dict(self._all("SELECT state, count(*) FROM entries WHERE state < 2 GROUP BY state"))
        return {state: found.get(state, 0) for state in (State.PENDING, State.SENT)}

    def note(self, name: str) -> dict[str, object]:
        """A small JSON object kept beside the messages (cursors, topic identity); empty when never set."""
        rows = self._all("SELECT value FROM notes WHERE name = ?", (name,))
        return dict(json.loads(rows[0][0])) if rows else {}

    def set_note(self, name: str, value: dict[str, object], *, lasting: bool = True) -> None:
        """Keep a note: for good (cursors), or until `forget_notes` finds it unused for the retention."""
        used_at = None if lasting else self._clock()
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (name, json.dumps(value), used_at))

    def forget_notes(self, prefix: str, used: Iterable[str]) -> int:
        """Drop the notes under a prefix that don't last and weren't used for the retention; how many.

        used: names that are in use now, and so stay. Only whoever makes the notes knows that, and calls this.
        """
        now = self._clock()
        names = iter(used)
        while chunk := [(now, name) for name in islice(names, 5000)]:
            with self._transaction():
                self._db.executemany("UPDATE notes SET used_at = ? WHERE name = ? AND used_at IS NOT NULL", chunk)
        with self._transaction():
            sql = "DELETE FROM notes WHERE substr(name, 1, ?) = ? AND used_at < ?"
            return self._db.execute(sql, (len(prefix), prefix, now - self._retention)).rowcount

    # ------------------------------------------------------------------ SQLite

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _transaction(self) -> Transaction:
        return Transaction(self._db, self._lock)
