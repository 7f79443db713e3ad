"""A batch of documents: every record becomes an analysis or a dead letter, whatever is in it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from models.records import Analysis, Document
from stream.analyse import Reader
from stream.deadletters import FailureLimit, Record, TooManyFailures
from stream.records import DOCUMENTS, encode
from tests.stream.stack import make_document
from tests.stream.stand_in import StandIn

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def reader(analyser: object | None = None, max_bytes: int = 1_000_000) -> Reader:
    return Reader(analyser or StandIn(), epoch="e1", max_bytes=max_bytes, clock=lambda: NOW)  # type: ignore[arg-type]


def record(value: bytes | None, key: bytes | None = b"k", offset: int = 7) -> Record:
    return Record(DOCUMENTS, 1, offset, key, value)


def changed(**fields: object) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(make_document(1)), **fields})


def test_a_document_is_analysed_with_its_place_in_the_log() -> None:
    outcome = reader().read([record(encode(make_document(1)))])
    (message,) = outcome.analysed
    assert not outcome.dead
    assert message.analysis.analysed_at == NOW
    assert (message.origin.epoch, message.origin.partition, message.origin.offset) == ("e1", 1, 7)
    assert message.analysis.mentions[0].code == "600001.SH"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "empty value"),
        (b"", "empty value"),
        (b"\xff\xfe\x00", "not a Document"),
        (b"{}", "missing required field"),
        (b"[1,2", "not a Document"),
        (b"x" * 1_000_001, "larger than stream.max_message_bytes (1,000,000)"),
        (changed(schema_version=99), "upgrade it"),
        (changed(kind="rumour"), "Invalid enum value 'rumour'"),
        (changed(id=""), "has no id"),
        (changed(published_at="2026-11-01T10:00:00"), "has no time zone"),
        (changed(published_at="0001-01-01T00:00:00Z"), "not between 1925 and 2200"),
        (changed(title="T").replace(b'"T"', b'"\\ud800"'), "not a Document"),
    ],
)
def test_poison_becomes_a_dead_letter_and_stops_nobody(value: bytes | None, said: str) -> None:
    outcome = reader().read(
        [record(encode(make_document(1))), record(value, offset=8), record(encode(make_document(2)))]
    )
    assert [message.document.id for message in outcome.analysed] == [make_document(1).id, make_document(2).id]
    (letter,) = outcome.dead
    assert said in letter.reason
    assert (letter.document_id, letter.stage) == ("k", "decode")
    assert letter.origin and letter.origin.offset == 8


def test_a_message_without_a_key_is_known_by_its_place() -> None:
    (letter,) = reader().read([record(b"?", key=None)]).dead
    assert letter.document_id == "fengxiang.documents/1/7"
    assert letter.payload == "?"


def test_a_document_that_crashes_the_model_takes_nobody_along() -> None:
    documents = [make_document(1), make_document(2, title="!crash"), make_document(3)]
    outcome = reader().read([record(encode(document)) for document in documents])
    assert [message.document.id for message in outcome.analysed] == [documents[0].id, documents[2].id]
    (letter,) = outcome.dead
    assert letter.stage == "analyse" and letter.document_id == documents[1].id
    assert "fell over" in letter.reason and letter.error == "RuntimeError"
    assert msgspec.json.decode(letter.payload, type=Document) == documents[1]


def test_answers_that_do_not_match_are_not_believed() -> None:
    class Confused(StandIn):
        def analyse(self, documents: list[Document]) -> list[Analysis]:
            return super().analyse(documents[::-1])[: len(documents)]

    outcome = reader(Confused()).read([record(encode(make_document(n))) for n in (1, 2)])
    assert [message.analysis.id for message in outcome.analysed] == [make_document(n).id for n in (1, 2)]  # one by one


def test_too_many_failures_stop_the_worker() -> None:
    limit = FailureLimit(0.2, window=50)
    limit.note(good=40, bad=10, example="d1: bad")
    with pytest.raises(TooManyFailures, match=r"dead_letter_limit.*d2: worse"):
        limit.note(good=0, bad=1, example="d2: worse")


def test_old_failures_are_forgotten() -> None:
    limit = FailureLimit(0.2, window=50)
    for _ in range(20):
        limit.note(good=45, bad=5)
