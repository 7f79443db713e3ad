"""Matches of the automaton, and which of them stand."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from models.linking.normalise import Normalised
from models.linking.patterns import Pattern


class Hit(NamedTuple):
    """A pattern found at [start, end) of the matching form."""

    start: int
    end: int
    pattern: Pattern


def whole(hit: Hit, form: Normalised, text: str) -> bool:
    """Whether the hit stands for itself: no Latin word or number runs over its ends, no odd blank lies inside."""
    start, end, pattern = hit
    body = form.text
    if start and _joins(body[start - 1], body[start]) and form.place(start) - form.place(start - 1) == 1:
        return False
    if end < len(body) and _joins(body[end - 1], body[end]) and form.place(end) - form.place(end - 1) == 1:
        return False
    if pattern.text[0].isascii() and pattern.text.islower() and not _capital(hit, form, text):
        return False
    if form.places is None:
        return True
    gap = form.place(end - 1) - form.place(start) - (end - 1 - start)
    return gap == 0 or _even_gaps(form, start, end)


def longest(hits: list[Hit]) -> list[Hit]:
    """Hits without overlaps, in order: the longer wins, then the earlier. A decoy's inner name takes its place."""
    taken: list[tuple[int, int]] = []
    chosen: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start - h.end, h.start)) if len(hits) > 1 else hits:
        at = bisect_left(taken, (hit.start, 0))
        if (at and taken[at - 1][1] > hit.start) or (at < len(taken) and taken[at][0] < hit.end):
            continue
        taken.insert(at, (hit.start, hit.end))
        if hit.pattern.inner:
            start = hit.start + hit.pattern.text.index(hit.pattern.inner)
            hit = Hit(start, start + len(hit.pattern.inner), hit.pattern)
        chosen.append(hit)
    return sorted(chosen, key=lambda h: h.start)


def _joins(left: str, right: str) -> bool:
    """Whether two characters belong to one Latin word or one number."""
    if not (left.isascii() and right.isascii()):
        return False
    return left.isalnum() and right.isalnum()


def _capital(hit: Hit, form: Normalised, text: str) -> bool:
    """Whether a Latin name is written with a capital (Meta), for in small letters it is a word (meta)."""
    surface = text[form.place(hit.start) : form.place(hit.end - 1) + 1]
    return not surface.islower() or not surface.isalpha()


def _even_gaps(form: Normalised, start: int, end: int) -> bool:
    """Whether blanks stand between all characters (新 华 都) or only beside Latin letters (SK 海力士)."""
    if form.places is None:
        return True
    steps = form.places[start + 1 : end] - form.places[start : end - 1]
    word = form.text[start:end]
    chinese = [
        int(step) > 1
        for step, left, right in zip(steps, word, word[1:], strict=False)
        if not (left.isascii() or right.isascii())
    ]
    return not any(chinese) or (all(chinese) and len(chinese) > 1)
