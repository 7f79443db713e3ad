"""Documents once more through the models, read from the log instead of the store.

What Kafka still keeps of `fengxiang.documents` is read to where it ended when the replay began, so that a replay never
meets what it sends itself. It brings back what the store has lost, and texts that the store no longer keeps. Which
documents are meant is said by the documents' own times; Kafka's time of arrival only says where to begin (a broker that
has no offsets by time, as the embedded one, begins at the start). What the store knows better is left out: a text that
came again later, and what was analysed since the replay began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from models.records import Document
from stream.log import LogAway
from stream.records import DOCUMENTS, BadMessage, decode
from stream.replay import PAGE, Selection
from stream.rows import milliseconds

AHEAD = timedelta(days=1)  # a document may be dated so much later than it came
PATIENCE_MS = 30_000


class LogCursor(msgspec.Struct, frozen=True):
    """How far a replay of the log is. began: microseconds since 1970; partition -> its next offset, and where it ends.

    epoch: of the topic: in one that was made anew, the offsets mean nothing.
    """

    began: int
    epoch: str
    next: dict[int, int]
    end: dict[int, int]
    sent: int = 0

    @property
    def left(self) -> int:
        """Messages still to be read."""
        return sum(max(0, self.end[partition] - offset) for partition, offset in self.next.items())


class _Known(msgspec.Struct, frozen=True):
    """What the store says of a document."""

    fetched_at: datetime
    version: int
    themes: Sequence[str]
    model_version: str


def begin(servers: Sequence[str], epoch: str, selection: Selection, began: int) -> LogCursor:
    """Where a replay begins and ends. Raises `LogAway`."""
    with _consumer(servers) as consumer:
        places = [TopicPartition(DOCUMENTS, n) for n in sorted(consumer.partitions_for_topic(DOCUMENTS) or ())]
        if not places:
            return LogCursor(began, epoch, {}, {})
        first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
        arrived = int((selection.start - AHEAD).timestamp() * 1000)
        by_time = consumer.offsets_for_times(dict.fromkeys(places, max(0, arrived)))
        start = {
            place: max(first[place], found.offset) if (found := by_time.get(place)) else end[place] for place in places
        }
        return LogCursor(began, epoch, {p.partition: start[p] for p in places}, {p.partition: end[p] for p in places})


def log_pages(
    servers: Sequence[str], client: Client, selection: Selection, cursor: LogCursor
) -> Iterator[tuple[list[Document], LogCursor]]:
    """The documents that are meant, page by page, each with the cursor to keep once the page was sent; a page may be
    empty. Raises `LogAway`."""
    with _consumer(servers) as consumer:
        for partition, last in cursor.end.items():
            place = TopicPartition(DOCUMENTS, partition)
            consumer.assign([place])
            consumer.seek(place, cursor.next[partition])
            while (at := consumer.position(place)) < last:
                messages = consumer.poll(timeout_ms=PATIENCE_MS, max_records=PAGE).get(place, [])
                if not messages and consumer.position(place) == at:
                    raise LogAway(
                        f"Kafka gives nothing of {place.topic}/{partition} from offset {at:,} on, though it ends at "
                        f"{last:,}; call again to go on"
                    )
                documents = _decoded([m.value for m in messages if m.offset < last])
                meant = _meant(client, selection, cursor.began, documents)
                cursor = msgspec.structs.replace(
                    cursor,
                    next={**cursor.next, partition: min(last, consumer.position(place))},
                    sent=cursor.sent + len(meant),
                )
                yield meant, cursor


class _consumer:
    """A consumer of no group for as long as the block lasts; Kafka's errors become `LogAway`."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = list(servers)

    def __enter__(self) -> KafkaConsumer:
        try:
            self._made = KafkaConsumer(
                bootstrap_servers=self._servers,
                enable_auto_commit=False,
                auto_offset_reset="earliest",  # where Kafka has dropped what was to come next
                request_timeout_ms=30_000,
                bootstrap_timeout_ms=5_000,
            )
        except KafkaError as error:
            raise self._away(error) from error
        return self._made

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._made.close(autocommit=False)
        if isinstance(error, KafkaError):
            raise self._away(error) from error

    def _away(self, error: KafkaError) -> LogAway:
        return LogAway(f"Kafka at {', '.join(self._servers)} does not answer: {error}; call again to go on")


def _decoded(values: Sequence[bytes | None]) -> list[Document]:
    """The documents; values that are none are dead letters already."""
    found: list[Document] = []
    for value in values:
        try:
            document = decode(value, Document)
        except BadMessage:
            continue
        if document.id and document.published_at.tzinfo and document.fetched_at.tzinfo:
            found.append(document)
    return found


def _meant(client: Client, selection: Selection, began: int, documents: Sequence[Document]) -> list[Document]:
    latest = {document.id: document for document in documents}  # the log's order: the last one holds
    inside = [
        document
        for document in latest.values()
        if selection.start <= document.published_at < selection.end and selection.source in ("", document.source)
    ]
    known = _known(client, [document.id for document in inside])
    return [
        msgspec.structs.replace(document, backfill=True)
        for document in inside
        if _wanted(selection, began, document, known)
    ]


def _wanted(selection: Selection, began: int, document: Document, known: Mapping[str, _Known]) -> bool:
    stored = known.get(document.id)
    if stored is None:  # whose themes and model nobody knows
        return not selection.theme and not selection.model_version
    return (
        stored.version < began
        and milliseconds(document.fetched_at) >= milliseconds(stored.fetched_at)
        and (not selection.theme or selection.theme in stored.themes)
        and selection.model_version in ("", stored.model_version)
    )


def _known(client: Client, ids: Sequence[str]) -> dict[str, _Known]:
    if not ids:
        return {}
    sql = "SELECT id, fetched_at, version, themes, model_version FROM documents FINAL WHERE id IN {ids:Array(String)}"
    rows = client.query(sql, parameters={"ids": list(ids)}).result_rows
    return {row[0]: _Known(*row[1:]) for row in rows}
