"""What the outbox holds and tells: its entries, their states, and what makes two of them the same text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from models.records import Document
from stream.records import DeadLetter


class State(IntEnum):
    PENDING = 0
    SENT = 1
    STORED = 2
    DEAD = 3


class OutboxFull(RuntimeError):
    """The outbox reached `ingest.outbox_limit_mb` (or the disk is full): nothing of the batch was taken; try later."""


class Entry(NamedTuple):
    """A message to publish. `digest` tells an edit from a repeat; times are epoch seconds."""

    seq: int
    id: str
    topic: str
    digest: bytes
    value: bytes


class Sent(NamedTuple):
    """A message that Kafka took, where (lately and at first), and what the confirmer needs to find it in the store."""

    seq: int
    id: str
    topic: str
    partition: int
    offset: int
    first_offset: int
    fetched_at: float
    published_at: float
    sent_at: float

    @property
    def place(self) -> tuple[str, int]:
        """Topic and partition."""
        return self.topic, self.partition


class Added(NamedTuple):
    """How many items were new, or changed, and how many known; and the new documents by their source."""

    new: int
    known: int
    new_documents: Mapping[str, int] = MappingProxyType({})


def digest(item: Document | DeadLetter) -> bytes:
    """What makes two items with one id the same text; times of fetching and vendor tags do not."""
    text = (
        f"{item.title}\0{item.body}" if isinstance(item, Document) else f"{item.stage}\0{item.reason}\0{item.payload}"
    )
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
