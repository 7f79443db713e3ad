"""A slow store, lost replies, a full disk and clocks that step: nothing is lost or counted twice.

A worker that hangs is in tests/stream/test_worker.py and in `python -m tests.chaos.long`.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from clickhouse_connect.driver.client import Client

from deploy.settings import Settings
from models.records import Document
from stream.analyse import Reader
from stream.deadletters import Record
from stream.migrate import migrate
from stream.records import ANALYSES, DOCUMENTS, encode
from stream.sink import Sink
from stream.trends import due, refresh
from tests.chaos.proxy import Proxy
from tests.fixtures.broker import Broker
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.stack import Stack, make_document, within
from tests.stream.stand_in import StandIn

STORED = "SELECT count() FROM documents FINAL"
DISTINCT = "SELECT uniqExact(id) FROM documents FINAL"
MENTIONS = "SELECT count() FROM mentions FINAL"
DEAD = "SELECT count() FROM dead_letters FINAL"


def clean(stack: Stack) -> str:
    """What the audit finds; empty when nothing."""
    done = stack.cli("audit")
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.chaos
def test_a_slow_store_that_loses_replies_is_written_once(stack: Stack) -> None:
    proxy = Proxy(stack.server.port)
    url = stack.settings.clickhouse
    stack.overrides_worker["FENGXIANG_CLICKHOUSE"] = url.replace(f":{urlsplit(url).port}", f":{proxy.port}")
    worker = stack.start_worker()
    stack.send(make_document(n) for n in range(100))
    assert within(60, lambda: stack.one(STORED) == 100), stack.log()
    proxy.delay, proxy.lose = 0.5, 3
    stack.send(make_document(n) for n in range(50, 300))
    assert within(120, lambda: stack.one(STORED) == 300), stack.log()
    proxy.delay = 0
    assert within(60, lambda: not clean(stack)), clean(stack) + stack.log()
    assert proxy.lost == 3
    assert re.search("trying again|request attempt 2", stack.log()), stack.log()  # by the sink or by its client
    assert worker.poll() is None  # it waited, and did not give up
    assert (stack.one(DISTINCT), stack.one(MENTIONS), stack.one(DEAD)) == (300, 300, 0)
    proxy.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("a full disk needs the right to mount a tmpfs: run as root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def small_stack(small_disk: Path, make_broker: Callable[[], Broker], tmp_path: Path) -> Iterator[Stack]:
    """A stack whose store lies on the small disk."""
    server = ClickHouseServer(small_disk)
    server.start()
    stack = Stack(make_broker(), server, "fengxiang", tmp_path)
    migrate(Settings(clickhouse=server.url()))
    stack.make_topics()
    yield stack
    stack.stop()
    server.kill()


@pytest.mark.chaos
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has tmpfs")
def test_a_full_disk_costs_lag_and_nothing_else(small_stack: Stack, small_disk: Path) -> None:
    stack = small_stack
    stack.start_worker()
    stack.send(make_document(n) for n in range(100))
    assert within(60, lambda: stack.one(STORED) == 100), stack.log()
    ballast = small_disk / "ballast"
    fill(ballast)
    stack.send(make_document(n) for n in range(100, 300))

    def refused() -> bool:
        fill(ballast)  # merges give back a little
        return "trying again" in stack.log()

    assert within(60, refused), stack.log()[-5000:]
    assert stack.one(DEAD) == 0
    ballast.unlink()
    assert within(90, lambda: stack.one(STORED) == 300), stack.log()[-5000:]
    assert within(30, lambda: not clean(stack)), clean(stack) + stack.log()
    assert (stack.one(MENTIONS), stack.one(DEAD)) == (300, 0)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


@pytest.mark.chaos
def test_clocks_that_step_lose_no_text_and_no_count(clickhouse_server: ClickHouseServer, stored: Client) -> None:
    dice = random.Random(3)
    now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    fetched = now  # the ingestor's clock goes on; the workers' steps

    def clock() -> datetime:
        return now

    reader = Reader(StandIn(), epoch="e", max_bytes=1_000_000, clock=clock)
    sink = Sink(lambda: clickhouse_server.client(database=stored.database), epochs={}, clock=clock)
    latest: dict[str, Document] = {}
    for batch in range(12):
        now += dice.choice((timedelta(hours=-1), timedelta(seconds=1), timedelta(days=1), timedelta(minutes=-7)))
        fetched += timedelta(seconds=10)
        documents = []
        for number in dice.sample(range(40), 15):
            tag = dice.choice(("#game", "#aigc", ""))
            body = f"第{batch}版 @{600000 + dice.randrange(5)}.SH {tag}"
            document = make_document(number, body=body, fetched_at=fetched)
            documents.append(document)
            latest[document.id] = document
        records = [Record(DOCUMENTS, 0, 100 * batch + n, b"", encode(d)) for n, d in enumerate(documents)]
        outcome = reader.read(records)
        assert outcome.dead == []
        analysed = [Record(ANALYSES, 0, 100 * batch + n, b"", encode(m)) for n, m in enumerate(outcome.analysed)]
        assert sink.store(analysed) == []
        assert sink.store(analysed) == []  # and once more, as after a rebalance
        refresh(stored, due(stored), minute_days=30)
    sink.close()
    assert dict(stored.query("SELECT id, body FROM documents FINAL").result_rows) == {
        id_: document.body for id_, document in latest.items()
    }
    (counted,) = stored.query(
        "SELECT sumIf(documents, dimension = 'source'), sumIf(mentions, dimension = 'security') FROM trends FINAL"
        " WHERE step = 'day'"
    ).result_rows
    assert counted == (len(latest), len(latest))  # each text names one company
