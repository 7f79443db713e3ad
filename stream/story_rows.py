"""Keeps `stories`, one row a story, in step with the documents.

Sums that are carried along would count a document again that is replayed, and keep a tone or a first publisher that no
longer holds, because an aggregate takes nothing back. So a story of which a document was stored or corrected since the
last refresh (`stream.refreshes`) is counted anew, from the view that holds the readers' corrections; the row of a key
that it no longer has gets a tombstone.

Its other documents are found by time, in whose order the documents lie: a copy is published within `WINDOW` of
another one, so the row that the story has already touches that span, and says from when to when the rest was told.
A document that is moved in time leaves a tombstone at its former moment, which is as new as its row. When very many
stories are due, as after an upgrade, all are counted anew, part by part. Stories that ended before the oldest document
that is kept stay as they are: the truth is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from models.stories import WINDOW
from stream.refreshes import note, reach

NOTES = "story_refreshes"
AT_ONCE = 1000  # stories of a statement, whose ids travel with it
MANY = 50_000  # due at once: counting all is less work, and needs no list of them
PART = 500_000  # documents of a part, of which the memory is
_MARGIN = int(WINDOW.total_seconds() * 1000)

# By document: its story, and its former moments, too.
_TOUCHED = """
SELECT if(of = '', id, of) AS story, toUnixTimestamp64Milli(min(low)), toUnixTimestamp64Milli(max(high))
FROM (
    SELECT id, argMaxIf(story_id, version, NOT is_deleted) AS of, min(published_at) AS low, max(published_at) AS high
    FROM (
        SELECT id, published_at, story_id, version, is_deleted FROM documents
        WHERE stored_at >= fromUnixTimestamp64Micro({since:Int64})
        UNION ALL
        SELECT id, published_at, story_id, version, is_deleted FROM documents
        WHERE published_at IN (SELECT published_at FROM feedback WHERE at >= fromUnixTimestamp64Micro({since:Int64}))
            AND id IN (SELECT document_id FROM feedback WHERE at >= fromUnixTimestamp64Micro({since:Int64}))
    )
    GROUP BY id
)
GROUP BY story ORDER BY min(low), story LIMIT {limit:UInt64}
"""
_SPAN = """
SELECT toUnixTimestamp64Milli(min(first_at)), toUnixTimestamp64Milli(max(last_at)), count() FROM stories FINAL
WHERE first_at <= fromUnixTimestamp64Milli({high:Int64}) AND last_at >= fromUnixTimestamp64Milli({low:Int64})
    AND story_id IN {ids:Array(String)}
"""
_COUNT = """
INSERT INTO stories
    (story_id, first_at, last_at, first_id, first_source, first_publisher, title, copies, publishers, sources, kinds,
     themes, codes, sentiment_score, publisher_score, positive, neutral, negative, version)
WITH toString(if(publisher = '', source, publisher)) AS teller,
    argMin((id, source, teller, title), (published_at, copy_number, id)) AS first,
    groupArrayArray(themes) AS of_themes, groupArrayArray(codes) AS of_codes
SELECT if(story_id = '', id, story_id) AS story, min(published_at), max(published_at),
    first.1, first.2, first.3, first.4, uniqExact(id), uniqExact(teller),
    arraySort(groupUniqArray(source)), arraySort(groupUniqArray(kind)),
    arraySort(x -> (-countEqual(of_themes, x), x), arrayDistinct(of_themes)),
    arraySort(x -> (-countEqual(of_codes, x), x), arrayDistinct(of_codes)),
    avg(sentiment_score), arrayAvg(mapValues(avgMap(map(teller, sentiment_score)))),
    countIf(sentiment = 'positive'), countIf(sentiment = 'neutral'), countIf(sentiment = 'negative'),
    {version:UInt64}
FROM documents_now
WHERE """
_THESE = """published_at >= fromUnixTimestamp64Milli({low:Int64})
    AND published_at <= fromUnixTimestamp64Milli({high:Int64}) AND story IN {ids:Array(String)}
GROUP BY story
"""
_ALL = """sipHash64(story) % {parts:UInt32} = {part:UInt32}
GROUP BY story
"""
_BURY = """
INSERT INTO stories (first_at, story_id, version, is_deleted)
SELECT first_at, story_id, {version:UInt64}, 1 FROM stories FINAL
WHERE version < {version:UInt64}"""
_BURY_ALL = " AND last_at >= (SELECT min(published_at) FROM documents)"
_BURY_THESE = """
    AND first_at >= fromUnixTimestamp64Milli({low:Int64}) AND first_at <= fromUnixTimestamp64Milli({high:Int64})
    AND story_id IN {ids:Array(String)}
"""


class Touched(NamedTuple):
    """A story to be counted anew: its id, and between which moments (milliseconds since 1970) something changed."""

    id: str
    low: int
    high: int


def keep_up(client: Client) -> None:
    """Count the stories anew of which a document was stored or corrected since the last time."""
    since, reached, version = reach(client, NOTES)
    rows = client.query(_TOUCHED, parameters={"since": since, "limit": MANY + 1}).result_rows
    touched = [Touched(*row) for row in rows]
    if len(touched) > MANY:
        _count_all(client, version)
    else:
        for start in range(0, len(touched), AT_ONCE):
            _count(client, touched[start : start + AT_ONCE], version)
    if touched:
        note(client, NOTES, reached, version)


def _count(client: Client, some: Sequence[Touched], version: int) -> None:
    ids = [story.id for story in some]
    low, high = min(story.low for story in some), max(story.high for story in some)
    near = {"ids": ids, "low": low - _MARGIN, "high": high + _MARGIN}
    first, last, known = client.query(_SPAN, parameters=near).result_rows[0]
    if known:
        low, high = min(low, first), max(high, last)
    values = {"ids": ids, "low": low, "high": high, "version": version}
    client.command(_COUNT + _THESE, parameters=values)
    client.command(_BURY + _BURY_THESE, parameters=values)


def _count_all(client: Client, version: int) -> None:
    documents = int(client.query("SELECT count() FROM documents").result_rows[0][0])
    parts = 1 + documents // PART
    for part in range(parts):
        client.command(_COUNT + _ALL, parameters={"parts": parts, "part": part, "version": version})
    client.command(_BURY + _BURY_ALL, parameters={"version": version})
