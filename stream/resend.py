"""Dead letters, sent to the stream once more: by `fengxiang dead replay`, or by a worker for the dashboard's editors.

A request is carried out by one worker at a time, that of the documents' first partition, and letters that were sent are
no longer open: one that is cut off goes on with the rest. What it sent but could not mark any more is sent twice, which
stores the same rows again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import sleep

from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer
from kafka.errors import KafkaError
from msgspec import Struct

from models.records import Document
from stream.queries import (
    DeadLetterRow,
    ReplayRequest,
    dead_letter_payload,
    finish_request,
    mark_replayed,
    open_requests,
    requested,
)
from stream.records import DOCUMENTS, BadMessage, decode
from stream.store import StoreAway, first_line

log = logging.getLogger(__name__)

AT_ONCE = 50  # letters sent before they are marked: their originals may be large
SEND_SECONDS = 60
MAX_PAUSE = 60.0


class Resent(Struct, frozen=True):
    """How many were sent, and of each that wasn't: its document's id, and why its original can't be read."""

    sent: int
    skipped: list[tuple[str, str]]


def resend(client: Client, producer: KafkaProducer, letters: Sequence[DeadLetterRow]) -> Resent:
    """Send the originals of dead letters to the stream and mark the letters as replayed. Raises `KafkaError`."""
    sent = 0
    skipped: list[tuple[str, str]] = []
    for start in range(0, len(letters), AT_ONCE):
        flights = []
        for letter in letters[start : start + AT_ONCE]:
            payload = dead_letter_payload(client, letter).encode()
            try:
                document = decode(payload, Document)
            except BadMessage as error:
                skipped.append((letter.document_id, str(error)))
                continue
            flights.append((letter, producer.send(DOCUMENTS, key=document.id.encode(), value=payload)))
        for _, flight in flights:
            flight.get(SEND_SECONDS)
        mark_replayed(client, [letter for letter, _ in flights])
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


class Resender(threading.Thread):
    """Carries out what editors ask for, every `interval` seconds while `active`.

    connect: a client of its own, or `StoreAway`; open_producer: to Kafka, or `KafkaError`.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        open_producer: Callable[[], KafkaProducer],
        *,
        active: Callable[[], bool],
        interval: float = 2.0,
    ) -> None:
        super().__init__(name="resend", daemon=True)
        self._connect, self._open_producer, self._active, self._interval = connect, open_producer, active, interval
        self._client: Client | None = None

    def run(self) -> None:
        pause = self._interval
        while True:
            sleep(pause)
            if not self._active():
                continue
            try:
                self._client = self._client or self._connect()
                carry_out(self._client, self._open_producer)
                pause = self._interval
            except Exception as error:  # noqa: BLE001 - the requests wait; the stream goes on
                pause = min(2 * pause, MAX_PAUSE)
                words = str(error) if isinstance(error, StoreAway) else first_line(error)
                log.warning("dead letters are not replayed now: %s", words)
                with suppress(Exception):
                    if self._client:
                        self._client.close()
                self._client = None
