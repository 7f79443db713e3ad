"""Small typed questions to the store that more than one place asks: counts, freshness, dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from clickhouse_connect.driver.client import Client

from stream.rows import microseconds

# SQL: a dead letter's reason without what differs from letter to letter, its ids and numbers.
REASON = "replaceRegexpAll(reason, '[0-9a-f]*[0-9][0-9a-f]*', '#')"

# SQL of a row's publisher, as `tallies` and the pages count it.
PUBLISHER = "if(publisher = '', source, publisher)"
MINUTE_DAYS = 35  # how long tallies by the minute are kept

# ClickHouse's codes of a statement that asks for more than its user may: rows, time, memory, bytes.
LIMIT_CODES = frozenset({158, 159, 160, 241, 307, 396})

# The hours (beginnings, in seconds since 1970) of which something was stored, or corrected by a reader, since a moment.
TOUCHED = """
SELECT DISTINCT toUnixTimestamp(toStartOfHour(published_at)) AS hour FROM (
    SELECT published_at FROM documents WHERE stored_at >= fromUnixTimestamp64Micro({since:Int64})
    UNION ALL
    SELECT published_at FROM feedback WHERE at >= fromUnixTimestamp64Micro({since:Int64})
) ORDER BY hour
"""


def only_read(client: Client) -> None:
    """Keep a writer's client from writing. One whose user can't write anyway is left alone: a profile may refuse it."""
    known = client.server_settings.get("readonly")
    if known and known.value == "0":
        client.set_client_setting("readonly", 2)


def story(id_: str) -> str:
    """SQL: the story of a row; a document that has none is one."""
    return f"if(story_id = '', {id_}, story_id)"


class Counts(msgspec.Struct, frozen=True):
    """How much is stored. `latest` times are None in an empty store."""

    documents: int
    stories: int
    mentions: int
    dead_letters: int
    latest_published: datetime | None
    latest_stored: datetime | None


class DeadLetterRow(msgspec.Struct, frozen=True):
    """A dead letter as it is stored."""

    document_id: str
    stage: str
    reason: str
    error: str
    source: str
    failed_at: datetime
    replayed_at: datetime | None
    payload: str = ""


class ReplayRequest(msgspec.Struct, frozen=True):
    """Dead letters that an editor wants sent once more: those of a stage and source, by `REASON`, failed by `until`."""

    id: str
    stage: str
    source: str
    reason: str
    until: datetime
    by: str
    version: int


def counts(client: Client) -> Counts:
    """Counts of what is stored, each document and mention once."""
    row = client.query(
        """
        SELECT count(), uniqExact(if(story_id = '', id, story_id)), (SELECT count() FROM mentions FINAL),
            (SELECT count() FROM dead_letters FINAL), maxOrNull(published_at), maxOrNull(stored_at)
        FROM documents FINAL
        """
    ).result_rows[0]
    return Counts(*row)


def dead_letters(
    client: Client, *, stage: str = "", document_id: str = "", limit: int = 50, still_open: bool = False
) -> list[DeadLetterRow]:
    """The latest dead letters, those of one stage or one document id (or its beginning) only. Payloads are left out.

    still_open: those that were not sent again yet.
    """
    rows = client.query(
        """
        SELECT document_id, stage, reason, error, source, failed_at, replayed_at FROM dead_letters FINAL
        WHERE ({stage:String} = '' OR stage = {stage:String}) AND startsWith(document_id, {id:String})
            AND (NOT {open:Bool} OR replayed_at IS NULL)
        ORDER BY failed_at DESC, document_id LIMIT {limit:UInt32}
        """,
        parameters={"stage": stage, "id": document_id, "limit": limit, "open": still_open},
    ).result_rows
    return [DeadLetterRow(*row) for row in rows]


def dead_letter_payload(client: Client, letter: DeadLetterRow) -> str:
    """The original message of a dead letter, as text."""
    rows = client.query(
        "SELECT payload FROM dead_letters FINAL WHERE document_id = {id:String} AND stage = {stage:String}",
        parameters={"id": letter.document_id, "stage": letter.stage},
    ).result_rows
    return str(rows[0][0]) if rows else ""


def mark_replayed(client: Client, letters: Sequence[DeadLetterRow]) -> None:
    """Note that dead letters were sent again now. One that has come back since, failing once more, is not it."""
    if not letters:
        return
    client.command(
        """
        INSERT INTO dead_letters SELECT * REPLACE (now64(3) AS replayed_at, version + 1 AS version)
        FROM dead_letters FINAL WHERE (document_id, stage, toUnixTimestamp64Milli(failed_at))
            IN {letters:Array(Tuple(String, String, Int64))}
        """,
        parameters={"letters": [(x.document_id, x.stage, microseconds(x.failed_at) // 1000) for x in letters]},
    )


def fetched(client: Client, ids: Sequence[str]) -> dict[str, datetime]:
    """When the stored text of each of these documents was fetched; those that aren't stored are left out."""
    sql = "SELECT id, fetched_at FROM documents FINAL WHERE id IN {ids:Array(String)}"
    return dict(client.query(sql, parameters={"ids": list(ids)}).result_rows) if ids else {}


def open_requests(client: Client) -> list[ReplayRequest]:
    """What editors asked for that nobody has done yet, the earliest first."""
    rows = client.query(
        """
        SELECT id, stage, source, reason, until, `by`, version FROM replay_requests FINAL
        WHERE outcome = '' ORDER BY at, id LIMIT 100
        """
    ).result_rows
    return [ReplayRequest(*row) for row in rows]


def requested(client: Client, request: ReplayRequest) -> list[DeadLetterRow]:
    """The dead letters that are meant and were not sent again yet, the earliest first. Payloads are left out."""
    rows = client.query(
        f"""
        SELECT document_id, stage, reason, error, source, failed_at, replayed_at FROM dead_letters FINAL
        WHERE stage = {{stage:String}} AND source = {{source:String}} AND {REASON} = {{reason:String}}
            AND failed_at <= fromUnixTimestamp64Milli({{until:Int64}}) AND replayed_at IS NULL
        ORDER BY failed_at, document_id LIMIT 100000
        """,
        parameters={
            "stage": request.stage,
            "source": request.source,
            "reason": request.reason,
            "until": microseconds(request.until) // 1000,
        },
    ).result_rows
    return [DeadLetterRow(*row) for row in rows]


def finish_request(
    client: Client,
    request: ReplayRequest,
    outcome: Literal["done", "failed"],
    *,
    sent: int = 0,
    skipped: int = 0,
    detail: str = "",
) -> None:
    """Note what became of a request. One that was made anew since stays open."""
    client.command(
        """
        INSERT INTO replay_requests SELECT * REPLACE ({outcome:String} AS outcome, {sent:UInt32} AS sent,
            {skipped:UInt32} AS skipped, {detail:String} AS detail, now64(3) AS done_at, version + 1 AS version)
        FROM (SELECT * FROM replay_requests FINAL WHERE id = {id:String} AND version = {version:UInt64})
        """,
        parameters={
            "outcome": outcome,
            "sent": sent,
            "skipped": skipped,
            "detail": detail,
            "id": request.id,
            "version": request.version,
        },
    )
