"""How long texts and rows are kept: excerpts after `stream.text_days`, nothing after `stream.document_days`.

Rows go by ClickHouse's own TTL on the time that each table's key holds: all versions of a row, and all rows of a
document, age alike, each replica does it by itself, and nobody has to run. What has to be asked is whether the tables
have the TTL that the settings say; they are altered where they don't.

Texts can't go that way. A column's TTL sets a default, which could be an excerpt only if a second column kept it
beside every text from the first day; and one that groups rows keeps any value of the other columns. So a mutation cuts
them: in place, since a new version of the row would count as a new analysis, and all versions, since a superseded one
lies on the disk until it is merged away. `documents.text_length` says what was cut. The mentions' sentences and the
reports' reasons are cut first, so that a run that ended midway is done again. Whole days count, so that parts are
rewritten once a day, and for late documents; where nothing is due, only that column is looked at. One mutation a table,
over all months that are due: each costs seconds before it begins, and passes parts without due rows by.
"""

from __future__ import annotations

import logging
import re
from datetime import date, datetime, timedelta

from clickhouse_connect.driver.client import Client

from models.trading import SHANGHAI, midnight
from stream.rows import moment_of

log = logging.getLogger(__name__)

EXCERPT = 200  # characters of a text that are kept
AROUND = 20  # characters that are kept on each side of a name
# Table -> the time by which its rows age. Counts (`trends`) and what readers wrote of themselves stay.
AGED = {
    "documents": "published_at",
    "stories": "first_at",
    "mentions": "published_at",
    "document_themes": "published_at",
    "reports": "published_at",
    "analysis_history": "published_at",
    "feedback": "published_at",
    "dead_letters": "failed_at",
    "alerts": "fired_at",
    "alert_deliveries": "at",
}
_LATER = {"mutations_sync": 0, "alter_sync": 0}  # begun and left to the store: parts may take longer than a request
_TTL = re.compile(r" TTL (.+?)(?: SETTINGS |$)")

_DUE = "SELECT count(), min(published_at) FROM documents WHERE text_length IS NULL AND published_at < {before}"
_DUE_LETTERS = "SELECT count() FROM dead_letters WHERE notEmpty(payload) AND failed_at < {before}"
_SINCE = "published_at >= {since} AND published_at < {before}"
_CUT = {
    "mentions": f"""
UPDATE sentence = substringUTF8(sentence, greatest(toInt64(start) - {AROUND}, toInt64(sentence_start)) - sentence_start
        + 1, `end` + {AROUND} - greatest(toInt64(start) - {AROUND}, toInt64(sentence_start))),
    sentence_start = toUInt32(greatest(toInt64(start) - {AROUND}, toInt64(sentence_start)))
WHERE field = 'body' AND lengthUTF8(sentence) > `end` - start + 2 * {AROUND} AND {_SINCE}""",
    "reports": f"""
UPDATE recommendations = CAST(arrayMap(r -> (r.1, r.2, if(lengthUTF8(r.3) > {EXCERPT},
        concat(substringUTF8(r.3, 1, {EXCERPT}), '…'), r.3), r.4), recommendations),
    'Array(Tuple(name String, code String, reason String, `group` String))')
WHERE arrayExists(r -> lengthUTF8(r.3) > {EXCERPT + 1}, recommendations) AND {_SINCE}""",
    "documents": f"""
UPDATE text_length = if(lengthUTF8(body) > {EXCERPT}, lengthUTF8(body), 0),
    body = if(lengthUTF8(body) > {EXCERPT}, concat(substringUTF8(body, 1, {EXCERPT}), '…'), body)
WHERE text_length IS NULL AND {_SINCE}""",
}
_CUT_LETTERS = "UPDATE payload = '' WHERE notEmpty(payload) AND failed_at < {before}"


def kept_from(days: int, today: date) -> date | None:
    """The first day (Shanghai) of which everything is kept; None: all days."""
    return today - timedelta(days=days - 1) if days else None


def first_kept(days: int, now: int) -> int:
    """The beginning of the first day of which all rows are kept, in seconds since 1970; now: in microseconds."""
    first = kept_from(days, moment_of(now).astimezone(SHANGHAI).date())
    return int(midnight(first).timestamp()) if first else 0


class Retention:
    """What is kept how long, in days; 0: for good. cluster: of ClickHouse, empty for a single node."""

    def __init__(self, *, text_days: int, document_days: int, cluster: str = "") -> None:
        self._text_days, self._document_days, self._cluster = text_days, document_days, cluster

    def keep(self, client: Client, today: date | None = None) -> None:
        """Have the store drop and cut what is due. Mutations of an earlier call are left to end first."""
        self._set_ttls(client)
        if self._text_days and not self._busy(client):
            self._cut(client, today or datetime.now(SHANGHAI).date())

    def _set_ttls(self, client: Client) -> None:
        sql = "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()"
        engines = dict(client.query(sql).result_rows)
        days = self._document_days
        for table, column in AGED.items():
            wanted = f"toDateTime({column}) + toIntervalDay({days})" if days else ""
            has = _TTL.search(engines[self._local(table)])
            if (has[1] if has else "") != wanted:
                log.info("%s: rows are kept for %s", table, f"{days} days" if days else "good")
                self._run(client, table, f"MODIFY TTL {wanted}" if days else "REMOVE TTL")

    def _busy(self, client: Client) -> bool:
        """Whether mutations of our tables go on; one that fails is told."""
        rows = client.query(
            "SELECT table, latest_fail_reason FROM system.mutations"
            " WHERE database = currentDatabase() AND NOT is_done AND table IN {tables:Array(String)}",
            parameters={"tables": [self._local(table) for table in AGED]},
        ).result_rows
        for table, reason in rows:
            if reason:
                log.warning("%s: what is due can't be cut or dropped: %s", table, reason)
        return bool(rows)

    def _cut(self, client: Client, today: date) -> None:
        before = _sql(midnight(today - timedelta(days=self._text_days)))
        count, first = client.query(_DUE.format(before=before)).result_rows[0]
        if count:
            log.info("texts of %d documents are over: excerpts stay", count)
            for table, change in _CUT.items():
                self._run(client, table, change.format(since=_sql(first), before=before))
        if letters := client.command(_DUE_LETTERS.format(before=before)):
            log.info("the originals of %s dead letters are over", letters)
            self._run(client, "dead_letters", _CUT_LETTERS.format(before=before))

    def _run(self, client: Client, table: str, change: str) -> None:
        settings = _LATER | ({"distributed_ddl_task_timeout": 0} if self._cluster else {})
        client.command(self._alter(table, change), settings=settings)

    def _local(self, table: str) -> str:
        return f"{table}_local" if self._cluster else table

    def _alter(self, table: str, change: str) -> str:
        everywhere = f" ON CLUSTER `{self._cluster}`" if self._cluster else ""
        return f"ALTER TABLE {self._local(table)}{everywhere} {change.strip()}"


def _sql(moment: datetime) -> str:
    """A moment in SQL text: a mutation is kept as text, without parameters."""
    return f"fromUnixTimestamp64Milli({int(moment.timestamp() * 1000)})"
