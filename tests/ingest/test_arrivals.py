"""What is pushed or put into the folder is watched as a feed is: rows of health, usual rates, silence, alerts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from clickhouse_connect.driver.client import Client

import ingest.folder
from dashboard.queries import system
from deploy.settings import Settings
from ingest.arrivals import KNOWN_DAYS, MAX_SOURCES, Arrivals
from ingest.entries import Added
from ingest.folder import Folder
from ingest.health import Health, Report
from ingest.metrics import exposition
from ingest.outbox import Outbox
from ingest.pdf import ReportReader
from ingest.push import Push
from ingest.running import keep_running
from ingest.silence import learn
from ingest.store import Store
from models.records import Document
from models.trading import SHANGHAI
from stream.alerts.rules import Rule, Trouble
from stream.alerts.watch import trouble
from stream.migrate import migrate
from tests.fixtures.clickhouse import ClickHouseServer
from tests.ingest.make import NOW, Clock, document, letter


class Now:
    """A clock that is set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.db", limit_bytes=10**8)


def of(source: str, native: str = "1", **changes: Any) -> Document:
    return msgspec.structs.replace(document(f"{source} {native}"), source=source, **changes)


def test_pushes_and_files_are_counted_by_the_source_that_they_name(outbox: Outbox, tmp_path: Path) -> None:
    now, health = Now(NOW), Health()
    arrivals = Arrivals(outbox, health, polled=["cls"], clock=now)
    push, stop = Push("127.0.0.1", 0, "t", arrived=arrivals.note, clock=now), threading.Event()
    thread = threading.Thread(target=push.run, args=(outbox, stop))
    thread.start()
    assert push.ready.wait(10)
    rows = [
        {"id": str(n), "source": source, "title": "标题", "published_at": f"2026-06-18 10:0{n}"}
        for n, source in enumerate(["desk", "wind", "desk", "cls"])
    ]
    post: Callable[[Any], httpx.Response] = lambda body: httpx.post(  # noqa: E731
        f"http://127.0.0.1:{push.port}/v1/documents", json=body, headers={"Authorization": "Bearer t"}
    )
    assert post([*rows, {"id": "bad"}]).status_code == 202
    assert post(rows[:2]).status_code == 202  # again: nothing new
    stop.set()
    thread.join(10)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.jsonl").write_text(json.dumps(rows[0] | {"source": "files", "id": "9"}))
    clock = Clock()
    clock.seconds = (tmp_path / "inbox" / "a.jsonl").stat().st_mtime + 10
    pdfs = ReportReader()
    assert Folder(tmp_path / "inbox", max_bytes=10**6, arrived=arrivals.note, clock=clock).sweep(outbox, pdfs) == 1
    pdfs.close()
    arrivals.look()
    seen = {name: (r.state, r.fetched, r.new, r.errors) for name, r in health.latest.items()}
    assert seen == {
        "desk": ("ok", 3, 2, 0),
        "wind": ("ok", 2, 1, 0),
        "files": ("ok", 1, 1, 0),
        "push": ("ok", 0, 0, 1),  # what can't be read names no source
    }  # a feed's polls tell of it
    assert health.latest["desk"].last_item_at == datetime(2026, 6, 18, 10, 2, tzinfo=SHANGHAI)
    now.pass_(minutes=1)
    arrivals.look()
    assert (health.latest["desk"].fetched, health.latest["desk"].checked_at) == (0, now())
    assert 'fengxiang_source_new_total{source="wind"} 1.0' in exposition(outbox, health).decode()


def test_a_pushed_source_falls_silent_by_its_usual_rate_across_a_restart_and_an_alert_says_so(
    clickhouse_server: ClickHouseServer, clickhouse_database: str, clickhouse: Client, tmp_path: Path, outbox: Outbox
) -> None:
    settings = Settings.model_validate(
        {"clickhouse": clickhouse_server.url(database=clickhouse_database), "data_dir": tmp_path}
    )
    migrate(settings)
    clickhouse.command("ALTER TABLE source_health REMOVE TTL")  # these days may be long gone
    store, health = Store(settings), Health(timedelta(hours=1))
    now = Now(datetime(2026, 6, 8, tzinfo=SHANGHAI))  # a Monday
    arrivals = Arrivals(outbox, health, clock=now)
    while now() < datetime(2026, 6, 12, 9, 50, tzinfo=SHANGHAI):
        if 8 <= now().hour < 20:
            arrivals.note([of("desk")], Added(1, 0, {"desk": 1}))
        if now().hour == 9 and now().minute == 0 and now().day == 8:
            arrivals.note([of("once")], Added(1, 0, {"once": 1}))
        arrivals.look()
        now.pass_(minutes=10)
    assert {r.state for r in health.latest.values()} == {"ok"}  # nor is what came once silent, before rates are known
    health.flush(store.insert)
    restarted = Health(timedelta(hours=1))
    restarted.expect(learn(store.query, now()))
    arrivals = Arrivals(outbox, restarted, clock=now)
    for _ in range(18):
        now.pass_(minutes=10)
        arrivals.look()
    assert {name: r.state for name, r in restarted.latest.items()} == {"desk": "silent", "once": "ok"}
    assert restarted.latest["desk"].usual == pytest.approx(6)
    restarted.flush(store.insert)
    rule = Rule(trouble=Trouble(sources=("silent",)))
    assert "silent desk" in {signal.key for signal in trouble(clickhouse, rule, now())}
    arrivals.note([of("desk", "2")], Added(1, 0, {"desk": 1}))
    now.pass_(minutes=1)
    arrivals.look()
    assert restarted.latest["desk"].state == "ok"
    store.close()


def test_clients_that_have_gone_are_forgotten_and_names_are_bounded(outbox: Outbox) -> None:
    now, health = Now(NOW), Health()
    arrivals = Arrivals(outbox, health, clock=now)
    many = [of(f"s{n}") for n in range(MAX_SOURCES + 20)]
    arrivals.note(many, outbox.add(many))
    arrivals.look()
    now.pass_(minutes=1)
    arrivals.look()
    assert sum(report.checked_at == now() for report in health.latest.values()) == MAX_SOURCES
    now.pass_(days=KNOWN_DAYS)
    arrivals.note([letter("x")], Added(1, 0))  # of no source
    arrivals.look()
    assert not any(report.checked_at == now() for report in health.latest.values())
    assert outbox.note("arrivals") == {}


def test_a_door_that_does_not_open_is_failing_until_it_works_again(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, health = Now(NOW), Health()
    arrivals = Arrivals(outbox, health, clock=now)
    first, stop = Push("127.0.0.1", 0, "t"), threading.Event()
    thread = threading.Thread(target=first.run, args=(outbox, stop))
    thread.start()
    assert first.ready.wait(10)
    second = Push("127.0.0.1", first.port, "t")
    ended = threading.Event()
    keep_running(second, outbox, ended, lambda _: ended.set(), arrivals.failed)
    stop.set()
    thread.join(10)
    assert health.latest["push"].state == "failing" and "address already in use" in health.latest["push"].message
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.pdf").write_bytes(b"x")

    def refuses(_: Path) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ingest.folder, "_hash", refuses)
    clock = Clock()
    clock.seconds = (tmp_path / "inbox" / "a.pdf").stat().st_mtime + 10
    folder, pdfs = Folder(tmp_path / "inbox", max_bytes=10**6, failed=arrivals.failed, clock=clock), ReportReader()
    folder.sweep(outbox, pdfs)
    pdfs.close()
    assert health.latest[folder.name].message == "a.pdf: Input/output error"
    now.pass_(minutes=5)
    arrivals.look()
    assert health.latest["push"].state == "failing"
    now.pass_(minutes=6)
    arrivals.look()
    assert {health.latest[name].state for name in ("push", folder.name)} == {"ok"}


def test_the_system_page_asks_for_freshness_and_rates(
    clickhouse_server: ClickHouseServer, clickhouse_database: str, clickhouse: Client, tmp_path: Path
) -> None:
    settings = Settings.model_validate(
        {"clickhouse": clickhouse_server.url(database=clickhouse_database), "data_dir": tmp_path}
    )
    migrate(settings)
    store, health = Store(settings), Health()
    at = datetime.now(SHANGHAI)
    for minutes, new in ((200, 5), (40, 2), (20, 0), (10, 1)):
        checked = at - timedelta(minutes=minutes)
        health.add(Report("desk", checked, "ok", new, new, 0, checked if new else None))
    health.flush(store.insert)
    (row,) = list(clickhouse.query(system.health().sql).named_results())
    assert (row["arrivals"], row["usual"], row["new"], row["state"]) == (2, -1, 8, "ok")
    assert abs((at - row["last_item"]).total_seconds() - 600) < 1
    clickhouse.command(
        "INSERT INTO source_health (source, checked_at, state, usual) VALUES ('desk', now64(3), 'ok', 30)"
    )
    (row,) = list(clickhouse.query(system.health().sql).named_results())
    assert row["usual"] == 30
    store.close()
