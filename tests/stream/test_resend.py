"""Dead letters that an editor asked for go through the stream once more, once, and the outcome is noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, KafkaProducer

from deploy.settings import Settings
from models.records import Document
from stream.deadletters import Record
from stream.log import open_producer
from stream.queries import dead_letters, open_requests
from stream.records import ANALYSES, DEAD, DOCUMENTS, DeadLetter, encode
from stream.resend import AT_ONCE, carry_out, resend
from stream.sink import Sink
from tests.fixtures.broker import free_port
from tests.stream.stack import Stack, make_document, within
from tests.stream.test_rows import analysed

AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
OFFSETS = count()
FIELDS = ["id", "stage", "source", "reason", "until", "by", "version"]


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with stack.client() as client:
        yield client


def bury(client: Client, *documents: Document, at: datetime = AT, **changes: Any) -> None:
    """Dead letters of documents, as the worker would store them."""
    sink = Sink(lambda: client, epochs={}, clock=lambda: at)
    letters = []
    for document in documents:
        values: dict[str, Any] = {
            "stage": "analyse",
            "source": "test",
            "reason": f"it fell over {document.id}",
            "failed_at": at,
        }
        values |= {"payload": encode(document).decode()} | changes
        letters.append(DeadLetter(document_id=document.id, **values))
    sink.store_dead([Record(DEAD, 0, next(OFFSETS), b"", encode(letter)) for letter in letters])


def ask(client: Client, **changes: Any) -> None:
    values = {"id": "r1", "stage": "analyse", "source": "test", "reason": "it fell over #", "until": AT, "by": "ann"}
    values |= {"version": 1} | changes
    client.insert("replay_requests", [[values[name] for name in FIELDS]], column_names=FIELDS)


def outcome(client: Client, id_: str = "r1") -> tuple[Any, ...]:
    sql = "SELECT outcome, sent, skipped, detail, `by` FROM replay_requests FINAL WHERE id = {id:String}"
    return tuple(client.query(sql, parameters={"id": id_}).first_row)


def sent(stack: Stack) -> list[str]:
    """The ids of all documents on the topic."""
    return sorted(id_ for id_, _ in messages(stack))


def messages(stack: Stack) -> list[tuple[str, bytes]]:
    """Id and text of all documents on the topic, those of one document in the order in which they were sent."""
    consumer = KafkaConsumer(
        DOCUMENTS, bootstrap_servers=stack.broker.servers, auto_offset_reset="earliest", consumer_timeout_ms=2000
    )
    with closing(consumer):
        return [(message.key.decode(), message.value) for message in consumer]


def open_ids(client: Client) -> list[str]:
    return sorted(letter.document_id for letter in dead_letters(client, limit=999, still_open=True))


def test_what_is_asked_for_is_sent_once_and_nothing_else(stack: Stack, client: Client) -> None:
    meant = [make_document(n) for n in range(AT_ONCE + 2)]
    others = [make_document(n) for n in range(100, 104)]
    bury(client, *meant)
    bury(client, others[0], source="else")
    bury(client, others[1], stage="store")
    bury(client, others[2], reason="it fell down 7")
    bury(client, others[3], at=AT + timedelta(milliseconds=1))  # failed after what the editor saw
    ask(client)
    assert [request.by for request in carry_out(client, lambda: open_producer(stack.settings))] == ["ann"]
    assert carry_out(client, lambda: open_producer(stack.settings)) == []
    assert sent(stack) == sorted(document.id for document in meant)
    assert open_ids(client) == sorted(document.id for document in others)
    assert outcome(client) == ("done", len(meant), 0, "", "ann")


def test_an_original_that_cannot_be_read_is_skipped_and_said(stack: Stack, client: Client) -> None:
    bury(client, make_document(1), make_document(2))
    bury(client, make_document(3), payload="{not json")
    ask(client)
    carry_out(client, lambda: open_producer(stack.settings))
    state, n, skipped, detail, _ = outcome(client)
    assert (state, n, skipped) == ("done", 2, 1)
    assert detail.startswith(make_document(3).id) and "not a Document" in detail
    assert open_ids(client) == [make_document(3).id]


def test_an_original_whose_later_text_is_stored_does_not_replace_it(stack: Stack, client: Client) -> None:
    buried = [make_document(n, fetched_at=AT) for n in range(3)]
    bury(client, *buried)
    stored = [analysed(0, fetched_at=AT + timedelta(hours=1)), analysed(1, fetched_at=AT)]
    sink = Sink(lambda: client, epochs={}, clock=lambda: AT)
    assert sink.store([Record(ANALYSES, 0, n, b"", encode(message)) for n, message in enumerate(stored)]) == []
    ask(client)
    carry_out(client, lambda: open_producer(stack.settings))
    assert sent(stack) == sorted(document.id for document in buried[1:])
    assert outcome(client) == ("done", 2, 1, f"{buried[0].id}: a later text of it is stored", "ann")
    assert open_ids(client) == [], "what is superseded is settled, too"


def test_the_later_of_two_texts_of_a_document_is_sent_last(stack: Stack, client: Client) -> None:
    earlier, later = (make_document(1, fetched_at=AT + timedelta(hours=hours)) for hours in (0, 1))
    bury(client, later, stage="analyse")
    bury(client, earlier, stage="store")
    with closing(open_producer(stack.settings)) as producer:
        assert resend(client, producer, dead_letters(client, document_id=later.id)).sent == 2
    assert [text for _, text in messages(stack)] == [encode(earlier), encode(later)]


def test_of_a_stage_what_was_sent_is_not_sent_again(stack: Stack, client: Client) -> None:
    bury(client, make_document(1), make_document(2))
    with closing(open_producer(stack.settings)) as producer:
        for n in (2, 0):
            assert resend(client, producer, dead_letters(client, stage="analyse", still_open=True)).sent == n
        assert len(dead_letters(client, stage="analyse")) == 2, "they are listed all the same"
        named = dead_letters(client, document_id=make_document(1).id)
        assert resend(client, producer, named).sent == 1, "and sent again where somebody names one"


def test_a_broker_that_is_away_is_an_outcome_and_asking_anew_tries_again(stack: Stack, client: Client) -> None:
    bury(client, make_document(1))
    ask(client)

    def nowhere() -> KafkaProducer:
        return open_producer(Settings(local={"kafka_port": free_port()}))

    carry_out(client, nowhere)
    state, n, _, detail, _ = outcome(client)
    assert (state, n) == ("failed", 0) and detail.startswith("Kafka: ")
    assert open_ids(client) == [make_document(1).id] and not open_requests(client)
    ask(client, version=9)
    carry_out(client, lambda: open_producer(stack.settings))
    assert outcome(client)[:2] == ("done", 1) and sent(stack) == [make_document(1).id]


def test_workers_carry_it_out_and_the_document_is_stored(stack: Stack, client: Client) -> None:
    bury(client, make_document(1))
    for worker in range(2):
        stack.overrides_worker["FENGXIANG_STREAM__WEB_PORT"] = str(free_port()) if worker else str(stack.web_port)
        stack.start_worker()
    ask(client)
    assert within(60, lambda: stack.one("SELECT count() FROM documents FINAL") == 1), stack.log()
    assert within(20, lambda: outcome(client)[:2] == ("done", 1)), stack.log()
    assert sent(stack) == [make_document(1).id] and open_ids(client) == []
