"""Sina finance 7x24 (新浪财经)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ingest.feeds.base import Page, Row, each, json_of, rows_of
from ingest.polite import Fetcher
from models.records import Kind

_TITLE = re.compile(r"^【([^】]{2,80})】")


@dataclass(frozen=True)
class Sina:
    """`next` is the page's number."""

    endpoint: str = "https://zhibo.sina.com.cn/api/zhibo/feed"
    source: str = "sina"
    kind: Kind = "wire"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        number = int(token or 1)
        asked = {"page": str(number), "page_size": "50", "zhibo_id": "152", "tag_id": "0", "dire": "f", "dpc": "1"}
        body = fetch.get(self.endpoint, params=asked).body
        items = rows_of(json_of(body, "result", "data", "feed", "list"), "id", "create_time", "rich_text")
        return Page(each(items, _row), str(number + 1) if items else "")


def _row(item: Row) -> Row:
    text = str(item.get("rich_text") or "")
    title = _TITLE.match(text)
    return {
        "id": item.get("id"),
        "title": title[1] if title else "",
        "body": text,
        "published_at": item.get("create_time"),
        "url": item.get("docurl"),
        "vendor": {
            "subjects": [tag.get("name", "") for tag in item.get("tag") or () if isinstance(tag, dict)],
            "securities": _securities(item.get("ext")),
        },
    }


def _securities(extra: object) -> list[str]:
    """The stocks inside `ext`, which is JSON in a string."""
    try:
        stocks = msgspec.json.decode(extra if isinstance(extra, str) else "{}").get("stocks") or []
        return [str(stock.get("symbol") or stock.get("key") or "") for stock in stocks]
    except (msgspec.DecodeError, AttributeError, TypeError):
        return []
