"""What the rules leave open, put as questions to a model that has read the text: is it the company or not?

A question is a `Link` that doesn't count yet. Only occurrences open for lack of evidence are asked: what a rule has
ruled out (another code, another body's name, a name out of its time) stays out.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from models.linking.records import Abstention, Link, LinkResult

OPEN = frozenset(("brand_or_place", "common_word"))


def questions(found: LinkResult, names: Mapping[str, str]) -> tuple[Link, ...]:
    """The open occurrences of companies that aren't linked yet. `names`: short names by code."""
    known = {link.code for link in found.links}
    return tuple(
        _question(item, names.get(item.codes[0], item.surface))
        for item in found.abstentions
        if item.reason in OPEN and known.isdisjoint(item.codes)
    )


def decided(asked: tuple[Link, ...], sure: Mapping[str, float], threshold: float) -> tuple[Link, ...]:
    """The questions answered with yes. `sure`: by code, the probability that it is the company."""
    return tuple(
        msgspec.structs.replace(link, confidence=round(sure[link.code], 3))
        for link in asked
        if sure.get(link.code, 0.0) >= threshold
    )


def _question(item: Abstention, name: str) -> Link:
    title = item.field == "title"
    return Link(
        code=item.codes[0],
        name=name,
        surface=item.surface,
        field=item.field,
        start=item.start,
        end=item.end,
        confidence=0.0,
        evidence="context",
        relevance=0.9 if title else 0.4,
        role="subject",
        section="title" if title else "body",
    )
