"""The worker's consumers ask the broker to answer soon."""

from __future__ import annotations

import asyncio
from pathlib import Path

from deploy.local.broker import create_topics
from deploy.settings import Settings
from stream.app import create_app
from stream.transport import FETCH_WAIT_MS
from tests.fixtures.broker import Broker


def test_a_fetch_that_finds_nothing_is_answered_soon(broker: Broker, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, local={"kafka_port": broker.port})
    create_topics(broker.servers, settings)

    async def run() -> int:
        app = create_app(settings, "fengxiang-test", asyncio.get_running_loop())
        consumer = app.consumer._thread._create_worker_consumer(app.transport)
        await consumer.start()
        try:
            return int(consumer._fetcher._fetch_max_wait_ms)
        finally:
            await consumer.stop()

    assert asyncio.run(run()) == FETCH_WAIT_MS
