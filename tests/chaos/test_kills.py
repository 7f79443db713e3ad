"""Everything is killed once in the middle of the work, and nothing is lost or counted twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.chaos.harness import Product, check

DOCUMENTS = 1200
KILLS = ("clickhouse", "worker", "broker", "ingest")


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_what_was_acknowledged_is_stored_or_dead_whatever_dies(tmp_path: Path) -> None:
    product = Product(tmp_path / "var")
    step = DOCUMENTS // (len(KILLS) + 1)
    with product.running():
        added = product.add(0, step)
        for number, name in enumerate(KILLS, start=1):
            added += product.add(number * step, (number + 1) * step)
            time.sleep(1.5)
            assert product.signal(name), f"{name} does not run:\n{product.log()}"
        assert added == DOCUMENTS
        assert product.wait_until_confirmed(300), f"{product.counts()}\n{product.log()}"
        assert check(product, DOCUMENTS) == [], product.log()
