"""CNINFO (巨潮资讯): announcements of the companies listed in Shenzhen, Shanghai and Beijing, each with its PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.feeds.base import Page, Row, each, json_of, rows_of
from ingest.feeds.eastmoney import plain_code
from ingest.polite import Fetcher
from models.records import Kind

COLUMNS = ("szse", "sse", "bj", "hke")


@dataclass(frozen=True)
class Cninfo:
    """column: one of COLUMNS; `next` is the page's number."""

    endpoint: str = "https://www.cninfo.com.cn/new/hisAnnouncement/query"
    files: str = "https://static.cninfo.com.cn/"
    column: str = "szse"
    source: str = "cninfo"
    kind: Kind = "announcement"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        number = int(token or 1)
        form = {
            "pageNum": str(number),
            "pageSize": "30",
            "column": self.column,
            "tabName": "fulltext",
            "isHLtitle": "false",
        }
        body = fetch.get(self.endpoint, form=form).body
        items = rows_of(json_of(body, "announcements"), "announcementId", "announcementTitle", "announcementTime")
        more = bool(json_of(body, "hasMore"))
        return Page(each(items, self._row), str(number + 1) if more and items else "")

    def _row(self, item: Row) -> Row:
        address = f"{self.files.rstrip('/')}/{str(item.get('adjunctUrl') or '').lstrip('/')}"
        code, name = str(item.get("secCode") or ""), str(item.get("secName") or "")
        title = str(item.get("announcementTitle") or "")
        return {
            "id": item.get("announcementId"),
            "title": f"{name}：{title}" if name and name not in title else title,
            "body": "",
            "published_at": item.get("announcementTime"),
            "url": address,
            "publisher": name,
            "vendor": {"securities": [plain_code(code)], "subjects": []},
            "pdf": address if str(item.get("adjunctType") or "").upper() == "PDF" else "",
        }
