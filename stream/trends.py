"""Keeps `trends`, the counts by minute, hour, trading session and day, in step with the tables of truth.

A sum that is carried along is wrong as soon as a document is stored twice, comes late or changes its themes, and
distinct stories don't add up at all. So nothing is carried along: the hours and days of which something was stored, or
corrected by a reader, since the last refresh (`stream.refreshes`) are counted anew, from the views that hold the
corrections, and what no longer has a count gets a tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from models.trading import BOUNDS, is_trading_day
from stream.queries import TOUCHED
from stream.refreshes import note, parts, reach
from stream.retention import first_kept

NOTES = "trend_refreshes"

# Dimension -> the table of truth as corrected, its column, and the column of the document's id.
_DIMENSIONS = {
    "theme": ("document_themes_now", "theme", "document_id"),
    "security": ("mentions_now", "code", "document_id"),
    "source": ("documents_now", "source", "id"),
    "sentiment": ("documents_now", "sentiment", "id"),
}
_MINUTES = "toHour(published_at) * 60 + toMinute(published_at)"
_COUNT = """
INSERT INTO trends
    (step, dimension, key, bucket, session, mentions, documents, stories, publishers, sentiment_score, story_score,
     publisher_score, positive, neutral, negative, expires_on, version)
WITH bucket_of.1 AS step, bucket_of.2 AS bucket, bucket_of.3 AS session,
    if(story_id = '', {id}, story_id) AS story, toString(if(publisher = '', source, publisher)) AS teller
SELECT step, '{dimension}', {key} AS key, bucket, session,
    count(), uniqExact({id}), uniqExact(story), uniqExact(teller), avg(sentiment_score),
    arrayAvg(mapValues(avgMap(map(story, sentiment_score)))),
    arrayAvg(mapValues(avgMap(map(teller, sentiment_score)))),
    countIf(sentiment = 'positive'), countIf(sentiment = 'neutral'), countIf(sentiment = 'negative'),
    if(step = 'minute', toDate(bucket) + {{minute_days:UInt16}}, toDate('2149-06-06')), {{version:UInt64}}
FROM {table} ARRAY JOIN {buckets} AS bucket_of
WHERE published_at >= fromUnixTimestamp({{first:UInt32}}) AND published_at < fromUnixTimestamp({{end:UInt32}})
    AND toDate(published_at) IN {{days:Array(Date)}}
    AND (step IN ('session', 'day') OR toUnixTimestamp(toStartOfHour(published_at)) IN {{hours:Array(UInt32)}})
    AND (step != 'minute' OR toDate(published_at) >= {{minutes_from:Date}})
GROUP BY step, key, bucket, session
"""
_BURY = """
INSERT INTO trends (step, dimension, key, bucket, expires_on, version, is_deleted)
SELECT step, dimension, key, bucket, expires_on, {version:UInt64}, 1 FROM trends FINAL
WHERE bucket >= fromUnixTimestamp({first:UInt32}) AND bucket < fromUnixTimestamp({end:UInt32})
    AND toDate(bucket) IN {days:Array(Date)}
    AND (step IN ('session', 'day') OR toUnixTimestamp(toStartOfHour(bucket)) IN {hours:Array(UInt32)})
    AND version < {version:UInt64}
"""


@dataclass(frozen=True)
class Due:
    """What a refresh has to count: the hours (their beginnings, in order) of which something was stored or corrected
    since the last.

    reached: the store's time before the hours were asked for; version: of the rows to be written.
    """

    hours: Sequence[int]  # seconds since 1970
    reached: int  # microseconds since 1970
    version: int


def keep_up(client: Client, *, minute_days: int, document_days: int = 0) -> None:
    """Refresh what is due. minute_days: how long minutes are kept; document_days: how long what is counted is."""
    if (work := due(client, document_days=document_days)).hours:
        refresh(client, work, minute_days=minute_days)


def due(client: Client, *, document_days: int = 0) -> Due:
    """The hours of which something was stored or corrected since the last refresh, overlap included.

    Days of which rows have been dropped (stream.retention) keep the counts that they have: the truth is gone.
    """
    since, reached, version = reach(client, NOTES)
    rows = client.query(TOUCHED, parameters={"since": since}).result_rows
    first = first_kept(document_days, reached)
    return Due([row[0] for row in rows if row[0] >= first], reached, version)


def refresh(client: Client, due: Due, *, minute_days: int) -> None:
    """Count the hours, and their days and sessions, anew. Minutes are counted for the last `minute_days` days only."""
    for part in parts(due.hours, due.reached, due.version, minute_days):
        trading_days = [day for day in part["days"] if is_trading_day(day)]
        values = {**part, "trading_days": trading_days, "minute_days": minute_days}
        for dimension, (table, key, id_) in _DIMENSIONS.items():
            sql = _COUNT.format(dimension=dimension, table=table, key=key, id=id_, buckets=_buckets())
            client.command(sql, parameters=values)
        client.command(_BURY, parameters=values)
    note(client, NOTES, due.reached, due.version)


def _buckets() -> str:
    """SQL: the (step, beginning, session) of each bucket that a row falls in."""
    begins, names, begin = [], [], 0
    for end, name in BOUNDS:
        minute = end.hour * 60 + end.minute
        begins.append(f"{_MINUTES} < {minute}, {begin}")
        names.append(f"{_MINUTES} < {minute}, '{name}'")
        begin = minute
    closed = "toDate(published_at) NOT IN {trading_days:Array(Date)}"
    session = f"multiIf({closed}, 'closed', {', '.join(names)}, 'after_close')"
    minutes = f"multiIf({closed}, 0, {', '.join(begins)}, {begin})"
    day = "toStartOfDay(published_at)"
    parts = {
        "minute": ("toStartOfMinute(published_at)", "''"),
        "hour": ("toStartOfHour(published_at)", "''"),
        "session": (f"addMinutes({day}, {minutes})", session),
        "day": (day, "''"),
    }
    tuples = (
        f"('{step}', toDateTime64({bucket}, 3, 'Asia/Shanghai'), {name})" for step, (bucket, name) in parts.items()
    )
    return f"[{', '.join(tuples)}]"
