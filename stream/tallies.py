"""Keeps `tallies`, counts by minute, hour, day and week that add up, in step with the tables of truth.

`trends` says what a step's counts are; its distinct stories don't add up. Here they are sets, so that the dashboard
counts a window of any length, and twenty earlier ones, from a few rows. As in `stream.trends`, the hours of which
something was stored, or corrected, since the last refresh are counted anew, and what no longer has a count gets a
tombstone. A day is the sum of its hours, a week that of its days. How many documents each partition of the log and each
version gave is counted beside, by the hour and day. Until an hour is counted anew its documents are counted from
the tables of truth (`dashboard.queries.tallies`), so a reader sees no delay.
"""

from __future__ import annotations

from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

from stream.queries import MINUTE_DAYS, PUBLISHER, TOUCHED, story
from stream.refreshes import Reach, note, parts, reach
from stream.retention import first_kept

NOTES = "tally_refreshes"

# Dimension -> the table of truth as corrected, its column, the column of the document's id, name and weight of a row.
_DIMENSIONS = {
    "theme": ("document_themes_now", "theme", "document_id", "''", "1"),
    "security": ("mentions_now", "code", "document_id", "argMax(name, published_at)", "relevance"),
    "source": ("documents_now", "source", "id", "''", "1"),
    "document": ("documents_now", "''", "id", "''", "1"),  # all of them
}
_COLUMNS = """step, dimension, bucket, key, name, documents, mentions, stories, publishers, weight, toned,
    positive, neutral, negative, lowest, highest, expires_on, version"""
_COUNT = """
INSERT INTO tallies ({columns})
WITH bucket_of.1 AS step, bucket_of.2 AS bucket
SELECT step, '{dimension}', bucket, {key} AS key, {name}, uniqExact({id}), count(),
    uniqState(cityHash64({story})), uniqState(cityHash64({publisher})),
    sum({weight}), sum(sentiment_score * {weight}),
    countIf(sentiment = 'positive'), countIf(sentiment = 'neutral'), countIf(sentiment = 'negative'), 0, 0,
    if(step = 'minute', toDate(bucket) + {minute_days}, toDate('2149-06-06')), {{version:UInt64}}
FROM {table} ARRAY JOIN [
    ('minute', toDateTime64(toStartOfMinute(published_at), 3, 'Asia/Shanghai')),
    ('hour', toDateTime64(toStartOfHour(published_at), 3, 'Asia/Shanghai'))
] AS bucket_of
WHERE published_at >= fromUnixTimestamp({{first:UInt32}}) AND published_at < fromUnixTimestamp({{end:UInt32}})
    AND toUnixTimestamp(toStartOfHour(published_at)) IN {{hours:Array(UInt32)}}
    AND (step = 'hour' OR toDate(published_at) >= {{minutes_from:Date}})
GROUP BY step, bucket, key
"""
# Where documents came from and what produced them, the parts of a key divided by tabs.
_TRACE = """
INSERT INTO tallies (step, dimension, bucket, key, documents, lowest, highest, version)
SELECT 'hour', of.1, toDateTime64(toStartOfHour(published_at), 3, 'Asia/Shanghai') AS bucket,
    arrayStringConcat(of.2, '\t'), count(), min(of.3), max(of.3), {version:UInt64}
FROM documents FINAL ARRAY JOIN [
    ('log', [toString(epoch), toString(topic), toString(`partition`)], `offset`),
    ('versions', [toString(model_version), toString(taxonomy_version), toString(securities_version),
        toString(code_version)], toUInt64(toUnixTimestamp64Milli(analysed_at)))
] AS of
WHERE published_at >= fromUnixTimestamp({first:UInt32}) AND published_at < fromUnixTimestamp({end:UInt32})
    AND toUnixTimestamp(toStartOfHour(published_at)) IN {hours:Array(UInt32)}
GROUP BY of.1, of.2, bucket
"""
_ADD = """
INSERT INTO tallies ({columns})
SELECT '{step}', dimension, toDateTime64({start}(bucket), 3, 'Asia/Shanghai') AS at, key, argMax(name, bucket),
    sum(documents), sum(mentions), uniqMergeState(stories), uniqMergeState(publishers), sum(weight), sum(toned),
    sum(positive), sum(neutral), sum(negative), min(lowest), max(highest), toDate('2149-06-06'), {{version:UInt64}}
FROM tallies FINAL
WHERE step = '{of}' AND bucket >= fromUnixTimestamp({{first{of_week}:UInt32}})
    AND bucket < fromUnixTimestamp({{end{of_week}:UInt32}}) AND toDate({start}(bucket)) IN {{{step}s:Array(Date)}}{only}
GROUP BY dimension, at, key
"""
_MENTIONS = """
INSERT INTO tallies (step, dimension, bucket, mentions, version)
SELECT 'day', 'all', toDateTime64(toStartOfDay(bucket), 3, 'Asia/Shanghai') AS day, sum(mentions), {version:UInt64}
FROM tallies FINAL
WHERE step = 'hour' AND dimension = 'security' AND bucket >= fromUnixTimestamp({first:UInt32})
    AND bucket < fromUnixTimestamp({end:UInt32}) AND toDate(bucket) IN {days:Array(Date)}
GROUP BY day
"""
_BURY = """
INSERT INTO tallies (step, dimension, bucket, key, expires_on, version, is_deleted)
SELECT step, dimension, bucket, key, expires_on, {{version:UInt64}}, 1 FROM tallies FINAL
WHERE bucket >= fromUnixTimestamp({{first_week:UInt32}}) AND bucket < fromUnixTimestamp({{end:UInt32}}) AND {of}
    AND version < {{version:UInt64}}
"""
_OF_HOURS = "step IN ('minute', 'hour') AND toUnixTimestamp(toStartOfHour(bucket)) IN {hours:Array(UInt32)}"
_OF_DAYS = "step = 'day' AND toDate(bucket) IN {days:Array(Date)}"
_OF_WEEKS = "step = 'week' AND toDate(bucket) IN {weeks:Array(Date)}"
_COUNTED = f"\n    AND dimension IN {tuple(_DIMENSIONS)}"
# In this order: what is summed up must be rid of what no longer has a count.
_SUMS = (
    _TRACE,
    _BURY.format(of=_OF_HOURS),
    _ADD.format(columns=_COLUMNS, step="day", of="hour", start="toStartOfDay", of_week="", only=""),
    _MENTIONS,
    _BURY.format(of=_OF_DAYS),
    _ADD.format(columns=_COLUMNS, step="week", of="day", start="toMonday", of_week="_week", only=_COUNTED),
    _BURY.format(of=_OF_WEEKS),
)


def keep_up(client: Client, *, document_days: int = 0) -> None:
    """Count anew what was stored or corrected since the last refresh. document_days: how long what is counted is kept;
    days before keep the counts that they have."""
    now = reach(client, NOTES)
    rows = client.query(TOUCHED, parameters={"since": now.since}).result_rows
    first = first_kept(document_days, now.reached)
    if hours := [row[0] for row in rows if row[0] >= first]:
        refresh(client, hours, now)


def refresh(client: Client, hours: Sequence[int], now: Reach) -> None:
    """Count the hours (their beginnings, in order, in seconds since 1970), their minutes, days and weeks anew."""
    for values in parts(hours, now.reached, now.version, MINUTE_DAYS):
        for dimension, (table, key, id_, name, weight) in _DIMENSIONS.items():
            sql = _COUNT.format(
                columns=_COLUMNS, dimension=dimension, table=table, key=key, id=id_, name=name, weight=weight,
                story=story(id_), publisher=PUBLISHER, minute_days=MINUTE_DAYS,
            )  # fmt: skip
            client.command(sql, parameters=values)
        for sql in _SUMS:
            client.command(sql, parameters=values)
    note(client, NOTES, now.reached, now.version)
