"""What the linker says of a text."""

from __future__ import annotations

from typing import Literal

import msgspec

from models.records import Field

Evidence = Literal["code", "bracket", "name", "alias", "full_name", "brand", "abbreviation", "context"]
Role = Literal["subject", "peer", "recommended", "risk", "source_credit"]
Section = Literal["title", "lead", "body", "recommendation", "risk", "boilerplate"]


class Link(msgspec.Struct, frozen=True):
    """One occurrence of a listed company. Offsets are code points of the original field, end exclusive."""

    code: str
    name: str  # the security's short name today
    surface: str  # as written
    field: Field
    start: int
    end: int
    confidence: float  # 0..1
    evidence: Evidence
    relevance: float  # 0..1, of the company in the document
    role: Role
    section: Section


class Abstention(msgspec.Struct, frozen=True, kw_only=True):
    """An occurrence that the rules leave open: a model may decide it from the window."""

    codes: tuple[str, ...]  # candidates, likeliest first
    surface: str
    field: Field
    start: int
    end: int
    reason: str  # common_word, brand_or_place, title_of_a_work, source_unknown, conflicting_code, out_of_date, ...
    window: tuple[int, int]  # offsets in the field


class LinkResult(msgspec.Struct, frozen=True):
    """Links and abstentions, each in the order of the text (title first)."""

    links: tuple[Link, ...] = ()
    abstentions: tuple[Abstention, ...] = ()
