"""The long run, on demand: `python -m tests.chaos.long [--input WIRES.jsonl] [--documents 50000] [--kills 10]`.

Processes are killed -9 at random shares of the documents while these go through: worker, ClickHouse, broker and
ingestor, each of them at least once in ten kills. A table of the kills and of what is stored ends it; it exits with 1
when anything was lost or counted twice. `--input` reads wires as `fengxiang ingest` does, and a row that can't be read
is a dead letter; without it the documents are made up.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from ingest.drain import outbox_of
from ingest.entries import State
from ingest.fields import Options
from ingest.files import Item, Reader
from ingest.pdf import ReportReader
from models.records import Document
from tests.chaos.harness import Product, check, expected_companies, make_document, tallies

CHUNK = 500
PATIENCE = 120.0  # seconds until the next kill, where the share of documents is not reached
VICTIMS = ("worker", "clickhouse", "broker", "worker", "clickhouse", "ingest")  # in these shares, in random order
Row = tuple[str, str, str]  # when, what, how far the documents were


def wires(path: Path, limit: int) -> Iterator[Item]:
    """The first `limit` distinct wires of a file, and its unreadable rows, as `fengxiang ingest` reads them."""
    with closing(ReportReader()) as pdfs:
        reader = Reader(Options(now=datetime.now(UTC)), max_bytes=100_000_000, pdf=pdfs.read)
        seen: set[str] = set()
        for item in reader.read(path):
            id_ = item.id if isinstance(item, Document) else item.document_id
            if id_ not in seen:
                seen.add(id_)
                yield item
                if len(seen) == limit:
                    return


def acknowledge(product: Product, items: Iterator[Item]) -> int:
    """Hand everything to the outbox; how much it took."""
    taken = 0
    with closing(outbox_of(product.settings)) as outbox:
        while chunk := list(islice(items, CHUNK)):
            taken += outbox.add(chunk).new
    return taken


def strike(product: Product, name: str, patience: float = 120.0) -> None:
    """Kill a process -9, or stop the worker for 30 s; where it is just being started again, once it runs."""
    hang = name == "hang"
    deadline = time.monotonic() + patience
    while not product.signal("worker" if hang else name, signal.SIGSTOP if hang else signal.SIGKILL):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} has not come back in {patience:.0f} s:\n{product.log()}")
        time.sleep(0.5)
    if hang:
        time.sleep(30)
        product.signal("worker", signal.SIGCONT)


def run(product: Product, items: Iterator[Item], plan: list[str], dice: random.Random) -> tuple[int, list[Row]]:
    """Send the items through while the plan is carried out; how many were taken, and what happened when."""
    began, rows = time.monotonic(), []

    def note(what: str) -> None:
        counts = product.counts()
        rows.append((f"{time.monotonic() - began:.0f} s", what, f"{counts[State.STORED]} + {counts[State.DEAD]} dead"))
        print(f"{rows[-1][0]:>8}  {what:<28} {rows[-1][2]}", file=sys.stderr, flush=True)

    taken = acknowledge(product, items)
    note(f"{taken} acknowledged")
    last = time.monotonic()
    shares = sorted(dice.uniform(0.02, 0.95) for _ in plan)
    for name, share in zip(plan, shares, strict=True):
        goal = taken * share
        while time.monotonic() - last < PATIENCE:
            counts = product.counts()
            if counts[State.STORED] + counts[State.DEAD] >= goal:
                break
            time.sleep(0.5)
        strike(product, name)
        note("worker stopped for 30 s" if name == "hang" else f"kill -9 {name}")
        last = time.monotonic()
        time.sleep(dice.uniform(1, 5))
    note("all confirmed" if product.wait_until_confirmed(3600) else "NOT all confirmed in an hour")
    return taken, rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, help="JSONL, CSV, … of real wires, instead of made-up documents")
    parser.add_argument("--documents", type=int, default=50_000, help="of the input, at most")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--hangs", type=int, default=1, help="times that a worker is stopped for a while")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    if options.input and not options.input.exists():
        parser.error(f"{options.input}: no such file")
    dice = random.Random(options.seed)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="fengxiang-chaos-"))
    product = Product(folder / "var")
    plan = ["hang"] * options.hangs + list(islice(cycle(VICTIMS), options.kills))
    dice.shuffle(plan)
    items: Iterator[Item] = (
        wires(options.input, options.documents) if options.input else map(make_document, range(options.documents))
    )
    with product.running():
        taken, rows = run(product, items, plan, dice)
        wrong = check(product, taken, None if options.input else expected_companies(taken))
        print("\n| when | what | confirmed |\n|---|---|---|")
        for row in rows:
            print(f"| {' | '.join(row)} |")
        print("\n| table or view | rows | distinct |\n|---|---|---|")
        for name, number, distinct in tallies(product):
            print(f"| {name} | {number} | {distinct} |")
    for line in wrong:
        print(f"WRONG: {line}")
    print(f"\n{'not clean' if wrong else 'clean: in = stored + dead, nothing twice, audit clean'} ({folder})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
