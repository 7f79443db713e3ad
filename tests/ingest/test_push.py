from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.entries import State
from ingest.health import Health, Report
from ingest.metrics import exposition
from ingest.outbox import Outbox
from ingest.push import MAX_BODY_BYTES, MAX_DOCUMENTS, Push
from tests.ingest.make import NOW, document

TOKEN = "secret-token"
ROW = {"id": "1", "title": "标题", "body": "正文", "published_at": "2026-06-18 10:00"}


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.db", limit_bytes=2_000_000)


@pytest.fixture
def client(outbox: Outbox) -> Iterator[httpx.Client]:
    push, stop = Push("127.0.0.1", 0, TOKEN, clock=lambda: NOW), threading.Event()
    thread = threading.Thread(target=push.run, args=(outbox, stop))
    thread.start()
    assert push.ready.wait(10)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{push.port}", headers=headers, timeout=30) as made:
        yield made
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def post(client: httpx.Client, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/v1/documents", content=content, headers=headers)


@pytest.mark.parametrize(
    "body", [ROW, [ROW, ROW | {"id": "2"}], (json.dumps(ROW) + "\n\n" + json.dumps(ROW | {"id": "2"})).encode()]
)
def test_one_several_and_json_lines(client: httpx.Client, outbox: Outbox, body: Any) -> None:
    reply = post(client, body)
    count = 1 if body is ROW else 2
    assert (reply.status_code, reply.json()) == (202, {"accepted": count, "rejected": []})
    assert post(client, body).json()["accepted"] == count
    assert outbox.counts()[State.PENDING] == count


def test_a_bad_document_is_told_and_kept_as_a_dead_letter(client: httpx.Client, outbox: Outbox) -> None:
    reply = post(client, [ROW, {"id": "2"}, 7])
    told = reply.json()["rejected"]
    assert reply.json()["accepted"] == 1 and "push row 2" in told[0] and "JSON object" in told[1]
    assert outbox.counts()[State.PENDING] == 3


def test_an_odd_date_costs_no_other_document(client: httpx.Client, outbox: Outbox) -> None:
    odd = ROW | {"id": "2", "published_at": "1 Jan 99999999999999999999 00:00:00"}
    reply = post(client, [ROW, odd, ROW | {"id": "3"}])
    assert (reply.status_code, reply.json()["accepted"]) == (202, 2)
    assert reply.json()["rejected"][0].startswith("push row 2: ")
    assert outbox.counts()[State.PENDING] == 3


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer wrong"}])
def test_the_token_is_asked_for(client: httpx.Client, outbox: Outbox, headers: dict[str, str]) -> None:
    assert post(client, ROW, **headers).status_code == 401
    assert outbox.counts()[State.PENDING] == 0
    assert client.get("/health", headers=headers).status_code == 200


def test_an_idempotency_key_gives_the_same_answer(client: httpx.Client) -> None:
    first = post(client, ROW, **{"Idempotency-Key": "k"})
    assert post(client, ROW, **{"Idempotency-Key": "k"}).json() == first.json() == {"accepted": 1, "rejected": []}
    assert post(client, [], **{"Idempotency-Key": "k"}).status_code == 422


def test_a_full_outbox_refuses_whole_batches_and_acknowledges_no_more_than_it_has(
    client: httpx.Client, outbox: Outbox
) -> None:
    acknowledged, reply = 0, None
    for batch in range(100):
        reply = post(client, [ROW | {"id": f"{batch}-{n}", "body": "长" * 2000} for n in range(20)])
        if reply.status_code != 202:
            break
        acknowledged += reply.json()["accepted"]
    assert reply is not None and reply.status_code == 429 and int(reply.headers["Retry-After"]) > 0
    assert outbox.counts()[State.PENDING] == acknowledged > 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b" " * (MAX_BODY_BYTES + 1), 413),
        ([0] * (MAX_DOCUMENTS + 1), 413),
    ],
)
def test_bodies_that_are_refused(client: httpx.Client, body: Any, status: int) -> None:
    reply = post(client, body)
    assert reply.status_code == status and reply.json()["error"]


def test_metrics_tell_what_waits_and_how_sources_are(outbox: Outbox) -> None:
    health = Health()
    for number in (1, 2):
        health.add(Report("cls", NOW, "ok", fetched=5, new=number, last_item_at=NOW))
    health.add(Report("rss", NOW, "failing", errors=1))
    outbox.add([document("a"), document("b")])
    text = exposition(outbox, health).decode()
    for line in (
        'fengxiang_outbox_documents{state="pending"} 2.0',
        'fengxiang_source_state{source="rss",state="failing"} 1.0',
        'fengxiang_source_new_total{source="cls"} 3.0',
        'fengxiang_source_errors_total{source="rss"} 1.0',
        f'fengxiang_source_newest_item_seconds{{source="cls"}} {NOW.timestamp()!r}',
    ):
        name, value = line.split()
        assert float(text.split(name + " ")[1].split()[0]) == float(value)


def test_the_api_is_described(client: httpx.Client) -> None:
    assert "/v1/documents" in client.get("/openapi.json").json()["paths"]
    assert "Authorization: Bearer" in client.get("/").text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_body_gets_an_answer(client: httpx.Client, body: bytes) -> None:
    assert post(client, body).status_code in (202, 400)
