"""Eastmoney (东方财富): fast news, news of a security, research reports and announcements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ingest.feeds.base import Page, Row, ShapeChanged, each, json_of, rows_of
from ingest.polite import Fetcher
from models.records import Analyst, Kind, Report

_ACTIONS = {0: "上调", 1: "下调", 2: "首次", 3: "维持"}


@dataclass(frozen=True)
class FastNews:
    """7x24 news; `next` is the `realSort` of the oldest item."""

    endpoint: str = "https://np-listapi.eastmoney.com/comm/web/getFastNewsList"
    source: str = "eastmoney"
    kind: Kind = "wire"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        asked = {"client": "web", "biz": "web_724", "fastColumn": "102", "pageSize": "100", "sortEnd": token}
        body = fetch.get(self.endpoint, params=asked | {"req_trace": "1"}).body
        items = rows_of(json_of(body, "data", "fastNewsList"), "code", "showTime", "summary")
        return Page(each(items, self._row), str(items[-1].get("realSort") or "") if items else "")

    def _row(self, item: Row) -> Row:
        return {
            "id": item.get("code"),
            "title": item.get("title"),
            "body": item.get("summary"),
            "published_at": item.get("showTime"),
            "url": f"https://finance.eastmoney.com/a/{item.get('code')}.html",
            "vendor": {"securities": [suffixed(code) for code in item.get("stockList") or ()]},
        }


@dataclass(frozen=True)
class StockNews:
    """News that names one security; `next` is the page's number."""

    code: str
    endpoint: str = "https://search-api-web.eastmoney.com/search/jsonp"
    source: str = "eastmoney-stock"
    kind: Kind = "news"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        number = int(token or 1)
        search = {
            "uid": "",
            "keyword": self.code,
            "type": ["cmsArticleWebOld"],
            "client": "web",
            "clientType": "web",
            "clientVersion": "curr",
            "param": {
                "cmsArticleWebOld": {
                    "searchScope": "default",
                    "sort": "time",
                    "pageIndex": number,
                    "pageSize": 20,
                    "preTag": "",
                    "postTag": "",
                }
            },
        }
        answer = fetch.get(self.endpoint, params={"cb": "callback", "param": json.dumps(search, ensure_ascii=False)})
        items = rows_of(json_of(unwrapped(answer.body), "result", "cmsArticleWebOld"), "code", "date", "title")
        return Page(each(items, self._row), str(number + 1) if items else "")

    def _row(self, item: Row) -> Row:
        return {
            "id": item.get("code"),
            "title": item.get("title"),
            "body": item.get("content"),
            "published_at": item.get("date"),
            "url": item.get("url"),
            "publisher": item.get("mediaName"),
            "vendor": {"securities": [self.code]},
        }


@dataclass(frozen=True)
class Reports:
    """The list of research reports, each with its PDF; `next` is the page's number."""

    endpoint: str = "https://reportapi.eastmoney.com/report/list"
    pdf: str = "https://pdf.dfcfw.com/pdf/H3_{code}_1.pdf"
    industry: bool = False  # of industries, otherwise of companies
    source: str = "eastmoney-report"
    kind: Kind = "report"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        number = int(token or 1)
        asked = {"pageSize": "100", "pageNo": str(number), "qType": "1" if self.industry else "0"}
        every = dict.fromkeys(("industryCode", "industry", "rating", "ratingChange"), "*")
        body = fetch.get(self.endpoint, params=asked | every).body
        items = rows_of(json_of(body, "data"), "infoCode", "title", "publishDate")
        pages = json_of(body, "TotalPage")
        return Page(each(items, self._row), str(number + 1) if number < int(pages or 0) else "")

    def _row(self, item: Row) -> Row:
        return {
            "id": item.get("infoCode"),
            "title": item.get("title"),
            "body": "",
            "published_at": item.get("publishDate"),
            "url": f"https://data.eastmoney.com/report/info/{item.get('infoCode')}.html",
            "publisher": item.get("orgSName") or item.get("orgName"),
            "authors": item.get("researcher"),
            "vendor": {
                "securities": [plain_code(str(item["stockCode"]))] if item.get("stockCode") else [],
                "subjects": [item.get("indvInduName") or item.get("industryName") or ""],
                "level": item.get("emRatingName"),
            },
            "pdf": self.pdf.format(code=item.get("infoCode")),
            "report": report_of(item),
        }


@dataclass(frozen=True)
class Notices:
    """Announcements of listed companies, each with its PDF; `next` is the page's number."""

    endpoint: str = "https://np-anotice-stock.eastmoney.com/api/security/ann"
    pdf: str = "https://pdf.dfcfw.com/pdf/H2_{code}_1.pdf"
    source: str = "eastmoney-notice"
    kind: Kind = "announcement"

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        number = int(token or 1)
        asked = {"sr": "-1", "page_size": "100", "page_index": str(number), "ann_type": "A", "client_source": "web"}
        body = fetch.get(self.endpoint, params=asked).body
        items = rows_of(json_of(body, "data", "list"), "art_code", "title")
        total = json_of(body, "data", "total_hits")
        more = bool(items) and number * 100 < int(total or 0)
        return Page(each(items, self._row), str(number + 1) if more else "")

    def _row(self, item: Row) -> Row:
        securities = item.get("codes") or []
        first = securities[0].get("stock_code", "") if securities else ""
        return {
            "id": item.get("art_code"),
            "title": item.get("title"),
            "body": "",
            "published_at": item.get("display_time") or item.get("notice_date"),
            "url": f"https://data.eastmoney.com/notices/detail/{first}/{item.get('art_code')}.html",
            "vendor": {
                "securities": [plain_code(str(one.get("stock_code", ""))) for one in securities],
                "subjects": [column.get("column_name", "") for column in item.get("columns") or ()],
            },
            "pdf": self.pdf.format(code=item.get("art_code")),
        }


def report_of(item: Row) -> Report:
    """What the list says of a report."""
    prices = [item.get(name) for name in ("indvAimPriceT", "indvAimPriceL")]
    price = next(
        (float(p) for p in prices if isinstance(p, str | float | int) and str(p).replace(".", "", 1).isdigit()), None
    )
    change = item.get("ratingChange")
    return Report(
        broker=str(item.get("orgSName") or item.get("orgName") or ""),
        industry=str(item.get("indvInduName") or item.get("industryName") or ""),
        analysts=tuple(
            Analyst(name=name.strip()) for name in str(item.get("researcher") or "").split(",") if name.strip()
        ),
        rating=str(item.get("emRatingName") or ""),
        rating_action=_ACTIONS.get(change, "") if isinstance(change, int) else "",
        previous_rating=str(item.get("lastEmRatingName") or ""),
        target_price=price,
        report_date=str(item.get("publishDate") or "")[:10],
    )


def suffixed(code: str) -> str:
    """`0.300413` as the vendor writes it, to `300413.SZ`; what is of no exchange of the mainland stays as it is.

    Market 1 is Shanghai, whose indices and funds have numbers of Shenzhen's stocks; 0 is Shenzhen and Beijing.
    """
    market, _, number = code.partition(".")
    if market not in ("0", "1") or not number.isdigit() or len(number) != 6:
        return code
    return f"{number}.SH" if market == "1" else plain_code(number)


def plain_code(number: str) -> str:
    """A six-digit code with its exchange."""
    if len(number) != 6 or not number.isdigit():
        return number
    if number[0] in "69":
        return f"{number}.{'BJ' if number.startswith('92') else 'SH'}"
    return f"{number}.{'BJ' if number[0] in '48' else 'SZ'}"


def unwrapped(body: bytes) -> bytes:
    """The JSON inside `callback(...)`."""
    start, end = body.find(b"("), body.rfind(b")")
    if body.lstrip()[:1] == b"{":
        return body
    if start < 0 or end < start:
        raise ShapeChanged(f"the answer is not JSONP; it begins {body[:60]!r}")
    return body[start + 1 : end]
