"""What a page says when there is nothing to show, and that it comes back by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from stream.deadletters import Record
from stream.records import DEAD, DeadLetter, encode
from stream.sink import Sink
from tests.dashboard.conftest import World, schema
from tests.dashboard.seed import Seed, make
from tests.dashboard.site import Site
from tests.fixtures.clickhouse import ClickHouseServer

pytestmark = pytest.mark.browser
LAST_WEEK = ("2026-11-14", "2026-11-20")


def test_away_then_unready_then_empty_then_there(page: Page, tmp_path: Path) -> None:
    """A store that isn't there, has no tables, has no documents, and at last has one: no reload in between."""
    server = ClickHouseServer(tmp_path)
    server.start()
    server.stop()
    site = Site(server.url(writer=False, database="later"), tmp_path).start()
    try:
        page.goto(site.address)
        expect(page.get_by_text("暂时连不上数据库")).to_be_visible()
        assert "reader-secret" not in page.inner_text("body")
        server.start()
        expect(page.get_by_text("数据库还没有建表")).to_be_visible()
        schema(server, "later")
        expect(page.get_by_text("还没有文档")).to_be_visible()
        seed = Seed()
        seed.add(make("a", "第一篇文档", "中文在线的大模型获批。", "2026-11-20T10:00:00"))
        with server.client(database="later") as client:
            seed.insert(client)
        expect(page.get_by_text("第一篇文档").first).to_be_visible()
        server.kill()
        expect(page.get_by_text("连接中断，正在重试…")).to_be_visible()
        expect(page.get_by_text("第一篇文档").first).to_be_visible()
        page.get_by_role("radio", name="今日").click()
        expect(page.get_by_text("暂时连不上数据库")).to_be_visible()
        server.restart()
        expect(page.get_by_text("第一篇文档").first).to_be_visible()
    finally:
        site.stop()
        if server.process is not None and server.process.poll() is None:
            server.stop()


def test_the_system_page_waits_for_the_store_and_keeps_what_it_shows(page: Page, tmp_path: Path) -> None:
    """Its totals and dead letters are read by themselves every few seconds, and a press of a button is told."""
    server = ClickHouseServer(tmp_path)
    server.start()
    server.stop()
    site = Site(server.url(writer=False, database="later"), tmp_path, server.editor_url("later")).start()
    broken = page.locator('[data-testid="stException"]')
    lost = page.get_by_text("连接中断，正在重试…")
    try:
        page.goto(f"{site.address}/system")
        expect(page.get_by_text("暂时连不上数据库")).to_be_visible()
        expect(broken).to_have_count(0)
        server.start()
        expect(page.get_by_text("数据库还没有建表")).to_be_visible()
        schema(server, "later")
        expect(page.get_by_text("没有死信")).to_be_visible()
        letter = DeadLetter(document_id="a", stage="decode", reason="no JSON", failed_at=datetime.now(UTC))
        with server.client(database="later") as client:
            sink = Sink(lambda: client, epochs={}, clock=lambda: letter.failed_at)
            sink.store_dead([Record(DEAD, 0, 0, b"", encode(letter))])
        held = page.locator(".fx-tile", has_text="1 条未重放"), page.get_by_text("no JSON").first
        for shown in held:
            expect(shown).to_be_visible()
        server.kill()
        expect(lost).to_have_count(2)
        page.get_by_role("button", name="重放 1 条").click()
        expect(page.get_by_test_id("stToast")).to_be_visible()
        for shown in held:
            expect(shown).to_be_visible()
        expect(broken).to_have_count(0)
        server.restart()
        expect(lost).to_have_count(0)
        assert "a page failed" not in site.log.read_text(encoding="utf-8")
    finally:
        site.stop()
        if server.process is not None and server.process.poll() is None:
            server.stop()


def test_unknown_document_story_and_theme(page: Page, world: object) -> None:
    address = world.site.address  # type: ignore[attr-defined]
    page.goto(f"{address}/document?id=%3Cscript%3E")
    expect(page.get_by_text("没有这篇文档")).to_be_visible()
    page.goto(f"{address}/stories?story=none")
    expect(page.get_by_text("没有这个事件")).to_be_visible()
    for asked in ("theme?theme=no-such-theme", "security?code=**000000**.XX"):
        page.goto(f"{address}/{asked}")
        expect(page.get_by_text(f"链接里的“{asked.partition('=')[2]}”不在这里")).to_be_visible()
        expect(page.locator(".fx-tile").first).to_be_visible()
    page.goto(f"{address}/theme?theme=game")
    expect(page.locator(".fx-tile").first).to_be_visible()
    expect(page.get_by_text("不在这里")).to_have_count(0)


@pytest.mark.parametrize(
    ("days", "start", "end"),
    [
        ("", *LAST_WEEK),
        (",", *LAST_WEEK),
        ("abc,7", *LAST_WEEK),
        ("2026-02-30,2026-11-20", *LAST_WEEK),
        ("2026-11-19,2026-11-17", "2026-11-17", "2026-11-19"),
        ("0001-01-01,2026-11-18", "", "2026-11-18"),
        ("9999-12-31", "2026-11-20", ""),
    ],
)
def test_any_days_in_the_address_are_a_window(page: Page, world: World, days: str, start: str, end: str) -> None:
    page.goto(f"{world.site.address}/?w=custom&days={days}")
    expect(page.locator(".fx-tile").first).to_be_visible()
    first = world.reader.query("SELECT toString(toDate(min(published_at))) FROM documents FINAL").result_rows[0][0]
    shows_days(page, start or first, end)


def shows_days(page: Page, start: str, end: str) -> None:
    fields = page.locator(".st-key-days input")
    expect(fields.first).to_have_value(start)
    expect(fields.last).to_have_value(end)


def test_days_asked_of_an_empty_store(
    page: Page, clickhouse_server: ClickHouseServer, clickhouse_database: str, tmp_path: Path
) -> None:
    schema(clickhouse_server, clickhouse_database)
    site = Site(clickhouse_server.url(writer=False, database=clickhouse_database), tmp_path).start()
    try:
        page.goto(f"{site.address}/?w=custom&days=2026-11-21,2026-11-01")
        expect(page.get_by_text("还没有文档")).to_be_visible()
        seed = Seed()
        seed.add(make("a", "第一篇文档", "中文在线的大模型获批。", "2026-11-20T10:00:00"))
        with clickhouse_server.client(database=clickhouse_database) as client:
            seed.insert(client)
        shows_days(page, "2026-11-20", "2026-11-20")
        expect(page.locator(".fx-tile").first).to_be_visible()
    finally:
        site.stop()
