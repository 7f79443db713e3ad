"""The log as Kafka keeps it: which topic numbers the offsets, where partitions begin and end, how far our groups are.

Offsets mean something only within an *epoch*: the id that Kafka gave the topic when it was created. A topic made anew
counts from 0 again and has another id; the embedded broker forgets its topics at every restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from deploy.settings import Settings
from stream.records import ANALYSES, DEAD, DOCUMENTS

# The workers' consumer group of each topic: analysing and storing move on their own (see stream.app).
GROUPS = {DOCUMENTS: "fengxiang-analyse", ANALYSES: "fengxiang-store", DEAD: "fengxiang-store"}


Found = TypeVar("Found")


class LogAway(RuntimeError):
    """No broker answers, or it refuses; the text names the servers."""


@dataclass(frozen=True)
class PartitionState:
    """One partition: first offset kept, the next offset to be written, and our group's next offset to read."""

    topic: str
    partition: int
    begin: int
    end: int
    committed: int | None  # None: the group has committed nothing

    @property
    def lag(self) -> int:
        """Messages that the group has not finished."""
        return max(0, self.end - max(self.begin, self.committed or 0))


class Log:
    """A reader of the log's shape and of how far our groups are. One per thread; `close` it.

    Every method raises `LogAway`.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = list(servers)
        try:
            patience = {"bootstrap_timeout_ms": 5_000}
            self._admin = KafkaAdminClient(bootstrap_servers=self._servers, request_timeout_ms=10_000, **patience)
            self._consumer = KafkaConsumer(bootstrap_servers=self._servers, request_timeout_ms=10_000, **patience)
        except KafkaError as error:
            raise self._away(error) from error

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._admin.close()
        self._consumer.close(autocommit=False)

    def epochs(self, topics: Iterable[str]) -> dict[str, str]:
        """Topic -> id of its creation, or the cluster's where topics have none. Missing topics are absent."""
        try:
            cluster = str(self._admin.describe_cluster()["cluster_id"])
            known = set(self._admin.list_topics())
            described = self._admin.describe_topics([topic for topic in topics if topic in known])
        except KafkaError as error:
            raise self._away(error) from error
        return {t["name"]: str(t.get("topic_id") or cluster) for t in described if not t["error_code"]}

    def partitions(self, topics: Iterable[str]) -> list[PartitionState]:
        """State of every partition of `topics`, ordered by topic and partition. A topic that isn't there has none."""
        try:
            known = set(self._admin.list_topics())
            described = self._admin.describe_topics([topic for topic in topics if topic in known])
            places = [TopicPartition(t["name"], p["partition_index"]) for t in described for p in t["partitions"]]
            if not places:
                return []
            begin, end = self._consumer.beginning_offsets(places), self._consumer.end_offsets(places)
            committed = self._committed(places)
        except KafkaError as error:
            raise self._away(error) from error
        if silent := [place for place in places if place not in begin or place not in end]:
            raise LogAway(f"Kafka gives no offsets of {silent[0].topic}/{silent[0].partition}: try again")
        return [
            PartitionState(place.topic, place.partition, begin[place], end[place], committed.get(place))
            for place in sorted(places)
        ]

    def _committed(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = {}
        for group in {GROUPS[place.topic] for place in places if place.topic in GROUPS}:
            offsets = self._admin.list_group_offsets(group)[group]
            ours = (place for place in places if GROUPS.get(place.topic) == group and place in offsets)
            found |= {place: offsets[place].offset for place in ours if offsets[place].offset >= 0}
        return found

    def _away(self, error: KafkaError) -> LogAway:
        return LogAway(f"Kafka at {', '.join(self._servers)} does not answer: {error}")

    def look_up(
        self,
        topic: str,
        partition: int,
        first: int,
        last: int,
        read: Callable[[bytes, bytes], Found],
        timeout: float = 10.0,
    ) -> dict[int, Found]:
        """Offset -> what `read` makes of key and value of the messages `first` to `last`, both included.

        What the log no longer has is absent.
        """
        place = TopicPartition(topic, partition)
        found: dict[int, Found] = {}
        try:
            self._consumer.assign([place])
            self._consumer.seek(place, first)
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline and self._consumer.position(place) <= last:
                for message in self._consumer.poll(timeout_ms=500).get(place, []):
                    if message.offset > last:
                        return found
                    found[message.offset] = read(message.key or b"", message.value or b"")
        except KafkaError as error:
            raise self._away(error) from error
        return found


def open_producer(settings: Settings) -> KafkaProducer:
    """A producer for documents that go through the stream once more; close it. Raises `KafkaError`."""
    return KafkaProducer(
        bootstrap_servers=settings.kafka_servers,
        acks="all",
        batch_size=settings.producer_batch_bytes,
        max_request_size=settings.stream.max_message_bytes + 10_000,
        compression_type="gzip",
    )
