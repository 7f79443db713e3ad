"""The long run, on demand: `python -m tests.chaos.long [--documents 50000] [--kills 10] [--seed 1] [--folder DIR]`.

Kills a process at random times while the documents go through, prints what happened, and exits with 1 when anything
was lost or counted twice.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from ingest.outbox import State
from tests.chaos.harness import Product, check, pick

CHUNK = 500
PATIENCE = 45.0  # seconds until the next kill, where the share of documents is not reached


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--hangs", type=int, default=1, help="times that a worker is stopped for a while")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="fengxiang-chaos-"))
    product = Product(folder / "var")
    plan = ["hang"] * arguments.hangs + [pick(dice) for _ in range(arguments.kills)]
    dice.shuffle(plan)
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {text}", flush=True)

    with product.running():
        for first in range(0, arguments.documents, CHUNK):
            product.add(first, min(first + CHUNK, arguments.documents))
        say(f"{arguments.documents} documents acknowledged")
        share, last, done = arguments.documents / (len(plan) + 1), time.monotonic(), 0
        while plan:
            counts = product.counts()
            settled = counts[State.STORED] + counts[State.DEAD]
            if settled >= share * (done + 1) or time.monotonic() - last > PATIENCE:
                name = plan.pop()
                done, last = done + 1, time.monotonic()
                say(f"{settled} confirmed; {'stopping the worker for 30 s' if name == 'hang' else f'kill -9 {name}'}")
                if name == "hang":
                    product.signal("worker", signal.SIGSTOP)
                    time.sleep(30)
                    product.signal("worker", signal.SIGCONT)
                else:
                    product.signal(name)
            time.sleep(dice.uniform(1, 5))
        finished = product.wait_until_confirmed(3600)
        say(f"confirmed: {product.counts()}")
        wrong = check(product, arguments.documents) if finished else ["not everything was confirmed in an hour"]
        for line in wrong:
            say(f"WRONG: {line}")
        say("clean" if not wrong else "not clean")
        say(f"logs and data in {folder}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
