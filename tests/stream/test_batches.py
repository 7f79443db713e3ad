"""Batches are bounded by count and time, and acknowledged in order; Faust's own way loses messages."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.consumer import Consumer
from faust.types import TP
from intervaltree import IntervalTree

from stream.batches import Batch, batches


class Event:
    """As much of `faust.Event` as a batch uses."""

    def __init__(self, offset: int, acknowledged: list[int]) -> None:
        self.message = SimpleNamespace(topic="t", partition=0, offset=offset)
        self.key, self.value = b"k", b"v"
        self._acknowledged = acknowledged

    def ack(self) -> None:
        self._acknowledged.append(self.message.offset)


class Source:
    """A stream that gives out events with pauses (seconds) between them."""

    def __init__(self, pauses: Iterable[float]) -> None:
        self.enable_acks = True
        self.acknowledged: list[int] = []
        self._pauses = pauses

    async def events(self) -> AsyncIterator[Event]:
        for offset, pause in enumerate(self._pauses):
            if pause:
                await asyncio.sleep(pause)
            yield Event(offset, self.acknowledged)


def gather(source: Source, size: int, seconds: float) -> list[list[int]]:
    async def run() -> list[list[int]]:
        return [[r.offset for r in batch.records] async for batch in batches(source, size, seconds)]

    return asyncio.run(run())


def test_a_batch_is_full_or_as_old_as_allowed() -> None:
    assert gather(Source([0] * 7), size=3, seconds=5) == [[0, 1, 2], [3, 4, 5], [6]]
    assert gather(Source([0, 0, 0.5, 0]), size=10, seconds=0.1) == [[0, 1], [2, 3]]


def test_after_a_quiet_time_a_message_does_not_wait_for_company_and_in_a_flow_it_does() -> None:
    # The first batch is given out after a fifth of the 2 s; the second one gathers, though it pauses as long.
    assert gather(Source([0, 0, 0.8, 0.6]), size=10, seconds=2) == [[0, 1], [2, 3]]


def test_a_batch_of_large_messages_is_short() -> None:
    source = Source([0] * 5)  # of one byte each

    async def run() -> list[int]:
        return [len(batch.events) async for batch in batches(source, 10, 5, max_bytes=2)]

    assert asyncio.run(run()) == [2, 2, 1]


def test_nothing_is_acknowledged_before_it_is_done() -> None:
    source = Source([0] * 4)

    async def run() -> None:
        reader = batches(source, 2, 1)
        batch = await anext(reader)
        assert source.acknowledged == [] and source.enable_acks is False
        await anext(reader)
        assert source.acknowledged == []
        batch.done()
        assert source.acknowledged == [0, 1]
        await reader.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("ending", [RuntimeError, asyncio.CancelledError])
def test_a_batch_that_fails_or_is_cancelled_stays_unacknowledged(ending: type[BaseException]) -> None:
    source = Source([0] * 4)

    async def agent() -> None:
        async for _ in batches(source, 2, 1):
            raise ending

    with pytest.raises(ending):
        asyncio.run(agent())
    assert source.acknowledged == []


def new_offset(committed: int, acknowledged: list[int]) -> int | None:
    """What Faust's consumer would commit."""
    place = TP("t", 0)
    consumer: Any = SimpleNamespace(
        _acked={place: list(acknowledged)},
        _acked_index=defaultdict(set),
        _gap={place: IntervalTree()},
        _committed_offset={place: committed},
    )
    return Consumer._new_offset(consumer, place)


def test_faust_commits_past_a_message_in_flight_unless_they_are_acknowledged_in_order() -> None:
    in_flight = 2585  # the next one after what is committed
    assert new_offset(in_flight, [2586, 2587, 2588, 2589]) == 2590, "Faust is mended: stream.batches may be simpler now"
    assert new_offset(in_flight, [2585, 2586]) == 2587  # in order, as Batch.done does: nothing skipped


def test_records_keep_their_place() -> None:
    (record,) = Batch([Event(5, [])]).records
    assert (record.topic, record.partition, record.offset, record.key, record.value) == ("t", 0, 5, b"k", b"v")
