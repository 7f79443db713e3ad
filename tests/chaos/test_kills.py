"""Everything is killed once in the middle of the work, and nothing is lost or counted twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.entries import State
from tests.chaos.harness import Product, check, expected_companies
from tests.stream.stack import within

DOCUMENTS = 1001
KILLS = ("worker", "clickhouse", "broker", "ingest")


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_what_was_acknowledged_is_stored_or_dead_whatever_dies(tmp_path: Path) -> None:
    product = Product(tmp_path / "var")
    step = DOCUMENTS // (len(KILLS) + 1)
    with product.running():

        def settled() -> int:
            counts = product.counts()
            return counts[State.STORED] + counts[State.DEAD]

        added = 0
        for number, name in enumerate(KILLS):
            added += product.add(added, added + step)
            halfway = added - step // 2
            assert within(120, lambda goal=halfway: settled() >= goal), f"{product.counts()}\n{product.log()}"  # type: ignore[misc]
            added += product.add(added, DOCUMENTS if number == len(KILLS) - 1 else added + step // 4)
            assert product.signal(name), f"{name} does not run:\n{product.log()}"
        assert added == DOCUMENTS
        assert product.wait_until_confirmed(300), f"{product.counts()}\n{product.log()}"
        assert check(product, DOCUMENTS, expected_companies(DOCUMENTS)) == [], product.log()
