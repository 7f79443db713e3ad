"""When a worker must be replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from deploy.local.broker import create_topics
from deploy.settings import Settings
from stream import watchdog
from stream.log import Log, PartitionState
from stream.records import ANALYSES, DOCUMENTS
from stream.watchdog import HANG_SECONDS, STALL_SECONDS, Pulse, Watchdog, judge
from tests.fixtures.broker import Broker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_consumer_that_takes_nothing_while_messages_wait_is_stalled() -> None:
    clock = Clock()
    pulse = Pulse(DOCUMENTS, clock)
    assert judge(pulse, 5, STALL_SECONDS) is None
    assert "5 messages" in (judge(pulse, 5, STALL_SECONDS + 1) or "")
    assert judge(pulse, 0, STALL_SECONDS + 1) is None, "nothing to do is no stall"


def test_a_batch_in_work_or_tried_again_is_no_stall_but_may_hang() -> None:
    clock = Clock()
    pulse = Pulse(DOCUMENTS, clock)
    pulse.begin()
    assert judge(pulse, 5, HANG_SECONDS) is None
    assert "hung" in (judge(pulse, 5, HANG_SECONDS + 1) or "")
    clock.now = 500
    pulse.alive()  # a retry: ClickHouse is away
    assert judge(pulse, 5, 500 + HANG_SECONDS) is None
    pulse.end(3)
    assert pulse.handled == 3 and not pulse.busy


def test_it_ends_the_worker_once_the_topics_were_made_anew(make_broker: Callable[[], Broker]) -> None:
    broker = make_broker()
    settings = Settings(local={"kafka_port": broker.port})
    create_topics(broker.servers, settings)
    with Log(broker.servers) as log:
        epochs = log.epochs([DOCUMENTS, ANALYSES])
    reasons: list[str] = []
    seen: list[int] = []
    ended = threading.Event()

    def observe(states: list[PartitionState]) -> None:
        seen.append(len(states))

    dog = Watchdog(
        servers=broker.servers,
        epochs=epochs,
        pulses=[],
        assigned=set,
        end=lambda reason: (reasons.append(reason), ended.set()),  # type: ignore[arg-type,func-returns-value]
        observe=observe,  # type: ignore[arg-type]
        interval=0.1,
    )
    dog.start()
    assert not ended.wait(1) and seen[0] == settings.stream.partitions + 1
    broker.kill()
    assert not ended.wait(1), "a broker that is away is waited for"
    broker.start()
    create_topics(broker.servers, settings)
    assert ended.wait(30)
    assert len(reasons) == 1 and DOCUMENTS in reasons[0]


def test_it_ends_a_worker_that_gets_no_share_of_the_partitions_while_the_broker_answers(
    make_broker: Callable[[], Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "JOIN_SECONDS", 1.5)
    broker = make_broker()
    create_topics(broker.servers, Settings(local={"kafka_port": broker.port}))
    reasons: list[str] = []
    joining, ended = threading.Event(), threading.Event()
    dog = Watchdog(
        servers=broker.servers,
        epochs={},
        pulses=[],
        assigned=set,
        end=lambda reason: (reasons.append(reason), ended.set()),  # type: ignore[arg-type,func-returns-value]
        joining=joining.is_set,
        interval=0.1,
    )
    dog.start()
    assert not ended.wait(2)
    joining.set()
    assert not ended.wait(0.5), "a group takes some seconds to agree"
    joining.clear()
    assert not ended.wait(1.5)
    joining.set()
    assert ended.wait(10) and "has not given out its partitions" in reasons[0]
