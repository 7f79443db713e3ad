"""Dead letters on the system page: grouped by reason and source, as text, and sent once more by editors alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Locator, Page, expect

from dashboard.queries import system as sql
from deploy.local.broker import create_topics
from deploy.settings import Settings
from stream.deadletters import Record
from stream.log import open_producer
from stream.records import DEAD, DeadLetter, encode
from stream.resend import carry_out
from stream.sink import Sink
from tests.dashboard.conftest import HOSTILE, Doors
from tests.dashboard.seed import Seed, make
from tests.dashboard.site import Site, sign_in
from tests.fixtures.broker import Broker

AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
LETTERS = 5


@pytest.fixture
def writer(doors: Doors) -> Client:
    """A store with one document, five letters that failed alike, and one whose every field is hostile."""
    seed = Seed({"中文在线": "300364.SZ"})
    seed.add(make("a", "中文在线游戏获批", "中文在线游戏上涨。", AT))
    seed.insert(doors.writer)
    letters = []
    for n in range(LETTERS):
        document = make("a", f"第{n}条", "正文", AT)
        letters.append(
            DeadLetter(
                document_id=document.id,
                stage="analyse",
                reason=f"the model fell over {document.id} after {n} s",
                source="a",
                payload=encode(document).decode(),
                failed_at=AT + timedelta(seconds=n),
            )
        )
    script, markdown, style, _ = HOSTILE
    letters.append(
        DeadLetter(
            document_id=style,
            stage="decode",
            reason=script,
            source=markdown,
            payload=script + style,
            failed_at=AT - timedelta(days=1),
        )
    )
    sink = Sink(lambda: doors.writer, epochs={}, clock=lambda: AT)
    sink.store_dead([Record(DEAD, 0, n, b"", encode(letter)) for n, letter in enumerate(letters)])
    return doors.writer


def visit(page: Page, site: Site, name: str) -> Locator:
    """The system page as that reader sees it; its groups."""
    sign_in(page, site, "system", name)
    groups = page.locator('[class*="st-key-dead-"]')
    expect(groups).to_have_count(2)
    return groups


def test_letters_that_failed_alike_are_one_group_with_the_newest_as_examples(writer: Client) -> None:
    query = sql.dead_groups(10)
    first, second = writer.query(query.sql, parameters=query.parameters).named_results()
    assert (first["stage"], first["source"], first["n"], first["open"]) == ("analyse", "a", LETTERS, LETTERS)
    assert first["alike"] == "the model fell over # after # s"
    assert (first["first"], first["last"]) == (AT, AT + timedelta(seconds=LETTERS - 1))
    assert (second["stage"], second["n"]) == ("decode", 1)
    examples = [row for row in writer.query(sql.dead_examples().sql).named_results() if row["stage"] == "analyse"]
    assert [row["failed_at"] for row in examples] == [AT + timedelta(seconds=n) for n in (4, 3, 2)]


@pytest.mark.browser
def test_an_editor_replays_a_group_and_sees_what_became_of_it(
    page: Page, team_site: Site, writer: Client, make_broker: Callable[[], Broker]
) -> None:
    broker = make_broker()
    settings = Settings(local={"kafka_port": broker.port})
    create_topics(broker.servers, settings)
    group = visit(page, team_site, "ann").filter(has_text="fell over")
    expect(group).to_contain_text(f"{LETTERS} 条，{LETTERS} 条未重放")
    expect(group.locator(".fx-item code")).to_have_count(3)
    group.get_by_role("button", name=f"重放 {LETTERS} 条").click()
    expect(group.get_by_role("button", name="等待处理进程")).to_be_disabled()
    requests = page.locator(".st-key-panel-replays .fx-item")
    expect(requests).to_contain_text("等待处理进程")
    assert writer.query("SELECT outcome, `by` FROM replay_requests FINAL").result_rows == [("", "ann")]

    assert len(carry_out(writer, lambda: open_producer(settings))) == 1
    expect(requests).to_contain_text(f"已重放 {LETTERS} 条")
    expect(requests).to_contain_text("ann")
    expect(group).to_contain_text(f"{LETTERS} 条，0 条未重放")
    expect(group.get_by_role("button", name="重放")).to_have_count(0)
    expect(page.locator(".fx-tile", has_text="死信")).to_contain_text("1 条未重放")

    page.get_by_role("button", name="重放 1 条").click()  # the hostile one
    expect(requests).to_have_count(2)
    carry_out(writer, lambda: open_producer(settings))
    expect(requests.first).to_contain_text("跳过 1 条，原文读不出")
    assert page.evaluate("window.hacked") is None and not requests.locator("img, script, style, strong").count()


@pytest.mark.browser
def test_a_viewer_only_looks_and_hostile_letters_are_text(page: Page, team_site: Site, writer: Client) -> None:
    groups = visit(page, team_site, "vic")
    expect(groups.get_by_role("button")).to_have_count(0)
    hostile = groups.nth(1)
    for part in ("<script>window.hacked=1</script>", "**粗体** [点我]", "<style>*{display:none}</style>"):
        expect(hostile).to_contain_text(part)
    assert not hostile.locator("img, script, style, strong, a").count()
    assert page.evaluate("window.hacked") is None
