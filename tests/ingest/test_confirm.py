"""When messages are confirmed and when they are sent again. The store here is a dict; `test_store` asks a real one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingest.confirm import PAGE, Confirmer
from ingest.entries import State
from ingest.outbox import Outbox
from stream.records import DEAD, DOCUMENTS
from tests.ingest.make import NOW, Clock, document, letter

LOGS = {DOCUMENTS: "log-1", DEAD: "dead-1"}
PATIENCE = 30.0


class Pipeline:
    """Kafka, the worker and the store: `publish` puts pending messages in the log, `store` stores some of them."""

    def __init__(self, outbox: Outbox, clock: Clock, partitions: int = 1) -> None:
        self.outbox, self.clock = outbox, clock
        self.stored: dict[str, int] = {}
        self.dead: dict[str, int] = {}
        self.queries = 0
        self.log: list[list[str]] = [[] for _ in range(partitions)]
        self.logs = dict(LOGS)
        self.confirmer = Confirmer(outbox, self.query, patience=PATIENCE, clock=clock)
        self.confirmer.follow(self.logs)

    def query(self, sql: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        self.queries += 1
        table = self.dead if "dead_letters" in sql else self.stored
        return [(id_, table[id_]) for id_ in parameters["ids"] if id_ in table]

    def publish(self) -> int:
        sent = 0
        while entries := self.outbox.pending(1000):
            acks = []
            for entry in entries:
                partition = int(entry.id, 16) % len(self.log)
                self.log[partition].append(entry.id)
                acks.append((entry, partition, len(self.log[partition]) - 1))
                sent += 1
            for topic in (DOCUMENTS, DEAD):
                self.outbox.mark_sent([ack for ack in acks if ack[0].topic == topic], self.logs[topic])
        return sent

    def store(self, ids: Sequence[str]) -> None:
        self.stored.update(dict.fromkeys(ids, int(NOW.timestamp() * 1000)))

    def wait(self, seconds: float, step: float = 1) -> int:
        """Let time pass with a look every `step`, publishing what becomes pending; how many messages were published."""
        published = 0
        for _ in range(int(seconds / step)):
            self.clock.pass_(step)
            if self.outbox.sent(1):  # else there is nothing to look for (`ingest.drain`)
                self.confirmer.step()
            published += self.publish()
        return published


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", limit_bytes=10**9, clock=clock)
    yield box
    box.close()


def ids(count: int, start: int = 0) -> list[str]:
    return [document(str(n)).id for n in range(start, start + count)]


def add(outbox: Outbox, count: int, start: int = 0) -> None:
    outbox.add([document(str(n)) for n in range(start, start + count)])


def test_stored_and_dead_are_confirmed(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 2)
    outbox.add([letter()])
    line = Pipeline(outbox, clock)
    line.publish()
    line.store(ids(1))
    line.dead[ids(2)[1]] = line.dead[letter().document_id] = int(NOW.timestamp() * 1000)
    line.confirmer.step()
    counts = outbox.counts()
    assert (counts[State.STORED], counts[State.DEAD], counts[State.SENT]) == (1, 2, 0)


def test_an_older_edition_in_the_store_does_not_confirm(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 1)
    line = Pipeline(outbox, clock)
    line.publish()
    line.stored[ids(1)[0]] = int(NOW.timestamp() * 1000) - 5000
    line.confirmer.step()
    assert outbox.counts()[State.SENT] == 1


def test_a_slow_pipeline_is_not_flooded(outbox: Outbox, clock: Clock) -> None:
    """10,000 documents at 50/s, oldest first: nothing is sent twice, and a look costs one page beyond the stored."""
    add(outbox, 10_000)
    line = Pipeline(outbox, clock, partitions=4)
    line.publish()
    everything, published = ids(10_000), 0
    for second in range(200):
        line.store(everything[: (second + 1) * 50])
        published += line.wait(1)
    assert published == 0
    assert outbox.counts()[State.STORED] == 10_000
    assert line.queries < 200 * 2 * 3


def test_a_stopped_pipeline_gets_a_few_probes_only(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 3000)
    line = Pipeline(outbox, clock, partitions=4)
    line.publish()
    assert 0 < line.wait(3600, step=10) <= 4 * 7
    line.store(ids(3000))
    line.wait(1)
    line.wait(40)
    assert outbox.counts()[State.STORED] == 3000


def test_what_comes_after_a_quiet_time_is_not_sent_again_at_once(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 1)
    line = Pipeline(outbox, clock)
    line.publish()
    line.wait(1)  # it is open when all is looked at
    line.store(ids(1))
    assert line.wait(10 * PATIENCE) == 0
    add(outbox, 1, start=1)
    line.publish()
    assert line.wait(PATIENCE - 1) == 0
    assert line.wait(2 * PATIENCE) == 1  # the probe, once nothing came of it


def test_one_partition_waits_while_another_goes_on(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 2000)
    line = Pipeline(outbox, clock, partitions=2)
    line.publish()
    line.store(line.log[0])
    assert line.wait(300) <= 4
    assert outbox.counts()[State.SENT] == len(set(line.log[1]))


def test_an_overtaken_message_is_sent_again(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 500)
    line = Pipeline(outbox, clock)
    line.publish()
    lost = {7, 8, 300}
    line.store([id_ for n, id_ in enumerate(ids(500)) if n not in lost])
    assert line.wait(PATIENCE - 5) == 0
    assert line.wait(2 * PATIENCE) == 3
    line.store(ids(500))
    line.wait(1)
    assert outbox.counts()[State.STORED] == 500


def test_a_lost_tail_is_found_by_a_probe(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 100)
    line = Pipeline(outbox, clock)
    line.publish()
    line.store(ids(90))
    line.wait(1)
    sent = line.wait(2 * PATIENCE)
    assert sent == 1
    line.store(line.log[0][-1:])  # the probe
    assert line.wait(3 * PATIENCE) == 9
    line.store(line.log[0][-9:])
    line.wait(1)
    assert outbox.counts()[State.STORED] == 100


def test_a_probe_answered_by_its_first_copy_floods_nothing(outbox: Outbox, clock: Clock) -> None:
    """The pipeline was only slow: documents that came after the first copy still wait, and rightly."""
    add(outbox, 100)
    line = Pipeline(outbox, clock)
    line.publish()
    assert line.wait(PATIENCE + 5) == 1
    add(outbox, 100, start=100)
    line.publish()
    assert outbox.send_again(outbox.sent(1, after=98)) is None  # document 99 goes once more, after the second hundred
    line.publish()
    line.store(ids(100))
    assert line.wait(2 * PATIENCE) <= 2
    assert outbox.counts()[State.SENT] == 100


def test_a_restarted_broker_gets_everything_unconfirmed_again(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 50)
    line = Pipeline(outbox, clock)
    line.publish()
    line.store(ids(20))
    line.confirmer.step()
    line.logs = {DOCUMENTS: "log-2", DEAD: "dead-2"}
    line.log = [[]]
    assert line.confirmer.follow(line.logs) == 30
    assert line.publish() == 30
    assert line.confirmer.follow(line.logs) == 0
    assert line.wait(PATIENCE - 1) == 0  # offsets of the old log say nothing of the new one
    line.store(ids(50))
    line.wait(1)
    assert outbox.counts()[State.STORED] == 50


def test_an_acknowledgement_noted_late_is_found_too(outbox: Outbox, clock: Clock) -> None:
    add(outbox, 10)
    line = Pipeline(outbox, clock)
    entries = outbox.pending(10)
    new = {DOCUMENTS: "log-2", DEAD: "dead-2"}
    line.confirmer.follow(new)
    outbox.mark_sent([(entry, 0, 500 + n) for n, entry in enumerate(entries)], LOGS[DOCUMENTS])
    clock.pass_(PATIENCE)
    assert line.confirmer.follow(new) == 10


def test_messages_behind_a_lost_page_are_confirmed(outbox: Outbox, clock: Clock) -> None:
    add(outbox, PAGE + 100)
    line = Pipeline(outbox, clock)
    line.publish()
    line.confirmer.step()
    line.store(ids(100, start=PAGE))
    line.wait(PATIENCE + 1)
    assert outbox.counts()[State.STORED] == 100
