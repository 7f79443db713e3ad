"""Keeps `trends`, the counts by hour and day, in step with the tables of truth.

A sum that is carried along is wrong as soon as a document is stored twice, comes late or changes its themes, and
distinct stories don't add up at all. So nothing is carried along: the days of which something was stored since the last
refresh are counted anew, with FINAL, and what no longer has a count gets a tombstone. The version of a row is the
microsecond at which its refresh began, and the highest one says how far the refreshes have come.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime

from clickhouse_connect.driver.client import Client

from stream.rows import microseconds
from stream.store import StoreAway, first_line

log = logging.getLogger(__name__)

OVERLAP = 30_000_000  # microseconds: inserts that were under way when the last refresh began
DAYS_AT_ONCE = 31  # bounds the memory of one statement

_BUCKETS = {
    "hour": "toStartOfHour(published_at, 'Asia/Shanghai')",
    "day": "toStartOfDay(published_at, 'Asia/Shanghai')",
}
_SOURCES = {"theme": ("document_themes", "theme"), "security": ("mentions", "code")}
_TOUCHED = """
SELECT DISTINCT toDate(published_at, 'Asia/Shanghai') AS day FROM documents
WHERE stored_at >= fromUnixTimestamp64Micro({since:Int64}) ORDER BY day
"""
_COUNT = """
INSERT INTO trends
SELECT '{step}', '{dimension}', {key} AS key, toDateTime64({bucket}, 3, 'Asia/Shanghai') AS bucket,
    count(), uniqExact(document_id), uniqExact(if(story_id = '', document_id, story_id)),
    uniqExact(if(publisher = '', source, publisher)), avg(sentiment_score),
    countIf(sentiment = 'positive'), countIf(sentiment = 'neutral'), countIf(sentiment = 'negative'),
    {{version:UInt64}}, 0
FROM {table} FINAL WHERE toDate(published_at, 'Asia/Shanghai') IN {{days:Array(Date)}}
GROUP BY key, bucket
"""
_BURY = """
INSERT INTO trends (step, dimension, key, bucket, version, is_deleted)
SELECT step, dimension, key, bucket, {version:UInt64}, 1 FROM trends FINAL
WHERE toDate(bucket, 'Asia/Shanghai') IN {days:Array(Date)} AND version < {version:UInt64}
"""


def touched(client: Client) -> list[date]:
    """The days (in Shanghai) of which something was stored since the last refresh."""
    since = int(client.query("SELECT max(version) FROM trends").result_rows[0][0])
    rows = client.query(_TOUCHED, parameters={"since": max(0, since - OVERLAP)}).result_rows
    return [row[0] for row in rows]


def refresh(client: Client, days: Sequence[date], now: datetime) -> None:
    """Count the days anew. A refresh that was cut off is made up for by the next one of the same days."""
    version = microseconds(now)
    for start in range(0, len(days), DAYS_AT_ONCE):
        values = {"version": version, "days": list(days[start : start + DAYS_AT_ONCE])}
        for dimension, (table, key) in _SOURCES.items():
            for step, bucket in _BUCKETS.items():
                sql = _COUNT.format(step=step, dimension=dimension, key=key, bucket=bucket, table=table)
                client.command(sql, parameters=values)
        client.command(_BURY, parameters=values)


class Refresher(threading.Thread):
    """Refreshes every `interval` seconds while `active`, less often where a refresh takes long.

    connect: a client of its own, or `StoreAway`.
    """

    def __init__(self, connect: Callable[[], Client], *, active: Callable[[], bool], interval: float = 5.0) -> None:
        super().__init__(name="trends", daemon=True)
        self._connect, self._active, self._interval = connect, active, interval
        self._client: Client | None = None

    def run(self) -> None:
        pause = self._interval
        while True:
            time.sleep(pause)
            if not self._active():
                continue
            began = time.monotonic()
            try:
                self._client = self._client or self._connect()
                now = datetime.now(UTC)
                if days := touched(self._client):
                    refresh(self._client, days, now)
            except Exception as error:  # noqa: BLE001 - the trends wait; the stream goes on
                log.warning(
                    "trends are not refreshed: %s", error if isinstance(error, StoreAway) else first_line(error)
                )
                with suppress(Exception):
                    if self._client:
                        self._client.close()
                self._client = None
            pause = max(self._interval, 10 * (time.monotonic() - began))
