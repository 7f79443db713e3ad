"""Subscriptions on the page: written in a form or as YAML, switched, looked back on, exported and imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Page, expect

from dashboard import subscriptions
from stream.alerts.channels import Channel, ChannelBook, Safe
from stream.alerts.ledger import Attempt, Firing, note
from stream.alerts.subscriptions import Book, Stored, Subscription
from stream.alerts.text import RuleError
from tests.dashboard.conftest import HOSTILE, schema
from tests.dashboard.seed import Seed, make
from tests.dashboard.site import Site
from tests.dashboard.test_pages import fits_a_phone, settle, unfold
from tests.fixtures.clickhouse import ClickHouseServer

RULE = """
name: 游戏转空
when:
  theme: game
  tone: negative
  any: [{keyword: 处罚}, {keyword: 版号}]
burst: {window: 2h, times: 2.5}
per: theme
channels: 群
escalate: {after: 5m, channels: 值班}
"""
DATABASE = "dashboard_alerts"

# ---------------------------------------------------------------------- without a browser


def test_the_form_gives_back_what_it_was_given() -> None:
    rule = subscriptions.one(RULE)
    assert subscriptions.filled(rule, subscriptions.fields(rule)) == rule
    assert subscriptions.beyond_form(rule) == ["any", "escalate"]
    assert subscriptions.one(subscriptions.text_of(rule)) == rule


def test_the_form_changes_its_own_keys_alone() -> None:
    rule = subscriptions.one(RULE)
    values = subscriptions.fields(rule) | {"rule": "document", "watch": {}, "tone": [], "quiet": "22:00-07:30"}
    changed = subscriptions.filled(rule, values)
    assert (changed.kind, changed.per, changed.when.tone, changed.quiet) == ("document", "all", (), "22:00-07:30")
    assert changed.when.any == rule.when.any and changed.escalate == rule.escalate


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"security": ["300413"]}, "when.security"),
        ({"quiet": "night"}, "quiet"),
        ({"rule": "burst", "watch": {"window": "soon"}}, "burst.window"),
        ({"name": ""}, "name"),
        ({"theme": []}, "when"),
    ],
)
def test_a_mistake_in_the_form_is_named(values: dict[str, object], place: str) -> None:
    given = subscriptions.fields(None) | {"name": "x", "theme": ["game"]} | values
    with pytest.raises(RuleError, match=re.escape(place)):
        subscriptions.filled(None, given)


@pytest.mark.parametrize(
    ("text", "threshold", "value", "expected"),
    [
        ("name: a\nwhen: {theme: game, mention_below: -0.2}", "mention_below", -0.55, -0.55),
        ("name: a\nwhen: {theme: game}\nburst: {times: 2}", "burst.times", 4.25, 4.25),
        ("name: a\nwhen: {theme: game}\ncount: {at_least: 2}", "count.at_least", 6.0, 6),
    ],
)
def test_a_suggested_threshold_is_put_into_the_rule(text: str, threshold: str, value: float, expected: float) -> None:
    changed = msgspec.to_builtins(subscriptions.with_threshold(subscriptions.one(text), threshold, value))
    first, _, second = threshold.partition(".")
    assert (changed[first][second] if second else changed["when"][first]) == expected


def test_who_sees_and_changes_what() -> None:
    hers = subscriptions.one("{name: a, id: x1, owner: ann, when: {theme: game}}")
    shared = msgspec.structs.replace(hers, shared=True)
    assert subscriptions.sees(hers, "ann") and not subscriptions.sees(hers, "bob") and subscriptions.sees(shared, "bob")
    assert subscriptions.owns(hers, "ann") and not subscriptions.owns(shared, "bob") and subscriptions.owns(shared, "")
    known = [Stored(subscription=shared, version=1)]
    (copy,) = subscriptions.own([msgspec.structs.replace(hers, id="")], known, "bob")
    assert copy.owner == "bob"
    with pytest.raises(RuleError, match="ann"):
        subscriptions.own([hers], known, "bob")
    assert subscriptions.own([hers], known, "ann")[0].owner == "ann"
    common = msgspec.structs.replace(hers, owner="")
    assert subscriptions.own([common], [Stored(subscription=common, version=1)], "bob")[0].owner == ""


# ---------------------------------------------------------------------- in the browser


@pytest.fixture(scope="module")
def server_site(
    clickhouse_server: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Site]]:
    """Twelve days of documents on games, two subscriptions and a channel, and a site that may edit."""
    schema(clickhouse_server, DATABASE)
    seed, now = Seed({"中文在线": "300364.SZ"}), datetime.now(UTC).replace(microsecond=0)
    for day in range(1, 13):
        for i in range(day % 3 + 1):
            at = now - timedelta(days=day, hours=i)
            seed.add(make("cls", f"第{day}天第{i}条：中文在线游戏上涨", "中文在线新游戏获批。", at))
    folder = tmp_path_factory.mktemp("site")
    with clickhouse_server.client(database=DATABASE) as client:
        seed.insert(client)
        ChannelBook(client, Safe.of(folder)).save(Channel(owner="", name="群", address="https://example.com/s3cr3t"))
        first, _ = Book(client).save(
            [subscriptions.one(RULE), Subscription(name=HOSTILE[0][:90], when=subscriptions.one(RULE).when)]
        )
        _fire(client, first, now)
        reader, editor = clickhouse_server.url(writer=False, database=DATABASE), clickhouse_server.editor_url(DATABASE)
        site = Site(reader, folder, editor).start()
        yield client, site
        site.stop()


def _fire(client: Client, stored: Stored, now: datetime) -> None:
    """A firing with a hostile title, whose message failed."""
    firing = Firing(
        id="f1", subscription_id=stored.subscription.id, subscription_version=stored.version, owner="",
        name=stored.subscription.name, kind="burst", group_key="g", document_id="", title=HOSTILE[1], fired_at=now,
        outcome="send", due_at=now, message_id="m1", channels=("群",),
    )  # fmt: skip
    names = [name for name in Firing.__struct_fields__ if name != "escalate_to"]
    values = [list(v) if isinstance(v := getattr(firing, name), tuple) else v for name in names]
    client.insert("alerts", [values], column_names=names)
    failed = Attempt(message_id="m1", subscription_id=stored.subscription.id, channel="群", attempt=1, state="failed",
                     at=now, detail="503")  # fmt: skip
    note(client, [failed])


def current(client: Client, name: str) -> Stored:
    return Book(client).find(name)


def opened(page: Page, site: Site, path: str) -> None:
    page.goto(f"{site.address}/{path}")
    expect(page.locator(".fx-panel > *").first).to_be_visible()
    settle(page)


@pytest.mark.browser
def test_the_list_leads_to_a_subscription_with_its_firings(page: Page, server_site: tuple[Client, Site]) -> None:
    _, site = server_site
    opened(page, site, "alerts")
    table = page.locator(".st-key-panel-subscriptions")
    expect(table).to_contain_text(HOSTILE[0][:40])
    row = table.locator("tr", has_text="游戏转空")
    expect(row).to_contain_text("启用")
    row.get_by_role("link", name="游戏转空").click()
    expect(page).to_have_url(re.compile(r"alerts\?.*id=[0-9a-f]{12}"))
    expect(page.locator(".st-key-panel-firings")).to_contain_text("失败，重试中")
    acknowledge = page.locator(".st-key-panel-firings").get_by_role("link", name="确认或静音")
    assert re.search(r"/manage/[0-9a-f]{12}/m1/[0-9a-f]{32}$", str(acknowledge.get_attribute("href")))
    expect(page.locator(".st-key-panel-firings")).to_contain_text("[点我](javascript:window.hacked=1)")
    opened(page, site, "alerts?alerts=log&lang=en")
    expect(page.locator(".st-key-panel-log")).to_contain_text("failed, trying again")
    opened(page, site, "alerts?alerts=channels")
    expect(page.locator(".st-key-panel-channels")).to_contain_text("群")
    assert "s3cr3t" not in page.content() and page.evaluate("window.hacked") is None
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("alerts", "alerts?id=new", "alerts?alerts=channels", "alerts?alerts=exchange"):
        opened(page, site, path)
        fits_a_phone(page)


def begun(page: Page, site: Site, name: str) -> None:
    """A new subscription's form, its name filled in."""
    opened(page, site, "alerts?id=new")
    page.get_by_label("名称").fill(name)
    page.get_by_label("名称").press("Enter")
    settle(page)


@pytest.mark.browser
def test_a_subscription_is_made_in_the_form_and_looked_back_on(page: Page, server_site: tuple[Client, Site]) -> None:
    client, site = server_site
    begun(page, site, "游戏消息")
    page.get_by_role("button", name="保存").first.click()
    expect(page.locator(".st-key-panel-wrong")).to_contain_text("when")
    theme = page.get_by_label("题材")
    theme.click()
    page.get_by_role("option", name="游戏").first.click()
    page.keyboard.press("Escape")
    settle(page)
    page.get_by_role("button", name="回测").first.click()
    expect(page.locator(".st-key-panel-lookback")).to_contain_text("30 天内会触发 24 次")
    expect(page.locator(".st-key-panel-lookback-firings .fx-item").first).to_contain_text("第1天第0条")
    page.get_by_role("button", name="保存").first.click()
    expect(page).to_have_url(re.compile(r"id=[0-9a-f]{12}"))
    assert current(client, "游戏消息").subscription.when.theme == ("game",)


@pytest.mark.browser
def test_a_company_that_no_document_has_named_can_be_watched(page: Page, server_site: tuple[Client, Site]) -> None:
    client, site = server_site
    begun(page, site, "等茅台")
    box = page.get_by_role("combobox", name="证券")
    box.fill("没有*这家*公司")
    box.press("Enter")
    expect(page.get_by_text("没有名称或代码是“没有*这家*公司”的证券")).to_be_visible()
    box.fill("贵州茅台")
    box.press("Enter")
    expect(page.get_by_text("贵州茅台 600519.SH")).to_be_visible()
    page.keyboard.press("Escape")
    settle(page)
    page.get_by_role("button", name="保存").first.click()
    expect(page).to_have_url(re.compile(r"id=[0-9a-f]{12}"))
    assert current(client, "等茅台").subscription.when.security == ("600519.SH",)


@pytest.mark.browser
def test_yaml_mistakes_name_the_place_and_switches_work(page: Page, server_site: tuple[Client, Site]) -> None:
    client, site = server_site
    id_ = current(client, "游戏转空").subscription.id
    opened(page, site, f"alerts?id={id_}")
    page.get_by_role("tab", name="YAML").click()
    box = page.get_by_role("textbox", name="YAML")
    box.fill("name: 游戏转空\nwhen:\n  theme: game\n  tonne: negative\n")
    box.press("Control+Enter")
    settle(page)
    page.get_by_role("button", name="保存").last.click()
    expect(page.locator(".st-key-panel-wrong")).to_contain_text("line 4, when.tonne: unknown key")
    box.fill("name: 游戏转空\nwhen: {theme: game, relevance: 0.4}\n")
    box.press("Control+Enter")
    settle(page)
    page.get_by_role("button", name="保存").last.click()
    expect(page.locator(".st-key-panel-head")).to_contain_text("逐篇")
    assert current(client, "游戏转空").subscription.when.relevance == 0.4
    assert len(Book(client).versions(id_)) == 2
    unfold(page, "版本（2）")
    expect(page.locator(".stCode").last).to_contain_text("burst")
    page.get_by_role("button", name="恢复此版本").click()
    expect(page.locator(".st-key-panel-head")).to_contain_text("异动")
    assert current(client, "游戏转空").subscription == msgspec.structs.replace(subscriptions.one(RULE), id=id_)
    page.get_by_role("button", name="停用").click()
    expect(page.locator(".st-key-panel-head")).to_contain_text("停用")
    page.get_by_role("button", name="启用").click()
    expect(page.locator(".st-key-panel-head")).to_contain_text("启用")
    page.get_by_role("button", name="暂停").click()
    page.get_by_role("button", name="1 天").click()
    expect(page.locator(".st-key-panel-head")).to_contain_text("暂停至")
    assert current(client, "游戏转空").snoozed_until is not None
    page.get_by_role("button", name="恢复").click()
    expect(page.locator(".st-key-panel-head")).not_to_contain_text("暂停至")


@pytest.mark.browser
def test_export_import_and_removal(page: Page, server_site: tuple[Client, Site]) -> None:
    client, site = server_site
    opened(page, site, "alerts?alerts=exchange")
    with page.expect_download() as download:
        page.get_by_role("button", name="导出 YAML").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert "游戏转空" in text and "s3cr3t" not in text
    box = page.get_by_role("textbox", name="或粘贴 YAML")
    box.fill("subscriptions:\n- {name: 甲, when: {theme: game}}\n- {name: 乙, when: {tone: negative}}\n")
    page.get_by_role("button", name="导入", exact=True).click()
    expect(page.locator(".st-key-panel-imported")).to_contain_text("甲")
    page.locator(".st-key-panel-imported").get_by_role("link", name="乙").click()
    expect(page.locator(".st-key-panel-head")).to_contain_text("乙")
    page.get_by_role("button", name="删除").click()
    page.get_by_role("button", name="确认删除").click()
    expect(page.locator(".st-key-panel-subscriptions")).to_contain_text("甲")
    expect(page.locator(".st-key-panel-subscriptions").get_by_role("link", name="乙")).to_have_count(0)
    assert [s for s in Book(client).all() if s.subscription.name == "乙"] == []
