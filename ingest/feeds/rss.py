"""RSS and Atom, any RSSHub route included: unchanged feeds cost one small conditional request."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from time import struct_time
from typing import Any

import feedparser

from ingest.feeds.base import Page, Row, ShapeChanged
from ingest.polite import Fetched, Fetcher
from ingest.times import parse_time
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
    try:
        parsed = feedparser.parse(BytesIO(answer.body), response_headers=declared)
    except Exception as error:  # of broken markup, feedparser raises what its handlers happen to raise
        reason = f"{type(error).__name__}: {error}"
        raise ShapeChanged(f"not RSS or Atom: {reason}; it begins {answer.body[:60]!r}") from error
    if not parsed.entries and (parsed.bozo or not parsed.get("version")):
        reason = parsed.get("bozo_exception", "no feed")
        raise ShapeChanged(f"not RSS or Atom: {reason}; it begins {answer.body[:60]!r}")
    publisher = parsed.feed.get("title", "")
    return [_row(entry, publisher) for entry in parsed.entries]


def _row(entry: Any, publisher: str) -> Row:
    texts = [entry.get("summary"), *(part.get("value") for part in entry.get("content") or ())]
    return {
        "id": entry.get("id") or entry.get("link"),
        "title": entry.get("title"),
        "body": max((text or "" for text in texts), key=len),
        "published_at": _time(entry),
        "url": entry.get("link"),
        "publisher": (entry.get("source") or {}).get("title") or publisher,
        "authors": entry.get("author"),
        "subjects": [tag.get("term") or "" for tag in entry.get("tags") or ()],
    }


def _time(entry: Any) -> datetime | None:
    """Read as that of any source; only what can't be is left to feedparser, which takes no zone for UTC's."""
    try:
        return parse_time(entry.get("published") or entry.get("updated") or "")
    except ValueError:
        return _moment(entry.get("published_parsed") or entry.get("updated_parsed"))


def _moment(parsed: struct_time | None) -> datetime | None:
    """The time that feedparser read; None where it makes no date."""
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, OSError):
        return None
