"""What the project says about text: documents in, analyses out.

Immutable msgspec structs, encoded as JSON on Kafka (`stream.records`) and as rows in ClickHouse. Offsets are
in Unicode code points of the named field, end exclusive. Times are zone-aware. A change of meaning raises
`SCHEMA_VERSION`; a new field with a default does not.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

SCHEMA_VERSION = 1

Kind = Literal["wire", "news", "announcement", "report"]
Field = Literal["title", "body"]
Tone = Literal["negative", "neutral", "positive"]


def document_id(source: str, native_id: str) -> str:
    """Stable id of a document: 32 hex digits from the source's name and its own id (or canonical URL)."""
    return hashlib.blake2b(f"{source}\0{native_id}".encode(), digest_size=16).hexdigest()


class Analyst(msgspec.Struct, frozen=True, omit_defaults=True):
    """An analyst named on a broker report, with the licence number (SAC 编号) where it is printed."""

    name: str
    licence: str = ""


class Recommendation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A security recommended by name in a report, with its group and the reason given in brackets."""

    name: str
    reason: str = ""
    group: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Metadata of a broker report. Empty means: not printed, or not found."""

    broker: str = ""
    report_type: str = ""
    industry: str = ""
    analysts: tuple[Analyst, ...] = ()
    rating: str = ""
    rating_action: str = ""  # 维持, 上调, 下调, 首次
    previous_rating: str = ""
    target_price: float | None = None
    benchmark: str = ""
    report_date: str = ""  # ISO date
    period_start: str = ""
    period_end: str = ""
    related: tuple[str, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()


class VendorTags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the source itself said of the document; kept apart from our own results."""

    securities: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    tone: str = ""
    level: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item as published: a wire, an article, an announcement or a broker report."""

    id: str
    source: str
    kind: Kind
    title: str
    body: str
    published_at: datetime
    fetched_at: datetime
    url: str = ""
    language: str = "zh"
    publisher: str = ""
    authors: tuple[str, ...] = ()
    vendor: VendorTags = VendorTags()
    report: Report | None = None
    page_offsets: tuple[int, ...] = ()  # start of each PDF page in `body`
    backfill: bool = False  # history: analysed and stored, never alerted
    schema_version: int = SCHEMA_VERSION


class Span(msgspec.Struct, frozen=True):
    """A piece of a document."""

    field: Field
    start: int
    end: int


class Sentiment(msgspec.Struct, frozen=True):
    """Three-class tone. `score` is P(positive) - P(negative), so -1..1; probabilities sum to 1."""

    label: Tone
    score: float
    probabilities: dict[str, float]


class ThemeScore(msgspec.Struct, frozen=True, omit_defaults=True):
    """A theme that the document is about, its calibrated score 0..1 and the spans that gave it."""

    theme: str
    score: float
    evidence: tuple[Span, ...] = ()


class Mention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A listed company named in the text."""

    code: str  # with market suffix: 300413.SZ, 00700.HK, BABA.US
    name: str  # the security's short name today
    surface: str  # as written
    field: Field
    start: int
    end: int
    sentiment: Sentiment
    relevance: float  # 0..1
    confidence: float  # 0..1, of the link
    evidence: str = ""  # why it was linked: code, bracket, name, alias, full_name, brand, context, model
    role: str = ""  # subject, peer, recommended, risk, source_credit
    section: str = ""  # title, lead, body, recommendation, risk, boilerplate
    page: int = 0  # 1-based page of a PDF, 0 otherwise


class Versions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What produced an analysis."""

    model: str = ""
    taxonomy: str = ""
    securities: str = ""
    code: str = ""


class Analysis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything we say of one document."""

    id: str
    themes: tuple[ThemeScore, ...]
    sentiment: Sentiment
    mentions: tuple[Mention, ...]
    story_id: str = ""
    novelty: float = 1.0  # 1: said for the first time; 0: a copy
    copy_number: int = 1  # 1: the first of its story
    versions: Versions = Versions()
    analysed_at: datetime | None = None
    timings: dict[str, float] = msgspec.field(default_factory=dict)  # seconds by stage
    schema_version: int = SCHEMA_VERSION
