"""Batches into the real store: replays change nothing, re-analyses bury what no longer holds, bad rows fall alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from stream.deadletters import Record
from stream.records import ANALYSES, DEAD, AnalysedDocument, DeadLetter, encode
from stream.sink import Sink, token
from stream.store import StoreAway
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.test_rows import AT, analysed

LATER = AT + timedelta(hours=1)


@pytest.fixture
def sink(clickhouse_server: ClickHouseServer, stored: Client) -> Sink:
    return Sink(lambda: clickhouse_server.client(database=stored.database), epochs={ANALYSES: "e1"}, clock=lambda: AT)


def records(messages: Sequence[AnalysedDocument], first: int = 0) -> list[Record]:
    return [Record(ANALYSES, 0, first + n, m.document.id.encode(), encode(m)) for n, m in enumerate(messages)]


def one(client: Client, sql: str) -> object:
    return client.query(sql).result_rows[0][0]


def counts(client: Client) -> list[int]:
    tables = ("documents", "mentions", "document_themes", "reports", "dead_letters")
    return [int(str(one(client, f"SELECT count() FROM {table} FINAL"))) for table in tables]


def test_a_batch_is_stored_and_a_replay_on_any_boundary_changes_no_count(sink: Sink, stored: Client) -> None:
    messages = [analysed(n) for n in range(200)]
    assert sink.store(records(messages)) == []
    assert counts(stored) == [200, 200, 200, 0, 0]
    sink.store(records(messages))  # the identical batch
    parts = one(stored, "SELECT count() FROM documents")
    assert parts == 200, "an identical batch is dropped by its token, not merged away later"
    sink.store(records(messages[50:120], first=50))  # another boundary
    sink.store(records(messages[100:], first=100))
    assert counts(stored) == [200, 200, 200, 0, 0]


def test_a_later_analysis_buries_what_it_no_longer_says(sink: Sink, stored: Client) -> None:
    sink.store(records([analysed(1), analysed(2)]))
    sink.store(records([analysed(1, at=LATER, body="改为 @600777.SH，#film_tv。")], first=2))
    assert counts(stored) == [2, 2, 2, 0, 0]
    assert one(stored, "SELECT groupArray(code) FROM (SELECT code FROM mentions FINAL ORDER BY code)") == [
        "600002.SH",
        "600777.SH",
    ]
    assert one(stored, "SELECT count() FROM document_themes FINAL WHERE theme = 'aigc'") == 0
    sink.store(records([analysed(1)]))  # the first one once more, late
    assert one(stored, "SELECT count() FROM mentions FINAL WHERE code = '600001.SH'") == 0


def test_a_document_that_moves_in_time_is_one_document(sink: Sink, stored: Client) -> None:
    sink.store(records([analysed(1)]))
    moved = analysed(1, at=LATER, published_at=datetime(2026, 3, 1, tzinfo=UTC))  # another month's partition
    sink.store(records([moved], first=1))
    assert counts(stored) == [1, 1, 1, 0, 0]
    assert one(stored, "SELECT toMonth(published_at) FROM documents FINAL") == 3


def test_the_last_of_several_texts_of_a_document_in_one_batch_holds(sink: Sink, stored: Client) -> None:
    sink.store(records([analysed(1), analysed(1, title="新标题", body="@600888.SH")]))
    assert one(stored, "SELECT title FROM documents FINAL") == "新标题"
    assert one(stored, "SELECT groupArray(code) FROM mentions FINAL") == ["600888.SH"]


def test_a_new_text_wins_although_the_worker_s_clock_was_set_back(sink: Sink, stored: Client) -> None:
    first = analysed(1, at=LATER, fetched_at=AT)
    sink.store(records([first]))
    sink.store(records([analysed(1, at=AT, fetched_at=LATER, title="新标题")], first=1))
    assert one(stored, "SELECT title FROM documents FINAL") == "新标题"


def test_a_row_that_the_store_refuses_falls_alone(sink: Sink, stored: Client) -> None:
    bad = analysed(2)
    mention = msgspec.structs.replace(bad.analysis.mentions[0], start=-5)
    bad = msgspec.structs.replace(bad, analysis=msgspec.structs.replace(bad.analysis, mentions=(mention,)))
    (letter,) = sink.store(records([analysed(1), bad, analysed(3)]))
    assert (letter.document_id, letter.stage) == (bad.document.id, "store")
    assert letter.origin == bad.origin
    assert one(stored, "SELECT count() FROM documents FINAL") == 2


def test_what_is_no_analysis_becomes_a_dead_letter(sink: Sink, stored: Client) -> None:
    (letter,) = sink.store([Record(ANALYSES, 0, 0, b"id1", b"{}"), *records([analysed(1)], first=1)])
    assert (letter.document_id, letter.stage, letter.payload) == ("id1", "store", "{}")
    assert counts(stored)[0] == 1


def test_dead_letters_are_stored_once(sink: Sink, stored: Client) -> None:
    letter = DeadLetter(document_id="d", stage="decode", reason="r", failed_at=AT)
    batch = [Record(DEAD, 0, 0, b"d", encode(letter)), Record(DEAD, 0, 1, b"x", b"nonsense")]
    sink.store_dead(batch)
    sink.store_dead(batch[:1])
    assert counts(stored)[4] == 2


def test_a_store_that_is_away_is_said_so(clickhouse_server: ClickHouseServer) -> None:
    def refuse() -> Client:
        raise StoreAway("not here")

    with pytest.raises(StoreAway):
        Sink(refuse, epochs={}, clock=lambda: AT).store(records([analysed(1)]))


def test_a_missing_table_is_waited_for_not_dead_lettered(
    clickhouse_server: ClickHouseServer, clickhouse_database: str
) -> None:
    away = Sink(lambda: clickhouse_server.client(database=clickhouse_database), epochs={}, clock=lambda: AT)
    with pytest.raises(StoreAway, match="documents"):
        away.store(records([analysed(1)]))


def test_a_token_names_a_batch_of_one_epoch() -> None:
    batch = records([analysed(1), analysed(2)])
    same: Callable[[str], str] = lambda epoch: token(batch, {ANALYSES: epoch})  # noqa: E731
    assert same("e1") == token(batch[::-1], {ANALYSES: "e1"})
    assert len({same("e1"), same("e2"), token(batch[:1], {ANALYSES: "e1"})}) == 3
