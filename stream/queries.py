"""Small typed questions to the store that more than one place asks: counts, freshness, dead letters."""

from __future__ import annotations

from datetime import datetime

import msgspec
from clickhouse_connect.driver.client import Client

from stream.rows import microseconds


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


def dead_letters(client: Client, *, stage: str = "", document_id: str = "", limit: int = 50) -> list[DeadLetterRow]:
    """The latest dead letters, those of one stage or one document id (or its beginning) only. Payloads are left out."""
    rows = client.query(
        """
        SELECT document_id, stage, reason, error, source, failed_at, replayed_at FROM dead_letters FINAL
        WHERE ({stage:String} = '' OR stage = {stage:String}) AND startsWith(document_id, {id:String})
        ORDER BY failed_at DESC, document_id LIMIT {limit:UInt32}
        """,
        parameters={"stage": stage, "id": document_id, "limit": limit},
    ).result_rows
    return [DeadLetterRow(*row) for row in rows]


def dead_letter_payload(client: Client, letter: DeadLetterRow) -> str:
    """The original message of a dead letter, as text."""
    rows = client.query(
        "SELECT payload FROM dead_letters FINAL WHERE document_id = {id:String} AND stage = {stage:String}",
        parameters={"id": letter.document_id, "stage": letter.stage},
    ).result_rows
    return str(rows[0][0]) if rows else ""


def mark_replayed(client: Client, letter: DeadLetterRow) -> None:
    """Note that the dead letter was sent again now. One that has come back since, as it failed once more, is not it."""
    client.command(
        """
        INSERT INTO dead_letters SELECT * REPLACE (now64(3) AS replayed_at, version + 1 AS version)
        FROM dead_letters FINAL WHERE document_id = {id:String} AND stage = {stage:String}
            AND failed_at = fromUnixTimestamp64Milli({failed_at:Int64})
        """,
        parameters={
            "id": letter.document_id,
            "stage": letter.stage,
            "failed_at": microseconds(letter.failed_at) // 1000,
        },
    )
