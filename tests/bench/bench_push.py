"""HTTP push under load: `python -m tests.bench.bench_push [--seconds 60] [--clients 8] [--documents 1,10]`.

Keep-alive clients in this process push wire-sized documents to the ingestor, a process of its own, which publishes to
the embedded broker meanwhile. For each number of documents a request it prints a line: requests and documents a second,
the latency of the answer, and whether everything that was acknowledged is in Kafka, each as often as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from kafka import KafkaConsumer

from deploy.local.broker import create_topics
from deploy.settings import PREFIX, Settings
from ingest.drain import outbox_of
from ingest.entries import State
from models.records import document_id
from stream.records import DOCUMENTS
from tests.fixtures.broker import Broker, free_port

BODY = "公司公告称，拟与三家出版集团合作建设垂类语料库，首期投入二点六亿元，预计明年三季度上线。" * 3


class Load:
    """What the clients saw."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.acknowledged: list[str] = []

    async def client(self, http: aiohttp.ClientSession, name: str, size: int, until: float) -> None:
        """Push one request after the other."""
        number = 0
        while time.monotonic() < until:
            ids = [f"{name}-{number + n}" for n in range(size)]
            number += size
            rows = [{"id": i, "title": f"标题{i}", "body": BODY, "published_at": "2026-06-01 09:05"} for i in ids]
            started = time.perf_counter()
            async with http.post("/v1/documents", json=rows) as reply:
                answer = await reply.json()
            self.latencies.append(time.perf_counter() - started)
            self.statuses[reply.status] += 1
            if reply.status == 202 and answer["accepted"] == size:
                self.acknowledged += ids


@contextmanager
def ingestor(settings: Settings) -> Iterator[None]:
    """The real process, until the block ends."""
    ours = {
        "LOCAL__KAFKA_PORT": settings.local.kafka_port,
        "DATA_DIR": settings.data_dir,
        "INGEST__PUSH_PORT": settings.ingest.push_port,
        "INGEST__PUSH_TOKEN": settings.ingest.push_token,
        "INGEST__INBOX": "",
        "LOCAL__CLICKHOUSE_PORT": free_port(),  # no store: what Kafka took stays SENT
        "LOG_LEVEL": "ERROR",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment = clean | {PREFIX + name: str(value) for name, value in ours.items()}
    process = subprocess.Popen([sys.executable, "-m", "ingest"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


async def run(url: str, size: int, clients: int, seconds: float) -> Load:
    load = Load()
    connector = aiohttp.TCPConnector(limit=clients)
    headers = {"Authorization": "Bearer token"}
    async with aiohttp.ClientSession(url, connector=connector, headers=headers) as http:
        while True:
            try:
                async with http.get("/health"):
                    break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
        until = time.monotonic() + seconds
        await asyncio.gather(*(load.client(http, f"{size}-{n}", size, until) for n in range(clients)))
    return load


def in_kafka(broker: Broker) -> Counter[str]:
    """How often each key stands in the topic."""
    consumer = KafkaConsumer(
        DOCUMENTS, bootstrap_servers=broker.servers, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    try:
        return Counter(message.key.decode() for message in consumer)
    finally:
        consumer.close()


def measure(size: int, clients: int, seconds: float) -> str:
    broker = Broker().start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            values = {"local": {"kafka_port": broker.port}, "data_dir": Path(folder)}
            ingest = {"push_port": free_port(), "push_token": "token", "inbox": ""}
            settings = Settings.model_validate({**values, "ingest": ingest})
            create_topics(broker.servers, settings)
            with ingestor(settings):
                load = asyncio.run(run(f"http://127.0.0.1:{settings.ingest.push_port}", size, clients, seconds))
                outbox, started = outbox_of(settings), time.monotonic()
                waiting = outbox.waiting()[State.PENDING]
                while outbox.waiting()[State.PENDING]:
                    time.sleep(0.1)
                drained = time.monotonic() - started
                outbox.close()
            found = in_kafka(broker)
    finally:
        broker.kill()
    missing = sum(document_id("push", id_) not in found for id_ in load.acknowledged)
    cuts = statistics.quantiles(load.latencies, n=100)
    p50, p95, p99 = (cuts[n] * 1000 for n in (49, 94, 98))
    n = len(load.latencies)
    return (
        f"{size:>9}{clients:>8}{n:>10}{n / seconds:>9.0f}{len(load.acknowledged) / seconds:>9.0f}"
        f"{p50:>8.0f}{p95:>8.0f}{p99:>8.0f}{n - load.statuses[202]:>9}"
        f"{len(load.acknowledged):>14}{missing:>9}{found.total() - len(found):>9}{waiting:>9}{drained:>9.1f}"
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--documents", default="1,10", help="documents a request, comma-separated")
    chosen = options.parse_args()
    print(
        "documents clients  requests    req/s   docs/s  p50 ms  p95 ms  p99 ms  refused  acknowledged"
        "  missing   double  waiting  drain s"
    )
    for size in map(int, chosen.documents.split(",")):
        print(measure(size, chosen.clients, chosen.seconds), flush=True)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
