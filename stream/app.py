"""The Faust apps: three agents, which read a topic in batches and let its offsets move when the results are safe.

| agent      | reads               | does                                   | safe when                         |
|------------|---------------------|----------------------------------------|-----------------------------------|
| analyse    | fengxiang.documents | `stream.analyse.Reader`, in a thread   | Kafka acknowledged the results    |
| sink       | fengxiang.analyses  | `stream.sink.Sink.store`, in a thread  | ClickHouse acknowledged the rows  |
| dead       | fengxiang.dead      | `Sink.store_dead`, in a thread         | ClickHouse acknowledged the rows  |

Analysing and storing are two apps in one process, each with a consumer of its own: one consumer hands out messages in
the order in which it fetched them, and analyses would wait behind the documents that wait for the model.

No exception leaves an agent: a message that can't be handled becomes a dead letter, what is away is tried again with
growing pauses (lag, not loss), and what nobody foresaw ends the process, which commits nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

import faust
import msgspec
from aiokafka.errors import MessageSizeTooLargeError

from deploy.settings import Settings
from stream import metrics
from stream.analyse import Analyser, Outcome, Reader
from stream.batches import Batch, batches
from stream.deadletters import FailureLimit, TooManyFailures
from stream.log import GROUPS
from stream.records import ANALYSES, DEAD, DOCUMENTS, AnalysedDocument, DeadLetter, encode
from stream.sink import Sink
from stream.store import StoreAway, connect, first_line
from stream.transport import Transport
from stream.tries import Tries
from stream.watchdog import Pulse

log = logging.getLogger(__name__)

MAX_PAUSE = 30.0
SHORT_PAYLOAD = 10_000  # characters of the original, where Kafka refuses a dead letter for its size
STOP_SECONDS = 8.0  # a batch that takes longer is left to the next worker
Result = TypeVar("Result")
Message = TypeVar("Message", AnalysedDocument, DeadLetter)


def create_app(settings: Settings, group: str, loop: asyncio.AbstractEventLoop) -> faust.App:
    """An app without agents: connections and limits. The embedded broker needs a tuning of its own."""
    stream = settings.stream
    embedded: dict[str, Any] = {
        "broker_session_timeout": 6.0,  # a join takes half of it there
        "broker_heartbeat_interval": 1.0,
        "producer_max_batch_size": 1,  # a batch counts as one offset there
        "producer_linger": 0,
    }
    datadir = settings.data_dir / "faust" / group
    datadir.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        group,
        loop=loop,
        broker=[f"kafka://{server}" for server in settings.kafka_servers],
        store="memory://",
        datadir=datadir,
        topic_partitions=stream.partitions,
        topic_replication_factor=stream.replication,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.largest_message,
        producer_max_request_size=settings.largest_message,
        broker_commit_interval=1.0,
        broker_request_timeout=90.0,
        broker_max_poll_interval=3600.0,  # backpressure stops the polls while the store is away
        broker_max_poll_records=500,
        stream_buffer_maxsize=2 * stream.batch_size,  # messages read ahead; each may be large
        stream_wait_empty=False,
        web_enabled=False,  # stream.health serves instead, from a thread that answers even when the loop is stuck
        **(embedded if settings.embedded_kafka else {"producer_linger": 0.02}),
    )
    app.transport = Transport(app.conf.broker_consumer, app)
    return app


class Agents:
    """Makes the apps with their agents. `fatal(reason)` ends the process at once.

    epochs: topic -> epoch, read before joining the group. `pulses` tell the watchdog what the agents do.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        analyser: Analyser,
        epochs: dict[str, str],
        fatal: Callable[[str], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings, self._fatal = settings, fatal
        raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
        self.loop = asyncio.new_event_loop()  # one for all apps: they would each look for their own
        asyncio.set_event_loop(self.loop)
        apps = {group: create_app(settings, group, self.loop) for group in sorted(set(GROUPS.values()))}
        self.apps = list(apps.values())
        self._topics = {topic: apps[group].topic(topic, **raw) for topic, group in GROUPS.items()}
        self._reader = Reader(
            analyser,
            epoch=epochs[DOCUMENTS],
            max_bytes=settings.stream.max_message_bytes,
            clock=clock,
            tries=Tries(settings.data_dir / "faust", epochs[DOCUMENTS]),
        )
        self._sinks = {
            topic: Sink(lambda: connect(settings, writer=True), epochs=epochs, clock=clock)
            for topic in (ANALYSES, DEAD)
        }
        self._pulses = {topic: Pulse(topic) for topic in self._topics}
        self._pulses[DOCUMENTS].patience = settings.stream.hang_seconds
        self._threads = {topic: ThreadPoolExecutor(1, thread_name_prefix=topic) for topic in self._topics}
        self._limit = FailureLimit(settings.stream.dead_letter_limit)
        stream = settings.stream
        self._agent("analyse", DOCUMENTS, self._analyse, stream.batch_size, stream.batch_seconds)
        self._agent("sink", ANALYSES, self._store, stream.store_batch_size, stream.store_batch_seconds)
        self._agent("dead", DEAD, self._store_dead, stream.store_batch_size, stream.store_batch_seconds)
        for app in self.apps:
            app.on_before_shutdown.connect(self._finish, weak=False)

    async def _finish(self, app: faust.App, **_: Any) -> None:
        """On a stop: let the batches in work end, if they do so soon, and commit what is done."""
        deadline = time.monotonic() + STOP_SECONDS
        while any(pulse.busy for pulse in self.pulses) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await app.consumer.commit()

    @property
    def pulses(self) -> list[Pulse]:
        """One for each agent."""
        return list(self._pulses.values())

    def _agent(
        self,
        name: str,
        topic: str,
        handle: Callable[[Batch], Awaitable[None]],
        size: int,
        seconds: float,
    ) -> None:
        pulse = self._pulses[topic]

        async def run(stream: Any) -> None:
            try:
                async for batch in batches(stream, size, seconds):
                    pulse.begin()
                    metrics.BATCH_SIZE.labels(name).observe(len(batch.events))
                    await handle(batch)
                    batch.done()
                    pulse.end(len(batch.events))
                    metrics.FINISHED.labels(name).inc(len(batch.events))
            except TooManyFailures as error:
                self._fatal(str(error))
            except Exception as error:
                log.exception("agent %s failed", name)
                self._fatal(f"agent {name} failed: {first_line(error)}")

        self._topics[topic].app.agent(self._topics[topic], name=name)(run)

    # ------------------------------------------------------------------ what each agent does with a batch

    async def _analyse(self, batch: Batch) -> None:
        with metrics.timed("analyse"):
            outcome: Outcome = await self._in_thread(DOCUMENTS, lambda: self._reader.read(batch.records))
        metrics.analysed(outcome.analysed)
        self._note(len(outcome.analysed), outcome.dead)
        with metrics.timed("send"):
            refused = await self._send(ANALYSES, outcome.analysed)
        too_large = [self._reader.bury_refused(message, words) for message, words in refused]
        await self._bury([*outcome.dead, *too_large])

    async def _store(self, batch: Batch) -> None:
        with metrics.timed("store"):
            dead = await self._until_stored(ANALYSES, lambda: self._sinks[ANALYSES].store(batch.records))
        self._note(len(batch.events) - len(dead), dead)
        await self._bury(dead)

    async def _store_dead(self, batch: Batch) -> None:
        await self._until_stored(DEAD, lambda: self._sinks[DEAD].store_dead(batch.records))

    # ------------------------------------------------------------------ means

    def _note(self, good: int, dead: Sequence[DeadLetter]) -> None:
        for letter in dead:
            about = {"document_id": letter.document_id}
            log.error("dead letter %s (%s): %s", letter.document_id, letter.stage, letter.reason, extra=about)
            metrics.DEAD_LETTERS.labels(letter.stage).inc()
        example = f"{dead[-1].document_id}: {dead[-1].reason}" if dead else ""
        self._limit.note(good=good, bad=len(dead), example=example)

    async def _bury(self, letters: Sequence[DeadLetter]) -> None:
        refused = await self._send(DEAD, letters)
        short = [msgspec.structs.replace(letter, payload=letter.payload[:SHORT_PAYLOAD]) for letter, _ in refused]
        for letter, words in await self._send(DEAD, short):
            about = {"document_id": letter.document_id}
            log.error("dead letter %s is lost: Kafka refuses it (%s)", letter.document_id, words, extra=about)

    async def _in_thread(self, topic: str, call: Callable[[], Result]) -> Result:
        executor: Executor = self._threads[topic]
        return await asyncio.get_running_loop().run_in_executor(executor, call)

    async def _until_stored(self, topic: str, call: Callable[[], Result]) -> Result:
        pause = 0.5
        while True:
            try:
                return await self._in_thread(topic, call)
            except StoreAway as error:
                log.warning("%s; trying again in %.0f s", error, pause)
                metrics.RETRIES.labels("clickhouse").inc()
                self._pulses[topic].alive()
            await asyncio.sleep(pause)
            pause = min(MAX_PAUSE, 2 * pause)

    async def _send(self, topic: str, messages: Sequence[Message]) -> list[tuple[Message, str]]:
        """Send and await Kafka's acknowledgement of each; returns what Kafka refuses for its size, with its words."""
        refused: list[tuple[Message, str]] = []
        pause = 0.5
        while messages:
            results = await asyncio.gather(*(self._send_one(topic, m) for m in messages), return_exceptions=True)
            again = []
            for message, result in zip(messages, results, strict=True):
                if isinstance(result, MessageSizeTooLargeError):
                    refused.append((message, first_line(result)))
                elif isinstance(result, Exception):
                    again.append((message, result))
                elif isinstance(result, BaseException):
                    raise result
            messages = [message for message, _ in again]
            if again:
                log.warning("%d messages to %s not sent (%s); trying again", len(again), topic, first_line(again[0][1]))
                metrics.RETRIES.labels("kafka").inc()
                for pulse in self._pulses.values():
                    pulse.alive()
                await asyncio.sleep(pause)
                pause = min(MAX_PAUSE, 2 * pause)
        return refused

    async def _send_one(self, topic: str, message: AnalysedDocument | DeadLetter) -> None:
        id_ = message.document_id if isinstance(message, DeadLetter) else message.document.id
        await (await self._topics[topic].send(key=id_.encode("utf-8", "replace"), value=encode(message)))
