from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.fields import Options
from ingest.files import Item, Reader
from ingest.pdf import ReportReader
from ingest.polite import Fetcher
from ingest.web import read_url
from models.records import Document
from stream.records import DeadLetter
from tests.ingest.make import NOW
from tests.ingest.server import Reply, vendor

SAMPLE = Path(__file__).parents[2] / "ingest" / "sample" / "reports" / "company_003010.pdf"
PARAGRAPHS = "".join(
    f"<p>第{n}段：芒果超媒发布公告，称旗下平台会员数继续增长，广告业务逐季改善。</p>" for n in range(5)
)
PAGE = f"<html><title>会员数增长</title><body><article><h1>会员数增长</h1>{PARAGRAPHS}</article></html>"
FEED = "<rss version='2.0'><channel><item><title>快讯</title><guid>1</guid></item></channel></rss>"
ROWS = json.dumps({"id": 1, "title": "快讯", "time": "2026-06-01"})

_packed = io.BytesIO()
pq.write_table(pa.table({"title": ["快讯"], "time": ["2026-06-01"]}), _packed)
PARQUET = _packed.getvalue()


@pytest.fixture
def pdfs() -> Iterator[ReportReader]:
    made = ReportReader()
    yield made
    made.close()


def read(path: str, reply: Reply, pdfs: ReportReader) -> list[Item]:
    fetch = Fetcher(host_seconds=0)
    with vendor(lambda asked: reply) as server:
        reader = Reader(Options(now=NOW.replace(month=12)), max_bytes=10**7, pdf=pdfs.read)
        return list(read_url(server.url + path, fetch, reader))


@pytest.mark.parametrize(
    ("path", "kind", "body", "title"),
    [
        ("/a", "text/html; charset=gb2312", PAGE.encode("gb18030"), "会员数增长"),
        ("/a.pdf", "application/octet-stream", SAMPLE.read_bytes(), "若羽臣（003010）：把代运营的手艺用在自己身上"),
        ("/report", "application/pdf", SAMPLE.read_bytes(), "若羽臣（003010）：把代运营的手艺用在自己身上"),
        ("/feed", "application/rss+xml", FEED.encode(), "快讯"),
        ("/rows.jsonl", "text/plain", ROWS.encode(), "快讯"),
        ("/api", "application/json", f"[{ROWS}]".encode(), "快讯"),
        ("/note", "text/plain; charset=utf-8", "短标题\n正文。".encode(), "短标题"),
        ("/rows.jsonl.gz", "application/gzip", gzip.compress(ROWS.encode(), mtime=0), "快讯"),
        ("/rows.jsonl.gz", "application/x-gzip", ROWS.encode(), "快讯"),  # the server said how, and it was unpacked
        ("/note.md", "text/markdown", "# 短标题\n正文。".encode(), "短标题"),
        ("/rows.tsv", "text/tab-separated-values", "title\ttime\n快讯\t2026-06-01".encode(), "快讯"),
        ("/rows.parquet", "application/vnd.apache.parquet", PARQUET, "快讯"),
        ("/rows.parquet", "binary/octet-stream", PARQUET, "快讯"),
        (f"/{'长' * 200}.jsonl.gz", "application/gzip", gzip.compress(ROWS.encode(), mtime=0), "快讯"),
        ("/a%00b.jsonl", "text/plain", ROWS.encode(), "快讯"),
    ],
)
def test_an_address_is_read_by_what_it_is(path: str, kind: str, body: bytes, title: str, pdfs: ReportReader) -> None:
    (item,) = read(path, Reply(body, headers={"Content-Type": kind}), pdfs)
    assert isinstance(item, Document) and item.title == title
    if kind.startswith("text/html"):
        assert item.body.count("芒果超媒") == 5 and item.url.endswith("/a") and item.source == "127.0.0.1"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=404), "HTTP 404"),
        (Reply(b"<html></html>"), "no article"),
        (Reply(b"x", headers={"Content-Type": "application/pdf"}), "not a PDF"),
        (Reply(gzip.compress(bytes(11_000_000)), headers={"Content-Type": "application/gzip"}), "is not read"),
        (Reply(gzip.compress(bytes(11_000_000)), headers={"Content-Type": "text/csv"}), "max_file_mb"),
        (Reply(b"\x1f\x8bx", headers={"Content-Type": "text/csv"}), "gzip"),
        (
            Reply(b"x", headers={"Content-Type": "image/png"}),
            "image/png is not read; known are pages, feeds, and files",
        ),
    ],
)
def test_what_gives_nothing_is_a_dead_letter_that_names_it(reply: Reply, reason: str, pdfs: ReportReader) -> None:
    (item,) = read("/x", reply, pdfs)
    assert isinstance(item, DeadLetter) and reason in item.reason


def test_what_is_no_address_is_a_dead_letter(pdfs: ReportReader) -> None:
    reader = Reader(Options(now=NOW), max_bytes=10**7, pdf=pdfs.read)
    (item,) = read_url("http://[bad", Fetcher(), reader)
    assert isinstance(item, DeadLetter) and "not an http" in item.reason


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FENGXIANG_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=clean | {"FENGXIANG_DATA_DIR": str(tmp_path), "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "--sample"),
        (["nothing.jsonl"], "no such file"),
        (["--sample", "--map", "title"], "FIELD=COLUMN"),
        (["--sample", "--map", "titel=x"], "titel"),
        (["--sample", "--kind", "blog"], "announcement, news, report, wire"),
        (["--sample", "--date", "soon"], "soon"),
    ],
)
def test_wrong_use_of_the_command_names_the_remedy(tmp_path: Path, arguments: list[str], reason: str) -> None:
    done = run(tmp_path, "ingest", *arguments)
    assert done.returncode != 0 and reason in done.stderr and "Traceback" not in done.stderr


def test_the_command_refuses_addresses_inside(tmp_path: Path) -> None:
    with vendor(lambda asked: Reply(PAGE.encode(), headers={"Content-Type": "text/html"})) as server:
        done = run(
            tmp_path, "ingest", server.url, FENGXIANG_LOCAL__KAFKA_PORT="1", FENGXIANG_LOCAL__CLICKHOUSE_PORT="1"
        )
        assert done.returncode == 1 and "not a public address" in done.stderr
        assert server.asked == []


def test_sources_are_listed_and_tried(tmp_path: Path) -> None:
    with vendor(lambda asked: Reply(FEED.encode(), headers={"Content-Type": "application/rss+xml"})) as server:
        feeds = json.dumps([{"type": "rss", "name": "desk", "url": server.url}])
        settings = {"FENGXIANG_INGEST__FEEDS": feeds, "FENGXIANG_LOCAL__CLICKHOUSE_PORT": "1"}
        assert json.loads(run(tmp_path, "sources", "list", "--json", **settings).stdout)[0]["name"] == "desk"
        tried = json.loads(run(tmp_path, "sources", "test", "desk", "--json", **settings).stdout)
        assert [row["title"] for row in tried["documents"]] == ["快讯"]
        wrong = run(tmp_path, "sources", "test", "other", **settings)
        assert wrong.returncode != 0 and "desk" in wrong.stderr
