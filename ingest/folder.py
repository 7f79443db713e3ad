"""A watched folder: what is put in it is ingested, once.

A file is read when it has had the same size and time for `SETTLED_SECONDS` (somebody may still be copying it) and
its name is not that of a partial file. It stays where it is: what was done is remembered by content hash in the
outbox's notes, so a renamed or touched copy is not read again, and a changed file is. Notes of files that have gone are
dropped after the outbox's retention, as the ids of their documents are. Changes are noticed through
the operating system where it tells, and by looking every `SWEEP_SECONDS`, which network folders need.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from watchfiles import watch

from ingest.entries import Added
from ingest.fields import Options
from ingest.files import PARTIAL, Reader
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
        done = _Done(outbox)
        count = 0
        for file in self._files():
            try:
                if not self._settled(file) or done.same_file(file):
                    continue
                mark = _hash(file)
                if not done.same_content(mark):
                    self._ingest(file, outbox, pdfs)
                    count += 1
                done.remember(file, mark)
            except OSError as error:  # gone or unreadable: looked at again in the next sweep
                log.warning("%s: %s", file, error)
                if file.exists():
                    self._failed(self.name, f"{file.name}: {error.strerror or error}")
        if self._clock() - self._forgot_at >= FORGET_SECONDS:
            done.forget_all_but(self._files())
            self._forgot_at = self._clock()
        return count

    def _ingest(self, file: Path, outbox: Outbox, pdfs: ReportReader) -> None:
        options = Options(now=datetime.fromtimestamp(self._clock(), UTC))
        items = iter(Reader(options, max_bytes=self._max_bytes, pdf=pdfs.read).read(file))
        new = known = 0
        while chunk := list(islice(items, CHUNK)):
            added = outbox.add(chunk)
            self._arrived(chunk, added)
            new, known = new + added.new, known + added.known
        log.info("%s: %d new, %d known", file, new, known)

    def _files(self) -> Iterator[Path]:
        for file in sorted(self.path.rglob("*")):
            relative = file.relative_to(self.path)
            if file.is_file() and not any(PARTIAL.search(part) for part in relative.parts):
                yield file

    def _settled(self, file: Path) -> bool:
        try:
            stat = file.stat()
        except OSError:  # gone meanwhile
            return False
        return self._clock() - max(stat.st_mtime, stat.st_ctime) >= SETTLED_SECONDS

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        """Until something changes, `seconds` have passed, or `stop`."""
        if seconds < SWEEP_SECONDS:
            stop.wait(seconds)
            return
        watching = watch(
            self.path, stop_event=stop, rust_timeout=int(seconds * 1000), yield_on_timeout=True, raise_interrupt=False
        )
        next(iter(watching), None)


class _Done:
    """What was ingested: a note for each file (size, time, content) and for each content (hash)."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def same_file(self, file: Path) -> bool:
        note = self._outbox.note(f"file {file}")
        return {**note, **_stamp(file)} == note

    def same_content(self, mark: str) -> bool:
        return bool(self._outbox.note(f"content {mark}"))

    def remember(self, file: Path, mark: str) -> None:
        self._outbox.set_note(f"content {mark}", {"file": str(file)}, lasting=False)
        self._outbox.set_note(f"file {file}", {**_stamp(file), "content": mark}, lasting=False)

    def forget_all_but(self, files: Iterable[Path]) -> None:
        """Drop the notes of other files and contents that have been gone for the outbox's retention."""
        names = [f"file {file}" for file in files]
        contents = [f"content {mark}" for name in names if (mark := self._outbox.note(name).get("content"))]
        dropped = self._outbox.forget_notes("file ", names) + self._outbox.forget_notes("content ", contents)
        if dropped:
            log.info("forgot %d notes of files that have gone", dropped)


def _stamp(file: Path) -> dict[str, object]:
    stat = file.stat()
    return {"size": stat.st_size, "time": stat.st_mtime_ns}


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
