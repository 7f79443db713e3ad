"""Documents as the store has them, with all that rules and messages need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from clickhouse_connect.driver.client import Client
from msgspec import Struct


class Named(Struct, frozen=True):
    """One mention of a security."""

    code: str
    name: str
    tone: str
    score: float
    relevance: float
    role: str
    section: str
    sentence: str


class Rating(Struct, frozen=True):
    """What a broker report says of its subject."""

    rating: str
    action: str
    previous: str
    broker: str

    @property
    def changed(self) -> bool:
        return self.action in ("上调", "下调") or bool(self.previous and self.rating and self.previous != self.rating)


class Item(Struct, frozen=True, kw_only=True, dict=True):
    """A stored document. Times are zone-aware."""

    id: str
    source: str = ""
    kind: str = "wire"
    publisher: str = ""
    url: str = ""
    title: str = ""
    body: str = ""
    published_at: datetime
    stored_at: datetime
    story_id: str = ""
    novelty: float = 1.0
    copy_number: int = 1
    tone: str = "neutral"
    score: float = 0.0
    themes: dict[str, float] = {}
    theme_places: dict[str, tuple[int, ...]] = {}  # theme -> starts of its evidence in the body
    mentions: tuple[Named, ...] = ()
    rating: Rating | None = None

    @property
    def story(self) -> str:
        return self.story_id or self.id

    @cached_property
    def codes(self) -> frozenset[str]:
        return frozenset(mention.code for mention in self.mentions)

    @cached_property
    def folded(self) -> dict[str, bytes]:
        """Texts for keywords: UTF-8, Latin letters in lower case (the store's `lower` does just that)."""
        title, body = (text.encode("utf-8", "replace").lower() for text in (self.title, self.body))
        return {"title": title, "body": body, "any": title + b"\n" + body}

    def text(self, within: str) -> str:
        """Title, body or both."""
        return {"title": self.title, "body": self.body}.get(within, f"{self.title}\n{self.body}")


_DOCUMENTS = """
SELECT id, source, kind, publisher, url, title, body, published_at, stored_at, story_id, novelty, copy_number,
    sentiment, sentiment_score
FROM documents FINAL
WHERE id IN {ids:Array(String)} AND published_at BETWEEN {low:DateTime64(3, 'UTC')} AND {high:DateTime64(3, 'UTC')}
ORDER BY stored_at, id
"""
_MENTIONS = """
SELECT document_id, code, name, sentiment, sentiment_score, relevance, role, section, sentence
FROM mentions FINAL
WHERE document_id IN {ids:Array(String)}
    AND published_at BETWEEN {low:DateTime64(3, 'UTC')} AND {high:DateTime64(3, 'UTC')}
ORDER BY field = 'title' DESC, start
"""
_THEMES = """
SELECT document_id, theme, score, arrayMap(e -> e.start, arrayFilter(e -> e.field = 'body', evidence))
FROM document_themes FINAL
WHERE document_id IN {ids:Array(String)}
    AND published_at BETWEEN {low:DateTime64(3, 'UTC')} AND {high:DateTime64(3, 'UTC')}
"""
_REPORTS = """
SELECT document_id, rating, rating_action, previous_rating, broker
FROM reports FINAL
WHERE document_id IN {ids:Array(String)}
    AND published_at BETWEEN {low:DateTime64(3, 'UTC')} AND {high:DateTime64(3, 'UTC')}
"""


def load(client: Client, ids: Sequence[str], low: datetime, high: datetime) -> list[Item]:
    """The documents of these ids, published from `low` to `high`, in the order in which they were stored."""
    if not ids:
        return []
    values = {"ids": list(ids), "low": low, "high": high}

    def ask(sql: str) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = client.query(sql, parameters=values).result_rows
        return rows

    documents = ask(_DOCUMENTS)
    mentions: defaultdict[str, list[Named]] = defaultdict(list)
    themes: defaultdict[str, dict[str, float]] = defaultdict(dict)
    places: defaultdict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for row in ask(_MENTIONS):
        mentions[row[0]].append(Named(row[1], row[2], row[3], _decimal(row[4]), _decimal(row[5]), *row[6:9]))
    for id_, theme, score, starts in ask(_THEMES):
        themes[id_][theme] = _decimal(score)
        places[id_][theme] = tuple(starts)
    ratings = {row[0]: Rating(*row[1:]) for row in ask(_REPORTS)}
    names = Item.__struct_fields__[:14]
    return [
        Item(
            **dict(zip(names, (*row[:10], _decimal(row[10]), *row[11:13], _decimal(row[13])), strict=True)),
            themes=themes[row[0]],
            theme_places=places[row[0]],
            mentions=tuple(mentions[row[0]]),
            rating=ratings.get(row[0]),
        )
        for row in documents
    ]


def _decimal(value: float) -> float:
    """The number that was meant: the store keeps 0.7 as the nearest float of 32 bits, which is below it."""
    return round(value, 6)
