"""Stored documents go through the models once more: the same documents, newer analyses, the old ones still known."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import msgspec
from clickhouse_connect.driver.client import Client

from models.records import Analyst, Document, Recommendation, Report, VendorTags
from stream.deadletters import Record
from stream.records import ANALYSES, encode
from stream.replay import PAGE, Cursor, Selection, count, pages
from stream.sink import Sink
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.stack import FIRST, Stack, make_document, within
from tests.stream.test_rows import AT, analysed

ALL = Selection(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
NOW = Cursor(began=1 << 62)


def fill(server: ClickHouseServer, client: Client, numbers: range, **changes: object) -> list[Document]:
    messages = [analysed(number, **changes) for number in numbers]
    sink = Sink(lambda: server.client(database=client.database), epochs={}, clock=lambda: AT)
    assert sink.store([Record(ANALYSES, 0, n, b"", encode(m)) for n, m in enumerate(messages)]) == []
    return [message.document for message in messages]


def test_a_document_comes_back_as_it_was(clickhouse_server: ClickHouseServer, stored: Client) -> None:
    report = Report(
        broker="某证券",
        analysts=(Analyst("张三", "S01"),),
        rating="增持",
        rating_action="维持",
        target_price=12.5,
        report_date="2026-11-01",
        related=("上一篇",),
        recommendations=(Recommendation("某公司", "份额", "游戏"),),
    )
    changes = {
        "report": report,
        "vendor": VendorTags(securities=("600001",), subjects=("a",), tone="利好", level="A"),
        "authors": ("甲", "乙"),
        "url": "https://example.org/1",
        "page_offsets": (0, 9),
    }
    (document,) = fill(clickhouse_server, stored, range(1, 2), **changes)
    (((again,), _),) = pages(stored, ALL, NOW)
    assert again == msgspec.structs.replace(
        document, backfill=True, fetched_at=document.fetched_at.replace(microsecond=123_000)
    )


def test_pages_cover_the_selection_once_and_go_on_from_a_cursor(
    clickhouse_server: ClickHouseServer, stored: Client
) -> None:
    documents = fill(clickhouse_server, stored, range(PAGE + 30), published_at=FIRST)  # all of the same moment
    (first, reached), (second, _) = pages(stored, ALL, NOW)
    assert sorted(d.id for d in (*first, *second)) == sorted(d.id for d in documents)
    assert reached.sent == PAGE and count(stored, ALL, reached) == 30
    resumed = [document.id for page, _ in pages(stored, ALL, reached) for document in page]
    assert resumed == [document.id for document in second]
    assert count(stored, msgspec.structs.replace(ALL, theme="game"), NOW) == len(range(0, PAGE + 30, 3))
    assert count(stored, msgspec.structs.replace(ALL, model_version="other"), NOW) == 0
    assert count(stored, msgspec.structs.replace(ALL, end=FIRST), NOW) == 0


def test_a_replay_replaces_what_was_said_and_remembers_it(stack: Stack) -> None:
    worker = stack.start_worker()
    stack.send(make_document(n) for n in range(60))
    assert within(60, lambda: stack.one("SELECT count() FROM documents FINAL") == 60), stack.log()
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    stack.overrides_worker = {"STAND_IN_VERSION": "second"}
    stack.start_worker()
    day = ["--from", "2026-11-02", "--to", "2026-11-02"]
    assert "60" in stack.cli("replay", *day, "--dry-run").stdout
    done = stack.cli("replay", *day)
    assert done.returncode == 0 and "sent 60" in done.stdout, done.stderr
    newer = "SELECT countIf(model_version = 'second' AND backfill) FROM documents FINAL"
    assert within(60, lambda: stack.one(newer) == 60), stack.log()
    assert stack.one("SELECT count() FROM documents FINAL") == 60
    assert stack.one("SELECT count() FROM mentions FINAL") == 60
    assert stack.one("SELECT count() FROM analysis_history FINAL") == 120
    with stack.client() as client:
        before = client.query(
            "SELECT toString(min(analysed_at) - INTERVAL 1 MILLISECOND) FROM documents FINAL"
        ).first_row
    was = f"SELECT countIf(model_version = 'stand-in') FROM analysis_as_was(at='{before[0]}')"
    assert stack.one(was) == 60
    assert stack.audit()["clean"]


def test_replay_says_what_is_wrong_with_its_window(stack: Stack) -> None:
    for arguments, said in [
        (["--from", "gestern", "--to", "2026-11-02"], "neither a day"),
        (["--from", "2026-11-03", "--to", "2026-11-01"], "not before"),
    ]:
        done = stack.cli("replay", *arguments)
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
