"""The process: start, stop, what it refuses to start with, and what it keeps when it is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import Error

from deploy.settings import secret
from tests.fixtures.clickhouse import ClickHouseServer


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(tmp_path)
    server.start()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.stop()


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FENGXIANG_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.local.clickhouse", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean | environment,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1
    line = done.stderr.strip()
    assert "\n" not in line
    assert "Traceback" not in line
    assert all(word in line for word in words), line


def test_stops_within_five_seconds_while_queries_run(own_server: ClickHouseServer) -> None:
    def endless() -> None:
        with own_server.client() as client, pytest.raises((Error, OSError)):
            client.query("SELECT count() FROM system.numbers")

    thread = threading.Thread(target=endless)
    thread.start()
    time.sleep(1)
    started = time.monotonic()
    assert own_server.stop() == 0
    assert time.monotonic() - started < 5
    thread.join()


def test_interrupt_stops_it_too(own_server: ClickHouseServer) -> None:
    assert own_server.process is not None
    own_server.process.send_signal(signal.SIGINT)
    assert own_server.process.wait(10) == 0


def test_a_folder_has_one_owner(own_server: ClickHouseServer) -> None:
    assert own_server.process is not None
    done = run("--data", own_server.data, "--port", 0)
    assert_one_line(done, str(own_server.data), "in use by another process", str(own_server.process.pid), "--data")
    with own_server.client() as client:
        assert client.query("SELECT 1").result_rows == [(1,)]


def test_port_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_one_line(run("--data", tmp_path / "d", "--port", port), str(port), "is taken", "--port")


def test_folder_that_can_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_one_line(run("--data", tmp_path / "file", "--port", 0), str(tmp_path / "file"), "--data")
    assert_one_line(run("--data", tmp_path / "file" / "under", "--port", 0), "under", "--data")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"a b": {}}', '{"a": {"admin": true}}', '{"a": {"limits": {"max_threads": 0}}}']
)
def test_bad_users_file(tmp_path: Path, text: str) -> None:
    users = tmp_path / "users.json"
    users.write_text(text)
    assert_one_line(run("--data", tmp_path / "d", "--port", 0, "--users", users), str(users))


def test_users_of_the_settings(tmp_path: Path) -> None:
    """Without --users: the writer with its kept secret, the reader with the settings' password."""
    server = ClickHouseServer(tmp_path)
    config = tmp_path / "fengxiang.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n[local]\nreader_password = "of the settings"\nmemory_gb = 1.0\n')
    server.start(users_file=False, environment={"FENGXIANG_CONFIG": str(config)})
    try:
        with server.client(password=secret(tmp_path, "clickhouse-writer")) as writer:
            assert writer.query("SELECT currentDatabase(), getSetting('readonly')").result_rows == [("fengxiang", 0)]
            limit = writer.query("SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'")
            assert limit.result_rows == [("1000000000",)]
        with server.client(writer=False, password="of the settings") as reader:
            query = "SELECT getSetting('readonly'), getSetting('max_execution_time'), getSetting('max_memory_usage')"
            assert reader.query(query).result_rows == [(2, 30, 500_000_000)]
    finally:
        server.stop()


def test_a_config_in_the_working_folder_is_not_read(own_server: ClickHouseServer, tmp_path: Path) -> None:
    own_server.stop()
    (tmp_path / "config.xml").write_text(
        "<clickhouse><max_server_memory_usage>1</max_server_memory_usage></clickhouse>"
    )
    own_server.start(folder=tmp_path)
    with own_server.client() as client:
        assert client.query("SELECT sum(number) FROM numbers(1000000)").result_rows == [(499999500000,)]


@pytest.mark.chaos
def test_acknowledged_inserts_survive_kill(own_server: ClickHouseServer) -> None:
    """kill -9 under four writers, again and again: no acknowledged batch is lost, none is there in part."""
    size, choice = 200, random.Random(7)
    with own_server.client() as client:
        client.command("CREATE TABLE t (batch UInt64, i UInt32) ENGINE = MergeTree ORDER BY (batch, i)")
    acknowledged: set[int] = set()
    numbers = iter(range(1_000_000))
    lock = threading.Lock()

    def write() -> None:
        try:
            with own_server.client(query_retries=0) as client:
                while True:
                    with lock:
                        batch = next(numbers)
                    client.insert("t", [[batch, i] for i in range(size)], column_names=["batch", "i"])
                    with lock:
                        acknowledged.add(batch)
        except (Error, OSError):
            return  # killed: the batch in flight is not acknowledged

    for _ in range(3):
        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(choice.uniform(0.8, 1.6))
        own_server.kill()
        for writer in writers:
            writer.join(30)
        own_server.restart()
        with own_server.client() as client:
            rows = client.query("SELECT batch, count() FROM t GROUP BY batch").result_rows
            counts: dict[int, int] = dict(rows)  # type: ignore[arg-type]
        assert {batch for batch in acknowledged if counts.get(batch) != size} == set()
        assert set(counts.values()) <= {size}
    assert len(acknowledged) > 20


def test_a_users_file_may_hold_hashes(own_server: ClickHouseServer, tmp_path: Path) -> None:
    own_server.stop()
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    (tmp_path / "users.json").write_text(json.dumps({"fengxiang": {"sha256": digest, "database": "fengxiang"}}))
    own_server.start()
    with own_server.client(password="secret") as client:
        assert client.query("SELECT 1").result_rows == [(1,)]
