"""The whole product under `fengxiang up`, with processes that are killed, stopped and started again under load.

Documents go into the ingestor's outbox, which acknowledges them; from then on none may be lost or counted twice.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.settings import PREFIX, Settings
from ingest.drain import outbox_of
from ingest.entries import State
from models.records import Document, document_id
from stream.store import connect
from tests.fixtures.broker import free_port

COMPANIES = (("贵州茅台", "600519.SH"), ("五粮液", "000858.SZ"), ("比亚迪", "002594.SZ"), ("宁德时代", "300750.SZ"))
THEMES = ("新游戏上线首日流水破亿", "发布大模型应用", "票房连续三周第一", "跨境电商订单大增")
MAX_MESSAGE_BYTES = 100_000
ONLY_DEAD = """
SELECT uniqExact(document_id) FROM dead_letters FINAL WHERE document_id NOT IN (SELECT id FROM documents FINAL)
"""
FIRST = datetime(2026, 9, 1, 1, 0, tzinfo=UTC)


def make_document(number: int) -> Document:
    """Document `number`: it names one company with its code. One in a thousand is too large to be sent."""
    name, code = COMPANIES[number % len(COMPANIES)]
    body = f"{name}（{code}）{THEMES[number // 7 % len(THEMES)]}，当日成交{number}笔，公司股价随后走高。"
    if number % 1000 == 999:
        body += "长" * MAX_MESSAGE_BYTES
    return Document(
        id=document_id("chaos", str(number)),
        source="chaos",
        kind="wire",
        title=f"{name}公告第{number}号",
        body=body,
        published_at=FIRST + timedelta(minutes=number % 60_000),
        fetched_at=datetime.now(UTC),
        publisher=f"第{number % 5}报",
    )


@dataclass
class Product:
    """`fengxiang up` on ports and in a folder of its own."""

    folder: Path
    overrides: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = {name: free_port() for name in ("kafka", "clickhouse", "web", "dashboard")}
        self.settings = Settings(
            data_dir=self.folder,
            local={"kafka_port": ports["kafka"], "clickhouse_port": ports["clickhouse"]},
            stream={"max_message_bytes": MAX_MESSAGE_BYTES, "web_port": ports["web"]},
        )
        ours = {
            "DATA_DIR": str(self.folder),
            "LOCAL__KAFKA_PORT": str(ports["kafka"]),
            "LOCAL__CLICKHOUSE_PORT": str(ports["clickhouse"]),
            "STREAM__WEB_PORT": str(ports["web"]),
            "STREAM__METRICS_PORT": "0",
            "STREAM__MAX_MESSAGE_BYTES": str(MAX_MESSAGE_BYTES),
            "DASHBOARD__PORT": str(ports["dashboard"]),
            "INGEST__PUSH_PORT": "0",
            "ALERTS__WEB_PORT": "0",
            "INGEST__INBOX": "",
            "INGEST__CONFIRM_AFTER_SECONDS": "5",
            **self.overrides,
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        self.env = clean | {PREFIX + name: value for name, value in ours.items()}
        self._up: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self, timeout: float = 120) -> Iterator[Product]:
        """Up within `timeout` seconds, down at the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "up.log").open("ab") as log:
            argv = [sys.executable, "-m", "deploy.cli", "up"]
            self._up = subprocess.Popen(argv, env=self.env, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + timeout
            while "worker" not in self.pids() or "ingest" not in self.pids():
                if self._up.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"`fengxiang up` did not start:\n{self.log()}")
                time.sleep(0.2)
            yield self
        finally:
            self._up.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._up.wait(60)
            self._up.kill()

    def log(self) -> str:
        """The last lines of what `up` printed."""
        return "\n".join((self.folder / "up.log").read_text("utf-8", "replace").splitlines()[-40:])

    def pids(self) -> dict[str, int]:
        """Name -> process id, of what runs now."""
        try:
            rows: dict[str, Any] = json.loads((self.folder / "run" / "processes.json").read_text())
        except (OSError, ValueError):
            return {}
        return {name: row["pid"] for name, row in rows.items() if row["pid"]}

    def signal(self, name: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a signal to a process; whether it was there."""
        pid = self.pids().get(name)
        try:
            os.kill(pid or 0, number) if pid else None
        except ProcessLookupError:
            return False
        return pid is not None

    def add(self, first: int, last: int) -> int:
        """Hand the documents `first` up to `last` to the outbox; how many were acknowledged."""
        with closing(outbox_of(self.settings)) as outbox:
            return outbox.add([make_document(number) for number in range(first, last)]).new

    def counts(self) -> dict[State, int]:
        """The outbox's messages by state."""
        with closing(outbox_of(self.settings)) as outbox:
            return outbox.counts()

    def wait_until_confirmed(self, timeout: float) -> bool:
        """Whether everything in the outbox was confirmed in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            counts = self.counts()
            if not counts[State.PENDING] + counts[State.SENT]:
                return True
            time.sleep(0.5)
        return False

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(connect(self.settings, writer=True)) as client:
            return [tuple(row) for row in client.query(sql).result_rows]

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`fengxiang …`"""
        argv = [sys.executable, "-m", "deploy.cli", *arguments]
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=300)


# Table or view -> its rows, and what makes one of them the only one.
ONCE = {
    "documents": ("documents_now", "id"),
    "mentions": ("mentions_now", "code, document_id, field, start"),
    "document_themes": ("document_themes_now", "theme, document_id"),
    "reports": ("reports FINAL", "document_id"),
    "analysis_as_was": ("analysis_as_was(at='2100-01-01 00:00:00')", "document_id"),
    "dead_letters": ("dead_letters FINAL", "document_id, stage"),
}
EVER = "from='1971-01-01 00:00:00', to='2149-01-01 00:00:00'"


def tallies(product: Product) -> list[tuple[str, int, int]]:
    """Of each table and view: its name, its rows, and how many of them are distinct."""
    counted = (
        (name, product.query(f"SELECT count(), uniqExact({key}) FROM {rows}")[0]) for name, (rows, key) in ONCE.items()
    )
    return [(name, rows, distinct) for name, (rows, distinct) in counted]


def expected_companies(documents: int) -> dict[str, int]:
    """Code -> documents that name it, of the first `documents` made-up ones that are not too large."""
    expected = {code: 0 for _, code in COMPANIES}
    for number in range(documents):
        if number % 1000 != 999:
            expected[COMPANIES[number % len(COMPANIES)][1]] += 1
    return expected


def check(product: Product, documents: int, expected: dict[str, int] | None = None) -> list[str]:
    """What is wrong, in words, once `documents` were acknowledged and confirmed; empty when all is right.

    expected: code -> documents that name it, where that is known.
    """
    wrong = []
    stored = product.query("SELECT uniqExact(id) FROM documents FINAL")[0][0]
    only_dead = product.query(ONLY_DEAD)[0][0]
    if stored + only_dead != documents:
        wrong.append(f"{documents} documents in, {stored} stored + {only_dead} dead")
    wrong += [f"{name}: {rows} rows of {once}" for name, rows, once in tallies(product) if rows != once]
    truth = dict(product.query("SELECT arrayJoin(codes) AS code, uniqExact(id) FROM documents FINAL GROUP BY code"))
    themes = dict(product.query("SELECT arrayJoin(themes) AS t, uniqExact(id) FROM documents FINAL GROUP BY t"))
    if expected is not None and {code: truth.get(code, 0) for code in expected} != expected:
        wrong.append(f"documents by company: {truth}, expected {expected}")
    tones = dict(product.query("SELECT sentiment, uniqExact(id) FROM documents FINAL GROUP BY sentiment"))
    sources = dict(product.query("SELECT source, uniqExact(id) FROM documents FINAL GROUP BY source"))
    stories = dict(product.query("SELECT story_id, uniqExact(id) FROM documents FINAL GROUP BY story_id"))
    views = {
        "mention_trend": (f"SELECT code, sum(documents) FROM mention_trend({EVER}, minutes=60) GROUP BY code", truth),
        "security_day": (f"SELECT code, sum(documents) FROM security_day({EVER}) GROUP BY code", truth),
        "theme_trend": (f"SELECT theme, sum(documents) FROM theme_trend({EVER}, minutes=60) GROUP BY theme", themes),
    }
    tone_sql = f"SELECT sentiment, sum(documents) FROM sentiment_trend({EVER}, minutes=60) GROUP BY sentiment"
    views["sentiment_trend"] = (tone_sql, tones)
    views["stories"] = ("SELECT story_id, sum(copies) FROM stories FINAL GROUP BY story_id", stories)
    kept = {"security": truth, "theme": themes, "sentiment": tones, "source": sources}
    for dimension, right in kept.items():
        where = f"step = 'day' AND dimension = '{dimension}'"
        views[f"trends by {dimension}"] = (
            f"SELECT key, sum(documents) FROM trends FINAL WHERE {where} GROUP BY key",
            right,
        )
    deadline = time.monotonic() + 300  # the trends and the stories follow in a while
    for name, (sql, right) in views.items():
        while (counted := dict(product.query(sql))) != right:
            if not name.startswith(("trends", "stories")) or time.monotonic() > deadline:
                odd = {key for key, _ in counted.items() ^ right.items()}
                said = ", ".join(f"{key}: {counted.get(key, 0)} for {right.get(key, 0)}" for key in sorted(odd)[:10])
                wrong.append(f"{name} counts {len(odd)} wrongly: {said}")
                break
            time.sleep(1)
    audit = product.cli("audit")
    if audit.returncode:
        wrong.append(f"audit is not clean:\n{audit.stdout}{audit.stderr}")
    return wrong
