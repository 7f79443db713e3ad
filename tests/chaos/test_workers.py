"""Several workers: restarted one after the other, killed, added and taken away while documents flow."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.settings import PREFIX
from models.records import Document
from stream.log import Log
from stream.records import ANALYSES, DEAD, DOCUMENTS
from stream.worker import FATAL_STATUS
from tests.chaos.harness import ONCE
from tests.fixtures.broker import free_port
from tests.stream.stack import Stack, fetch, make_document, within

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

STORED = "SELECT count() FROM documents FINAL"
PACE = 40  # documents a second


class Flow(threading.Thread):
    """Sends documents at a steady pace until it is stopped."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(name="flow", daemon=True)
        self._stack, self._stopped = stack, threading.Event()
        self.sent = 0

    def run(self) -> None:
        while not self._stopped.wait(0.5):
            self._stack.send(self._some(PACE // 2))

    def _some(self, number: int) -> list[Document]:
        self.sent += number
        return [make_document(n) for n in range(self.sent - number, self.sent)]

    def stop(self) -> None:
        self._stopped.set()
        self.join(60)


@contextmanager
def flowing(stack: Stack) -> Iterator[Flow]:
    flow = Flow(stack)
    flow.start()
    try:
        yield flow
    finally:
        flow.stop()


class Workers:
    """Workers of a stack, each with a health page of its own, under a supervisor's care."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.running: list[tuple[subprocess.Popen[bytes], int]] = []

    def start(self) -> None:
        """One more; it is there once its health page says that it takes part."""
        port = self.add()
        assert within(180, lambda: self.tend() and ready(port)), self._stack.log()[-5000:]  # the watchdog takes 60 s

    def add(self) -> int:
        """Start one more; the port of its health page."""
        port = free_port()
        self.running.append((self._run(port), port))
        return port

    def tend(self) -> bool:
        """Start again those whose watchdog ended them since the embedded broker's group hung while workers changed."""
        for number, (worker, port) in enumerate(self.running):
            if worker.poll() == FATAL_STATUS:
                reasons = re.findall("the worker ends: (.*)", self._stack.log())
                assert "has not given out its partitions" in reasons[-1], self._stack.log()[-5000:]
                self.running[number] = (self._run(port), port)
        return True

    def _run(self, port: int) -> subprocess.Popen[bytes]:
        self._stack.overrides_worker[f"{PREFIX}STREAM__WEB_PORT"] = str(port)
        return self._stack.start_worker()

    def end(self, how: signal.Signals) -> int:
        """The oldest one; its exit status."""
        worker, _ = self.running.pop(0)
        worker.send_signal(how)
        return worker.wait(30)


def ready(port: int) -> bool:
    """Whether a worker has a share of both."""
    return fetch(port, "readyz") == "ok"


def settle(stack: Stack, workers: Workers, documents: int) -> None:
    """All is stored, nothing twice in any table or view, and the audit is clean."""
    assert within(180, lambda: workers.tend() and stack.one(STORED) == documents), (
        f"{stack.one(STORED)} of {documents}: {stack.log()[-5000:]}"
    )
    with Log(stack.broker.servers) as log:
        assert within(30, lambda: not sum(s.lag for s in log.partitions([DOCUMENTS, ANALYSES, DEAD])))
    with stack.client() as client:
        for name, (rows, key) in ONCE.items():
            number, distinct = client.query(f"SELECT count(), uniqExact({key}) FROM {rows}").result_rows[0]
            assert number == distinct, name
        ever = "from='1971-01-01 00:00:00', to='2149-01-01 00:00:00'"
        for view in ("mention_trend", "theme_trend", "sentiment_trend"):
            ((counted,),) = client.query(f"SELECT sum(documents) FROM {view}({ever}, minutes=60)").result_rows
            assert counted == documents, view  # each names one company, has one theme and one tone
    sums = "SELECT sumIf(documents, dimension = 'source') FROM trends FINAL WHERE step = 'day'"
    for sql in (sums, "SELECT sum(copies) FROM stories FINAL"):  # they take a tenth of the time: busy ones follow late
        assert within(240, lambda: workers.tend() and stack.one(sql) == documents, 1), sql  # noqa: B023
    report = stack.audit()
    assert report["clean"] and (report["stored"], report["dead"]) == (documents, 0), report


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_rolling_restart_loses_nothing(stack: Stack, how: signal.Signals) -> None:
    workers = Workers(stack)
    for _ in range(2):
        workers.start()
    with flowing(stack) as flow:
        assert within(60, lambda: stack.one(STORED) > 0), stack.log()
        for _ in range(2):  # the next one when the last is back
            status = workers.end(how)
            assert status == (0 if how is signal.SIGTERM else -how)
            workers.start()
            goal = flow.sent
            assert within(180, lambda: workers.tend() and stack.one(STORED) >= goal), stack.log()[-5000:]  # noqa: B023
    settle(stack, workers, flow.sent)
    if how is signal.SIGTERM:
        assert "Traceback" not in stack.log()


def test_workers_that_come_and_go_under_load_lose_nothing(stack: Stack) -> None:
    workers = Workers(stack)
    workers.start()
    with flowing(stack) as flow:
        workers.start()
        third = workers.add()  # four partitions are two for each of two: there may be none left for it
        assert within(60, lambda: fetch(third, "healthz") == "ok"), stack.log()[-5000:]
        for how in (signal.SIGKILL, signal.SIGTERM):
            workers.end(how)
            time.sleep(3)
        workers.start()
    settle(stack, workers, flow.sent)
