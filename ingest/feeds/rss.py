"""RSS and Atom, any RSSHub route included: unchanged feeds cost one small conditional request."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import feedparser

from ingest.feeds.base import Page, Row, ShapeChanged
from ingest.polite import Fetched, Fetcher
from models.records import Kind


@dataclass(frozen=True)
class Rss:
    """One feed. It has one page; `Page.state` keeps what a conditional request needs."""

    endpoint: str
    source: str
    kind: Kind = "news"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        known = {"If-None-Match": cursor.get("etag"), "If-Modified-Since": cursor.get("modified")}
        answer = fetch.get(self.endpoint, headers={name: str(value) for name, value in known.items() if value})
        if answer.status == 304:
            return Page([])
        state = {"etag": answer.headers.get("etag", ""), "modified": answer.headers.get("last-modified", "")}
        return Page(entries_of(answer), state=state)


def entries_of(answer: Fetched) -> list[Row]:
    """Rows of a feed's entries. Raises `ShapeChanged`."""
    declared = {"content-type": answer.headers.get("content-type", "")}
    parsed = feedparser.parse(BytesIO(answer.body), response_headers=declared)
    if not parsed.entries and parsed.bozo:
        raise ShapeChanged(f"not RSS or Atom: {parsed.bozo_exception}; it begins {answer.body[:60]!r}")
    publisher = parsed.feed.get("title", "")
    return [_row(entry, publisher) for entry in parsed.entries]


def _row(entry: Any, publisher: str) -> Row:
    content = [part.get("value", "") for part in entry.get("content", ())]
    time = entry.get("published_parsed") or entry.get("updated_parsed")
    return {
        "id": entry.get("id") or entry.get("link"),
        "title": entry.get("title"),
        "body": max([*content, entry.get("summary", "")], key=len),
        "published_at": datetime.fromtimestamp(calendar.timegm(time), UTC) if time else None,
        "url": entry.get("link"),
        "publisher": (entry.get("source") or {}).get("title") or publisher,
        "authors": entry.get("author"),
        "subjects": [tag.get("term", "") for tag in entry.get("tags", ())],
    }
