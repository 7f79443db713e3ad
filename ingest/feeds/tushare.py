"""Tushare Pro's `news` interface: short news of the sources that the user's token is licensed for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from ingest.feeds.base import Page, Row, ShapeChanged, json_of, rows_of
from ingest.polite import Fetcher
from models.records import Kind


@dataclass(frozen=True)
class Tushare:
    """channel: the vendor's `src` (sina, wallstreetcn, 10jqka, eastmoney, yuncaijing …); `next` is an `end_date`.

    Items carry no id: their text is it.
    """

    token: str = field(repr=False)
    channel: str = "sina"
    endpoint: str = "https://api.tushare.pro"
    source: str = "tushare"
    kind: Kind = "wire"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        asked = {
            "api_name": "news",
            "token": self.token,
            "params": {"src": self.channel} | ({"end_date": token} if token else {}),
            "fields": "datetime,content,title,channels",
        }
        body = fetch.get(self.endpoint, json=msgspec.json.encode(asked)).body
        if json_of(body, "code"):
            raise ShapeChanged(f"tushare refuses: {json_of(body, 'msg')}")
        names, values = json_of(body, "data", "fields"), json_of(body, "data", "items")
        if not isinstance(names, list) or not isinstance(values, list):
            raise ShapeChanged("the answer's fields and items are not lists")
        if not all(isinstance(name, str) for name in names):
            raise ShapeChanged("the answer's fields are not names")
        items = rows_of(
            [dict(zip(names, row, strict=False)) for row in values if isinstance(row, list)], "datetime", "content"
        )
        rows: list[Row] = [
            {
                "title": item.get("title"),
                "body": item.get("content"),
                "published_at": item.get("datetime"),
                "vendor": {"subjects": item.get("channels")},
            }
            for item in items
        ]
        more = bool(json_of(body, "data").get("has_more"))
        return Page(rows, min(str(item.get("datetime")) for item in items) if more and items else "")
