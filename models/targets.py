"""One document on its way through the models, and which of its text speaks of which company. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.beside import beside_rule
from models.heads import Scores
from models.linking.records import Link
from models.memory import NOBODY, Vote
from models.ngrams import NO_GRAMS, Sparse
from models.reading import Window
from models.records import Document, Field, Span
from models.sentiment_rules import Rule, cut_and_raised, matches
from models.themes import Cue
from models.tokens import Encoded, token_weights

LATER = 0.5  # weight of a later window's tone beside the first's


@dataclass
class Reading:
    """One document on its way."""

    document: Document
    links: tuple[Link, ...]
    asked: tuple[Link, ...]  # what the linker leaves open, for the model to decide
    cues: dict[str, list[Cue]]
    windows: list[Window]
    encoded: list[Encoded] = field(default_factory=list)
    codes: list[list[str]] = field(default_factory=list)  # of each window: the companies located in it
    scores: dict[int, Scores] = field(default_factory=dict)
    grams: Sparse = NO_GRAMS  # of the first window and the title
    wide: dict[str, np.ndarray] = field(default_factory=dict)  # the n-grams' logits of themes, news, post
    near: dict[str, np.ndarray] = field(default_factory=dict)  # and of the tone toward each company
    vote: Vote = NOBODY  # what its neighbours among the labelled texts say


def document_tone(scores: Sequence[Scores]) -> np.ndarray:
    """Log-probabilities (2, 3) of a document's tone as a post and as news: later windows count less."""
    weights = np.array([1.0] + [LATER / len(scores)] * (len(scores) - 1))
    return np.asarray((np.stack([s.tone for s in scores]) * weights[:, None, None]).sum(0) / weights.sum())


def company_tones(reading: Reading) -> dict[str, np.ndarray]:
    """Log-probabilities of the tone toward each company that a window holds: the mean over its windows."""
    found: dict[str, list[np.ndarray]] = {}
    for i, names in enumerate(reading.codes):
        for name, log_p in zip(names, reading.scores[i].target, strict=True):
            found.setdefault(name, []).append(log_p)
    return {name: np.asarray(np.mean(values, 0)) for name, values in found.items()}


def company_probabilities(reading: Reading) -> dict[str, float]:
    """How sure the model is that each located name is the company: the surest of its windows."""
    found: dict[str, float] = {}
    for i, names in enumerate(reading.codes):
        for name, p in zip(names, reading.scores[i].company, strict=True):
            found[name] = max(found.get(name, 0.0), float(p))
    return found


def first_places(reading: Reading) -> Iterator[tuple[str, Window, list[tuple[int, int]]]]:
    """The first window that holds each company, with its places there."""
    seen: set[str] = set()
    for window, names in zip(reading.windows, reading.codes, strict=True):
        for name in names:
            if name not in seen:
                seen.add(name)
                spans = [Span(k.field, k.start, k.end) for k in (*reading.links, *reading.asked) if k.code == name]
                yield name, window, [place for span in spans if (place := window.locate(span))]


def first_of_each(links: Sequence[Link]) -> list[Link]:
    """The first occurrence of each company in title and in body, the most relevant companies first."""
    seen: dict[tuple[str, str], Link] = {}
    for link in links:
        seen.setdefault((link.code, link.field), link)
    return sorted(seen.values(), key=lambda link: -link.relevance)


def first_cues(cues: Sequence[Cue]) -> list[Cue]:
    """The first two cues of each theme."""
    seen: dict[int, int] = {}
    kept = []
    for cue in cues:
        seen[cue.theme] = seen.get(cue.theme, 0) + 1
        if seen[cue.theme] <= 2:
            kept.append(cue)
    return kept


def companies_in(
    links: Sequence[Link], window: Window, offsets: np.ndarray
) -> tuple[list[str], list[tuple[list[int], list[int]]]]:
    """Companies located in a window, with their tokens and those of the sentences around them."""
    places: dict[str, list[tuple[int, int]]] = {}
    for link in links:
        place = window.locate(Span(link.field, link.start, link.end))
        if place:
            places.setdefault(link.code, []).append(place)
    names, weights = [], []
    for code, spans in places.items():
        at = token_weights(offsets, spans)
        around = token_weights(offsets, [window.clause(*span) for span in spans])
        if at and around:
            names.append(code)
            weights.append((at, around))
    return names, weights


def named(links: Sequence[Link], field: Field) -> list[tuple[int, int]]:
    """Where a field names companies, in order."""
    return sorted((link.start, link.end) for link in links if link.field == field)


def clause_rule(text: str, link: Link, names: Sequence[tuple[int, int]], several: bool) -> Rule | None:
    """The rule that decides a mention: of its clause, or of its own part where several companies share the sentence."""
    stops = "。！？!?；;\n" + ("，," if several else "")
    low = max(0, link.start - 60)
    start = max((text.rfind(mark, low, link.start) for mark in stops), default=-1) + 1
    ends = [i for mark in stops if (i := text.find(mark, link.end, link.end + 80)) >= 0]
    start, end = max(start, low), min(ends, default=link.end + 80)
    rule = matches(text[start:end])
    if not several:
        return rule
    if cut_and_raised(text[start:end]):  # 上调甲目标价 下调乙目标价: each company has its own part
        start = text.rfind(" ", start, link.start) + 1 or start
        blank = text.find(" ", link.end, end)
        rule = matches(text[start : blank if blank >= 0 else end])
    return beside_rule(text, (link.start, link.end), names) or rule


def page_of(document: Document, link: Link) -> int:
    """The page of a PDF that a link stands on, from 1; 0: none."""
    if link.field != "body" or not document.page_offsets:
        return 0
    return int(np.searchsorted(document.page_offsets, link.start, side="right"))
