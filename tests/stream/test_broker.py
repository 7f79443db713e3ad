"""The embedded broker: starts, refuses a taken port, ends with its parent, forgets with a new epoch."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from deploy.local.broker import create_topics
from deploy.local.preflight import accepts
from deploy.settings import Settings
from stream.log import Log, LogAway
from stream.records import ANALYSES, DEAD, DOCUMENTS
from tests.fixtures.broker import Broker, free_port


def test_topics_are_made_once_with_the_partitions_asked_for(make_broker: Callable[[], Broker]) -> None:
    servers = make_broker().servers
    producer = KafkaProducer(bootstrap_servers=servers)
    producer.send(DOCUMENTS, b"first").get(10)  # a client that comes first makes the topic with the broker's own number
    producer.close()
    for _ in range(2):
        create_topics(servers, Settings(stream={"partitions": 3}))
    admin = KafkaAdminClient(bootstrap_servers=servers)
    topics = {t["name"]: len(t["partitions"]) for t in admin.describe_topics([DOCUMENTS, ANALYSES, DEAD])}
    admin.close()
    assert topics == {DOCUMENTS: 3, ANALYSES: 1, DEAD: 3}  # one: the copies of a story meet


def test_a_topic_that_another_client_makes_meanwhile_is_made_anew(
    make_broker: Callable[[], Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = make_broker().servers
    create = KafkaAdminClient.create_topics
    calls: list[list[str]] = []

    def too_late(self: KafkaAdminClient, topics: list[NewTopic]) -> object:
        calls.append([topic.name for topic in topics])
        if len(calls) == 1:
            producer = KafkaProducer(bootstrap_servers=servers)
            producer.send(ANALYSES, b"first").get(10)
            producer.close()
        return create(self, topics)

    monkeypatch.setattr(KafkaAdminClient, "create_topics", too_late)
    create_topics(servers, Settings(stream={"partitions": 3}))
    admin = KafkaAdminClient(bootstrap_servers=servers)
    topics = {t["name"]: len(t["partitions"]) for t in admin.describe_topics([DOCUMENTS, ANALYSES, DEAD])}
    admin.close()
    assert topics == {DOCUMENTS: 3, ANALYSES: 1, DEAD: 3} and len(calls) == 2


def test_an_answer_without_a_partition_is_told_as_kafkas(
    make_broker: Callable[[], Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = make_broker().servers
    create_topics(servers, Settings(stream={"partitions": 3}))
    with Log(servers) as log:
        assert [state.partition for state in log.partitions([DOCUMENTS])] == [0, 1, 2]
        monkeypatch.setattr(log._consumer, "end_offsets", lambda places: dict.fromkeys(places[1:], 0))
        with pytest.raises(LogAway, match=f"no offsets of {DOCUMENTS}/0"):
            log.partitions([DOCUMENTS])


def test_every_start_has_its_own_cluster_id(make_broker: Callable[[], Broker]) -> None:
    broker = make_broker()
    seen = []
    for _ in range(2):
        admin = KafkaAdminClient(bootstrap_servers=broker.servers)
        seen.append(admin.describe_cluster()["cluster_id"])
        admin.close()
        broker.restart()
    assert seen[0] != seen[1]
    assert all(name.startswith("fengxiang-2") for name in seen)


def test_a_taken_port_is_named_with_the_remedy(broker: Broker) -> None:
    argv = [sys.executable, "-m", "deploy.local.broker", "--port", str(broker.port)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"port {broker.port}" in done.stderr and "FENGXIANG_LOCAL__KAFKA_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_with_the_process_that_started_it() -> None:
    port = free_port()
    argv = f"[sys.executable, '-m', 'deploy.local.broker', '--port', '{port}']"
    start = f"import subprocess, sys, time; subprocess.Popen({argv}); time.sleep(99)"
    parent = subprocess.Popen([sys.executable, "-c", start])
    assert _within(20, lambda: accepts(port))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _within(10, lambda: not accepts(port))


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_topics_of_a_cluster_are_made_with_the_time_for_which_messages_are_kept(
    make_broker: Callable[[], Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded broker keeps no such setting to ask for; what is sent to it is what a cluster gets."""
    made: list[NewTopic] = []
    create = KafkaAdminClient.create_topics
    monkeypatch.setattr(
        KafkaAdminClient, "create_topics", lambda self, topics: made.extend(topics) or create(self, topics)
    )
    broker = make_broker()
    create_topics(broker.servers, Settings(kafka=broker.servers[0], stream={"text_days": 7, "log_days": 30}))
    configs = {"retention.ms": str(7 * 86_400_000), "max.message.bytes": "25000000"}
    assert [topic.topic_configs for topic in made] == [configs] * 3
