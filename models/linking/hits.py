"""Matches of the automaton, and which of them stand."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from models.linking.patterns import Pattern


class Hit(NamedTuple):
    """A pattern found at [start, end) of the matching form."""

    start: int
    end: int
    pattern: Pattern


def whole(hit: Hit, body: str, places: Sequence[int], text: str) -> bool:
    """Whether the hit stands for itself: no Latin word or number runs over its ends, no odd blank lies inside.

    `body` is the matching form of `text`, `places` the original offsets of its characters.
    """
    start, end, pattern = hit
    if pattern.latin:
        if start and _joins(body[start - 1], body[start]) and places[start] - places[start - 1] == 1:
            return False
        if end < len(body) and _joins(body[end - 1], body[end]) and places[end] - places[end - 1] == 1:
            return False
        if pattern.text.isascii() and pattern.text.isalpha() and text[places[start] : places[end - 1]].islower():
            return False  # Meta is a company, meta a word
    return places[end - 1] - places[start] == end - 1 - start or _even_gaps(text, places, hit)


def longest(hits: list[Hit]) -> list[Hit]:
    """Hits without overlaps, in order: the longer wins, then the earlier. A decoy's inner name takes its place.

    `hits` come in the order of their ends, as the automaton finds them.
    """
    if _overlap(hits):
        taken: list[tuple[int, int]] = []
        chosen: list[Hit] = []
        for hit in sorted(hits, key=lambda h: (h.start - h.end, h.start)):
            at = bisect_left(taken, (hit.start, 0))
            if not ((at and taken[at - 1][1] > hit.start) or (at < len(taken) and taken[at][0] < hit.end)):
                taken.insert(at, (hit.start, hit.end))
                chosen.append(hit)
        hits = sorted(chosen, key=lambda h: h.start)
    return [_inner(hit) if hit.pattern.inner else hit for hit in hits]


def _overlap(hits: list[Hit]) -> bool:
    end = 0
    for hit in hits:
        if hit.start < end:
            return True
        end = hit.end
    return False


def _inner(hit: Hit) -> Hit:
    start = hit.start + hit.pattern.text.index(hit.pattern.inner)
    return Hit(start, start + len(hit.pattern.inner), hit.pattern)


def _joins(left: str, right: str) -> bool:
    """Whether two characters belong to one Latin word or one number."""
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def _even_gaps(text: str, places: Sequence[int], hit: Hit) -> bool:
    """Whether the blanks inside are the name's own.

    They are where they stand between all its characters (新 华 都), only beside Latin letters (SK 海力士), or where
    one line break wraps it.
    """
    if "\n" in text[places[hit.start] : places[hit.end - 1]]:
        return places[hit.end - 1] - places[hit.start] <= hit.end - hit.start + 1 and hit.end - hit.start > 3
    word = hit.pattern.inner or hit.pattern.text
    steps = [after - before for before, after in pairwise(places[hit.start : hit.end])]
    apart = [
        step > 1
        for step, (left, right) in zip(steps, pairwise(word), strict=False)
        if not (left.isascii() or right.isascii())
    ]
    return not any(apart) or (all(apart) and len(apart) > 1)
