"""The log goes through the models once more: to where it ended, from where it was cut off, without what is outdated."""

from __future__ import annotations

import signal
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from kafka import TopicPartition

from deploy.cli.replay import _moment, _place
from stream import replay_log
from stream.deadletters import Record
from stream.log import Log
from stream.records import ANALYSES, DOCUMENTS, AnalysedDocument, encode
from stream.replay import Selection
from stream.replay_log import LogCursor, begin, log_pages
from stream.sink import Sink
from tests.stream.stack import FIRST, Stack, make_document, within
from tests.stream.test_rows import AT, analysed

ALL = Selection(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
NEVER = 1 << 62
STORED = "SELECT count() FROM documents FINAL"


def store(stack: Stack, messages: list[AnalysedDocument]) -> None:
    sink = Sink(stack.client, epochs={}, clock=lambda: AT)
    assert sink.store([Record(ANALYSES, 0, n, b"", encode(m)) for n, m in enumerate(messages)]) == []
    sink.close()


def start(stack: Stack, selection: Selection = ALL, began: int = NEVER) -> LogCursor:
    with Log(stack.broker.servers) as log:
        epoch = log.epochs([DOCUMENTS])[DOCUMENTS]
    return begin(stack.broker.servers, epoch, selection, began)


def ids(stack: Stack, selection: Selection = ALL, cursor: LogCursor | None = None) -> list[str]:
    with stack.client() as client:
        found = log_pages(stack.broker.servers, client, selection, cursor or start(stack, selection))
        return sorted(document.id for page, _ in found for document in page)


def of(*numbers: int) -> list[str]:
    return sorted(make_document(number).id for number in numbers)


def test_what_is_meant_is_read_once_to_where_the_log_ended(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_log, "PAGE", 7)
    stack.send(make_document(n) for n in range(40))
    stack.send_raw([(b"odd", b"?"), (b"empty", None)])
    cursor = start(stack)
    assert cursor.left == 42
    stack.send(make_document(n) for n in range(40, 50))  # came later: not meant
    with stack.client() as client:
        pages = list(log_pages(stack.broker.servers, client, ALL, cursor))
    assert sorted(d.id for page, _ in pages for d in page) == of(*range(40))
    assert all(document.backfill for page, _ in pages for document in page)
    last = pages[-1][1]
    assert (last.left, last.sent) == (0, 40)
    for page in range(len(pages) - 1):  # cut off anywhere, nothing is missing and nothing comes twice
        rest = [d.id for some, _ in pages[page + 1 :] for d in some]
        kept = msgspec.json.decode(msgspec.json.encode(pages[page][1]), type=LogCursor)
        assert ids(stack, cursor=kept) == sorted(rest)
    hour = Selection(FIRST + timedelta(minutes=5), FIRST + timedelta(minutes=9))
    assert ids(stack, hour) == of(5, 6, 7, 8)
    assert ids(stack, msgspec.structs.replace(ALL, source="nobody")) == []


def test_themes_and_versions_are_the_store_s_and_what_it_knows_better_is_left_out(stack: Stack) -> None:
    sent = [make_document(n, fetched_at=AT) for n in range(6)]
    stack.send(sent)
    assert ids(stack, msgspec.structs.replace(ALL, theme="game")) == []  # the store knows none of them
    store(stack, [analysed(n) for n in range(4)])
    assert ids(stack, msgspec.structs.replace(ALL, theme="game")) == of(0, 3)
    assert ids(stack, msgspec.structs.replace(ALL, model_version="stand-in")) == of(0, 1, 2, 3)
    assert ids(stack, msgspec.structs.replace(ALL, model_version="other")) == []
    assert ids(stack) == of(*range(6))
    store(stack, [analysed(1, body="更正后的文字", fetched_at=AT + timedelta(minutes=1), at=AT + timedelta(minutes=2))])
    assert ids(stack) == of(0, 2, 3, 4, 5)  # the log's text of the second is outdated
    since = int((AT - timedelta(hours=1)).timestamp() * 1_000_000)
    assert ids(stack, cursor=start(stack, began=since)) == of(4, 5)  # the others were analysed since


def test_a_store_that_lost_documents_gets_them_back_from_the_log(stack: Stack) -> None:
    worker = stack.start_worker()
    stack.send(make_document(n) for n in range(60))
    assert within(90, lambda: stack.one(STORED) == 60), stack.log()
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    with stack.client() as client:
        for table, key in (("documents", "id"), ("mentions", "document_id"), ("document_themes", "document_id")):
            client.command(
                f"DELETE FROM {table} WHERE {key} IN {{ids:Array(String)}}",
                parameters={"ids": of(*range(20))},
                settings={"mutations_sync": 1},
            )
    assert stack.one(STORED) == 40
    stack.overrides_worker = {"STAND_IN_VERSION": "second"}
    stack.start_worker()
    days = ["--from", "2026-11-02", "--to", "2026-11-02", "--from-log"]
    assert "60 篇" in stack.cli("replay", *days, "--dry-run").stdout
    done = stack.cli("replay", *days)
    assert done.returncode == 0 and "sent 60" in done.stdout, done.stderr
    newer = "SELECT countIf(model_version = 'second' AND backfill) FROM documents FINAL"
    assert within(90, lambda: stack.one(newer) == 60), stack.log()
    assert stack.one("SELECT count() FROM mentions FINAL") == 60
    assert stack.one("SELECT count() FROM analysis_history FINAL") == 120
    assert stack.audit()["clean"]
    again = stack.cli("replay", *days, "--theme", "gmae")
    assert again.returncode == 0 and "no document has the theme 'gmae'; there are: aigc, film_tv, game" in again.stdout
    again = stack.cli("replay", *days, "--model-version", "third")
    assert "nothing was analysed by 'third'; there are: second" in again.stdout


def test_a_replay_whose_log_was_made_anew_says_so(stack: Stack) -> None:
    stack.send([make_document(1)])
    days = ["--from", "2026-11-02", "--to", "2026-11-02", "--from-log"]
    assert "sent 1" in stack.cli("replay", *days).stdout
    folder = stack.settings.data_dir / "replay"
    assert list(folder.iterdir()) == []  # done: nothing to go on with
    selection = Selection(_moment("2026-11-02"), _moment("2026-11-02", end=True))
    cursor = msgspec.structs.replace(start(stack, selection), epoch="former")
    _place(stack.settings, selection, "log").write_bytes(msgspec.json.encode(cursor))
    done = stack.cli("replay", *days)
    assert done.returncode == 1 and "made anew" in done.stderr and "--restart" in done.stderr
    assert stack.cli("replay", *days, "--restart").returncode == 0


def test_a_kafka_with_offsets_by_time_is_not_read_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def offsets_for_times(times: dict[TopicPartition, int]) -> dict[TopicPartition, SimpleNamespace | None]:
        asked.extend(times.values())
        found = {0: SimpleNamespace(offset=700), 1: None, 2: SimpleNamespace(offset=0)}  # 1: nothing came since then
        return {place: found[place.partition] for place in times}

    consumer = SimpleNamespace(
        partitions_for_topic=lambda _: {0, 1, 2},
        beginning_offsets=lambda places: dict.fromkeys(places, 100),
        end_offsets=lambda places: dict.fromkeys(places, 900),
        offsets_for_times=offsets_for_times,
    )
    monkeypatch.setattr(replay_log, "_consumer", lambda _: nullcontext(consumer))
    cursor = begin([], "e", ALL, NEVER)
    assert cursor.next == {0: 700, 1: 900, 2: 100} and cursor.left == 1000
    assert set(asked) == {int(datetime(2025, 12, 31, tzinfo=UTC).timestamp()) * 1000}
