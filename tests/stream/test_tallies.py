"""The tallies add up to the counts of the truth, whatever is stored again, comes late, moves or is corrected."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from stream.sink import Sink
from stream.tallies import keep_up
from tests.stream.test_rows import AT, analysed
from tests.stream.test_trends import sink, store

__all__ = ["sink"]

TRUTH = {
    "theme": ("document_themes_now", "theme", "document_id", "1"),
    "security": ("mentions_now", "code", "document_id", "relevance"),
    "source": ("documents_now", "source", "id", "1"),
    "document": ("documents_now", "''", "id", "1"),
}
BEGIN = {
    "minute": "toStartOfMinute(published_at)",
    "hour": "toStartOfHour(published_at)",
    "day": "toStartOfDay(published_at)",
    "week": "toDateTime(toMonday(published_at), 'Asia/Shanghai')",
}


def kept(client: Client, dimension: str, step: str) -> list[tuple[Any, ...]]:
    sql = f"""
        SELECT key, toUnixTimestamp(bucket), documents, mentions, finalizeAggregation(stories),
            finalizeAggregation(publishers), round(weight, 3), round(toned, 3), positive, neutral, negative
        FROM tallies FINAL WHERE dimension = '{dimension}' AND step = '{step}' ORDER BY ALL"""
    return list(client.query(sql).result_rows)


def truth(client: Client, dimension: str, step: str) -> list[tuple[Any, ...]]:
    table, key, id_, weight = TRUTH[dimension]
    sql = f"""
        SELECT toString({key}), toUnixTimestamp({BEGIN[step]}) AS begin, uniqExact({id_}), count(),
            uniqExact(if(story_id = '', {id_}, story_id)), uniqExact(if(publisher = '', source, publisher)),
            round(sum({weight}), 3), round(sum(sentiment_score * {weight}), 3), countIf(sentiment = 'positive'),
            countIf(sentiment = 'neutral'), countIf(sentiment = 'negative')
        FROM {table} GROUP BY {key}, begin ORDER BY ALL"""
    return list(client.query(sql).result_rows)


VERSIONS = "model_version, taxonomy_version, securities_version, code_version"
TRACES = {
    "log": ("epoch, topic, `partition`", "`offset`"),
    "versions": (VERSIONS, "toUnixTimestamp64Milli(analysed_at)"),
}


def check(client: Client, steps: tuple[str, ...] = tuple(BEGIN)) -> None:
    for dimension, (columns, measure) in TRACES.items():
        held = f"""
            SELECT key, toUnixTimestamp(bucket), documents, lowest, highest FROM tallies FINAL
            WHERE dimension = '{dimension}' AND step = 'day' ORDER BY ALL"""
        right = f"""
            SELECT concatWithSeparator('\t', {columns}) AS key, toUnixTimestamp(toStartOfDay(published_at)) AS begin,
                count(), min({measure}), max({measure})
            FROM documents FINAL GROUP BY key, begin ORDER BY ALL"""
        assert client.query(held).result_rows == client.query(right).result_rows, dimension
    of_all = "dimension = 'all' AND step = 'day'"
    held = f"SELECT toUnixTimestamp(bucket), mentions FROM tallies FINAL WHERE {of_all} ORDER BY ALL"
    day = "toUnixTimestamp(toStartOfDay(published_at)) AS day"
    right = f"SELECT {day}, count() FROM mentions_now GROUP BY day ORDER BY ALL"
    assert client.query(held).result_rows == client.query(right).result_rows
    for dimension in TRUTH:
        for step in steps:
            assert kept(client, dimension, step) == truth(client, dimension, step), (dimension, step)


def test_tallies_stay_right_whatever_is_stored_again(sink: Sink, stored: Client) -> None:
    dice = random.Random(6)
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=10)
    analysed_at = AT
    for step in range(4):
        analysed_at += timedelta(minutes=1)
        messages = []
        for number in dice.sample(range(60), 25):
            at = first + timedelta(days=3 * dice.randrange(4), minutes=dice.randrange(1440), seconds=30)
            changes: dict[str, Any] = {"published_at": at} if dice.random() < 0.4 else {"published_at": first}
            if dice.random() < 0.3:
                changes["body"] = "@600099.SH #aigc" if dice.random() < 0.5 else "没有"
            messages.append(analysed(number, at=analysed_at, **changes))
        store(sink, messages, 100 * step)
        keep_up(stored)
        check(stored)
    assert kept(stored, "theme", "day")


def test_a_correction_moves_what_is_tallied(sink: Sink, stored: Client) -> None:
    store(sink, [analysed(number, body="@600099.SH #aigc") for number in range(3)], 0)
    keep_up(stored)
    before = kept(stored, "security", "day")
    stored.command(
        "INSERT INTO feedback (document_id, published_at, kind, subject, correction, version)"
        " SELECT document_id, published_at, 'link', code, '', 1 FROM mentions FINAL WHERE code = '600099.SH' LIMIT 1"
    )
    keep_up(stored)
    check(stored, ("hour", "day", "week"))
    assert kept(stored, "security", "day") != before


def test_a_recount_of_many_weeks_leaves_nothing_of_what_is_gone(sink: Sink, stored: Client) -> None:
    first = datetime(2026, 1, 1, 4, tzinfo=UTC)
    for turn, body in enumerate(("#aigc", "没有")):
        messages = [
            analysed(number, at=AT + timedelta(minutes=turn), published_at=first + timedelta(days=number), body=body)
            for number in range(50)
        ]
        store(sink, messages, 100 * turn)
        keep_up(stored)
        check(stored, ("hour", "day", "week"))
        assert bool(kept(stored, "theme", "week")) == (turn == 0)


def test_minutes_are_not_kept_for_good(sink: Sink, stored: Client) -> None:
    old = datetime.now(UTC) - timedelta(days=60)
    store(sink, [analysed(1, published_at=old)], 0)
    keep_up(stored)
    assert kept(stored, "source", "hour") and not kept(stored, "source", "minute")
