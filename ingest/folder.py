"""A watched folder: what is put in it is ingested, once.

A file is read when nothing has happened to it for `SETTLED_SECONDS` (somebody may still be copying it) and
its name is not that of a partial file. It stays where it is: what was done is remembered by content hash in the
outbox's notes, so a renamed or touched copy is not read again, and a changed file is. A file that was rejected whole is
remembered by name, size and time alone, so that the remedies (another name, a larger `ingest.max_file_mb`, a touch
once the PDF reader starts) have it read again. Notes of files that have gone are dropped after the outbox's retention,
as the ids of their documents are. Changes are noticed through the operating system where it tells, and by looking every
`SWEEP_SECONDS`, which network folders need.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from watchfiles import watch

from ingest.encoding import readable
from ingest.entries import Added, OutboxFull
from ingest.fields import Options
from ingest.files import PARTIAL, Reader, explained, rejected_whole, rejection
from ingest.outbox import Outbox
from ingest.pdf import ReportReader
from models.records import Document
from stream.records import DeadLetter

log = logging.getLogger(__name__)

SETTLED_SECONDS = 2.0
SWEEP_SECONDS = 30.0
FORGET_SECONDS = 86_400.0  # between looks for notes of files that have gone
CHUNK = 500


class Folder:
    """A source (`ingest.runner.Source`) that watches `path`, with all its folders.

    arrived, failed: are told what was taken, and which file can't be read (`ingest.arrivals`).
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        arrived: Callable[[Sequence[Document | DeadLetter], Added], None] = lambda *_: None,
        failed: Callable[[str, str], None] = lambda *_: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.name = f"folder {path}"
        self._max_bytes = max_bytes
        self._arrived, self._failed = arrived, failed
        self._clock = clock
        self._forgot_at = float("-inf")

    def run(self, outbox: Outbox, stop: threading.Event) -> None:
        """Ingest what is there and what comes, until `stop`."""
        self.path.mkdir(parents=True, exist_ok=True)
        pdfs = ReportReader()
        try:
            while not stop.is_set():
                self.sweep(outbox, pdfs)
                waiting = any(not self._settled(file) for file in self._files())
                self._wait(stop, SETTLED_SECONDS if waiting else SWEEP_SECONDS)
        finally:
            pdfs.close()

    def sweep(self, outbox: Outbox, pdfs: ReportReader) -> int:
        """Ingest every settled file that is new; how many files."""
        done = _Done(outbox, self._max_bytes)
        count = 0
        for file in self._files():
            try:
                if self._settled(file):
                    count += self._take(file, done, outbox, pdfs)
            except OSError as error:  # gone or unreadable: looked at again in the next sweep
                log.warning("%s: %s", readable(str(file)), error)
                if file.exists():
                    self._failed(self.name, f"{readable(file.name)}: {error.strerror or error}")
            except (OutboxFull, sqlite3.Error):  # no file's fault
                raise
            except Exception as error:  # isolation: whatever a file does, the others are read
                log.exception("%s", readable(str(file)))
                name, now = readable(file.name), self._now()
                outbox.add([rejection(name, 0, explained(error), "", source="files", now=now)])
                self._failed(self.name, f"{name}: {type(error).__name__}: {error}")
        if self._clock() - self._forgot_at >= FORGET_SECONDS:
            done.forget_all_but(self._files())
            self._forgot_at = self._clock()
        return count

    def _take(self, file: Path, done: _Done, outbox: Outbox, pdfs: ReportReader) -> bool:
        """Ingest a file unless it, or its content, is known; whether it wasn't."""
        stamp = _stamp(file)  # before its content is looked at: what replaces it meanwhile is another file
        if done.same_file(file, stamp):
            return False
        mark = _hash(file)
        new = not done.same_content(mark)
        read = self._ingest(file, outbox, pdfs) if new else True
        done.remember(file, stamp, mark if read else "")
        return new

    def _ingest(self, file: Path, outbox: Outbox, pdfs: ReportReader) -> bool:
        """Whether anything but the rejection of the whole file came of it."""
        options = Options(now=self._now())
        items = iter(Reader(options, max_bytes=self._max_bytes, pdf=pdfs.read).read(file))
        new = known = 0
        read = False
        while chunk := list(islice(items, CHUNK)):
            added = outbox.add(chunk)
            self._arrived(chunk, added)
            new, known = new + added.new, known + added.known
            read = read or not all(map(rejected_whole, chunk))
        log.info("%s: %d new, %d known", readable(str(file)), new, known)
        return read

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _files(self) -> Iterator[Path]:
        for file in sorted(self.path.rglob("*")):
            relative = file.relative_to(self.path)
            if file.is_file() and not any(PARTIAL.search(part) for part in relative.parts):
                yield file

    def _settled(self, file: Path) -> bool:
        try:
            changed_at = file.stat().st_ctime  # not st_mtime: an archive of another time zone sets it in the future
        except OSError:  # gone meanwhile
            return False
        return self._clock() - changed_at >= SETTLED_SECONDS

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        """Until something changes, `seconds` have passed, or `stop`."""
        if seconds < SWEEP_SECONDS:
            stop.wait(seconds)
            return
        watching = watch(
            self.path, stop_event=stop, rust_timeout=int(seconds * 1000), yield_on_timeout=True, raise_interrupt=False
        )
        try:
            next(iter(watching), None)
        except RuntimeError as error:  # it stops at a name that isn't UTF-8
            log.warning("%s", error)
            stop.wait(SETTLED_SECONDS)


class _Done:
    """What was ingested: a note for each file (size, time, content) and for each content (hash).

    That of a file that was rejected whole has, instead of the content, the `max_bytes` which were then allowed.
    """

    def __init__(self, outbox: Outbox, max_bytes: int) -> None:
        self._outbox, self._max_bytes = outbox, max_bytes

    def same_file(self, file: Path, stamp: dict[str, object]) -> bool:
        note = self._outbox.note(_note_name(file))
        allowed = note.get("max_bytes", self._max_bytes)
        return {**note, **stamp} == note and allowed == self._max_bytes

    def same_content(self, mark: str) -> bool:
        return bool(self._outbox.note(f"content {mark}"))

    def remember(self, file: Path, stamp: dict[str, object], mark: str) -> None:
        """mark: of the content; empty for a file that was rejected whole."""
        if mark:
            self._outbox.set_note(f"content {mark}", {"file": readable(str(file))}, lasting=False)
        how = {"content": mark} if mark else {"max_bytes": self._max_bytes}
        self._outbox.set_note(_note_name(file), {**stamp, **how}, lasting=False)

    def forget_all_but(self, files: Iterable[Path]) -> None:
        """Drop the notes of other files and contents that have been gone for the outbox's retention."""
        names = [_note_name(file) for file in files]
        contents = [f"content {mark}" for name in names if (mark := self._outbox.note(name).get("content"))]
        dropped = self._outbox.forget_notes("file ", names) + self._outbox.forget_notes("content ", contents)
        if dropped:
            log.info("forgot %d notes of files that have gone", dropped)


def _note_name(file: Path) -> str:
    return f"file {readable(str(file))}"


def _stamp(file: Path) -> dict[str, object]:
    stat = file.stat()
    return {"size": stat.st_size, "time": stat.st_mtime_ns}


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
