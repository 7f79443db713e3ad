"""Coverage-guided fuzzing of what strangers' bytes reach: PDF, HTML, feeds (RSS and the vendors' JSON), pushed JSON.

    pip install atheris
    python -m tests.fuzz.fuzz_ingest pdf|html|rss|vendors|push [CORPUS_FOLDER] [-max_total_time=120 ...]

On demand only: atheris has no builds for every platform, so it is in no lock file. Anything but a result or the error
that the reader promises is a crash; libFuzzer's other options (`-help=1`) work. Seeds come from the sample corpus, new
inputs go to the folder. PDFs are read in this process, not in a worker's, so that a crash of the reader shows.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["ingest", "feedparser", "trafilatura", "htmldate", "justext"]):
    from ingest.encoding import decode
    from ingest.feeds import eastmoney
    from ingest.feeds.base import Feed, ShapeChanged, _documents
    from ingest.feeds.cls import Cls
    from ingest.feeds.cninfo import Cninfo
    from ingest.feeds.rss import entries_of
    from ingest.feeds.sina import Sina
    from ingest.feeds.tushare import Tushare
    from ingest.feeds.wallstreetcn import Wallstreetcn
    from ingest.fields import Options, RowError, to_document
    from ingest.pages import article
    from ingest.pdf.extract import PdfError, extract
    from ingest.pdf.metadata import report_of
    from ingest.pdf.sections import split
    from ingest.polite import Fetched
    from ingest.push import _rows
    from stream.records import encode
    from tests.ingest.make import NOW

SAMPLE = Path(__file__).parents[2] / "ingest" / "sample"
OPTIONS = Options(now=NOW, published_at=NOW)
VENDORS: list[Feed] = [
    Cls(),
    Sina(),
    Wallstreetcn(),
    Cninfo(),
    Tushare("token"),
    eastmoney.FastNews(),
    eastmoney.Reports(),
    eastmoney.Notices(),
    eastmoney.StockNews("300413"),
]


class _Answer:
    """A fetcher that has one answer for everything."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get(self, url: str, **_: object) -> Fetched:
        return Fetched(200, url, {}, self._body)


def pdf(data: bytes) -> None:
    with contextlib.suppress(PdfError):
        found = extract(b"%PDF-1.4\n" + data if b"%PDF-" not in data[:1024] else data)
        report_of(found.text, found.headings)
        split(found.text)


def html(data: bytes) -> None:
    with contextlib.suppress(RowError):
        encode(to_document(article(decode(data), url=""), OPTIONS, default_source="web"))


def rss(data: bytes) -> None:
    with contextlib.suppress(ShapeChanged):
        rows = entries_of(Fetched(200, "http://x.invalid", {}, data))
        _encode_all(rows, VENDORS[0])


def vendors(data: bytes) -> None:
    feed = VENDORS[data[0] % len(VENDORS)] if data else VENDORS[0]
    with contextlib.suppress(ShapeChanged):
        _encode_all(feed.page(_Answer(data[1:]), "", {}).rows, feed)  # type: ignore[arg-type]


def push(data: bytes) -> None:
    with contextlib.suppress(ValueError):  # the body is told to be no JSON
        rows = _rows(data)
        for row in rows:
            if isinstance(row, dict):
                with contextlib.suppress(RowError):
                    encode(to_document(row, OPTIONS, default_source="push"))


def _encode_all(rows: object, feed: Feed) -> None:
    documents, letters = _documents(rows, feed, NOW)  # type: ignore[arg-type]
    for item in (*documents, *letters):
        encode(item)


TARGETS: dict[str, Callable[[bytes], None]] = {"pdf": pdf, "html": html, "rss": rss, "vendors": vendors, "push": push}


def seeds(target: str) -> Iterator[bytes]:
    """Valid inputs to start from."""
    rows = [json.loads(line) for line in (SAMPLE / "corpus.jsonl").read_text(encoding="utf-8").splitlines()[:20]]
    if target == "pdf":
        yield from (path.read_bytes() for path in (SAMPLE / "reports").glob("*.pdf"))
    for row in rows:
        title, body = row.get("title", ""), row.get("body", "")[:400]
        if target == "push":
            yield json.dumps([row], ensure_ascii=False).encode()
        elif target == "html":
            meta = '<meta charset="gb2312"><meta name="date" content="2026-06-18"><meta name="author" content="张三">'
            head = f"<html><head><title>{title}</title>{meta}</head>"
            page = f"{head}<body><article><h1>{title}</h1><p>{body}</p><ul><li>1</ul></article></body></html>"
            yield page.encode("gb18030", "replace")
        elif target == "rss":
            item = f"<item><guid>1</guid><title>{title}</title><description>&lt;p&gt;{body}</description>"
            date = "<pubDate>Thu, 18 Jun 2026 10:00:00 +0800</pubDate><category>x</category></item>"
            yield f'<?xml version="1.0"?><rss version="2.0"><channel>{item}{date}</channel></rss>'.encode()
            entry = f"<entry><id>1</id><title>{title}</title><updated>2026-06-18T10:00:00Z</updated><content>{body}"
            yield f'<feed xmlns="http://www.w3.org/2005/Atom">{entry}</content></entry></feed>'.encode()
    if target == "vendors":
        shapes: list[object] = [
            {"data": {"roll_data": [{"id": 1, "ctime": 1, "title": "t", "content": "c", "stock_list": []}]}},
            {"result": {"data": {"feed": {"list": [{"id": 1, "rich_text": "c", "create_time": "2026-06-18 10:00"}]}}}},
            {"data": {"items": [{"id": 1, "display_time": 1, "content_text": "c", "title": "t"}], "next_cursor": "1"}},
            {"announcements": [{"announcementId": "1", "announcementTime": 1, "announcementTitle": "t"}]},
            {"code": 0, "data": {"fields": ["datetime", "content"], "items": [["2026-06-18 10:00", "c"]]}},
            {"data": {"fastNewsList": [{"code": "1", "showTime": "2026-06-18 10:00", "summary": "c", "title": "t"}]}},
            {"data": [{"infoCode": "1", "title": "t", "publishDate": "2026-06-18", "orgSName": "b"}]},
            {"data": {"list": [{"art_code": "1", "title": "t", "notice_date": "2026-06-18", "codes": []}]}},
            {"result": {"cmsArticleWebOld": [{"code": "1", "date": "2026-06-18", "title": "t", "content": "c"}]}},
        ]  # fmt: skip
        for number, shape in enumerate(shapes):
            yield bytes([number]) + json.dumps(shape, ensure_ascii=False).encode()


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(__doc__)
    target, *rest = sys.argv[1:]
    folder = Path(rest.pop(0)) if rest and not rest[0].startswith("-") else Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (folder / f"seed-{number}").write_bytes(seed)
    longest = 200_000 if target == "pdf" else 8_000
    argv = [sys.argv[0], str(folder), f"-artifact_prefix={folder}/", f"-max_len={longest}", "-timeout=30", *rest]
    atheris.Setup(argv, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
