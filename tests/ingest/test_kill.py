"""kill -9 of the ingestor, again and again, while documents come in: every one is stored."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.local.broker import create_topics
from deploy.settings import Settings
from ingest.drain import outbox_of
from ingest.entries import State
from stream.migrate import migrate
from tests.fixtures.broker import Broker
from tests.fixtures.clickhouse import ClickHouseServer
from tests.ingest.test_publish import Worker, wait_for

COUNT = int(os.environ.get("KILL_TEST_DOCUMENTS", "6000"))


def test_three_kills_lose_nothing(
    make_broker: Callable[[], Broker], clickhouse_server: ClickHouseServer, clickhouse_database: str, tmp_path: Path
) -> None:
    broker = make_broker()
    url = clickhouse_server.url(database=clickhouse_database)
    settings = Settings.model_validate(
        {
            "local": {"kafka_port": broker.port},
            "clickhouse": url,
            "data_dir": tmp_path,
            "ingest": {"confirm_after_seconds": 3},
        }
    )
    create_topics(broker.servers, settings)
    migrate(settings)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FENGXIANG_")} | {
        "FENGXIANG_LOCAL__KAFKA_PORT": str(broker.port),
        "FENGXIANG_CLICKHOUSE": url,
        "FENGXIANG_DATA_DIR": str(tmp_path),
        "FENGXIANG_INGEST__CONFIRM_AFTER_SECONDS": "3",
        "FENGXIANG_INGEST__PUSH_PORT": "0",
    }

    def ingestor() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "ingest"], env=environment, stderr=subprocess.DEVNULL)

    inbox = tmp_path / "inbox"
    inbox.mkdir()
    rows = [{"id": str(n), "source": "desk", "title": f"标题{n}", "time": "2026-06-01 10:00"} for n in range(COUNT)]
    for start in range(0, COUNT, COUNT // 4):
        (inbox / f"{start}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows[start : start + COUNT // 4])
        )

    def handled() -> int:
        counts = outbox.counts()
        return counts[State.SENT] + counts[State.STORED]

    outbox, chance = outbox_of(settings), random.Random(7)
    with clickhouse_server.client(database=clickhouse_database) as client:
        worker = Worker(broker, client)
        running = ingestor()
        try:
            for kill in range(3):
                least = (kill + 1) * COUNT // 8
                wait_for(lambda: handled() >= least, seconds=60 + COUNT / 100)  # noqa: B023
                time.sleep(chance.uniform(0, 0.5))
                running.kill()
                running.wait(10)
                running = ingestor()
            wait_for(lambda: outbox.counts()[State.STORED] == COUNT, seconds=120 + COUNT / 100)
            running.terminate()
            assert running.wait(20) == 0  # SIGTERM ends it cleanly
        finally:
            running.kill()
            worker.stop()
        assert client.query("SELECT uniqExact(id) FROM documents").first_row == (COUNT,)
    assert sum(outbox.counts().values()) == COUNT
