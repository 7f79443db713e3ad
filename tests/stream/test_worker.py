"""A real worker between a real broker and a real ClickHouse."""

from __future__ import annotations

import json
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import msgspec
from clickhouse_connect.driver.client import Client
from kafka import TopicPartition

from deploy.settings import Settings
from stream.log import Log
from stream.records import ANALYSES, DEAD, DOCUMENTS, encode
from stream.worker import Worker
from tests.fixtures.broker import free_port
from tests.stream.stack import Place, Stack, fetch, make_document, within
from tests.stream.stand_in import StandIn

STORED = "SELECT count() FROM documents FINAL"
DEAD_COUNT = "SELECT count() FROM dead_letters FINAL"


def lag(stack: Stack) -> int:
    with Log(stack.broker.servers) as log:
        return sum(state.lag for state in log.partitions([DOCUMENTS, ANALYSES, DEAD]))


def test_documents_become_rows_poison_becomes_dead_letters_and_the_audit_is_clean(stack: Stack) -> None:
    stack.overrides |= {"STREAM__MAX_MESSAGE_BYTES": "50000", "LOG__FORMAT": "json"}
    stack.start_worker()
    stack.send(make_document(n) for n in range(300))
    future = {**msgspec.to_builtins(make_document(1000)), "schema_version": 99}
    poison = [
        (b"not-json", b"\x00\xff"),
        (b"empty", None),
        (b"huge", encode(make_document(1001, body="长" * 40_000))),
        (b"future", msgspec.json.encode(future)),
        (b"crash", encode(make_document(1002, title="!crash"))),
        (None, b"no key"),
    ]
    stack.send_raw(poison)
    stack.send_raw([(b"k", b"not an analysis")], topic=ANALYSES)
    stack.send(make_document(n) for n in range(250, 400))  # fifty of them again
    assert within(60, lambda: stack.one(STORED) == 400), stack.log()
    assert within(20, lambda: stack.one(DEAD_COUNT) == 7), stack.log()
    assert within(20, lambda: lag(stack) == 0)

    def merged() -> bool:  # until then, what came again has its former row, too, and only one of them is superseded
        with stack.client() as client:
            client.command("OPTIMIZE TABLE documents FINAL")
        return stack.one("SELECT count() FROM documents") == 400

    assert within(20, merged)
    done = stack.cli("audit", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["clean"], done.stdout + done.stderr
    assert (report["stored"], report["superseded"], report["log_messages"]) == (400, 50, 456)

    with stack.client() as client:
        reasons = dict(client.query("SELECT document_id, reason FROM dead_letters FINAL").result_rows)
    assert "larger than stream.max_message_bytes" in reasons["huge"]
    assert "upgrade it" in reasons["future"]
    assert "fell over" in reasons[make_document(1002).id]
    told = [line for text in stack.log().splitlines() if (line := json.loads(text)).get("document_id")]
    assert {line["document_id"] for line in told} == set(reasons)
    assert any("Traceback" in line.get("error", "") for line in told)


def test_a_stopped_worker_has_committed_what_is_done(stack: Stack) -> None:
    worker = stack.start_worker()
    stack.send(make_document(n) for n in range(100))
    assert within(60, lambda: stack.one(STORED) == 100), stack.log()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert lag(stack) == 0
    assert "Traceback" not in stack.log()


def test_a_second_worker_takes_another_web_port_and_its_share(stack: Stack) -> None:
    first = stack.start_worker()
    assert within(60, lambda: fetch(stack.web_port, "readyz") == "ok"), stack.log()
    stack.start_worker()
    assert within(60, lambda: len(web_ports(stack)) == 2), stack.log()
    second = web_ports(stack)[1]  # the next one that is free
    assert second != stack.web_port and within(60, lambda: fetch(second, "readyz") == "ok"), stack.log()
    stack.send(make_document(n) for n in range(200))
    assert within(60, lambda: stack.one(STORED) == 200), stack.log()
    first.kill()  # the other one takes over, as soon as the session times out
    stack.send(make_document(n) for n in range(200, 400))
    assert within(90, lambda: stack.one(STORED) == 400), stack.log()
    assert within(20, lambda: fetch(second, "healthz") == "ok")


def web_ports(stack: Stack) -> list[int]:
    """The ports of the workers' health pages, in the order of their start."""
    return [int(port) for port in re.findall(r"metrics at http://127\.0\.0\.1:(\d+)/", stack.log())]


def test_a_worker_is_ready_once_it_both_reads_and_stores() -> None:
    settings = Settings(stream={"web_port": free_port(), "metrics_port": 0})
    worker = Worker(settings, load=StandIn)

    def app(*places: TopicPartition) -> SimpleNamespace:
        return SimpleNamespace(
            started=True, rebalancing=False, consumer=SimpleNamespace(assignment=lambda: set(places))
        )

    documents, analyses = app(TopicPartition(DOCUMENTS, 0)), app(TopicPartition(ANALYSES, 0))
    for apps, ready in (([documents, app()], ""), ([app(), analyses], ""), ([documents, analyses], "ok")):
        worker._agents = SimpleNamespace(apps=apps, pulses=[])  # type: ignore[assignment]
        assert fetch(settings.stream.web_port, "readyz") == ready


def test_a_worker_whose_topics_were_made_anew_ends_so_that_a_fresh_one_reads_them(stack: Stack) -> None:
    worker = stack.start_worker()
    stack.send(make_document(n) for n in range(50))
    assert within(60, lambda: stack.one(STORED) == 50), stack.log()
    stack.broker.restart()
    stack.make_topics()
    assert worker.wait(60) == 70
    assert "made" in stack.log() and "anew" in stack.log()
    stack.start_worker()
    stack.send(make_document(n) for n in range(50, 100))
    assert within(60, lambda: stack.one(STORED) == 100), stack.log()
    done = stack.cli("audit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "earlier epochs" in done.stdout


def test_a_worker_that_fails_on_everything_stops_instead_of_burying_everything(stack: Stack) -> None:
    stack.overrides["STREAM__DEAD_LETTER_LIMIT"] = "0.1"
    worker = stack.start_worker()
    stack.send(make_document(n, title="!crash") for n in range(300))
    assert worker.wait(60) == 70
    assert "the worker stops rather than set everything aside" in stack.log()
    assert stack.one(DEAD_COUNT) <= 50


def test_a_document_on_which_the_models_hang_becomes_a_dead_letter_after_three_tries(stack: Stack) -> None:
    poison = make_document(7, title="!hang")
    stack.overrides["STREAM__HANG_SECONDS"] = "5"  # enough for the batches before it
    places = stack.send([*(make_document(n) for n in range(7)), poison, *(make_document(n) for n in range(8, 20))])
    assert stack.start_worker().wait(60) == 70, stack.log()  # by the watchdog
    assert "has hung" in stack.log() and in_hand(stack, places[7]) == 1, stack.log()
    stack.overrides["STREAM__HANG_SECONDS"] = "300"
    for tries in (2, 3):
        worker = stack.start_worker()
        assert within(60, lambda goal=tries: in_hand(stack, places[7]) == goal), stack.log()  # type: ignore[misc]
        worker.kill()  # as when it dies of the text
        worker.wait()
        assert stack.one(DEAD_COUNT) == 0
    stack.start_worker()
    assert within(60, lambda: (stack.one(STORED), stack.one(DEAD_COUNT)) == (19, 1)), stack.log()
    with stack.client() as client:
        ((id_, stage, reason),) = client.query("SELECT document_id, stage, reason FROM dead_letters FINAL").result_rows
    assert (id_, stage) == (poison.id, "analyse")
    assert "hung or died 3 times" in reason and "fengxiang dead replay" in reason
    assert within(20, lambda: lag(stack) == 0)


def in_hand(stack: Stack, place: Place) -> int:
    """How often a document that a worker has in hand was tried, this time included; 0 when none has it."""
    path = stack.settings.data_dir / "faust" / f"in-hand-{place.partition}.json"
    with suppress(OSError):
        return int(json.loads(path.read_text())[1].get(str(place.offset), 0))
    return 0


def test_audit_names_what_is_missing_twice_or_orphaned(stack: Stack, clickhouse: Client) -> None:
    worker = stack.start_worker()
    stack.send(make_document(n) for n in range(40))
    assert within(60, lambda: stack.one(STORED) == 40), stack.log()
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    lost, orphaned, twice = (make_document(n).id for n in (3, 4, 5))
    settings = {"mutations_sync": 1}
    clickhouse.command("DELETE FROM documents WHERE id = {id:String}", parameters={"id": lost}, settings=settings)
    clickhouse.command("DELETE FROM mentions WHERE document_id = {id:String}", {"id": orphaned}, settings=settings)
    later = "SELECT * REPLACE (published_at + 1 AS published_at) FROM documents WHERE id = {id:String}"
    clickhouse.command(f"INSERT INTO documents {later}", {"id": twice})
    done = stack.cli("audit", "--json", "--wait", "0")
    report = json.loads(done.stdout)
    found = {(finding["kind"], finding["what"].split()[0]): finding for finding in report["findings"]}
    assert done.returncode == 1 and not report["clean"]
    assert lost in found["gap", "messages"]["examples"][0]
    assert found["duplicate", "documents"]["examples"] == [twice]
    assert any(orphaned in finding["examples"] for finding in report["findings"] if finding["kind"] == "orphan")
    assert any(lost in finding["examples"] for finding in report["findings"] if finding["kind"] == "orphan")


def test_an_audit_asks_a_broker_that_doesn_t_answer_again(stack: Stack) -> None:
    stack.broker.kill()
    assert "does not answer" in stack.cli("audit", "--wait", "0").stderr
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(stack.cli, "audit", "--wait", "30")
        time.sleep(8)  # longer than a client waits for its first answer
        stack.broker.start()
        stack.make_topics()
        done = asked.result()
    assert done.returncode == 0 and "clean" in done.stdout, done.stdout + done.stderr
