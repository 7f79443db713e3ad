"""Two faults of Faust on a real broker, and that a worker's agents don't have them.

Faust acknowledges a message in a `finally`: an agent that raises has dropped it. And what is acknowledged out of order
lets the offsets move past what is still in work. A test that says "Faust is mended" asks whether `stream.batches` may
be simpler now.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from deploy.local.broker import create_topics
from deploy.settings import Settings
from stream.app import create_app
from stream.batches import batches
from stream.records import ANALYSES
from tests.fixtures.broker import Broker

MESSAGES = [b"%d" % number for number in range(6)]
BAD = b"2"
Agent = Callable[[Any, list[bytes]], Awaitable[None]]


class Group:
    """A consumer group on a topic of one partition, whose workers come and go."""

    def __init__(self, name: str, broker: Broker, settings: Settings) -> None:
        self._name, self._broker, self._settings = name, broker, settings
        self.handled: list[bytes] = []

    def work(self, agent: Agent, until: Callable[[list[bytes]], bool]) -> None:
        """Run one worker until it has handled that; then it stops as a worker does, its offsets committed."""

        async def run() -> None:
            app = create_app(self._settings, self._name, asyncio.get_running_loop())
            topic = app.topic(ANALYSES, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

            async def handle(stream: Any) -> None:
                await agent(stream, self.handled)

            app.agent(topic, name="agent")(handle)
            await app.start()
            for _ in range(300):
                if until(self.handled):
                    break
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)
            await app.consumer.commit()
            await app.stop()

        asyncio.run(run())

    @property
    def committed(self) -> int:
        """The next offset that a worker would read."""
        admin = KafkaAdminClient(bootstrap_servers=self._broker.servers)
        found = [place.offset for place in admin.list_group_offsets(self._name)[self._name].values()]
        admin.close()
        return max(found, default=0)


@pytest.fixture
def group(make_broker: Callable[[], Broker], tmp_path: Path) -> Callable[[str], Group]:
    """Makes groups, for which six messages lie ready."""
    broker = make_broker()
    settings = Settings(data_dir=tmp_path, local={"kafka_port": broker.port})
    create_topics(broker.servers, settings)
    producer = KafkaProducer(bootstrap_servers=broker.servers, batch_size=0)
    for message in MESSAGES:
        producer.send(ANALYSES, message).get(10)
    producer.close()
    return lambda name: Group(name, broker, settings)


async def plain(stream: Any, handled: list[bytes]) -> None:
    """As Faust's own documentation writes agents."""
    async for value in stream:
        if value == BAD:
            raise RuntimeError("fails")
        handled.append(value)


async def ours(stream: Any, handled: list[bytes]) -> None:
    """As `stream.app` reads: acknowledged is what is done. The first time, the bad one is in work for long."""
    async for batch in batches(stream, 1, 0.1):
        if batch.records[0].value == BAD and BAD not in handled:
            handled.append(BAD)
            await asyncio.sleep(60)
        handled.append(batch.records[0].value or b"")
        batch.done()


def test_an_agent_that_raises_has_dropped_its_message(group: Callable[[str], Group]) -> None:
    faust = group("plain")
    faust.work(plain, until=lambda handled: MESSAGES[-1] in handled)
    assert BAD not in faust.handled and faust.committed == len(MESSAGES), "Faust is mended"


def test_a_worker_that_ends_with_a_message_in_work_leaves_it_to_the_next(group: Callable[[str], Group]) -> None:
    workers = group("ours")
    workers.work(ours, until=lambda handled: BAD in handled)
    assert workers.committed == MESSAGES.index(BAD)
    workers.work(ours, until=lambda handled: MESSAGES[-1] in handled)
    assert workers.handled == [*MESSAGES[:2], BAD, *MESSAGES[2:]]  # the bad one twice, none left out
    assert workers.committed == len(MESSAGES)


async def concurrent(stream: Any, handled: list[bytes]) -> None:
    """Acknowledges what is ready: the first message is in work while the others are done."""
    stream.enable_acks = False
    events: AsyncIterator[Any] = aiter(stream.events())
    async for event in events:
        if event.value != MESSAGES[0]:
            event.ack()
            handled.append(event.value)


def test_what_is_acknowledged_out_of_order_is_committed_past(group: Callable[[str], Group]) -> None:
    faust = group("concurrent")
    faust.work(concurrent, until=lambda handled: MESSAGES[-1] in handled)
    assert MESSAGES[0] not in faust.handled and faust.committed == len(MESSAGES), "Faust is mended"
