"""Wallstreetcn lives (华尔街见闻快讯)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.feeds.base import Page, Row, each, json_of, rows_of
from ingest.polite import Fetcher
from models.records import Kind


@dataclass(frozen=True)
class Wallstreetcn:
    """`next` is the vendor's own cursor."""

    endpoint: str = "https://api-one.wallstcn.com/apiv1/content/lives"
    channel: str = "global-channel"
    source: str = "wallstreetcn"
    kind: Kind = "wire"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        asked = {"channel": self.channel, "client": "pc", "limit": "50", "cursor": token}
        body = fetch.get(self.endpoint, params=asked).body
        data = json_of(body, "data")
        items = rows_of(json_of(body, "data", "items"), "id", "display_time", "content_text")
        return Page(each(items, self._row), str(data.get("next_cursor") or "") if items else "")

    def _row(self, item: Row) -> Row:
        return {
            "id": item.get("id"),
            "title": item.get("title"),
            "body": item.get("content_text") or item.get("content"),
            "published_at": item.get("display_time"),
            "url": item.get("uri"),
            "authors": (item.get("author") or {}).get("display_name"),
            "vendor": {"subjects": item.get("channels"), "level": item.get("score")},
        }
