"""Does the model know a company from the word? Its head on what the rules leave open, against the rules alone.

Texts: wires that a vendor tagged, where the rules leave a name open and no training example can lie (no ambiguous
name stands in the title). The vendor's tag is the truth, a noisy one: vendors don't tag every company. The rules alone
find none of these, so the head's recall here is what it adds, and its precision what that costs.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.analyse import Analyser
from models.evaluate.predict import WHEN
from models.linking import Link, Linker, LinkResult
from models.linking.context import questions
from models.linking.evaluate import BUSINESS, Wire, read_headlines, read_wires, tagged_companies
from models.records import Document, Kind
from models.securities import load
from models.targets import company_probabilities

PRECISION = 0.98  # what the head must reach to decide anything
FEWEST = 20  # companies found, below which a precision is no measure
MOST = 2000  # of questions of each kind
GRID = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)


class Question(NamedTuple):
    """An open occurrence, and whether it is the company."""

    title: str
    body: str
    link: Link
    is_company: bool


class Asked:
    """A linker that gives the one occurrence asked of each text."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Link] = {}

    def link(self, title: str, body: str, *, kind: Kind, published_at: datetime | None) -> LinkResult:
        """The occurrence as if it were a company."""
        return LinkResult((self.known[title, body],))


def wire_questions(linker: Linker, wires: Iterable[Wire], trained: Sequence[str]) -> list[Question]:
    """What the rules leave open on tagged wires without a `trained` name in the title; one a company and wire."""
    table = load()
    made = []
    for wire in wires:
        if not any(name or (code and not code.startswith("BK")) for code, name in wire.tags):
            continue
        found = linker.link(wire.title, wire.body, published_at=wire.published_at)
        asked = {link.code: link for link in reversed(questions(found, {}))}
        if not asked or any(name in wire.title for name in trained):
            continue
        tagged = tagged_companies(wire, table)
        made += [Question(wire.title, wire.body, link, code in tagged) for code, link in asked.items()]
    return made


def answers(analyser: Analyser, asked: Asked, made: Sequence[Question]) -> np.ndarray:
    """The head's probability for each question, 0 where no window holds it. `asked` is the analyser's linker."""
    sure = []
    for q in made:
        asked.known = {(q.title, q.body): q.link}
        document = Document(
            id="", source="", kind="wire", title=q.title, body=q.body, published_at=WHEN, fetched_at=WHEN
        )
        (((reading,), _),) = analyser.read([document])
        sure.append(company_probabilities(reading).get(q.link.code, 0.0))
    return np.array(sure)


def measure(data: Path, model: str = "", threads: int = 0) -> dict[str, Any]:
    """The head at each threshold on the data folder's wires, and the lowest threshold that is good enough or None.

    `threshold` is what `model.json` holds under "company".
    """
    linker, asked = Linker.load(), Asked()
    analyser = Analyser.load(model, threads, linker=asked)
    paths = sorted((data / "wires").glob("*.jsonl.gz"))
    made = wire_questions(linker, chain.from_iterable(map(read_wires, paths)), _trained(data))
    words = []
    if (data / "labels/thucnews_headlines").is_dir():
        for text, label in read_headlines(data / "labels/thucnews_headlines"):
            if label not in BUSINESS:
                words += [Question(text, "", q, False) for q in questions(linker.link(text, ""), {})[:1]]
    rng = random.Random(0)
    kept = made if len(made) <= MOST else rng.sample(made, MOST)
    sure, truth = answers(analyser, asked, kept), np.array([q.is_company for q in kept], dtype=bool)
    false = answers(analyser, asked, words if len(words) <= MOST else rng.sample(words, MOST))
    return {"asked": len(kept), "companies": int(truth.sum()), "words": len(false)} | choose(sure, truth, false)


def _trained(data: Path) -> list[str]:
    """The names that training examples of words and companies were found by."""
    path = data / "securities/ambiguous_names.csv"
    with path.open(encoding="utf-8") as lines:
        return [row["m"] for row in csv.DictReader(lines) if len(row["m"]) > 1]


def choose(sure: np.ndarray, truth: np.ndarray, words: np.ndarray) -> dict[str, Any]:
    """Precision and recall at each threshold; the lowest with `PRECISION`, also against `words`, which are none."""
    table = []
    for threshold in GRID:
        given = sure >= threshold
        right, wrong = int((given & truth).sum()), int((given & ~truth).sum())
        table.append(
            {
                "threshold": threshold,
                "found": right,
                "recall": round(right / max(1, int(truth.sum())), 4),
                "precision": round(right / max(1, right + wrong), 4),
                "words": int((words >= threshold).sum()),
            }
        )
    good = [
        row
        for row in table
        if row["found"] >= FEWEST
        and row["found"] >= PRECISION * (row["found"] / max(row["precision"], 1e-9) + row["words"])
    ]
    return {"threshold": good[0]["threshold"] if good else None, "table": table}
