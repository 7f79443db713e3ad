"""The kept counts equal the counts of the truth, after replays, late documents, re-classifications and corrections."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from clickhouse_connect.driver.client import Client

from models.trading import SHANGHAI, session_of
from stream.deadletters import Record
from stream.records import ANALYSES, AnalysedDocument, encode
from stream.sink import Sink
from stream.trends import due, refresh
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.test_rows import AT, analysed

COLUMNS = (
    "toUnixTimestamp(bucket), documents, stories, publishers, round(sentiment_score, 3), round(story_score, 3),"
    " round(publisher_score, 3), positive, neutral, negative"
)


@pytest.fixture
def sink(clickhouse_server: ClickHouseServer, stored: Client) -> Sink:
    return Sink(lambda: clickhouse_server.client(database=stored.database), epochs={}, clock=lambda: AT)


def store(sink: Sink, messages: list[AnalysedDocument], first: int) -> None:
    assert sink.store([Record(ANALYSES, 0, first + n, b"", encode(m)) for n, m in enumerate(messages)]) == []


def kept(client: Client, dimension: str, step: str) -> list[tuple[Any, ...]]:
    sql = f"SELECT key, {COLUMNS} FROM trends FINAL WHERE dimension = '{dimension}' AND step = '{step}' ORDER BY ALL"
    return list(client.query(sql).result_rows)


def truth(client: Client, dimension: str, step: str, *, corrected: bool = False) -> list[tuple[Any, ...]]:
    """The same counts from the tables of truth, or of them as corrected; sessions by the calendar in Python."""
    table, key, id_ = {
        "theme": ("document_themes", "theme", "document_id"),
        "security": ("mentions", "code", "document_id"),
        "source": ("documents", "source", "id"),
        "sentiment": ("documents", "sentiment", "id"),
    }[dimension]
    rows = client.query(
        f"SELECT {key}, published_at, {id_}, story_id, publisher, sentiment, sentiment_score"
        f" FROM {table}{'_now' if corrected else ' FINAL'}"
    ).result_rows
    groups: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    for name, moment, *rest in rows:
        groups.setdefault((name, int(BEGIN[step](moment.astimezone(SHANGHAI)).timestamp())), []).append(tuple(rest))
    return sorted(
        (
            name,
            begin,
            len({row[0] for row in group}),
            len({row[1] for row in group}),
            len({row[2] for row in group}),
            round(sum(row[4] for row in group) / len(group), 3),
            *(round(mean_of_means(group, of), 3) for of in (1, 2)),
            *(sum(row[3] == tone for row in group) for tone in ("positive", "neutral", "negative")),
        )
        for (name, begin), group in groups.items()
    )


def mean_of_means(group: list[tuple[Any, ...]], of: int) -> float:
    """The mean tone of the stories, or publishers, each by the mean of its own."""
    scores: dict[Any, list[float]] = {}
    for row in group:
        scores.setdefault(row[of], []).append(row[4])
    return sum(sum(some) / len(some) for some in scores.values()) / len(scores)


def session_begin(moment: datetime) -> datetime:
    begin = {"morning": (9, 30), "midday": (11, 30), "afternoon": (13, 0), "after_close": (15, 0)}
    hour, minute = begin.get(session_of(moment), (0, 0))
    return moment.replace(hour=hour, minute=minute, second=0, microsecond=0)


BEGIN: dict[str, Callable[[datetime], datetime]] = {
    "minute": lambda moment: moment.replace(second=0, microsecond=0),
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "session": session_begin,
    "day": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
}


def count_anew(client: Client, minute_days: int = 3660) -> None:
    refresh(client, due(client), minute_days=minute_days)


def test_kept_counts_stay_right_whatever_is_stored_again(sink: Sink, stored: Client) -> None:
    dice = random.Random(5)
    analysed_at = AT
    for step in range(6):
        analysed_at += timedelta(minutes=1)
        messages = []
        for number in dice.sample(range(60), 25):
            moment = datetime(2026, 11, 1 + dice.randrange(4), dice.randrange(24), dice.randrange(60), 30, tzinfo=UTC)
            changes: dict[str, Any] = {"published_at": moment} if dice.random() < 0.4 else {}
            if dice.random() < 0.3:
                changes["body"] = "@600099.SH #aigc" if dice.random() < 0.5 else "没有"
            messages.append(analysed(number, at=analysed_at, **changes))
        store(sink, messages, 100 * step)
        count_anew(stored)
        for dimension in ("theme", "security", "source", "sentiment"):
            for size in BEGIN:
                assert kept(stored, dimension, size) == truth(stored, dimension, size), (step, dimension, size)
    assert kept(stored, "theme", "day")


def test_a_session_is_named_and_begins_as_the_calendar_says(sink: Sink, stored: Client) -> None:
    moments = [datetime(2026, 11, 2, *at, tzinfo=SHANGHAI) for at in ((9, 29), (9, 30), (11, 30), (14, 59), (15, 0))]
    moments.append(datetime(2026, 11, 1, 10, 0, tzinfo=SHANGHAI))  # a Sunday
    store(sink, [analysed(n, published_at=moment) for n, moment in enumerate(moments)], 0)
    count_anew(stored)
    sql = "SELECT formatDateTime(bucket, '%d %H:%i'), session, documents FROM trends FINAL"
    rows = stored.query(f"{sql} WHERE step = 'session' AND dimension = 'source' ORDER BY bucket").result_rows
    assert list(rows) == [
        ("01 00:00", "closed", 1),
        ("02 00:00", "pre_open", 1),
        ("02 09:30", "morning", 1),
        ("02 11:30", "midday", 1),
        ("02 13:00", "afternoon", 1),
        ("02 15:00", "after_close", 1),
    ]


def test_minutes_are_kept_for_some_days_only(sink: Sink, stored: Client) -> None:
    now = datetime.now(UTC)
    store(sink, [analysed(n, published_at=now - timedelta(days=days)) for n, days in enumerate((0, 3, 9))], 0)
    count_anew(stored, minute_days=5)
    assert len(kept(stored, "source", "minute")) == 2 and len(kept(stored, "source", "hour")) == 3
    stored.command(
        "ALTER TABLE trends UPDATE expires_on = today() - 2 WHERE step = 'minute' SETTINGS mutations_sync = 2"
    )
    stored.command("OPTIMIZE TABLE trends FINAL")
    assert kept(stored, "source", "minute") == [] and len(kept(stored, "source", "hour")) == 3


def test_only_touched_hours_are_counted_anew(sink: Sink, stored: Client) -> None:
    moment = datetime(2026, 11, 2, 4, 20, tzinfo=UTC)
    store(sink, [analysed(1, published_at=moment)], 0)
    work = due(stored)
    assert [datetime.fromtimestamp(hour, UTC) for hour in work.hours] == [moment.replace(minute=0)]
    refresh(stored, work, minute_days=30)
    assert due(stored).hours == work.hours  # what is stored just now may be under way still
    refresh(stored, replace(work, reached=work.reached - 300_000_000), minute_days=30)
    stored.command("ALTER TABLE documents UPDATE stored_at = now64(3) - 60 WHERE 1 SETTINGS mutations_sync = 2")
    refresh(stored, due(stored), minute_days=30)
    assert due(stored).hours == []


def test_corrections_and_their_undoing_are_counted(sink: Sink, stored: Client) -> None:
    moments = [datetime(2026, 11, 2, hour, 20, tzinfo=UTC) for hour in (3, 4, 4)]
    messages = [analysed(n, published_at=at, body="@600001.SH #game") for n, at in enumerate(moments)]
    store(sink, messages, 0)
    stored.command("ALTER TABLE documents UPDATE stored_at = now64(3) - 60 WHERE 1 SETTINGS mutations_sync = 2")
    count_anew(stored)
    before = {(dimension, step): kept(stored, dimension, step) for dimension in ("theme", "security") for step in BEGIN}

    def correct(version: int, undone: bool) -> None:
        said = (("theme", "game", "aigc"), ("link", "600001.SH", "600002.SH"), ("tone", "", "negative"))
        document = messages[1].document
        rows = [[document.id, document.published_at, *words, undone, version] for words in said]
        names = ["document_id", "published_at", "kind", "subject", "correction", "undone", "version"]
        stored.insert("feedback", rows, column_names=names)

    correct(1, undone=False)
    assert [datetime.fromtimestamp(hour, UTC).hour for hour in due(stored).hours] == [4]
    count_anew(stored)
    for dimension in ("theme", "security", "source", "sentiment"):
        for step in BEGIN:
            assert kept(stored, dimension, step) == truth(stored, dimension, step, corrected=True) != []
    assert {row[0]: (row[2], row[-1]) for row in kept(stored, "theme", "day")} == {"aigc": (1, 1), "game": (2, 0)}
    assert {row[0]: row[2] for row in kept(stored, "security", "hour") if row[1] % 86400 == 4 * 3600} == {
        "600001.SH": 1,
        "600002.SH": 1,
    }
    correct(2, undone=True)
    count_anew(stored)
    assert {(dimension, step): kept(stored, dimension, step) for dimension, step in before} == before


def test_a_store_whose_clock_was_set_back_is_counted_on(sink: Sink, stored: Client) -> None:
    store(sink, [analysed(1)], 0)
    ahead = replace(due(stored), reached=int(time.time() + 3600) * 1_000_000, version=2 * 10**15)
    refresh(stored, ahead, minute_days=30)
    store(sink, [analysed(1, at=AT + timedelta(hours=1), body="没有"), analysed(2)], 1)
    count_anew(stored)
    assert kept(stored, "security", "day") == truth(stored, "security", "day") != []


def test_a_refresh_that_was_cut_off_is_made_up_for(sink: Sink, stored: Client) -> None:
    store(sink, [analysed(1)], 0)
    count_anew(stored)
    store(sink, [analysed(1, at=AT + timedelta(hours=1), body="没有")], 1)  # names nothing any more
    work = due(stored)
    with pytest.raises(ConnectionError):
        refresh(cast("Client", CutOff(stored, 1)), work, minute_days=30)
    assert due(stored).hours == work.hours
    for _ in range(2):
        count_anew(stored)
    assert kept(stored, "theme", "day") == truth(stored, "theme", "day") == []
    assert kept(stored, "security", "day") == []


class CutOff:
    """A client whose connection breaks after some commands."""

    def __init__(self, client: Client, commands: int) -> None:
        self._client, self._left = client, commands

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def command(self, *arguments: Any, **named: Any) -> Any:
        if not self._left:
            raise ConnectionError("broken")
        self._left -= 1
        return self._client.command(*arguments, **named)
