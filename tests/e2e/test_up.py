"""The product as a newcomer starts it: `fengxiang up --sample`, on real processes and free ports, twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.settings import PREFIX
from tests.fixtures.broker import free_port

ROOT = Path(__file__).parent.parent.parent
PORTS = (
    "LOCAL__KAFKA_PORT",
    "LOCAL__CLICKHOUSE_PORT",
    "STREAM__WEB_PORT",
    "STREAM__METRICS_PORT",
    "DASHBOARD__PORT",
    "INGEST__PUSH_PORT",
    "ALERTS__WEB_PORT",
)


class Product:
    """A running `up`, its output, and the command line beside it."""

    def __init__(self, folder: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        ports = {PREFIX + name: str(free_port()) for name in PORTS}
        self.env = {**clean, **ports, f"{PREFIX}DATA_DIR": str(folder / "var"), "NO_COLOR": "1"}
        self.folder = folder
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def port(self, name: str) -> int:
        return int(self.env[PREFIX + name])

    def up(self, *arguments: str) -> None:
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up", *arguments],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.wait_for("is up", 120)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.lines.extend(line.rstrip() for line in process.stdout)

    def wait_for(self, text: str, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while True:
            for line in list(self.lines):
                if text in line:
                    return line
            ended = self.process is None or self.process.poll() is not None
            assert not ended and time.monotonic() < deadline, f"no {text!r} in:\n" + "\n".join(self.lines[-60:])
            time.sleep(0.1)

    def run(self, *arguments: str, status: int = 0) -> str:
        command = [sys.executable, "-m", "deploy.cli", *arguments]
        done = subprocess.run(command, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=180)
        assert done.returncode == status, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def sql(self, query: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("sql", query, "--json").splitlines()]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json"))
        return found

    def wait_stored(self, documents: int, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while self.status().get("documents", 0) < documents:
            assert time.monotonic() < deadline, f"{self.status()}\n" + "\n".join(self.lines[-60:])
            time.sleep(0.5)

    def interrupt(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("up"))
    product.up("--sample")
    yield product
    if product.process is not None and product.process.poll() is None:
        product.interrupt()


def sample_size() -> tuple[int, int]:
    sample = ROOT / "ingest" / "sample"
    return len((sample / "corpus.jsonl").read_text("utf-8").splitlines()), len(list(sample.glob("reports/*.pdf")))


def test_the_sample_is_analysed_and_can_be_queried(product: Product) -> None:
    texts, reports = sample_size()
    product.wait_stored(texts + reports)
    assert "死信 dead" in product.wait_for("读取 read", 60), "the load sums up on one line"
    kinds = {
        row["kind"]: int(row["n"]) for row in product.sql("SELECT kind, count() n FROM documents FINAL GROUP BY kind")
    }
    assert kinds["report"] == reports and sum(kinds.values()) == texts + reports
    assert product.status()["dead_letters"] == 0
    themes = product.sql("SELECT theme, uniqExact(document_id) n FROM document_themes FINAL GROUP BY theme")
    assert len(themes) == 11, "every built-in theme has something to show"
    assert max(int(row["n"]) for row in themes) < texts / 2, "a theme is not given to everything"
    codes = {row["code"] for row in product.sql("SELECT DISTINCT code FROM mentions FINAL")}
    assert {"300413.SZ", "002291.SZ", "300418.SZ"} <= codes
    rated = product.sql("SELECT rating, rating_action FROM reports FINAL WHERE rating != ''")
    assert len(rated) == reports


def test_copies_are_counted_once_as_stories(product: Product) -> None:
    row = product.sql("SELECT uniqExact(id) documents, uniqExact(story_id) stories FROM documents FINAL")[0]
    assert int(row["stories"]) < 0.85 * int(row["documents"])


def test_the_dashboard_answers(product: Product) -> None:
    url = f"http://127.0.0.1:{product.port('DASHBOARD__PORT')}/_stcore/health"
    with urllib.request.urlopen(url, timeout=5) as reply:
        assert reply.status == 200
    assert not [line for line in product.lines if "Streamlit" in line]


def test_a_pushed_document_can_be_queried_within_seconds(product: Product) -> None:
    token = (product.folder / "var" / "secrets" / "push-token").read_text().strip()
    document = {
        "id": "e2e-1",
        "source": "e2e",
        "title": "芒果超媒(300413)：与三家出版社合作AIGC语料库",
        "body": "公司公告称项目进展顺利。",
        "published_at": "2026-11-20T10:00:00+08:00",
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{product.port('INGEST__PUSH_PORT')}/v1/documents",
        json.dumps(document).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    before = product.status()["documents"]
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status in (200, 201, 202)
    product.wait_stored(before + 1, seconds=20)


def test_the_doctor_finds_nothing(product: Product) -> None:
    findings = json.loads(product.run("doctor", "--json"))
    assert [finding for finding in findings if not finding["ok"]] == []
    assert {"broker", "clickhouse", "model"} <= {finding["check"] for finding in findings}


def test_a_second_up_says_who_is_running(product: Product) -> None:
    command = [sys.executable, "-m", "deploy.cli", "up"]
    done = subprocess.run(command, env=product.env, cwd=product.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "already running" in done.stderr and "make stop" in done.stderr


def test_a_killed_worker_comes_back(product: Product) -> None:
    pid = product.status()["processes"]["worker"]["pid"]
    os.kill(pid, signal.SIGKILL)
    product.wait_for("worker ended with status -9", 30)
    deadline = time.monotonic() + 90
    while product.status()["processes"]["worker"]["pid"] in (None, pid):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_interrupt_stops_every_child_and_a_second_start_finds_its_data(product: Product) -> None:
    before = product.status()
    pids = [row["pid"] for row in before["processes"].values() if row["pid"]]
    assert product.interrupt() == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    product.up("--sample")
    assert product.status()["documents"] == before["documents"]
    product.run("stop")
    assert product.process is not None and product.process.wait(30) == 0
