"""The outbox's file: an SQLite database in WAL mode that processes share, and who of them publishes from it."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


class OutboxBroken(RuntimeError):
    """The outbox's file can't be read; the text names it and the remedy."""


# A text has a row of its own, which goes when the store has it: a row that only shrinks would free no page.
# `used` is what the texts hold together, so asking for it costs nothing.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    topic        TEXT NOT NULL,
    digest       BLOB NOT NULL,
    state        INTEGER NOT NULL,
    batch        TEXT NOT NULL,
    fetched_at   REAL NOT NULL,
    published_at REAL NOT NULL,
    changed_at   REAL NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    log          TEXT,
    "partition"  INTEGER,
    "offset"     INTEGER,
    first_offset INTEGER
);
CREATE INDEX IF NOT EXISTS entries_open ON entries (state, seq) WHERE state < 2;
CREATE INDEX IF NOT EXISTS entries_done ON entries (changed_at) WHERE state >= 2;
CREATE INDEX IF NOT EXISTS entries_batch ON entries (batch, state) WHERE batch != '';
CREATE TABLE IF NOT EXISTS texts (seq INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS used (bytes INTEGER NOT NULL);
INSERT INTO used SELECT 0 WHERE NOT EXISTS (SELECT * FROM used);
CREATE TRIGGER IF NOT EXISTS texts_taken AFTER INSERT ON texts
    BEGIN UPDATE used SET bytes = bytes + length(new.value); END;
CREATE TRIGGER IF NOT EXISTS texts_edited AFTER UPDATE ON texts
    BEGIN UPDATE used SET bytes = bytes + length(new.value) - length(old.value); END;
CREATE TRIGGER IF NOT EXISTS texts_gone AFTER DELETE ON texts
    BEGIN UPDATE used SET bytes = bytes - length(old.value); END;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL, used_at REAL);
"""
# Outboxes made before notes could go.
_NOTES_USED_AT = """
ALTER TABLE notes ADD COLUMN used_at REAL;
UPDATE notes SET used_at = CAST(strftime('%s') AS REAL)
WHERE name GLOB 'file *' OR name GLOB 'content *' OR name GLOB 'pdf *';
"""
# Outboxes made when a text stood in its entry's row. They are copied, as dropping a column would free no page either.
_COLUMNS = (
    "seq, id, topic, digest, state, batch, fetched_at, published_at, changed_at, attempts, log, "
    '"partition", "offset", first_offset'
)
_TEXTS_APART = f"""
BEGIN IMMEDIATE;
ALTER TABLE entries RENAME TO entries_before;
DROP INDEX entries_open;
DROP INDEX entries_done;
DROP INDEX entries_batch;
{_SCHEMA}
INSERT INTO entries ({_COLUMNS}) SELECT {_COLUMNS} FROM entries_before;
INSERT INTO texts SELECT seq, value FROM entries_before WHERE state < 2;
DROP TABLE entries_before;
COMMIT;
"""


def open_database(path: Path) -> sqlite3.Connection:
    """The database at `path`, made where there is none; threads may share it. Raises `OutboxBroken`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
    with _first_opening(path):
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        if "value" in _columns(db, "entries"):
            db.executescript(_TEXTS_APART)
        db.executescript(_SCHEMA)
        if "used_at" not in _columns(db, "notes"):
            db.executescript(_NOTES_USED_AT)
    return db


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


@contextmanager
def _first_opening(path: Path) -> Iterator[None]:
    """One process at a time: switching a new file to WAL does not wait for others by itself. Raises `OutboxBroken`."""
    with path.with_suffix(".open").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            yield
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise OutboxBroken(f"{path}: {error}: free as much of it as the file takes, or more") from error
            raise
        except sqlite3.DatabaseError as error:
            raise OutboxBroken(
                f"{path} is damaged ({error}): move it away; what was in it and not yet stored must be ingested again"
            ) from error


class Transaction:
    """BEGIN IMMEDIATE .. COMMIT under the outbox's lock, rolled back on an error."""

    def __init__(self, db: sqlite3.Connection, lock: threading.RLock) -> None:
        self._db, self._lock = db, lock

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._db.execute("ROLLBACK" if kind else "COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._lock.release()


class Ownership:
    """The right to publish and confirm from an outbox: an flock, which dies with its process."""

    def __init__(self, outbox: Path) -> None:
        self._path = outbox.with_suffix(".lock")
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Whether this process has it now."""
        if self._file:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def give_back(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
