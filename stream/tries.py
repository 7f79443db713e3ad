"""What the worker has in hand, noted on disk, so that a text that ends the worker again and again is found out.

A text on which the models hang, or of which the process dies (out of memory, a fault in native code), leaves neither
an analysis nor an error: the worker is restarted, reads it again, and would do so for ever. So each document is counted
before it is read. After a bad end its batch is read one by one, and what was in hand `MAX_TRIES` times is set aside.

One file for each partition, since a partition has one worker at a time. A worker on another machine counts anew.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stream.deadletters import Record

log = logging.getLogger(__name__)

MAX_TRIES = 3


class Tries:
    """Counts in files of `folder`. epoch: of the topic, whose offsets name the documents. Use from one thread."""

    def __init__(self, folder: Path, epoch: str) -> None:
        self._folder, self._epoch = folder, epoch
        self._held: dict[int, dict[int, int]] = {}  # partition -> offset -> tries

    def of(self, records: Sequence[Record]) -> list[int]:
        """How often a worker has ended with each record in hand. Forgets what lies before them in the log."""
        first: dict[int, int] = {}
        for record in records:
            first[record.partition] = min(record.offset, first.get(record.partition, record.offset))
        for partition, offset in first.items():
            self._held[partition] = {at: n for at, n in self._load(partition).items() if at >= offset}
        return [self._held[record.partition].get(record.offset, 0) for record in records]

    @contextmanager
    def holding(self, records: Sequence[Record]) -> Iterator[None]:
        """While these are read: one try more each, unless the reading ends by itself, be it with an error."""
        for record in records:
            held = self._held.setdefault(record.partition, {})
            held[record.offset] = held.get(record.offset, 0) + 1
        self._save(records)
        try:
            yield
        finally:
            for record in records:
                self._held[record.partition].pop(record.offset, None)
            self._save(records)

    def _path(self, partition: int) -> Path:
        return self._folder / f"in-hand-{partition}.json"

    def _load(self, partition: int) -> dict[int, int]:
        try:
            epoch, held = json.loads(self._path(partition).read_bytes())
            return {int(offset): int(tries) for offset, tries in held.items()} if epoch == self._epoch else {}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:  # cut off in the middle of writing
            log.warning("%s can't be read (%s); counting anew", self._path(partition), error)
            return {}

    def _save(self, records: Sequence[Record]) -> None:
        for partition in {record.partition for record in records}:
            path = self._path(partition)
            try:
                if held := self._held[partition]:
                    unfinished = path.with_suffix(".tmp")
                    unfinished.write_text(json.dumps([self._epoch, held]))
                    unfinished.replace(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:  # a full disk stops no reading
                log.warning("can't note what is in hand in %s: %s", path, error.strerror)
