"""How fast documents go through the ingestors: `python -m tests.bench.bench_ingest [documents]`. Prints JSON.

A real embedded broker and ClickHouse are started; documents are about as long as a wire (450 bytes of text).
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from deploy.local.broker import create_topics
from deploy.settings import Settings
from ingest.confirm import Confirmer
from ingest.drain import outbox_of
from ingest.entries import State
from ingest.pdf.worker import Extractor
from ingest.publisher import Broker as Connection
from ingest.publisher import Publisher
from ingest.push import Push
from ingest.store import Store
from models.records import Document, document_id
from stream.migrate import migrate
from tests.fixtures.broker import Broker
from tests.fixtures.clickhouse import ClickHouseServer

REPORTS = Path(__file__).parents[2] / "ingest" / "sample" / "reports"
PUSH_SECONDS = 20


def made(count: int) -> list[Document]:
    now, chance = datetime.now(UTC), random.Random(1)
    letters = [chr(code) for code in range(0x4E00, 0x5E00)]
    return [
        Document(
            id=document_id("bench", str(n)),
            source="bench",
            kind="wire",
            title="".join(chance.choices(letters, k=20)),
            body="".join(chance.choices(letters, k=130)),
            published_at=now - timedelta(seconds=count - n),
            fetched_at=now,
        )
        for n in range(count)
    ]


@contextmanager
def clock(results: dict[str, float], name: str, count: int) -> Iterator[None]:
    started = time.perf_counter()
    yield
    results[name] = round(count / (time.perf_counter() - started), 1)


def push(settings: Settings, results: dict[str, float]) -> None:
    """Eight clients for some seconds, ten documents a request."""
    outbox, stop = outbox_of(settings), threading.Event()
    before = outbox.counts()[State.PENDING]
    server = Push("127.0.0.1", 0, "token")
    serving = threading.Thread(target=server.run, args=(outbox, stop))
    serving.start()
    server.ready.wait(10)
    accepted = [0] * 8

    def client(number: int) -> None:
        deadline = time.monotonic() + PUSH_SECONDS
        with httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", headers={"Authorization": "Bearer token"}
        ) as http:
            for batch in range(1_000_000):
                if time.monotonic() > deadline:
                    return
                rows = [
                    {"id": f"{number}-{batch}-{n}", "title": "标题", "body": "正文" * 60, "published_at": "2026-06-01"}
                    for n in range(10)
                ]
                accepted[number] += http.post("/v1/documents", json=rows).json()["accepted"]

    clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    stop.set()
    serving.join()
    results["push_documents_per_s"] = round(sum(accepted) / PUSH_SECONDS, 1)
    results["push_acknowledged_and_missing"] = sum(accepted) - (outbox.counts()[State.PENDING] - before)


def main() -> None:
    """Run and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    results: dict[str, float] = {"documents": count}
    with tempfile.TemporaryDirectory() as folder:
        broker, clickhouse = Broker().start(), ClickHouseServer(Path(folder))
        clickhouse.start()
        try:
            settings = Settings.model_validate(
                {"local": {"kafka_port": broker.port}, "clickhouse": clickhouse.url(), "data_dir": folder}
            )
            create_topics(broker.servers, settings)
            migrate(settings)
            outbox, connection, store = outbox_of(settings), Connection(settings), Store(settings)
            documents = made(count)
            with clock(results, "outbox_add_per_s", count):
                for start in range(0, count, 500):
                    outbox.add(documents[start : start + 500])
            publisher = Publisher(outbox, connection, max_message_bytes=settings.stream.max_message_bytes)
            with clock(results, "publish_per_s", count):
                while publisher.step():
                    pass
            store.insert(
                "documents",
                [[d.id, d.published_at, d.fetched_at] for d in documents],
                ["id", "published_at", "fetched_at"],
            )
            confirmer = Confirmer(outbox, store.query, patience=30, clock=time.monotonic)
            with clock(results, "confirm_per_s", count):
                while outbox.counts()[State.SENT]:
                    confirmer.step()
            push(settings, results)
            pages, started = 0, time.perf_counter()
            with Extractor() as extractor:
                for _ in range(20):
                    pages += sum(extractor.extract(file.read_bytes()).pages for file in sorted(REPORTS.glob("*.pdf")))
            results["pdf_pages_per_s"] = round(pages / (time.perf_counter() - started), 1)
            store.close()
            connection.reset()
        finally:
            broker.kill()
            clickhouse.stop()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
