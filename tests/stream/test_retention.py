"""Texts become excerpts and rows go when the settings say, in every table, and nothing else changes by it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from deploy.settings import Settings
from models.records import Recommendation, Report
from models.trading import SHANGHAI
from stream.alerts.match import around
from stream.deadletters import Record
from stream.migrate import Migration, rendered
from stream.records import ANALYSES, DEAD, AnalysedDocument, DeadLetter, encode
from stream.replay import Cursor, Selection, count, count_cut, pages
from stream.retention import AGED, AROUND, EXCERPT, Retention, kept_from
from stream.sink import Sink
from stream.trends import due, keep_up
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.stack import Stack, make_document, within
from tests.stream.test_rows import AT, analysed

NOW = datetime.now(SHANGHAI)
TEXT_DAYS, DOCUMENT_DAYS = 30, 60
AGES = (1, 29, 32, 50, 200)  # days
WHOLE = "开头说大盘。" + "这是一段很长的背景介绍，" * 30 + "随后@600001.SH 走高，" + "后面的话还很长" * 12 + "。#game"


def long_one(number: int, age: int, **changes: Any) -> AnalysedDocument:
    report = Report(broker="某证券", recommendations=(Recommendation("某公司", "份额提升" * 80, "游戏"),))
    values = {"body": WHOLE, "published_at": NOW - timedelta(days=age), "report": report, **changes}
    return analysed(number, **values)


@pytest.fixture
def sink(clickhouse_server: ClickHouseServer, stored: Client) -> Sink:
    return Sink(lambda: clickhouse_server.client(database=stored.database), epochs={}, clock=lambda: AT)


def put(sink: Sink, messages: list[AnalysedDocument], first: int = 0) -> None:
    assert sink.store([Record(ANALYSES, 0, first + n, b"", encode(m)) for n, m in enumerate(messages)]) == []


def settled(client: Client) -> bool:
    sql = "SELECT countIf(NOT is_done) FROM system.mutations WHERE database = currentDatabase()"
    return not client.query(sql).result_rows[0][0]


def cut(client: Client, days: int = TEXT_DAYS, **changes: int) -> None:
    assert within(60, lambda: settled(client))
    Retention(text_days=days, document_days=changes.get("document_days", 0)).keep(client)
    assert within(60, lambda: settled(client))


def rows(client: Client, sql: str) -> list[tuple[Any, ...]]:
    return list(client.query(sql).result_rows)


def test_old_texts_are_cut_to_excerpts_wherever_they_lie_and_nothing_else_changes(sink: Sink, stored: Client) -> None:
    put(sink, [long_one(n, age) for n, age in enumerate(AGES)])
    put(sink, [long_one(9, 100, body="短讯@600001.SH 走高。#game", title="短")], first=20)
    sink.store_dead([Record(DEAD, 0, n, b"", encode(dead(n, age))) for n, age in enumerate((1, 90))])
    rest = "SELECT * EXCEPT (body, text_length) FROM documents FINAL ORDER BY id"
    before = rows(stored, rest), rows(stored, "SELECT * FROM document_themes FINAL ORDER BY document_id")
    cut(stored)
    assert before == (rows(stored, rest), rows(stored, "SELECT * FROM document_themes FINAL ORDER BY document_id"))
    texts = rows(stored, "SELECT body, text_length FROM documents FINAL ORDER BY published_at DESC, title")
    assert texts == [
        *[(WHOLE, None)] * 2,
        *[(WHOLE[:EXCERPT] + "…", len(WHOLE))] * 2,
        ("短讯@600001.SH 走高。#game", 0),
        (WHOLE[:EXCERPT] + "…", len(WHOLE)),
    ]
    for sentence, first, start, end, surface in rows(
        stored,
        "SELECT sentence, sentence_start, start, `end`, surface FROM mentions FINAL"
        f" WHERE published_at < now() - INTERVAL {TEXT_DAYS + 1} DAY ORDER BY published_at DESC LIMIT 2",
    ):
        assert sentence == WHOLE[max(first, start - AROUND) : end + AROUND]
        assert sentence[start - first :].startswith(surface) and len(sentence) <= len(surface) + 2 * AROUND
    whole = rows(
        stored, "SELECT max(lengthUTF8(sentence)) FROM mentions FINAL WHERE published_at > now() - INTERVAL 30 DAY"
    )
    assert whole[0][0] > 100
    reasons = "SELECT recommendations.reason[1] FROM reports FINAL ORDER BY published_at DESC"
    assert [len(row[0]) for row in rows(stored, reasons)] == [320, 320, 201, 201, 201, 201]
    assert rows(stored, "SELECT document_id, empty(payload) FROM dead_letters FINAL ORDER BY document_id") == [
        ("d1", 0), ("d90", 1)
    ]  # fmt: skip
    words = "SELECT count() FROM documents FINAL WHERE hasAllTokens(body, '{}')"
    assert rows(stored, words.format("走高"))[0][0] == 3  # the index was cut with the texts
    assert rows(stored, words.format("大盘"))[0][0] == 5
    assert around(WHOLE[:EXCERPT], len(WHOLE) - 5) == ""  # a place beyond the excerpt shows nothing


def dead(number: int, age: int) -> DeadLetter:
    return DeadLetter(
        document_id=f"d{age}",
        stage="analyse",
        reason="r",
        payload=encode(make_document(number)).decode(),
        failed_at=NOW - timedelta(days=age),
    )


def test_superseded_versions_are_cut_too_and_late_ones_the_next_time(sink: Sink, stored: Client) -> None:
    stored.command("SYSTEM STOP MERGES documents")
    later = AT + timedelta(minutes=1)
    put(sink, [long_one(1, 40)])
    put(sink, [long_one(1, 40, at=later)], first=5)
    stored.command("SYSTEM START MERGES documents")
    cut(stored)
    assert rows(stored, "SELECT count() FROM documents WHERE lengthUTF8(body) > 201") == [(0,)]
    put(sink, [long_one(2, 45)], first=9)  # history that was loaded late
    cut(stored)
    assert rows(stored, "SELECT countIf(text_length > 200), count() FROM documents FINAL") == [(2, 2)]
    mutations = "SELECT count() FROM system.mutations WHERE database = currentDatabase()"
    n = rows(stored, mutations)
    cut(stored)
    assert rows(stored, mutations) == n  # nothing due, nothing done
    put(sink, [long_one(2, 45, at=later)], first=11)  # the whole text again, as from the log
    cut(stored)
    assert rows(stored, "SELECT countIf(text_length > 200), count() FROM documents FINAL") == [(2, 2)]


def test_what_was_cut_is_not_analysed_again(sink: Sink, stored: Client) -> None:
    put(sink, [long_one(1, 10), long_one(2, 40), analysed(3, published_at=NOW - timedelta(days=40))])
    cut(stored)
    selection = Selection(NOW - timedelta(days=365), NOW + timedelta(days=1))
    begin = Cursor(began=1 << 62)
    assert (count(stored, selection, begin), count_cut(stored, selection, begin)) == (2, 1)
    ((documents, _),) = pages(stored, selection, begin)
    assert {document.body for document in documents} == {WHOLE, analysed(3).document.body}


def test_rows_go_with_their_time_and_changed_settings_take_effect(sink: Sink, stored: Client) -> None:
    put(sink, [long_one(n, age) for n, age in enumerate(AGES)])
    keep_up(stored, minute_days=30)
    sink.store_dead([Record(DEAD, 0, n, b"", encode(dead(n, age))) for n, age in enumerate((1, 90))])
    tables = ("documents", "mentions", "document_themes", "reports", "analysis_history")
    counts = lambda: [rows(stored, f"SELECT count() FROM {table} FINAL")[0][0] for table in tables]  # noqa: E731
    assert counts() == [5] * 5
    cut(stored, 0, document_days=DOCUMENT_DAYS)
    assert within(60, lambda: counts() == [4] * 5), counts()
    assert within(60, lambda: rows(stored, "SELECT document_id FROM dead_letters FINAL") == [("d1",)])
    ttls = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '%{}%'"
    assert rows(stored, ttls.format(f"toIntervalDay({DOCUMENT_DAYS})"))[0][0] == len(AGED)
    cut(stored, 0, document_days=40)
    assert within(60, lambda: counts() == [3] * 5), counts()
    cut(stored, 0)
    assert rows(stored, ttls.format("toIntervalDay"))[0][0] == 2  # those that have always had one, with other columns
    days = "SELECT sum(documents) FROM trends FINAL WHERE step = 'day' AND dimension = 'source'"
    keep_up(stored, minute_days=30, document_days=40)
    assert rows(stored, days) == [(5,)]  # what was counted stays counted
    put(sink, [long_one(8, 200)], first=50)  # history that is no longer kept
    assert all(hour > (NOW - timedelta(days=41)).timestamp() for hour in due(stored, document_days=40).hours)
    keep_up(stored, minute_days=30, document_days=40)
    assert rows(stored, days) == [(5,)]


def test_cutting_any_text_keeps_its_beginning_and_each_name(sink: Sink, stored: Client) -> None:
    """Names at any place of texts of any length: marks stay inside, and begin the name."""
    chance = random.Random(5)
    bodies = [
        "".join(
            chance.choice(["字", "a", "🎮", "。", "\n", "，", "@600001.SH ", "é"])
            for _ in range(chance.randint(0, 600))
        )
        for _ in range(60)
    ]
    put(sink, [analysed(n, body=body, published_at=NOW - timedelta(days=40)) for n, body in enumerate(bodies)])
    cut(stored)
    texts = sorted(b[:EXCERPT] + "…" if len(b) > EXCERPT else b for b in bodies)
    assert sorted(row[0] for row in rows(stored, "SELECT body FROM documents FINAL")) == texts
    found = rows(stored, "SELECT sentence, start - sentence_start, surface FROM mentions FINAL WHERE field = 'body'")
    assert len(found) > 100
    assert all(sentence[place:].startswith(surface) for sentence, place, surface in found)
    assert max(len(sentence) for sentence, *_ in found) <= 2 * AROUND + 12


def test_a_worker_does_it_and_the_audit_stays_clean(stack: Stack) -> None:
    stack.overrides |= {"STREAM__TEXT_DAYS": "30", "STREAM__DOCUMENT_DAYS": "60"}
    stack.start_worker()
    ages = {1: 2, 2: 40, 3: 90}
    stack.send(make_document(n, body=WHOLE, published_at=NOW - timedelta(days=age)) for n, age in ages.items())
    assert within(120, lambda: stack.one("SELECT count() FROM documents FINAL WHERE text_length > 200") == 1), (
        stack.log()
    )
    assert within(120, lambda: stack.one("SELECT count() FROM documents FINAL") == 2), stack.log()
    done = stack.audit()
    assert done["clean"] and done["expired"] == 1, done


def test_a_cluster_is_altered_as_a_whole() -> None:
    ours = Retention(text_days=1, document_days=1, cluster="prod")
    assert ours._alter("documents", "REMOVE TTL") == "ALTER TABLE documents_local ON CLUSTER `prod` REMOVE TTL"
    column = "ALTER TABLE t ADD COLUMN IF NOT EXISTS c UInt8"
    settings = Settings(clickhouse="http://u:p@127.0.0.1:1/news", clickhouse_cluster="prod")
    assert rendered([Migration(1, "x", f"{column};")], settings)[1] == [
        f"ALTER TABLE {name} ON CLUSTER `prod` ADD COLUMN IF NOT EXISTS c UInt8" for name in ("t_local", "t")
    ]


def test_settings_that_would_starve_stories_or_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 7"):
        Settings(stream={"text_days": 3})
    with pytest.raises(ValueError, match="at least 35"):
        Settings(stream={"document_days": 30})
    assert Settings(stream={"text_days": 9, "log_days": 30}).log_milliseconds == 9 * 86_400_000
    assert Settings(stream={"log_days": 0.5}).log_milliseconds == 43_200_000
    assert kept_from(0, AT.date()) is None and kept_from(1, AT.date()) == AT.date()


def test_a_dead_letter_whose_original_is_over_is_skipped_with_the_reason(stack: Stack) -> None:
    letter = msgspec.structs.replace(dead(1, 90), payload="")
    sink = Sink(stack.client, epochs={}, clock=lambda: datetime.now(UTC))
    sink.store_dead([Record(DEAD, 0, 0, b"", encode(letter))])
    done = stack.cli("dead", "replay", "--stage", "analyse")
    assert "its time is over" in done.stdout + done.stderr, done
