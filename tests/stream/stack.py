"""A broker, a database and workers of a test's own, as the product would run them; and documents to send."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer

from deploy.local.broker import create_topics
from deploy.settings import PREFIX, Settings
from models.records import Document, document_id
from stream.records import DOCUMENTS, encode
from tests.fixtures.broker import Broker, free_port
from tests.fixtures.clickhouse import ClickHouseServer

FIRST = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)


def make_document(number: int, **changes: Any) -> Document:
    """Document `number` of a made-up source: it names one of fifty securities and one of three themes."""
    values: dict[str, Any] = {
        "id": document_id("test", str(number)),
        "source": "test",
        "kind": "news",
        "title": f"第{number}条",
        "body": f"开盘后@{600000 + number % 50}.SH 走高。#{('game', 'aigc', 'film_tv')[number % 3]} 有消息。",
        "published_at": FIRST + timedelta(minutes=number % 5000),
        "fetched_at": datetime.now(UTC),
        "publisher": f"第{number % 7}报",
    }
    return Document(**{**values, **changes})


class Place(NamedTuple):
    """Of a message in its topic."""

    partition: int
    offset: int


@dataclass
class Stack:
    """What a worker needs, and the workers. `env` is what every process of it is started with."""

    broker: Broker
    server: ClickHouseServer
    database: str
    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    overrides: dict[str, str] = field(default_factory=dict)
    overrides_worker: dict[str, str] = field(default_factory=dict)  # of the environment of workers started from now on

    def __post_init__(self) -> None:
        self.web_port = free_port()

    @property
    def settings(self) -> Settings:
        return Settings(
            clickhouse=self.server.url(database=self.database),
            data_dir=self.folder / "var",
            local={"kafka_port": self.broker.port},
            stream={"web_port": self.web_port, "metrics_port": 0},
        )

    @property
    def env(self) -> dict[str, str]:
        settings = self.settings
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        ours = {
            "CLICKHOUSE": settings.clickhouse,
            "CLICKHOUSE_READER": self.server.url(writer=False, database=self.database),
            "DATA_DIR": str(settings.data_dir),
            "LOCAL__KAFKA_PORT": str(self.broker.port),
            "STREAM__WEB_PORT": str(self.web_port),
            "STREAM__METRICS_PORT": "0",
            **self.overrides,
        }
        return clean | {PREFIX + name: value for name, value in ours.items()}

    def start_worker(self) -> subprocess.Popen[bytes]:
        """A worker with the stand-in analyser; its log is `worker.log` in the folder."""
        with (self.folder / "worker.log").open("ab") as log:
            argv, env = [sys.executable, "-m", "tests.stream.stand_in"], self.env | self.overrides_worker
            worker = subprocess.Popen(argv, env=env, stdout=log, stderr=subprocess.STDOUT)
        self.workers.append(worker)
        return worker

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def stop(self) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.kill()
            worker.wait(10)

    def make_topics(self) -> None:
        create_topics(self.broker.servers, self.settings)

    def send(self, documents: Iterable[Document]) -> list[Place]:
        return self.send_raw((document.id.encode(), encode(document)) for document in documents)

    def send_raw(self, messages: Iterable[tuple[bytes | None, bytes | None]], topic: str = DOCUMENTS) -> list[Place]:
        """Where the log has each message, in their order."""
        producer = KafkaProducer(
            bootstrap_servers=self.broker.servers, batch_size=0, max_request_size=30_000_000, compression_type="gzip"
        )
        flights = [producer.send(topic, key=key, value=value) for key, value in messages]
        sent = [flight.get(30) for flight in flights]
        producer.close()
        return [Place(metadata.partition, metadata.offset) for metadata in sent]

    def client(self) -> Client:
        return self.server.client(database=self.database)

    def one(self, sql: str) -> int:
        """The number that a query gives; -1 while the store is away."""
        try:
            with self.client() as client:
                return int(client.query(sql).result_rows[0][0])
        except Exception:  # noqa: BLE001 - it is killed and restarted under us
            return -1

    def cli(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """`fengxiang …`"""
        argv = [sys.executable, "-m", "deploy.cli", *arguments]
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=timeout)

    def audit(self) -> dict[str, Any]:
        """What `fengxiang audit --json` finds."""
        done = self.cli("audit", "--json")
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report


def within(seconds: float, condition: Callable[[], bool], step: float = 0.1) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True


def fetch(port: int, page: str) -> str:
    """What a worker's health page says; "" while it doesn't, or not that all is well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=2) as reply:
            return str(reply.read().decode().strip())
    except OSError:
        return ""
