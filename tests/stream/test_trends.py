"""The kept counts equal the counts of the truth, after replays, late documents and re-classifications."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from stream.deadletters import Record
from stream.records import ANALYSES, AnalysedDocument, encode
from stream.sink import Sink
from stream.trends import refresh, touched
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.test_rows import AT, analysed

WINDOW = "from='2026-01-01 00:00:00', to='2027-01-01 00:00:00'"
COLUMNS = (
    "toUnixTimestamp(bucket), documents, stories, publishers, round(sentiment_score, 3), positive, neutral, negative"
)


@pytest.fixture
def sink(clickhouse_server: ClickHouseServer, stored: Client) -> Sink:
    return Sink(lambda: clickhouse_server.client(database=stored.database), epochs={}, clock=lambda: AT)


def store(sink: Sink, messages: list[AnalysedDocument], first: int) -> None:
    assert sink.store([Record(ANALYSES, 0, first + n, b"", encode(m)) for n, m in enumerate(messages)]) == []


def kept(client: Client, dimension: str, step: str) -> list[object]:
    sql = f"SELECT key, {COLUMNS} FROM trends FINAL WHERE dimension = '{dimension}' AND step = '{step}' ORDER BY ALL"
    return list(client.query(sql).result_rows)


def truth(client: Client, dimension: str, step: str) -> list[object]:
    view, key = {"theme": ("theme_trend", "theme"), "security": ("mention_trend", "code")}[dimension]
    minutes = {"hour": 60, "day": 1440}[step]
    return list(
        client.query(f"SELECT {key}, {COLUMNS} FROM {view}({WINDOW}, minutes={minutes}) ORDER BY ALL").result_rows
    )


def test_kept_counts_stay_right_whatever_is_stored_again(sink: Sink, stored: Client) -> None:
    dice = random.Random(5)
    analysed_at = AT
    for step in range(6):
        analysed_at += timedelta(minutes=1)
        messages = []
        for number in dice.sample(range(60), 25):
            moment = datetime(2026, 11, 1 + dice.randrange(4), dice.randrange(24), tzinfo=UTC)
            changes = {"published_at": moment} if dice.random() < 0.4 else {}
            if dice.random() < 0.3:
                changes["body"] = "@600099.SH #aigc" if dice.random() < 0.5 else "没有"
            messages.append(analysed(number, at=analysed_at, **changes))
        store(sink, messages, 100 * step)
        refresh(stored, touched(stored), datetime.now(UTC))
        for dimension in ("theme", "security"):
            for size in ("hour", "day"):
                assert kept(stored, dimension, size) == truth(stored, dimension, size), (step, dimension, size)
    assert kept(stored, "theme", "day")


def test_only_touched_days_are_counted_anew(sink: Sink, stored: Client) -> None:
    store(sink, [analysed(1, published_at=datetime(2026, 11, day, 4, tzinfo=UTC)) for day in (2,)], 0)
    assert [day.isoformat() for day in touched(stored)] == ["2026-11-02"]
    refresh(
        stored, touched(stored), datetime.now(UTC) + timedelta(minutes=5)
    )  # later than what is stored, overlap included
    assert touched(stored) == []


def test_a_refresh_that_was_cut_off_is_made_up_for(sink: Sink, stored: Client) -> None:
    store(sink, [analysed(1)], 0)
    refresh(stored, touched(stored), datetime.now(UTC))
    store(sink, [analysed(1, at=AT + timedelta(hours=1), body="没有")], 1)  # names nothing any more
    refresh(stored, touched(stored), datetime.now(UTC))
    assert kept(stored, "security", "day") == []
    for _ in range(2):
        refresh(stored, touched(stored), datetime.now(UTC))
    assert kept(stored, "theme", "day") == truth(stored, "theme", "day") == []
