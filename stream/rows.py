"""An analysed document as rows of each table. Pure: no clock, no store.

Every row of a document carries the same `version`: the microsecond at which it was analysed. A later analysis writes
the same keys with a higher version; keys that it no longer has are written once more as tombstones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from models.linking.sentences import sentence_at
from models.records import Analysis, Document, Mention, Report
from stream.records import AnalysedDocument, DeadLetter

Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The sorting key of each table, `version` aside; a tombstone has these and nothing else.
KEYS: dict[str, tuple[str, ...]] = {
    "mentions": ("code", "published_at", "document_id", "field", "start"),
    "document_themes": ("theme", "published_at", "document_id"),
    "reports": ("published_at", "document_id"),
    "documents": ("published_at", "id"),  # last: a stored document is one whose other rows are stored
}
ID_COLUMN = {"documents": "id", "mentions": "document_id", "document_themes": "document_id", "reports": "document_id"}


@dataclass
class Rows:
    """Rows by table, in the order in which they are to be inserted."""

    tables: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in ("analysis_history", *KEYS)})

    def add(self, message: AnalysedDocument) -> None:
        """All rows of one analysed document."""
        document, analysis = message.document, message.analysis
        shared = _shared(document, analysis)
        self.tables["documents"].append(_document(message))
        self.tables["analysis_history"].append(_history(document, analysis))
        self.tables["mentions"] += [_mention(m, document, shared, analysis) for m in distinct(analysis.mentions)]
        self.tables["document_themes"] += _themes(analysis, shared)
        if document.report is not None:
            self.tables["reports"].append(_report(document, document.report, analysis))

    def keys(self, table: str) -> set[tuple[Any, ...]]:
        """The keys that the rows hold in a table."""
        return {tuple(row[column] for column in KEYS[table]) for row in self.tables[table]}

    def bury(self, table: str, key: Sequence[Any], version: int) -> None:
        """A tombstone for a key that no longer holds."""
        self.tables[table].append({**dict(zip(KEYS[table], key, strict=True)), "version": version, "is_deleted": 1})


def version_of(analysis: Analysis) -> int:
    """Microseconds since 1970 at which the analysis was made."""
    if analysis.analysed_at is None:
        raise ValueError(f"analysis {analysis.id} has no analysed_at")
    return microseconds(analysis.analysed_at)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(version: int) -> datetime:
    """The moment that a version stands for."""
    return EPOCH + timedelta(microseconds=version)


def milliseconds(moment: datetime) -> datetime:
    """The moment as the store keeps it, so that keys read back compare equal."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def dead_letter_row(letter: DeadLetter) -> Row:
    """A row of `dead_letters`."""
    origin = letter.origin
    return {
        "document_id": letter.document_id,
        "stage": letter.stage,
        "reason": letter.reason,
        "error": letter.error,
        "source": letter.source,
        "epoch": origin.epoch if origin else "",
        "topic": origin.topic if origin else "",
        "partition": origin.partition if origin else 0,
        "offset": origin.offset if origin else 0,
        "payload": letter.payload,
        "failed_at": letter.failed_at,
        "replayed_at": None,
        "version": microseconds(letter.failed_at),
        "is_deleted": 0,
    }


def columns(rows: Iterable[Row]) -> list[tuple[tuple[str, ...], list[list[Any]]]]:
    """The rows grouped by the columns that they have: names, and the values of each column."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    return [(names, [[row[name] for row in group] for name in names]) for names, group in groups.items()]


# ---------------------------------------------------------------------- the tables


def _shared(document: Document, analysis: Analysis) -> Row:
    """What the mentions and the themes repeat of their document, so that they are read without a join."""
    return {
        "published_at": milliseconds(document.published_at),
        "document_id": document.id,
        "source": document.source,
        "kind": document.kind,
        "publisher": document.publisher,
        "story_id": analysis.story_id,
        "copy_number": analysis.copy_number,
        "version": version_of(analysis),
        "is_deleted": 0,
    }


def _document(message: AnalysedDocument) -> Row:
    document, analysis, origin = message.document, message.analysis, message.origin
    probabilities = analysis.sentiment.probabilities
    return {
        "id": document.id,
        "source": document.source,
        "kind": document.kind,
        "publisher": document.publisher,
        "url": document.url,
        "title": document.title,
        "body": document.body,
        "language": document.language,
        "authors": list(document.authors),
        "vendor_securities": list(document.vendor.securities),
        "vendor_subjects": list(document.vendor.subjects),
        "vendor_tone": document.vendor.tone,
        "vendor_level": document.vendor.level,
        "published_at": milliseconds(document.published_at),
        "fetched_at": document.fetched_at,
        "analysed_at": analysis.analysed_at,
        "story_id": analysis.story_id,
        "novelty": analysis.novelty,
        "copy_number": analysis.copy_number,
        "sentiment": analysis.sentiment.label,
        "sentiment_score": analysis.sentiment.score,
        **_probabilities(probabilities),
        "themes": [theme.theme for theme in analysis.themes],
        "codes": _codes(analysis),
        "companies": _companies(analysis),
        "page_offsets": list(document.page_offsets),
        "backfill": document.backfill,
        "model_version": analysis.versions.model,
        "taxonomy_version": analysis.versions.taxonomy,
        "securities_version": analysis.versions.securities,
        "code_version": analysis.versions.code,
        "epoch": origin.epoch,
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "version": version_of(analysis),
        "is_deleted": 0,
    }


def _mention(mention: Mention, document: Document, shared: Row, analysis: Analysis) -> Row:
    text = document.title if mention.field == "title" else document.body
    first, last = sentence_at(text, mention.start, mention.end)
    return {
        "code": mention.code,
        "field": mention.field,
        "start": mention.start,
        "end": mention.end,
        "name": mention.name,
        "surface": mention.surface,
        "sentence": text[first:last],
        "sentence_start": first,
        "section": mention.section,
        "page": mention.page,
        "sentiment": mention.sentiment.label,
        "sentiment_score": mention.sentiment.score,
        **_probabilities(mention.sentiment.probabilities),
        "relevance": mention.relevance,
        "confidence": mention.confidence,
        "evidence": mention.evidence,
        "role": mention.role,
        "themes": [theme.theme for theme in analysis.themes],
        "codes": _codes(analysis),
        **shared,
    }


def _themes(analysis: Analysis, shared: Row) -> list[Row]:
    best = {theme.theme: theme for theme in sorted(analysis.themes, key=lambda theme: theme.score)}
    return [
        {
            "theme": theme.theme,
            "score": theme.score,
            "evidence": [(span.field, span.start, span.end) for span in theme.evidence],
            "sentiment": analysis.sentiment.label,
            "sentiment_score": analysis.sentiment.score,
            "themes": [theme.theme for theme in analysis.themes],
            "codes": _codes(analysis),
            "companies": _companies(analysis),
            **shared,
        }
        for theme in best.values()
    ]


def _history(document: Document, analysis: Analysis) -> Row:
    scores: dict[str, list[float]] = {}
    for mention in analysis.mentions:
        scores.setdefault(mention.code, []).append(mention.sentiment.score)
    return {
        "published_at": milliseconds(document.published_at),
        "document_id": document.id,
        "version": version_of(analysis),
        "analysed_at": analysis.analysed_at,
        "story_id": analysis.story_id,
        "sentiment": analysis.sentiment.label,
        "sentiment_score": analysis.sentiment.score,
        "themes": [theme.theme for theme in analysis.themes],
        "theme_scores": [theme.score for theme in analysis.themes],
        "codes": _codes(analysis),
        "code_scores": [sum(scores[code]) / len(scores[code]) for code in _codes(analysis)],
        "model_version": analysis.versions.model,
        "taxonomy_version": analysis.versions.taxonomy,
        "securities_version": analysis.versions.securities,
        "code_version": analysis.versions.code,
    }


def _report(document: Document, report: Report, analysis: Analysis) -> Row:
    codes = {mention.surface: mention.code for mention in analysis.mentions}
    codes |= {mention.name: mention.code for mention in analysis.mentions}
    return {
        "document_id": document.id,
        "published_at": milliseconds(document.published_at),
        "title": document.title,
        "broker": report.broker,
        "report_type": report.report_type,
        "industry": report.industry,
        "analysts": [(analyst.name, analyst.licence) for analyst in report.analysts],
        "rating": report.rating,
        "rating_action": report.rating_action,
        "previous_rating": report.previous_rating,
        "target_price": report.target_price,
        "benchmark": report.benchmark,
        "report_date": _day(report.report_date),
        "period_start": _day(report.period_start),
        "period_end": _day(report.period_end),
        "related": list(report.related),
        "recommendations": [(r.name, codes.get(r.name, ""), r.reason, r.group) for r in report.recommendations],
        "version": version_of(analysis),
        "is_deleted": 0,
    }


def distinct(mentions: Iterable[Mention]) -> list[Mention]:
    """One mention a key: the surest where a place names the same security twice."""
    best: dict[tuple[str, str, int], Mention] = {}
    for mention in sorted(mentions, key=lambda mention: mention.confidence):
        best[mention.code, mention.field, mention.start] = mention
    return sorted(best.values(), key=lambda mention: (mention.field, mention.start, mention.code))


def _codes(analysis: Analysis) -> list[str]:
    return sorted({mention.code for mention in analysis.mentions})


def _companies(analysis: Analysis) -> list[tuple[str, float, float, int, int, int]]:
    """Of each security: its mentions' relevance, their tones weighed by it, and how many are of which tone."""
    of: dict[str, list[Mention]] = {code: [] for code in _codes(analysis)}
    for mention in distinct(analysis.mentions):
        of[mention.code].append(mention)
    found = []
    for code, mentions in of.items():
        tones = Counter(m.sentiment.label for m in mentions)
        weight = sum(m.relevance for m in mentions)
        toned = sum(m.relevance * m.sentiment.score for m in mentions)
        found.append((code, weight, toned, tones["positive"], tones["neutral"], tones["negative"]))
    return found


def _probabilities(probabilities: dict[str, float]) -> Row:
    return {f"p_{tone}": probabilities.get(tone, 0.0) for tone in ("negative", "neutral", "positive")}


def _day(text: str) -> date | None:
    """An ISO date that the store can hold, or nothing."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 <= day.year < 2149 else None
