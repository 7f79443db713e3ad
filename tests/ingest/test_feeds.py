"""Every feed against a local server that speaks its vendor's shape, and what happens when the vendor does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.sections import FeedSettings
from deploy.settings import Settings, SettingsError
from ingest.attachments import Attachments
from ingest.feeds import eastmoney
from ingest.feeds.base import Feed, Poller, ShapeChanged, poll
from ingest.feeds.cls import Cls
from ingest.feeds.cninfo import Cninfo
from ingest.feeds.registry import feeds_of, pollers
from ingest.feeds.rss import Rss, entries_of
from ingest.feeds.sina import Sina
from ingest.feeds.tushare import Tushare
from ingest.feeds.wallstreetcn import Wallstreetcn
from ingest.fields import Options
from ingest.health import Health
from ingest.outbox import Outbox
from ingest.pdf import ReportReader
from ingest.polite import Fetched, Fetcher, FetchError
from ingest.times import parse_time
from models.records import Document
from models.trading import SHANGHAI
from stream.records import decode
from tests.ingest.make import NOW, Clock
from tests.ingest.server import Asked, Reply, Vendor, vendor

SAMPLE = Path(__file__).parents[2] / "ingest" / "sample" / "reports" / "company_003010.pdf"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.db", limit_bytes=10**8)


@pytest.fixture
def clock() -> Clock:
    """The fetcher's: it goes on when a test says so."""
    return Clock()


@pytest.fixture
def fetch(clock: Clock) -> Iterator[Fetcher]:
    made = Fetcher(host_seconds=0, seconds=5, clock=clock)
    yield made
    made.close()


def documents(outbox: Outbox) -> list[Document]:
    return [decode(entry.value, Document) for entry in outbox.pending(1000) if entry.topic == "fengxiang.documents"]


# ---------------------------------------------------------------------- payloads: item number n is n minutes old


def at(n: int) -> datetime:
    return (NOW - timedelta(minutes=n)).astimezone(SHANGHAI)


def stamp(n: int) -> str:
    return at(n).strftime("%Y-%m-%d %H:%M:%S")


def cls(items: list[int], more: bool) -> Any:
    made = [
        {
            "id": 1000 - n,
            "ctime": int(at(n).timestamp()),
            "title": f"题{n}",
            "content": f"【题{n}】正文{n}",
            "level": "C",
            "shareurl": f"https://x.invalid/{n}",
            "subjects": [{"subject_name": "A股盘面直播"}],
            "stock_list": [{"StockID": "sz300413", "name": "芒果超媒"}],
        }
        for n in items
    ]
    return {"errno": 0, "data": {"roll_data": made}}


def fast(items: list[int], more: bool) -> Any:
    made = [
        {
            "code": str(1000 - n),
            "title": f"题{n}",
            "summary": f"正文{n}",
            "showTime": stamp(n),
            "realSort": str(n),
            "stockList": ["0.300413"],
        }
        for n in items
    ]
    return {"code": "1", "data": {"fastNewsList": made}}


def stock_news(items: list[int], more: bool) -> Any:
    made = [
        {
            "code": str(1000 - n),
            "title": f"<em>题</em>{n}",
            "content": f"正文{n}",
            "date": stamp(n),
            "mediaName": "样例报",
            "url": "u",
        }
        for n in items
    ]
    return {"code": 0, "result": {"cmsArticleWebOld": made}}


def reports(items: list[int], more: bool) -> Any:
    made = [
        {
            "infoCode": f"AP{1000 - n}",
            "title": f"题{n}",
            "publishDate": stamp(n),
            "orgSName": "样例证券",
            "researcher": "张三,李四",
            "stockCode": "300413",
            "indvInduName": "文化传媒",
            "emRatingName": "买入",
            "lastEmRatingName": "增持",
            "ratingChange": 0,
            "indvAimPriceT": "35.5",
        }
        for n in items
    ]
    return {"data": made, "TotalPage": 99 if more else 1}


def notices(items: list[int], more: bool) -> Any:
    made = [
        {
            "art_code": f"AN{1000 - n}",
            "title": f"题{n}",
            "display_time": f"{stamp(n)}:000",
            "codes": [{"stock_code": "300413", "short_name": "芒果超媒"}],
            "columns": [{"column_name": "投资者关系"}],
        }
        for n in items
    ]
    return {"success": 1, "data": {"list": made, "total_hits": 9999 if more else 1}}


def sina(items: list[int], more: bool) -> Any:
    made = [
        {
            "id": 1000 - n,
            "create_time": stamp(n),
            "rich_text": f"【题{n}】正文{n}",
            "tag": [{"name": "A股"}],
            "docurl": "u",
            "ext": '{"stocks": [{"symbol": "sz300413"}]}',
        }
        for n in items
    ]
    return {"result": {"data": {"feed": {"list": made}}}}


def wallstreetcn(items: list[int], more: bool) -> Any:
    made = [
        {
            "id": 1000 - n,
            "title": f"题{n}",
            "content_text": f"正文{n}",
            "display_time": int(at(n).timestamp()),
            "uri": "u",
            "channels": ["a"],
            "author": {"display_name": "张三"},
            "score": 1,
        }
        for n in items
    ]
    return {"code": 20000, "data": {"items": made, "next_cursor": str(items[-1]) if items else ""}}


def cninfo(items: list[int], more: bool) -> Any:
    made = [
        {
            "announcementId": str(1000 - n),
            "announcementTitle": f"关于<em>题{n}</em>的公告",
            "announcementTime": int(at(n).timestamp() * 1000),
            "secCode": "300413",
            "secName": "芒果超媒",
            "adjunctUrl": f"f/{n}.PDF",
            "adjunctType": "PDF",
        }
        for n in items
    ]
    return {"announcements": made, "hasMore": more}


def tushare(items: list[int], more: bool) -> Any:
    made = [[stamp(n), f"正文{n}", f"题{n}", ["A股"]] for n in items]
    fields = ["datetime", "content", "title", "channels"]
    return {"code": 0, "msg": "", "data": {"fields": fields, "items": made, "has_more": more}}


def rss(items: list[int], more: bool) -> bytes:
    entries = "".join(
        f"<item><guid>{1000 - n}</guid><title>题{n}</title><description>正文{n}</description>"
        f"<pubDate>{format_datetime(at(n))}</pubDate></item>"
        for n in items
    )
    return f"<rss version='2.0'><channel><title>样例报</title>{entries}</channel></rss>".encode()


FEEDS: dict[str, tuple[Any, Any]] = {
    "cls": (Cls(), cls),
    "eastmoney": (eastmoney.FastNews(), fast),
    "eastmoney-stock": (eastmoney.StockNews("300413"), stock_news),
    "eastmoney-report": (eastmoney.Reports(), reports),
    "eastmoney-notice": (eastmoney.Notices(), notices),
    "sina": (Sina(), sina),
    "wallstreetcn": (Wallstreetcn(), wallstreetcn),
    "cninfo": (Cninfo(), cninfo),
    "tushare": (Tushare("secret"), tushare),
}
# RSS has one page and no cursor but the conditional request: what pages bring back does not concern it.
ALL = FEEDS | {"rss": (Rss("", source="desk"), rss)}
PAGE = 5


class Archive:
    """A vendor's list of items 0 (the newest) to `size`, in pages; understands the page tokens of all feeds."""

    def __init__(self, payload: Any, size: int) -> None:
        self.payload, self.first, self.size = payload, 0, size

    def __call__(self, asked: Asked) -> Reply:
        given = asked.query | asked.form
        if asked.body.startswith(b"{"):
            end = json.loads(asked.body)["params"].get("end_date")
            start = round((NOW - parse_time(end)).total_seconds() / 60) + 1 if end else self.first
        elif "param" in given:
            start = (json.loads(given["param"])["param"]["cmsArticleWebOld"]["pageIndex"] - 1) * PAGE + self.first
        elif number := given.get("page") or given.get("pageNo") or given.get("pageNum") or given.get("page_index"):
            start = (int(number) - 1) * PAGE + self.first
        elif last := given.get("last_time"):
            start = round((NOW.timestamp() - int(last)) / 60) + 1
        else:
            token = given.get("sortEnd") or given.get("cursor")
            start = int(token) + 1 if token else self.first
        items = list(range(start, min(start + PAGE, self.size)))
        made = self.payload(items, more=start + PAGE < self.size)
        body = made if isinstance(made, bytes) else json.dumps(made, ensure_ascii=False).encode()
        return Reply(b"callback(" + body + b")" if "cb" in given else body)


def at_server(feed: Any, server: Vendor) -> Feed:
    made: Feed = replace(feed, endpoint=f"{server.url}/list")
    return made


@pytest.mark.parametrize("name", FEEDS)
def test_first_poll_then_only_what_is_new(name: str, outbox: Outbox, fetch: Fetcher) -> None:
    feed, payload = FEEDS[name]
    archive = Archive(payload, 40)
    archive.first = 10  # items 0 to 9 come later
    with vendor(archive) as server:
        first = poll(at_server(feed, server), name, fetch, outbox, NOW)
        assert (first.fetched, first.new, first.rejected, first.gap) == (PAGE, PAGE, 0, None)
        archive.first = 0
        second = poll(at_server(feed, server), name, fetch, outbox, NOW)
        assert second.new >= 10 and second.gap is None
        third = poll(at_server(feed, server), name, fetch, outbox, NOW)
        assert third.new == 0
    found = documents(outbox)
    assert {f"题{n}" in "".join(d.title for d in found) for n in range(15)} == {True}
    one = next(d for d in found if "题3" in d.title)
    assert one.published_at == at(3) and one.kind == feed.kind and one.source == feed.source
    assert one.vendor.securities or name in ("wallstreetcn", "tushare")


@pytest.mark.parametrize("name", FEEDS)
def test_an_outage_is_caught_up_from_the_cursor(name: str, outbox: Outbox, fetch: Fetcher) -> None:
    feed, payload = FEEDS[name]
    archive = Archive(payload, 100)
    archive.first = 60
    with vendor(archive) as server:
        poll(at_server(feed, server), name, fetch, outbox, NOW)
        archive.first = 0
        assert poll(at_server(feed, server), name, fetch, outbox, NOW).gap is None
    titles = "\n".join(d.title + "\n" for d in documents(outbox))
    assert all(f"题{n}\n" in titles or f"题{n}的" in titles for n in range(60))


@pytest.mark.parametrize("name", FEEDS)
def test_what_the_vendor_no_longer_serves_is_a_gap(name: str, outbox: Outbox, fetch: Fetcher) -> None:
    feed, payload = FEEDS[name]
    archive = Archive(payload, 100)
    archive.first = 60
    with vendor(archive) as server:
        poll(at_server(feed, server), name, fetch, outbox, NOW)
        archive.first, archive.size = 0, 10
        gap = poll(at_server(feed, server), name, fetch, outbox, NOW).gap
    assert gap is not None
    assert (gap[0], gap[1]) == (at(60), at(9))


BROKEN = {
    "empty": (Reply(b""), ShapeChanged),
    "an error page": (Reply(b"<html>busy</html>"), ShapeChanged),
    "another shape": (Reply(b'{"data": {"other": 1}, "result": {}, "TotalPage": 1}'), ShapeChanged),
    "500": (Reply(b"", 500), FetchError),
    "429": (Reply(b"", 429, {"Retry-After": "120"}), FetchError),
    "truncated": (Reply(b'{"data"', promise=1000), FetchError),
    "slow": (Reply(b" " * 500_000), FetchError),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("fault", BROKEN)
def test_faults_are_told_apart_and_move_no_cursor(
    name: str, fault: str, outbox: Outbox, fetch: Fetcher, clock: Clock
) -> None:
    feed, payload = ALL[name]
    reply, kind = BROKEN[fault]
    archive = Archive(payload, 10)

    def broken(asked: Asked) -> Reply:
        clock.pass_(6 if fault == "slow" else 0)  # longer than the fetcher's patience
        return reply

    with vendor(broken) as server:
        with pytest.raises(kind) as caught:
            poll(at_server(feed, server), name, fetch, outbox, NOW)
        if fault == "429":
            assert getattr(caught.value, "retry_after", 0) == 120
            clock.pass_(120)
        if fault == "slow":
            assert "took more than 5 s" in str(caught.value)
        assert outbox.note(f"cursor {name}") == {}
        server.answer = archive
        assert poll(at_server(feed, server), name, fetch, outbox, NOW).new == PAGE


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("ahead", [30, -90])
def test_a_vendor_whose_clock_is_wrong_hides_nothing(name: str, ahead: int, outbox: Outbox, fetch: Fetcher) -> None:
    """Minutes ahead of ours or behind; then it is set right, and what comes next is found, whatever its time."""
    feed, payload = ALL[name]
    archive = Archive(payload, 300)
    archive.first = -ahead
    with vendor(archive) as server:
        found = poll(at_server(feed, server), name, fetch, outbox, NOW)
        assert (found.new, found.rejected, found.gap) == (PAGE, 0, None)
        archive.first = 0
        right = poll(at_server(feed, server), name, fetch, outbox, NOW)
        assert right.new >= PAGE
        assert right.gap is None or name == "rss"  # which serves one page: here the older items are really gone


@pytest.mark.parametrize("name", ALL)
def test_a_time_of_another_day_to_come_is_refused_and_hides_nothing(name: str, outbox: Outbox, fetch: Fetcher) -> None:
    feed, payload = ALL[name]
    archive = Archive(payload, 40)
    archive.first = -3 * 24 * 60
    with vendor(archive) as server:
        assert poll(at_server(feed, server), name, fetch, outbox, NOW).rejected == PAGE
        archive.first = 0
        assert poll(at_server(feed, server), name, fetch, outbox, NOW).new == PAGE


@pytest.mark.parametrize("name", ALL)
def test_a_crash_before_the_cursor_moves_reads_again_and_repeats_nothing(
    name: str, outbox: Outbox, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, payload = ALL[name]

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with vendor(Archive(payload, 40)) as server:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Outbox, "set_note", crash)
            poll(at_server(feed, server), name, fetch, outbox, NOW)
        outbox.close()
        restarted = Outbox(outbox.path, limit_bytes=10**8)
        again = poll(at_server(feed, server), name, fetch, restarted, NOW)
        assert (again.fetched, again.new) == (PAGE, 0)
        assert len(documents(restarted)) == PAGE
        assert parse_time(restarted.note(f"cursor {name}")["newest"]) == NOW
        restarted.close()


def test_one_bad_item_costs_one_dead_letter(outbox: Outbox, fetch: Fetcher) -> None:
    payload = fast([0, 1, 2], more=False)
    payload["data"]["fastNewsList"][1] |= {"showTime": "昨天"}
    with vendor(lambda asked: Reply(json.dumps(payload).encode())) as server:
        found = poll(at_server(eastmoney.FastNews(), server), "em", fetch, outbox, NOW)
    assert (found.new, found.rejected) == (3, 1) and len(documents(outbox)) == 2


@pytest.fixture
def pdfs() -> Iterator[ReportReader]:
    made = ReportReader()
    yield made
    made.close()


def test_a_listed_report_gets_the_text_of_its_pdf_once(outbox: Outbox, fetch: Fetcher, pdfs: ReportReader) -> None:
    served = {"pdf": Reply(b"", 404)}

    def answer(asked: Asked) -> Reply:
        return served["pdf"] if asked.path.endswith(".pdf") else Reply(json.dumps(reports([0], more=False)).encode())

    with vendor(answer) as server:
        feed = replace(eastmoney.Reports(), endpoint=f"{server.url}/list", pdf=f"{server.url}/{{code}}.pdf")
        attachments = Attachments(fetch, pdfs, outbox)
        poll(feed, "em", fetch, outbox, NOW, attachments)
        (listed,) = documents(outbox)
        assert listed.body == "" and listed.report is not None
        assert (listed.report.rating, listed.report.rating_action, listed.report.target_price) == ("买入", "上调", 35.5)
        served["pdf"] = Reply(SAMPLE.read_bytes())
        for _ in range(3):
            poll(feed, "em", fetch, outbox, NOW, attachments)
        assert sum(path.endswith(".pdf") for path in server.paths()) == 2
    (whole,) = documents(outbox)
    assert whole.id == listed.id and "若羽臣" in whole.body and len(whole.page_offsets) == 3
    assert whole.report is not None and whole.report.broker == "云帆样例证券" and whole.report.target_price == 42.6
    assert whole.title == "题0" and whole.authors == ("张三", "李四")


class Library:
    """A list of reports, and the host of their PDFs, which answers as `pdf` says."""

    def __init__(self, size: int, pdf: Callable[[str], Reply]) -> None:
        self.size, self.pdf = size, pdf

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith(".pdf"):
            return self.pdf(asked.path)
        return Reply(json.dumps(reports(list(range(self.size)), more=False)).encode())


def without_text(outbox: Outbox) -> set[str]:
    return {document.title for document in documents(outbox) if not document.body}


@pytest.mark.parametrize("reply", [Reply(status=429, headers={"Retry-After": "600"}), Reply(status=503)])
def test_a_host_in_trouble_costs_no_pdf(
    reply: Reply, outbox: Outbox, fetch: Fetcher, clock: Clock, pdfs: ReportReader
) -> None:
    library = Library(3, lambda path: reply)
    with vendor(library) as server, vendor(library) as elsewhere:
        feed = replace(eastmoney.Reports(), endpoint=f"{server.url}/list", pdf=f"{elsewhere.url}/{{code}}.pdf")
        attachments = Attachments(fetch, pdfs, outbox)
        for polls in range(1, 6):
            poll(feed, "em", fetch, outbox, NOW, attachments)
            assert len(elsewhere.paths()) == (1 if "Retry-After" in reply.headers else polls)
            clock.pass_(120)
        assert without_text(outbox) == {"题0", "题1", "题2"}
        library.pdf = lambda path: Reply(SAMPLE.read_bytes())
        poll(feed, "em", fetch, outbox, NOW, attachments)
    assert without_text(outbox) == set()


def test_a_pdf_at_which_the_host_always_fails_holds_up_no_other(
    outbox: Outbox, fetch: Fetcher, pdfs: ReportReader
) -> None:
    library = Library(3, lambda path: Reply(status=500) if "AP1000" in path else Reply(SAMPLE.read_bytes()))
    with vendor(library) as server:
        feed = replace(eastmoney.Reports(), endpoint=f"{server.url}/list", pdf=f"{server.url}/{{code}}.pdf")
        attachments = Attachments(fetch, pdfs, outbox)
        for _ in range(2):
            poll(feed, "em", fetch, outbox, NOW, attachments)
    assert without_text(outbox) == {"题0"}


def test_whatever_a_pdf_raises_costs_that_pdf_only(
    outbox: Outbox, fetch: Fetcher, pdfs: ReportReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pdfs.read

    def odd(data: bytes, name: str, options: Options) -> Document:
        if "AP1000" in name:
            raise KeyError("a font that nobody thought of")
        return read(data, name, options)

    monkeypatch.setattr(pdfs, "read", odd)
    with vendor(Library(2, lambda path: Reply(SAMPLE.read_bytes()))) as server:
        feed = replace(eastmoney.Reports(), endpoint=f"{server.url}/list", pdf=f"{server.url}/{{code}}.pdf")
        attachments = Attachments(fetch, pdfs, outbox)
        for _ in range(5):
            poll(feed, "em", fetch, outbox, NOW, attachments)
        assert sum("AP1000" in path for path in server.paths()) == 3
    assert without_text(outbox) == {"题0"}


@pytest.mark.parametrize(
    ("code", "security"),
    [
        ("0.300413", "300413.SZ"),
        ("0.000001", "000001.SZ"),
        ("0.430047", "430047.BJ"),
        ("1.600519", "600519.SH"),
        ("1.000001", "000001.SH"),
        ("1.510300", "510300.SH"),
        ("116.00700", "116.00700"),
        ("1.ABC", "1.ABC"),
    ],
)
def test_eastmoneys_markets(code: str, security: str) -> None:
    assert eastmoney.suffixed(code) == security


# ---------------------------------------------------------------------- RSS

RSS = """<?xml version="1.0" encoding="gb2312"?><rss version="2.0"><channel><title>样例报</title>
<item><guid>1</guid><title>芒果超媒获增持</title><link>https://x.invalid/1</link>
<description>&lt;p&gt;正文&lt;/p&gt;</description><pubDate>Thu, 18 Jun 2026 10:00:00 +0800</pubDate>
<category>传媒</category></item>
<item><guid>2</guid><title>没有时间</title></item></channel></rss>""".encode("gb2312")
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>样例</title><entry><id>a</id><title>甲</title>
<updated>2026-06-18T02:00:00Z</updated><content type="html">乙</content></entry></feed>""".encode()


@pytest.mark.parametrize("body", [RSS, ATOM])
def test_rss_and_atom(body: bytes, outbox: Outbox, fetch: Fetcher) -> None:
    with vendor(lambda asked: Reply(body, headers={"Content-Type": "application/xml"})) as server:
        poll(Rss(f"{server.url}/feed", source="desk"), "desk", fetch, outbox, NOW)
    first = documents(outbox)[0]
    assert first.published_at == datetime(2026, 6, 18, 2, tzinfo=UTC) and first.source == "desk"
    if body is RSS:
        assert (first.title, first.body, first.publisher, first.vendor.subjects) == (
            "芒果超媒获增持",
            "正文",
            "样例报",
            ("传媒",),
        )
        assert len(documents(outbox)) == 2


@pytest.mark.parametrize(
    "time",
    [
        "2026/06/01 09:05:00",
        "2026-06-01 09:05",
        "2026年6月1日 9:05",
        "2026-06-01 09:05:00 CST",
        "Mon, 01 Jun 2026 09:05:00",
        "Mon, 01 Jun 2026 09:05:00 CST",
        "Mon Jun 01 09:05:00 CST 2026",
        "Mon, 01 Jun 2026 09:05:00 +0800 (CST)",
        "2026-06-01 09:05:00  +0800",
        "Mon, 01 Jun 2026 01:05:00 GMT",
        "2026-06-01T01:05:00Z",
    ],
)
def test_a_time_without_a_zone_and_cst_are_beijings(time: str) -> None:
    item = f"<item><title>t</title><pubDate>{time}</pubDate></item>"
    body = f"<rss version='2.0'><channel>{item}</channel></rss>".encode()
    (row,) = entries_of(Fetched(200, "http://x.invalid", {}, body))
    assert row["published_at"] == datetime(2026, 6, 1, 9, 5, tzinfo=SHANGHAI)


def test_an_unchanged_feed_costs_one_conditional_request(outbox: Outbox, fetch: Fetcher) -> None:
    def answer(asked: Asked) -> Reply:
        return (
            Reply(status=304) if asked.headers.get("If-None-Match") == '"v1"' else Reply(RSS, headers={"ETag": '"v1"'})
        )

    with vendor(answer) as server:
        feed = Rss(f"{server.url}/feed", source="desk")
        assert poll(feed, "desk", fetch, outbox, NOW).new == 2
        assert poll(feed, "desk", fetch, outbox, NOW).fetched == 0


BOMB = (
    b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">"""
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><rss><channel><item><title>&j;</title></item></channel></rss>"
)


@pytest.mark.parametrize("body", [b"", b"<html><body>busy</body></html>", b"{}", BOMB])
def test_what_is_no_feed_is_told_or_harmless(body: bytes, outbox: Outbox, fetch: Fetcher) -> None:
    with vendor(lambda asked: Reply(body)) as server:
        try:
            assert poll(Rss(f"{server.url}/feed", source="desk"), "desk", fetch, outbox, NOW).fetched <= 1
        except ShapeChanged as error:
            assert "not RSS" in str(error)
    assert sum(len(d.title) for d in documents(outbox)) < 1_000_000


MARKUP = ["<item>", "</item>", "<entry>", "<title>", "</title>", "<description", "<content:encoded>", "<content/>",
          "<pubDate>Mon, 01 Jan 0001 00:00:00 GMT</pubDate>", "<pubDate>9999-99-99</pubDate>", "<category/>", "<guid>",
          "<source>", "<author>", "&#0;", "&lt;p&gt;", "<![CDATA[", "]]>", "\x00", " xml:base='//['",
          "<link>http://[</link>"]  # fmt: skip


def test_markup_that_breaks_the_parser_is_told() -> None:
    body = b"<rss><channel><item><category>x</item></category>"
    with pytest.raises(ShapeChanged, match="KeyError"):
        entries_of(Fetched(200, "http://x.invalid", {}, body))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(MARKUP) | st.text(max_size=6), max_size=25).map("".join))
def test_any_feed_gives_rows_or_a_reason(inside: str) -> None:
    body = f"<rss version='2.0'><channel>{inside}</channel></rss>".encode("utf-8", "replace")
    try:
        rows = entries_of(Fetched(200, "http://x.invalid", {}, body))
    except ShapeChanged as error:
        assert str(error)
    else:
        assert all(isinstance(row["body"], str) for row in rows)


@pytest.mark.parametrize(
    "body", [{"fields": [0, "datetime", "content"], "items": [["", "t"]]}, {"fields": [[1]], "items": [["t"]]}]
)
def test_names_that_are_no_names_are_told(body: object, fetch: Fetcher) -> None:
    with (
        vendor(lambda asked: Reply(json.dumps({"code": 0, "data": body}).encode())) as server,
        pytest.raises(ShapeChanged),
    ):
        at_server(Tushare("secret"), server).page(fetch, "", {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def server() -> Iterator[Vendor]:
    with vendor(lambda asked: Reply()) as made:
        yield made


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_item_gives_a_document_a_dead_letter_or_a_reason(
    data: st.DataObject, server: Vendor, outbox: Outbox, fetch: Fetcher
) -> None:
    name = data.draw(st.sampled_from(sorted(FEEDS)))
    feed, payload = FEEDS[name]
    whole = payload([0, 1], more=False)
    items = whole
    while isinstance(items, dict):
        items = next(v for k, v in items.items() if isinstance(v, dict | list) and k != "fields")
    if name == "tushare":
        items[0] = dict(enumerate(items[0]))
    for key in data.draw(st.sets(st.sampled_from(sorted(items[0])), min_size=1)):
        items[0][key] = data.draw(JSON)
    if name == "tushare":
        items[0] = list(items[0].values())
    body = json.dumps(whole).encode()
    server.answer = lambda asked: Reply(b"cb(" + body + b")" if name == "eastmoney-stock" else body)
    try:
        poll(at_server(feed, server), name, fetch, outbox, NOW)
    except ShapeChanged as error:
        assert str(error)


# ---------------------------------------------------------------------- settings and health


def test_settings_make_pollers(outbox: Outbox) -> None:
    feeds = [
        {"type": "cls"},
        {"type": "eastmoney-stock", "securities": ["300413", "600519"]},
        {"type": "rss", "name": "a", "url": "http://x.invalid"},
    ]
    made = pollers(Settings.model_validate({"ingest": {"feeds": feeds}}), outbox, Health())
    assert [poller.name for poller in made] == ["cls", "eastmoney-stock 300413", "eastmoney-stock 600519", "a"]


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        ({"type": "rss", "url": "http://[::1"}, "not an http"),
        ({"type": "eastmoney-stock", "securities": ["300413", "３００４１３"]}, "six digits"),
        ({"type": "cninfo", "column": "nowhere"}, "none of szse"),
    ],
)
def test_a_table_that_can_bring_nothing_is_told_and_stops_no_other(
    outbox: Outbox, caplog: pytest.LogCaptureFixture, feed: dict[str, Any], words: str
) -> None:
    feeds = [feed, {"type": "cls"}, {"type": "cninfo", "name": "hk", "column": "hke"}]
    made = pollers(Settings.model_validate({"ingest": {"feeds": feeds}}), outbox, Health())
    assert [poller.name for poller in made][-2:] == ["cls", "hk"]
    (told,) = caplog.messages
    assert told.startswith(f"ingest.feeds {feed['type']!r}: ") and words in told


@pytest.mark.parametrize("feed", [{"type": "rss"}, {"type": "eastmoney-stock"}, {"type": "tushare"}])
def test_incomplete_settings_are_named(feed: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"ingest\.feeds"):
        list(feeds_of(FeedSettings.model_validate(feed)))


def test_health_tells_failures_gaps_and_silence(outbox: Outbox, fetch: Fetcher) -> None:
    health, stop = Health(timedelta(minutes=5)), threading.Event()
    archive = Archive(cls, 10)
    archive.first = 6
    rows: list[list[Any]] = []
    with vendor(archive) as server:
        poller = Poller("cls", at_server(Cls(), server), fetch, health, interval=0.05, clock=lambda: NOW)
        thread = threading.Thread(target=poller.run, args=(outbox, stop))
        thread.start()
        try:
            _until(lambda: health.latest.get("cls") is not None)
            assert health.latest["cls"].state == "silent"
            archive.first = 0
            _until(lambda: health.latest["cls"].state == "ok")
            server.answer = lambda asked: Reply(b"", 500)
            _until(lambda: health.latest["cls"].state == "failing")
            assert "HTTP 500" in health.latest["cls"].message
        finally:
            stop.set()
            thread.join(20)
    assert health.flush(lambda table, found, columns: rows.extend(found)) == len(rows) >= 3
    assert health.flush(lambda *_: None) == 0


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
