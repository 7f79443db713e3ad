"""Analysed documents with what a test wants said of them, and their way into the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from models.records import Analysis, Document, Mention, Report, Sentiment, Span, ThemeScore, document_id
from stream.deadletters import Record
from stream.records import ANALYSES, AnalysedDocument, Origin, encode
from stream.sink import Sink
from tests.fixtures.clickhouse import ClickHouseServer


def tone(score: float) -> Sentiment:
    label = "positive" if score > 0.3 else "negative" if score < -0.3 else "neutral"
    positive, negative = max(score, 0.0), max(-score, 0.0)
    return Sentiment(label, score, {"positive": positive, "negative": negative, "neutral": 1 - positive - negative})


def analysed(
    number: int | str,
    at: datetime,
    *,
    themes: dict[str, float] | None = None,
    codes: dict[str, float] | None = None,  # code -> tone toward it
    score: float = 0.0,
    title: str = "",
    body: str = "",
    report: Report | None = None,
    relevance: float = 0.8,
    role: str = "subject",
    section: str = "body",
    **document: Any,
) -> AnalysedDocument:
    """Document `number`, published at `at`, with these themes, securities and tones."""
    id_ = document_id("test", str(number))
    title = title or f"第{number}条消息"
    text = body or f"这是第{number}条的正文，{'、'.join(codes or {})}都被提到。后面还有一句{number}。"
    mentions = tuple(
        Mention(
            code=code,
            name=f"名{code[:6]}",
            surface=code,
            field="body",
            start=max(text.find(code), 0),
            end=max(text.find(code), 0) + len(code),
            sentiment=tone(value),
            relevance=relevance,
            confidence=0.9,
            role=role,
            section=section,
        )
        for code, value in (codes or {}).items()
    )
    known: dict[str, Any] = {"source": "test", "kind": "wire", "publisher": "", "fetched_at": at}
    return AnalysedDocument(
        document=Document(id=id_, title=title, body=text, published_at=at, report=report, **(known | document)),
        analysis=Analysis(
            id=id_,
            themes=tuple(ThemeScore(name, value, (Span("body", 0, 4),)) for name, value in (themes or {}).items()),
            sentiment=tone(score),
            mentions=mentions,
            analysed_at=datetime.now(UTC),
        ),
        origin=Origin("fengxiang.documents", 0, 0, "e1"),
    )


class Store:
    """Stores analysed documents as the worker does."""

    def __init__(self, server: ClickHouseServer, database: str) -> None:
        self._sink = Sink(lambda: server.client(database=database), epochs={}, clock=lambda: datetime.now(UTC))
        self._offset = 0

    def add(self, messages: Sequence[AnalysedDocument]) -> None:
        records = [
            Record(ANALYSES, 0, self._offset + n, m.document.id.encode(), encode(m)) for n, m in enumerate(messages)
        ]
        self._offset += len(records)
        assert self._sink.store(records) == []
