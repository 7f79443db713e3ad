"""The model's answers on an evaluation set, through `Analyser`, with the companies given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from models.analyse import Analyser
from models.evaluate.sets import EvaluationSet, label_of
from models.linking.records import Link, LinkResult
from models.records import Analysis, Document, Kind
from models.train.examples import Example

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
CHUNK = 128


class GivenLinks:
    """A linker that knows the companies of each text beforehand; the code is the place in the example's targets."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Example] = {}

    def link(self, title: str, body: str, *, kind: Kind, published_at: datetime | None) -> LinkResult:
        """Every place of every given company."""
        example = self.known.get((title, body))
        found = []
        for index, target in enumerate(example.targets if example else ()):
            for field, start, end in target.spans:
                found.append(
                    Link(
                        code=str(index),
                        name="",
                        surface="",
                        field=field,
                        start=start,
                        end=end,
                        confidence=1.0,
                        evidence="name",
                        relevance=1.0,
                        role="subject",
                        section="body",
                    )
                )
        return LinkResult(tuple(found))


def analyse(analyser: Analyser, links: GivenLinks, examples: Sequence[Example]) -> list[Analysis]:
    """An analysis of each example, with its targets as mentions (codes "0", "1", ...)."""
    made: list[Analysis] = []
    for at in range(0, len(examples), CHUNK):
        part = examples[at : at + CHUNK]
        links.known = {(e.title, e.body): e for e in part}
        documents = [
            Document(
                id=e.key, source=e.source, kind="wire", title=e.title, body=e.body, published_at=WHEN, fetched_at=WHEN
            )
            for e in part
        ]
        made += analyser.analyse(documents)
    return made


@dataclass(frozen=True)
class Answers:
    """Truth and guess, aligned: class names, or boolean rows for themes; how sure; and the text of each."""

    truth: np.ndarray
    guess: np.ndarray
    confidence: np.ndarray
    texts: tuple[str, ...]


def _tone(probabilities: dict[str, float], classes: Sequence[str]) -> tuple[str, float]:
    """The class among those that the set knows, and its probability among them."""
    known = {c: probabilities[c] if c != "other" else 1 - probabilities["negative"] for c in classes}
    best = max(known, key=lambda c: known[c])
    return best, known[best] / max(sum(known.values()), 1e-9)


def answers(item: EvaluationSet, analyses: Sequence[Analysis]) -> Answers:
    """What the analyses say of the set's questions."""
    truth: list[Any] = []
    guess: list[Any] = []
    sure: list[Any] = []
    texts: list[str] = []
    for example, analysis in zip(item.test, analyses, strict=True):
        text = f"{example.title} {example.body}".strip()
        if item.task == "themes":
            given = {t.theme: t.score for t in analysis.themes}
            truth.append([bool(example.themes.get(k)) for k in range(len(item.classes))])
            guess.append([name in given for name in item.classes])
            sure.append([given.get(name, 0.0) for name in item.classes])
            texts.append(text)
        elif item.task == "tone" and example.tone:
            label, p = _tone(analysis.sentiment.probabilities, item.classes)
            truth.append(label_of(example.tone.allowed))
            guess.append(label)
            sure.append(p)
            texts.append(text)
        elif item.task == "toward":
            said = {m.code: m.sentiment for m in analysis.mentions}
            for index, target in enumerate(example.targets):
                if target.tone and str(index) in said:
                    label, p = _tone(said[str(index)].probabilities, item.classes)
                    truth.append(label_of(target.tone.allowed))
                    guess.append(label)
                    sure.append(p)
                    field, start, end = target.spans[0]
                    texts.append(f"[{(example.title if field == 'title' else example.body)[start:end]}] {text}")
    return Answers(np.array(truth), np.array(guess), np.array(sure), tuple(texts))
