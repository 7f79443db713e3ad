"""CLS telegraph (财联社电报): the rolling list, page by page back in time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from ingest.feeds.base import Page, Row, each, json_of, rows_of
from ingest.polite import Fetcher
from models.records import Kind


@dataclass(frozen=True)
class Cls:
    """`next` is the time of the oldest item, which the vendor takes as `last_time`."""

    endpoint: str = "https://www.cls.cn/v1/roll/get_roll_list"
    source: str = "cls"
    kind: Kind = "wire"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        asked = {"app": "CailianpressWeb", "os": "web", "refresh_type": "1", "rn": "50", "sv": "8.4.6"}
        if token:
            asked["last_time"] = token
        body = fetch.get(self.endpoint, params=asked | {"sign": signature(asked)}).body
        items = rows_of(json_of(body, "data", "roll_data"), "id", "ctime", "content")
        oldest = min((int(item["ctime"]) for item in items if str(item.get("ctime", "")).isdigit()), default=0)
        return Page(each(items, self._row), str(oldest) if oldest else "")

    def _row(self, item: Row) -> Row:
        return {
            "id": item.get("id"),
            "title": item.get("title"),
            "body": item.get("content") or item.get("brief"),
            "published_at": item.get("ctime"),
            "url": item.get("shareurl"),
            "level": item.get("level"),
            "vendor": {"subjects": item.get("subjects"), "securities": item.get("stock_list")},
        }


def signature(asked: Mapping[str, str]) -> str:
    """The vendor's checksum of the sorted parameters; no secret is in it."""
    text = urlencode(sorted(asked.items()))
    return hashlib.md5(hashlib.sha1(text.encode()).hexdigest().encode(), usedforsecurity=False).hexdigest()
