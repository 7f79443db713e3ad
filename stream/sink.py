"""Analyses and dead letters into ClickHouse: what the storing agents do with a batch. Knows nothing of Faust.

* The rows of a batch go in table by table, `documents` last: a document that is in `documents` has all its rows.
* Doing a batch again changes nothing: keys are the document's, versions are the analysis's, and an insert carries a
  token made of the batch's place in the log, so that an identical batch isn't even written twice.
* A document analysed anew may name fewer companies or other themes: keys that it no longer has get tombstones.
* Each document gets its place among the stories here (`stream.stories`), where all documents pass in one order.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client

from models.stories import Placement
from stream import metrics
from stream.deadletters import Record, dead_letter
from stream.records import AnalysedDocument, BadMessage, DeadLetter, decode, encode
from stream.rows import (
    ID_COLUMN,
    KEYS,
    Rows,
    columns,
    dead_letter_row,
    microseconds,
    milliseconds,
    moment_of,
    version_of,
)
from stream.store import BadRows, StoreAway, classify, first_line
from stream.stories import Placer

log = logging.getLogger(__name__)


class Stored(NamedTuple):
    """What the store has of a document."""

    published_at: datetime
    fetched_at: datetime
    version: int
    story_id: str
    copy_number: int
    novelty: float

    @property
    def placement(self) -> Placement:
        return Placement(self.story_id, self.copy_number, self.novelty)


class Sink:
    """Writes batches with one client, made anew after an error. Use from one thread at a time.

    connect: a new client, or `StoreAway`; epochs: topic -> epoch; clock: aware datetimes.
    """

    def __init__(self, connect: Callable[[], Client], *, epochs: dict[str, str], clock: Callable[[], datetime]) -> None:
        self._connect, self._epochs, self._clock = connect, epochs, clock
        self._client: Client | None = None
        self._placer = Placer(self._query)

    def store(self, records: Sequence[Record]) -> list[DeadLetter]:
        """Store a batch of `fengxiang.analyses`; returns what can't be stored, ever. Raises `StoreAway`: try again."""
        dead, messages = [], []
        for record in records:
            try:
                messages.append((record, decode(record.value, AnalysedDocument)))
            except BadMessage as error:
                dead.append(self._bury(record, error))
        if records:
            offsets = [record.offset for record in records]
            self._placer.follow(records[0].topic, records[0].partition, min(offsets), max(offsets))
        try:
            self._insert([message for _, message in messages], token=token(records, self._epochs))
        except BadRows as error:
            log.warning("a batch of %d can't be stored (%s); trying one by one", len(messages), error)
            dead += self._store_singly(messages)
        return dead

    def store_dead(self, records: Sequence[Record]) -> None:
        """Store a batch of `fengxiang.dead`; what isn't a dead letter is logged. Raises `StoreAway`."""
        rows = []
        for record in records:
            try:
                rows.append(dead_letter_row(decode(record.value, DeadLetter)))
            except (BadMessage, TypeError) as error:  # TypeError: a time without zone
                log.error("not a dead letter at %s/%d/%d: %s", record.topic, record.partition, record.offset, error)
                rows.append(dead_letter_row(self._bury(record, error)))
        self._write("dead_letters", rows, token(records, self._epochs))

    # ------------------------------------------------------------------

    def _store_singly(self, messages: Sequence[tuple[Record, AnalysedDocument]]) -> list[DeadLetter]:
        dead = []
        for record, message in messages:
            try:
                self._insert([message], token=token([record], self._epochs))
            except BadRows as error:
                about = {"document_id": message.document.id}
                log.error("document %s can't be stored: %s", message.document.id, error, extra=about)
                dead.append(self._bury(record, error, message))
        return dead

    def _insert(self, messages: Sequence[AnalysedDocument], token: str) -> None:
        latest = {message.document.id: message for message in messages}  # the log's order: the last one holds
        stored = self._stored(list(latest))
        rows = Rows()
        try:
            placed = self._placer.place(list(latest.values()), {id_: row.placement for id_, row in stored.items()})
            current = [m for message in placed if (m := _renewed(message, stored.get(message.document.id)))]
            for message in current:
                rows.add(message)
        except StoreAway:
            raise
        except Exception as error:
            raise BadRows(first_line(error)) from error
        self._add_tombstones(rows, {message.document.id: message for message in current}, stored)
        for table, table_rows in rows.tables.items():
            self._write(table, table_rows, token)
        metrics.stored(current, self._clock())

    def _stored(self, ids: Sequence[str]) -> dict[str, Stored]:
        """The documents that the store has already; usually none, and then nothing else is asked."""
        if not ids:
            return {}
        sql = (
            "SELECT id, published_at, fetched_at, version, story_id, copy_number, novelty"
            " FROM documents FINAL WHERE id IN {ids:Array(String)}"
        )
        return {row[0]: Stored(*row[1:]) for row in self._query(sql, {"ids": list(ids)})}

    def _add_tombstones(self, rows: Rows, messages: dict[str, AnalysedDocument], stored: dict[str, Stored]) -> None:
        known = [id_ for id_ in messages if id_ in stored]
        if not known:
            return
        times = [microseconds(stored[id_].published_at) // 1000 for id_ in known]
        values = {"ids": known, "low": min(times), "high": max(times)}
        for table, key in KEYS.items():
            id_column, held = ID_COLUMN[table], rows.keys(table)
            sql = (
                f"SELECT {', '.join(key)} FROM {table} FINAL WHERE {id_column} IN {{ids:Array(String)}}"
                " AND published_at >= fromUnixTimestamp64Milli({low:Int64})"
                " AND published_at <= fromUnixTimestamp64Milli({high:Int64})"
            )
            for row in self._query(sql, values):
                old = tuple(milliseconds(value) if isinstance(value, datetime) else value for value in row)
                if old not in held:
                    rows.bury(table, old, version_of(messages[row[key.index(id_column)]].analysis))

    def _write(self, table: str, rows: list[dict[str, Any]], token: str) -> None:
        for number, (names, values) in enumerate(columns(rows)):
            settings = {"insert_deduplication_token": f"{token}-{number}", "insert_deduplicate": 1}
            client = self._open()
            try:
                client.insert(table, values, column_names=list(names), column_oriented=True, settings=settings)
            except Exception as error:
                raise self._failed(error) from error
            metrics.ROWS.labels(table).inc(len(values[0]))

    def _query(self, sql: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        client = self._open()
        try:
            rows: Sequence[Sequence[Any]] = client.query(sql, parameters=parameters).result_rows
            return rows
        except Exception as error:
            raise self._failed(error) from error

    def _open(self) -> Client:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _failed(self, error: Exception) -> StoreAway | BadRows:
        kind = classify(error)
        if isinstance(kind, StoreAway):
            self.close()
        return kind

    def close(self) -> None:
        """Drop the connection; the next use makes a new one."""
        if self._client is not None:
            with suppress(Exception):
                self._client.close()
            self._client = None

    def _bury(self, record: Record, error: Exception, message: AnalysedDocument | None = None) -> DeadLetter:
        epoch = self._epochs.get(record.topic, "")
        letter = dead_letter(record, "store", error, reason=str(error), epoch=epoch, now=self._clock())
        if message is None:
            return letter
        document = message.document  # what a replay needs is the document, and its place in the documents topic
        return msgspec.structs.replace(
            letter,
            document_id=document.id,
            source=document.source,
            origin=message.origin,
            payload=encode(document).decode(),
        )


def token(records: Sequence[Record], epochs: dict[str, str]) -> str:
    """Name of a batch: the same when, and only when, the same messages are stored again."""
    places = sorted((record.topic, record.partition, record.offset) for record in records)
    epoch = "".join(epochs.get(topic, "") for topic in sorted({place[0] for place in places}))
    return hashlib.blake2b(repr((epoch, places)).encode(), digest_size=16).hexdigest()


def _renewed(message: AnalysedDocument, stored: Stored | None) -> AnalysedDocument | None:
    """The message as it is to be stored; None when the store has a later analysis of the same or a later text.

    A worker whose clock was set back gives a new text an old time: it is then counted on from what is stored.
    """
    if stored is None or version_of(message.analysis) >= stored.version:
        return message
    if milliseconds(message.document.fetched_at) <= milliseconds(stored.fetched_at):
        return None
    analysis = msgspec.structs.replace(message.analysis, analysed_at=moment_of(stored.version + 1))
    return msgspec.structs.replace(message, analysis=analysis)
