"""Publishing and confirming against a real broker and a real store."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer
from msgspec.structs import replace

from deploy.local.broker import create_topics
from deploy.settings import Settings
from ingest.confirm import look_up
from ingest.drain import Drain, outbox_of
from ingest.entries import Sent, State
from ingest.outbox import Outbox
from ingest.publisher import Broker as Connection
from ingest.publisher import BrokerAway, Publisher
from ingest.store import Store, StoreAway
from models.records import Document
from stream.migrate import migrate
from stream.records import DEAD, DOCUMENTS, DeadLetter, decode
from tests.fixtures.broker import Broker, free_port
from tests.fixtures.clickhouse import ClickHouseServer
from tests.ingest.make import NOW, document, letter


@pytest.fixture
def own_broker(make_broker: Callable[[], Broker]) -> Broker:
    return make_broker()


@pytest.fixture
def settings(
    own_broker: Broker, clickhouse_server: ClickHouseServer, clickhouse_database: str, tmp_path: Path
) -> Settings:
    made = Settings.model_validate(
        {
            "local": {"kafka_port": own_broker.port},
            "clickhouse": clickhouse_server.url(database=clickhouse_database),
            "data_dir": tmp_path,
            "ingest": {"confirm_after_seconds": 3, "inbox": "", "push_port": 0},
        }
    )
    create_topics(own_broker.servers, made)
    migrate(made)
    return made


def patient(settings: Settings) -> Settings:
    """With a patience that outlasts a test, so that nothing is sent again but what has to be."""
    return settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"confirm_after_seconds": 600})})


@pytest.fixture
def outbox(settings: Settings) -> Iterator[Outbox]:
    box = outbox_of(settings)
    yield box
    box.close()


@pytest.fixture
def publisher(settings: Settings, outbox: Outbox) -> Iterator[Publisher]:
    connection = Connection(settings)
    yield Publisher(outbox, connection, max_message_bytes=100_000, clock=lambda: NOW)
    connection.reset()


def topic(broker: Broker, name: str) -> list[tuple[bytes, bytes]]:
    consumer = KafkaConsumer(
        name, bootstrap_servers=broker.servers, auto_offset_reset="earliest", consumer_timeout_ms=1500, group_id=None
    )
    try:
        return [(message.key, message.value) for message in consumer]
    finally:
        consumer.close()


def insert(client: Client, documents: Sequence[Document]) -> None:
    rows = [[d.id, d.published_at, d.fetched_at] for d in documents]
    client.insert("documents", rows, column_names=["id", "published_at", "fetched_at"])


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def test_documents_and_dead_letters_reach_their_topics(
    outbox: Outbox, publisher: Publisher, own_broker: Broker
) -> None:
    documents = [document(str(n)) for n in range(50)]
    outbox.add(documents)
    outbox.add([letter()])
    assert publisher.step() == 51
    assert publisher.step() == 0
    found = dict(topic(own_broker, DOCUMENTS))
    assert {key.decode(): decode(value, Document) for key, value in found.items()} == {d.id: d for d in documents}
    assert [decode(value, DeadLetter) for _, value in topic(own_broker, DEAD)] == [letter()]
    assert outbox.counts()[State.SENT] == 51


def test_what_is_too_large_becomes_a_dead_letter(outbox: Outbox, publisher: Publisher, own_broker: Broker) -> None:
    outbox.add([document("small"), document("large", body="长" * 200_000)])
    assert publisher.step() + publisher.step() == 2
    assert len(topic(own_broker, DOCUMENTS)) == 1
    ((key, value),) = topic(own_broker, DEAD)
    dead = decode(value, DeadLetter)
    assert key.decode() == dead.document_id == document("large").id
    assert "max_message_bytes" in dead.reason and "large" in dead.payload


def test_a_broker_that_is_away_or_empty_loses_nothing(
    settings: Settings, outbox: Outbox, publisher: Publisher, own_broker: Broker
) -> None:
    outbox.add([document(str(n)) for n in range(20)])
    own_broker.kill()
    with pytest.raises(BrokerAway, match="Kafka at"):
        publisher.step()
    own_broker.start()
    with pytest.raises(BrokerAway, match=f"no topic {DEAD}, {DOCUMENTS}"):
        publisher.step()
    create_topics(own_broker.servers, settings)
    assert publisher.step() == 20


def test_the_store_is_asked_in_its_own_words(settings: Settings, clickhouse: Client) -> None:
    stored, older, dead, absent = (document(name) for name in "abcd")
    entries = [
        Sent(n, d.id, DOCUMENTS, 0, n, n, NOW.timestamp(), NOW.timestamp() - 60, 0)
        for n, d in enumerate((stored, older, dead, absent))
    ]
    insert(clickhouse, [stored, replace(older, fetched_at=NOW - timedelta(seconds=5))])
    clickhouse.command(
        f"INSERT INTO dead_letters (document_id, stage, failed_at) VALUES ('{dead.id}', 'analyse', now64(3))"
    )
    store = Store(settings)
    assert look_up(store.query, entries) == {stored.id: State.STORED, dead.id: State.DEAD}
    store.close()


def test_a_store_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"http://writer:hidden@127.0.0.1:{free_port()}/fengxiang"
    store = Store(Settings.model_validate({"clickhouse": url, "data_dir": tmp_path}))
    with pytest.raises(StoreAway, match="ClickHouse at") as caught:
        store.query("SELECT 1", {})
    assert "hidden" not in str(caught.value)


class Worker:
    """Reads the documents topic and stores each document, until told to stop; loses none on purpose."""

    def __init__(self, broker: Broker, client: Client) -> None:
        self.seen: list[str] = []
        self._stop = threading.Event()
        self._broker, self._client = broker, client
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        consumer = KafkaConsumer(
            DOCUMENTS, bootstrap_servers=self._broker.servers, auto_offset_reset="earliest", group_id=None
        )
        while not self._stop.is_set():
            for records in consumer.poll(timeout_ms=200, max_records=500).values():
                self.seen += [record.key.decode() for record in records]
                insert(self._client, [decode(record.value, Document) for record in records])
        consumer.close()


def test_everything_is_stored_though_the_broker_forgets(
    settings: Settings,
    outbox: Outbox,
    own_broker: Broker,
    clickhouse_server: ClickHouseServer,
    clickhouse_database: str,
) -> None:
    """The broker is killed with everything in it, before the store has any of it."""
    settings = patient(settings)
    outbox.add([document(str(n)) for n in range(500)])
    drain = Drain(settings, outbox)
    drain.start()
    wait_for(lambda: outbox.counts()[State.SENT] == 500)
    own_broker.restart()
    create_topics(own_broker.servers, settings)
    with clickhouse_server.client(database=clickhouse_database) as client:
        worker = Worker(own_broker, client)
        outbox.add([document(str(n)) for n in range(500, 600)])
        wait_for(lambda: outbox.counts()[State.STORED] == 600)
        worker.stop()
        assert client.query("SELECT uniqExact(id) FROM documents").first_row == (600,)
    drain.stop()
    assert len(worker.seen) == 600  # each once: nothing was sent again without need


def test_what_is_stored_is_confirmed_though_kafka_is_away(
    settings: Settings, outbox: Outbox, own_broker: Broker, clickhouse: Client
) -> None:
    documents = [document(str(n)) for n in range(20)]
    outbox.add(documents)
    drain = Drain(settings, outbox)
    drain.start()
    wait_for(lambda: outbox.counts()[State.SENT] == 20)
    own_broker.kill()
    insert(clickhouse, documents)
    wait_for(lambda: outbox.counts()[State.STORED] == 20)
    drain.stop()


def test_another_process_adds_while_one_publishes(
    settings: Settings,
    outbox: Outbox,
    own_broker: Broker,
    clickhouse_server: ClickHouseServer,
    clickhouse_database: str,
) -> None:
    settings = patient(settings)
    folder = settings.data_dir / "in"
    folder.mkdir()
    rows = [{"id": str(n), "title": f"标题{n}", "time": "2026-06-17 10:00"} for n in range(200)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    environment = {
        "FENGXIANG_LOCAL__KAFKA_PORT": str(own_broker.port),
        "FENGXIANG_CLICKHOUSE": settings.clickhouse,
        "FENGXIANG_DATA_DIR": str(settings.data_dir),
        "PATH": "/usr/bin:/bin",
    }
    argv = [sys.executable, "-m", "deploy.cli", "ingest", str(folder), "--json"]
    drain = Drain(settings, outbox)
    drain.start()
    try:
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        counts = json.loads(done.stdout)
        assert (counts["documents"], counts["rejected"], counts["known"]) == (200, 1, 0)
        wait_for(lambda: outbox.counts()[State.SENT] == 201)
    finally:
        drain.stop()
    again = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)
    assert json.loads(again.stdout)["known"] == 201
    assert len(topic(own_broker, DOCUMENTS)) == 200
