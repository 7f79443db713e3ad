"""Messages on Kafka: what each topic carries, and the one place that encodes and decodes them.

| topic                | key         | value              |
|----------------------|-------------|--------------------|
| fengxiang.documents  | document id | `Document`         |
| fengxiang.analyses   | document id | `AnalysedDocument` |
| fengxiang.dead       | document id | `DeadLetter`       |

Values are JSON. Decoding a value that is not what its topic promises raises `BadMessage`, which names what is wrong.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec

from models.records import SCHEMA_VERSION, Analysis, Document

DOCUMENTS = "fengxiang.documents"
ANALYSES = "fengxiang.analyses"
DEAD = "fengxiang.dead"


class BadMessage(ValueError):
    """A message that can't be read; its text says why and is stored as the dead letter's reason."""


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a message stood in the log: the audit's key. Offsets mean something within their epoch only."""

    topic: str
    partition: int
    offset: int
    epoch: str = ""  # id of the topic's creation (see `stream.log`)


class AnalysedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document with what we say of it: all that the store needs."""

    document: Document
    analysis: Analysis
    origin: Origin


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that could not be read or analysed: what, why, where, and the original for a replay."""

    document_id: str
    stage: str  # ingest, decode, analyse, store
    reason: str  # one line: the input and the remedy
    error: str = ""  # exception class
    source: str = ""
    origin: Origin | None = None
    payload: str = ""  # the original message, as text, cut to `MAX_PAYLOAD` characters
    failed_at: datetime
    schema_version: int = SCHEMA_VERSION


MAX_PAYLOAD = 1_000_000

Message = TypeVar("Message", Document, AnalysedDocument, DeadLetter)
_ENCODER = msgspec.json.Encoder()


def encode(message: Document | AnalysedDocument | DeadLetter) -> bytes:
    """JSON bytes of a message."""
    return _ENCODER.encode(message)


def decode(value: bytes | None, type_: type[Message]) -> Message:
    """The message in `value`. Raises `BadMessage` for anything that is not a `type_` of a version we know."""
    if not value:
        raise BadMessage(f"empty value where a {type_.__name__} was expected")
    try:
        message = msgspec.json.decode(value, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"not a {type_.__name__}: {error}") from error
    version = message.document.schema_version if isinstance(message, AnalysedDocument) else message.schema_version
    if version > SCHEMA_VERSION:
        raise BadMessage(
            f"{type_.__name__} of schema version {version}; this worker knows up to {SCHEMA_VERSION}: upgrade it"
        )
    return message
