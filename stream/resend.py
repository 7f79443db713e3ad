"""Dead letters, sent to the stream once more: by `fengxiang dead replay`, or by a worker for the dashboard's editors.

A request is carried out by one worker at a time, that of the documents' first partition, and letters that were sent are
no longer open: one that is cut off goes on with the rest. What it sent but could not mark any more is sent twice, which
stores the same rows again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer
from kafka.errors import KafkaError
from msgspec import Struct

from models.records import Document
from stream.queries import (
    DeadLetterRow,
    ReplayRequest,
    dead_letter_payload,
    fetched,
    finish_request,
    mark_replayed,
    open_requests,
    requested,
)
from stream.records import DOCUMENTS, BadMessage, decode
from stream.rows import milliseconds
from stream.store import first_line

log = logging.getLogger(__name__)

AT_ONCE = 50  # letters sent before they are marked: their originals may be large
SEND_SECONDS = 60


class Resent(Struct, frozen=True):
    """How many were sent, and of each that wasn't: its document's id, and why."""

    sent: int
    skipped: list[tuple[str, str]]


def resend(client: Client, producer: KafkaProducer, letters: Sequence[DeadLetterRow]) -> Resent:
    """Send the originals of dead letters to the stream and mark the letters as replayed. Raises `KafkaError`.

    The earlier texts of a document go first, and are left out where the store has a later one, as what is analysed last
    replaces the others; such letters are settled, too.
    """
    sent = 0
    skipped: list[tuple[str, str]] = []
    letters = sorted(letters, key=lambda letter: letter.failed_at)
    for start in range(0, len(letters), AT_ONCE):
        flights, originals = [], []
        for letter in letters[start : start + AT_ONCE]:
            payload = dead_letter_payload(client, letter).encode()
            if not payload:
                skipped.append((letter.document_id, "the original is gone: its time is over (stream.text_days)"))
                continue
            try:
                originals.append((letter, decode(payload, Document), payload))
            except BadMessage as error:
                skipped.append((letter.document_id, str(error)))
        stored = fetched(client, [document.id for _, document, _ in originals])
        for letter, document, payload in sorted(originals, key=lambda original: original[1].fetched_at):
            if document.id in stored and milliseconds(document.fetched_at) < milliseconds(stored[document.id]):
                skipped.append((letter.document_id, "a later text of it is stored"))
                continue
            flights.append(producer.send(DOCUMENTS, key=document.id.encode(), value=payload))
        for flight in flights:
            flight.get(SEND_SECONDS)
        mark_replayed(client, [letter for letter, _, _ in originals])
        sent += len(flights)
    return Resent(sent, skipped)


def carry_out(client: Client, open_producer: Callable[[], KafkaProducer]) -> list[ReplayRequest]:
    """Do what editors asked for and note its outcome; returns those requests. Kafka's refusals are an outcome, too."""
    requests = open_requests(client)
    for request in requests:
        try:
            producer = open_producer()
            try:
                done = resend(client, producer, requested(client, request))
            finally:
                producer.close()
        except KafkaError as error:
            finish_request(client, request, "failed", detail=f"Kafka: {first_line(error)}")
            log.warning("replay %s asked for by %r failed: %s", request.id, request.by, first_line(error))
            continue
        why = f"{done.skipped[0][0]}: {done.skipped[0][1]}" if done.skipped else ""
        finish_request(client, request, "done", sent=done.sent, skipped=len(done.skipped), detail=why)
        log.info("replayed %d dead letters for %r, skipped %d", done.sent, request.by, len(done.skipped))
    return requests
