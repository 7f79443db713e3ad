"""End to end: `python -m tests.bench.bench_stream [--rate 20] [--seconds 60] [--burst 3000] [--workers 1]`.

Starts the whole product on free ports. First, documents at a steady rate: seconds from publication (the moment they are
handed to the ingestor) until they can be queried. Then a burst: documents a second, and where the worker's time goes.
`--workers 2` starts one more worker and sends another burst, and so on: what each one adds. A worker's models use all
processors; `--threads 1` leaves some to the next worker, as another machine would. `--input FILE.jsonl.gz` takes texts
from JSONL rows with `title` and `content` or `body`; without it they are short made-up wires.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

import msgspec

from ingest.drain import outbox_of
from models.records import Document, document_id
from tests.chaos.harness import Product, make_document
from tests.fixtures.broker import free_port

LATENCY = """
SELECT count(), quantilesExact(0.5, 0.95, 0.99)(dateDiff('millisecond', published_at, stored_at) / 1000)
FROM documents FINAL WHERE source = 'bench-steady'
"""


def texts(path: Path | None) -> Iterator[tuple[str, str]]:
    """Titles and bodies, without end."""
    if path is None:
        for number in count():
            document = make_document(number % 999)
            yield f"{document.title}·{number}", document.body
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:  # type: ignore[operator,arg-type]
        for line in lines:
            row = json.loads(line)
            yield row.get("title") or "", row.get("content") or row.get("body") or ""


def documents(source: str, pairs: Iterator[tuple[str, str]], number: int) -> list[Document]:
    """The next `number` documents, published now."""
    now = datetime.now(UTC)
    template = make_document(1)
    return [
        msgspec.structs.replace(
            template,
            id=document_id(source, f"{now.timestamp()}-{n}"),
            source=source,
            title=title,
            body=body,
            published_at=now,
            fetched_at=now,
        )
        for n, (title, body) in enumerate(islice(pairs, number))
    ]


def steady(product: Product, pairs: Iterator[tuple[str, str]], rate: int, seconds: int) -> None:
    """Ten times a second a tenth of the rate."""
    with closing(outbox_of(product.settings)) as outbox:
        began = time.monotonic()
        for tick in range(seconds * 10):
            due = (tick + 1) * rate // 10 - tick * rate // 10
            outbox.add(documents("bench-steady", pairs, due))
            time.sleep(max(0.0, began + (tick + 1) / 10 - time.monotonic()))
    product.wait_until_confirmed(300)
    number, (median, p95, p99) = product.query(LATENCY)[0]
    spread = f"{median:.2f} s (median), {p95:.2f} (p95), {p99:.2f} (p99)"
    print(f"steady  {number} documents at {rate}/s: queryable after {spread}")


def burst(product: Product, pairs: Iterator[tuple[str, str]], number: int, workers: Sequence[int]) -> float:
    """As many at once as asked for, to workers with their health pages at these ports; documents a second."""
    before = stage_seconds(workers)
    source = f"bench-burst-{len(workers)}"
    batch = documents(source, pairs, number)
    began = time.monotonic()
    with closing(outbox_of(product.settings)) as outbox:
        outbox.add(batch)
        taken = time.monotonic() - began
    sql = f"SELECT count() FROM documents FINAL WHERE source = '{source}'"
    while product.query(sql)[0][0] < len(batch):
        time.sleep(0.25)
    seconds = time.monotonic() - began
    rate = len(batch) / seconds
    print(
        f"burst   {len(batch)} documents, {len(workers)} workers: {seconds:.1f} s, {rate:.0f}/s (outbox {taken:.1f} s)"
    )
    for stage, spent in stage_seconds(workers).items():
        spent -= before.get(stage, 0.0)
        print(f"        {stage:<8} {spent:7.1f} s, {spent / seconds / len(workers):5.0%} of a worker's time")
    return rate


def await_ready(port: int, patience: float = 120.0) -> None:
    """Until a worker has its models and its partitions: the start is no part of a document's way."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return
        time.sleep(0.2)
    raise RuntimeError(f"the worker at port {port} is not ready after {patience:.0f} s")


def stage_seconds(ports: Sequence[int]) -> dict[str, float]:
    """Seconds that the workers have spent in each stage, all of them together."""
    pattern = r'fengxiang_(?:stage_seconds_sum|model_seconds_total)\{stage="(\w+)"\} ([\d.e+-]+)'
    spent: dict[str, float] = {}
    for port in ports:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            for stage, value in re.findall(pattern, reply.read().decode()):
                spent[stage] = spent.get(stage, 0.0) + float(value)
    return spent


@contextmanager
def another_worker(product: Product, port: int) -> Iterator[None]:
    """`fengxiang worker` beside the product's own; its health page is at `port`."""
    env = product.env | {"FENGXIANG_STREAM__WEB_PORT": str(port)}
    with (product.folder / "more-workers.log").open("ab") as log:
        argv = [sys.executable, "-m", "deploy.cli", "worker"]
        process = subprocess.Popen(argv, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        await_ready(port)
        yield
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--burst", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=1, help="a burst for each number of workers up to this")
    parser.add_argument("--threads", type=int, default=0, help="of each worker's models; 0: all processors")
    parser.add_argument("--input", type=Path)
    arguments = parser.parse_args()
    pairs = texts(arguments.input)
    with tempfile.TemporaryDirectory(prefix="fengxiang-bench-") as folder:
        product = Product(Path(folder) / "var", {"MODEL__THREADS": str(arguments.threads)})
        with product.running(), ExitStack() as more:
            ports = [product.settings.stream.web_port]
            await_ready(ports[0])
            for name, kilobytes in memory(product).items():
                print(f"memory  {name:<11}{kilobytes / 1024:7.0f} MB")
            steady(product, pairs, arguments.rate, arguments.seconds)
            rates = [burst(product, pairs, arguments.burst, ports)]
            while len(ports) < arguments.workers:
                ports.append(free_port())
                more.enter_context(another_worker(product, ports[-1]))
                rates.append(burst(product, pairs, arguments.burst, ports))
                print(f"        one more worker adds {rates[-1] / rates[-2] - 1:+.0%}")
            for name, kilobytes in memory(product).items():
                print(f"memory  {name:<11}{kilobytes / 1024:7.0f} MB")


def memory(product: Product) -> dict[str, int]:
    """Resident kilobytes of each process (Linux)."""
    found = {}
    for name, pid in product.pids().items():
        match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        found[name] = int(match[1]) if match else 0
    return found


if __name__ == "__main__":
    main()
