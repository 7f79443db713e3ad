"""Bounded batches of a Faust stream, acknowledged only by us, in the log's order.

Faust's own `take()` acknowledges a batch in a `finally`: an exception or a cancelled task (a stop, a rebalance) inside
the batch drops its messages. And its consumer commits past a message that is still in flight when later ones of the
partition were acknowledged first. So a stream is read here without Faust's acknowledgements, and `Batch.done` is
called once a batch's results are safe; one batch at a time, so that acknowledged offsets never have a hole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from stream.deadletters import Record

MAX_BYTES = 32_000_000  # a thousand long reports at once would fill the memory
QUIET = 0.2  # of a batch's seconds without a message: no more are coming now


@dataclass(frozen=True)
class Batch:
    """Messages to handle together, in the order in which they came."""

    events: list[Any]  # faust.Event

    @property
    def records(self) -> list[Record]:
        return [
            Record(m.topic, m.partition, m.offset, event.key, event.value)
            for event in self.events
            for m in (event.message,)
        ]

    def done(self) -> None:
        """The results are safe: let the offsets move."""
        for event in self.events:
            event.ack()


async def batches(stream: Any, size: int, seconds: float, max_bytes: int = MAX_BYTES) -> AsyncIterator[Batch]:
    """Batches of at most `size` messages, each given out at most `seconds` after its first message came.

    It goes sooner when nothing more comes for a fifth of that and the batch before is `seconds` old: after a quiet time
    a message hardly waits, a steady flow makes a batch every `seconds`, and what another batch left at once stays
    together. A batch ends with the message that takes it to `max_bytes`.
    """
    stream.enable_acks = False
    events = aiter(stream.events())
    loop = asyncio.get_running_loop()
    due = loop.time()
    upcoming = asyncio.ensure_future(_next(events))
    try:
        while (event := await upcoming) is not None:
            batch, weight = [event], _weight(event)
            upcoming = asyncio.ensure_future(_next(events))
            deadline = loop.time() + seconds
            while len(batch) < size and weight < max_bytes:
                now = loop.time()
                patience = min(deadline, max(due, now + QUIET * seconds)) - now
                done, _ = await asyncio.wait({upcoming}, timeout=max(0.0, patience))
                if not done or (event := upcoming.result()) is None:
                    break
                batch.append(event)
                weight += _weight(event)
                upcoming = asyncio.ensure_future(_next(events))
            due = loop.time() + seconds
            yield Batch(batch)
    finally:
        upcoming.cancel()
        with suppress(asyncio.CancelledError):
            await upcoming


async def _next(events: AsyncIterator[Any]) -> Any:
    """The next event, or None at the stream's end."""
    return await anext(events, None)


def _weight(event: Any) -> int:
    return len(event.value or b"")
