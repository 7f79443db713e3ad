"""The outbox to Kafka, in order, many sends in flight, at the broker's pace.

A step publishes the oldest pending messages and records each one's fate: Kafka's acknowledgement (partition and
offset), a dead letter for what is too large for Kafka, or nothing, and then it goes with the next step. A broker
that is away, or that has no topics yet, raises `BrokerAway`; the caller waits and calls again. Nothing is dropped
in any of these cases, since only the outbox decides what is still to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError

from deploy.settings import Settings
from ingest.entries import Entry
from ingest.outbox import Outbox
from stream.records import DEAD, DOCUMENTS, MAX_PAYLOAD, DeadLetter

log = logging.getLogger(__name__)

BATCH = 1000  # messages a step; the wait for the last acknowledgement of a step is some milliseconds
ENVELOPE_BYTES = 1_000  # key, headers and batch header around a value
ACK_SECONDS = 30.0


class BrokerAway(RuntimeError):
    """Kafka can't be reached, or lacks our topics; the text says which."""


class Broker:
    """Connections to Kafka, made when first used and made anew after an error."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._admin: Any = None

    def logs(self) -> dict[str, str]:
        """Identity of each of our topics; it changes when a topic is created anew, so what the old one held is gone."""
        try:
            if self._admin is None:
                self._admin = KafkaAdminClient(
                    bootstrap_servers=self._settings.kafka_servers, bootstrap_timeout_ms=5_000
                )
            found = {t["name"]: t for t in self._admin.describe_topics([DOCUMENTS, DEAD]) if not t["error_code"]}
        except (KafkaError, OSError, RuntimeError, ValueError) as error:
            self.reset()
            raise BrokerAway(
                f"Kafka at {','.join(self._settings.kafka_servers)}: {error or type(error).__name__}"
            ) from error
        missing = sorted({DOCUMENTS, DEAD} - found.keys())
        if missing:
            raise BrokerAway(f"Kafka has no topic {', '.join(missing)}: `fengxiang up` creates them")
        return {name: str(topic.get("topic_id") or "") for name, topic in found.items()}

    def producer(self) -> Any:
        """The producer. Raises `BrokerAway`."""
        if self._producer is None:
            embedded = self._settings.embedded_kafka
            try:
                self._producer = KafkaProducer(
                    bootstrap_servers=self._settings.kafka_servers,
                    bootstrap_timeout_ms=5_000,
                    acks="all",
                    batch_size=self._settings.producer_batch_bytes,
                    linger_ms=20 if self._settings.producer_batch_bytes else 0,
                    # The embedded broker takes one record a batch: both of these only cost there.
                    compression_type=None if embedded else "gzip",  # gzip needs no extra package on either side
                    enable_idempotence=not embedded,
                    metrics_enabled=False,
                    max_request_size=self._settings.stream.max_message_bytes + ENVELOPE_BYTES,
                    delivery_timeout_ms=int(ACK_SECONDS * 1000),
                    request_timeout_ms=10_000,
                    max_block_ms=10_000,
                    allow_auto_create_topics=False,
                )
            except (KafkaError, OSError) as error:
                raise BrokerAway(f"Kafka at {','.join(self._settings.kafka_servers)}: {error}") from error
        return self._producer

    def reset(self) -> None:
        """Close the connections; the next use makes new ones."""
        for client, arguments in ((self._producer, {"timeout": 0}), (self._admin, {})):
            if client is not None:
                try:
                    client.close(**arguments)
                except (KafkaError, OSError, RuntimeError) as error:
                    log.debug("closing a Kafka client: %s", error)
        self._producer = self._admin = None


class Publisher:
    """Drains an outbox. One per outbox (`ingest.outbox_file.Ownership`)."""

    def __init__(
        self,
        outbox: Outbox,
        broker: Broker,
        *,
        max_message_bytes: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._outbox = outbox
        self._broker = broker
        self._max_bytes = max_message_bytes
        self._clock = clock

    def step(self, limit: int = BATCH) -> int:
        """Publish up to `limit` messages; how many Kafka took. Raises `BrokerAway` when it took none of several."""
        entries = self._outbox.pending(limit)
        if not entries:
            return 0
        # Read before sending: should the broker restart in between, the messages count as lost, never the reverse.
        logs = self._broker.logs()
        producer = self._broker.producer()
        flights: list[tuple[Entry, Any]] = []
        trouble: Exception | None = None
        for entry in entries:
            if len(entry.value) > self._max_bytes:
                self._too_large(entry)
                continue
            try:
                flights.append((entry, producer.send(entry.topic, key=entry.id.encode(), value=entry.value)))
            except MessageSizeTooLargeError:
                self._too_large(entry)
            except KafkaError as error:
                trouble = error
                break
        acks: dict[str, list[tuple[Entry, int, int]]] = {}
        for entry, flight in flights:
            try:
                place = flight.get(timeout=ACK_SECONDS + 5)
                acks.setdefault(entry.topic, []).append((entry, place.partition, place.offset))
            except MessageSizeTooLargeError:
                self._too_large(entry)
            except KafkaError as error:
                trouble = error
        for topic, taken in acks.items():
            self._outbox.mark_sent(taken, logs[topic])
        if trouble:
            self._broker.reset()
            raise BrokerAway(f"Kafka refused a message: {trouble!r}") from trouble
        return sum(map(len, acks.values()))

    def _too_large(self, entry: Entry) -> None:
        reason = (
            f"document of {len(entry.value):,} bytes is larger than stream.max_message_bytes ({self._max_bytes:,}): "
            "split it, or raise the setting and the broker's message.max.bytes"
        )
        log.warning("%s: %s", entry.id, reason, extra={"document_id": entry.id})
        room = max(
            0, min(MAX_PAYLOAD, self._max_bytes // 8) - 2_000
        )  # escapes and UTF-8 take up to 6 bytes a character
        payload = entry.value[: room * 4].decode("utf-8", "replace")[:room]
        letter = DeadLetter(
            document_id=entry.id,
            stage="ingest",
            reason=reason,
            error="MessageTooLarge",
            payload=payload,
            failed_at=self._clock(),
        )
        self._outbox.replace(entry, letter)
