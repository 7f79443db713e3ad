"""Dead letters: what could not be read, analysed or stored, with the reason and the original.

A message that fails alone is set aside so that the others go on. When too many fail, it is not the messages that are
bad but the program or its surroundings: the worker then stops instead of setting the whole stream aside.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import NamedTuple

from stream.records import MAX_PAYLOAD, DeadLetter, Origin
from stream.store import first_line


class Record(NamedTuple):
    """A message as it stands in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None

    def origin(self, epoch: str) -> Origin:
        return Origin(self.topic, self.partition, self.offset, epoch)


class TooManyFailures(RuntimeError):
    """More failures than `stream.dead_letter_limit` allows; the text says what to do."""


class FailureLimit:
    """Counts failures among the last `window` messages. Raises once their share of the window exceeds `limit`."""

    def __init__(self, limit: float, window: int = 500) -> None:
        self._allowed = limit * window
        self._outcomes: deque[bool] = deque(maxlen=window)

    def note(self, *, good: int, bad: int, example: str = "") -> None:
        """Count a batch. Raises `TooManyFailures`."""
        self._outcomes.extend([False] * good + [True] * bad)
        failures = sum(self._outcomes)
        if bad and failures > self._allowed:
            raise TooManyFailures(
                f"{failures} of the last {len(self._outcomes)} messages failed, more than stream.dead_letter_limit "
                f"allows; the worker stops rather than set everything aside. The latest: {example}. Mend that (an "
                "older worker? a broken model or schema?), or raise the limit; nothing is lost meanwhile"
            )


def dead_letter(
    record: Record,
    stage: str,
    error: Exception,
    *,
    reason: str,
    epoch: str,
    now: datetime,
    document_id: str = "",
    source: str = "",
) -> DeadLetter:
    """The dead letter of a message. Without a document id the key, or else the place in the log, stands for it."""
    key = (record.key or b"").decode("utf-8", "replace").strip()[:200]
    return DeadLetter(
        document_id=document_id or key or f"{record.topic}/{record.partition}/{record.offset}",
        stage=stage,
        reason=reason or first_line(error),
        error=type(error).__name__,
        source=source,
        origin=record.origin(epoch),
        payload=(record.value or b"")[: 4 * MAX_PAYLOAD].decode("utf-8", "replace")[:MAX_PAYLOAD],
        failed_at=now,
    )
