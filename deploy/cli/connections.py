"""What verbs connect with: the store, Kafka, and in whose name."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from clickhouse_connect.driver.client import Client

from deploy.cli import UserError
from deploy.settings import Settings
from stream.store import StoreAway, connect

if TYPE_CHECKING:
    from kafka import KafkaProducer


@contextmanager
def open_store(settings: Settings, *, writer: bool, refusals: tuple[type[Exception], ...] = ()) -> Iterator[Client]:
    """A client for as long as the block lasts. `UserError` where the store is away, or for one of `refusals`:
    exceptions whose text tells the user what is wrong."""
    told: tuple[type[Exception], ...] = (StoreAway, *refusals)
    try:
        with closing(connect(settings, writer=writer)) as client:
            yield client
    except told as error:
        raise UserError(str(error)) from error


def open_producer(settings: Settings) -> KafkaProducer:
    """A producer for documents that go through the stream once more; close it. Raises `KafkaError`."""
    from kafka import KafkaProducer

    return KafkaProducer(
        bootstrap_servers=settings.kafka_servers,
        acks="all",
        batch_size=settings.producer_batch_bytes,
        max_request_size=settings.stream.max_message_bytes + 10_000,
        compression_type="gzip",
    )


def me() -> str:
    """The name of who calls; empty for a user id without a name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
