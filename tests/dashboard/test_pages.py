"""Every page in a real browser: numbers, links, languages, live updates, downloads; nothing rendered from a text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import quote

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from dashboard.safe import plain
from models.trading import SHANGHAI
from stream.retention import Retention
from tests.dashboard.conftest import HOSTILE, World
from tests.dashboard.seed import make
from tests.stream.stack import within

pytestmark = pytest.mark.browser

PAGES = (
    "",
    "theme",
    "security",
    "stories",
    "reports",
    "reports?tab=advice",
    "reports?tab=weekly",
    "search",
    "alerts",
    "sql",
    "system",
)
WIDE = "w=30d"


def opened(page: Page, world: World, path: str) -> Page:
    page.goto(f"{world.site.address}/{path}")
    expect(page.locator(".fx-panel > *").first).to_be_visible()
    settle(page)
    return page


def settle(page: Page) -> None:
    """Wait until the script has run."""
    expect(page.locator('.stApp[data-test-script-state="notRunning"]')).to_be_attached()


def unfold(page: Page, title: str) -> None:
    """Open a folded part and wait until it is: as its animation ends, the page scrolls back from under a click."""
    page.get_by_text(title).click()
    expect(page.locator("details[open]", has_text=title)).to_be_attached()
    page.wait_for_function(
        "[...document.querySelectorAll('details')].flatMap((d) => d.getAnimations())"
        ".every((a) => a.playState !== 'running')"
    )


def fits_a_phone(page: Page) -> None:
    """At a phone's width, once the charts are drawn anew."""
    page.wait_for_function("document.querySelector('.stMain').scrollWidth <= 390")
    settle(page)
    width = page.evaluate("document.querySelector('.stMain').scrollWidth")
    assert width <= 390, f"the page is {width} px wide"


def tile(page: Page, name: str) -> str:
    """The number on a tile."""
    text = page.locator(".fx-tile", has_text=name).first.locator(".v").inner_text()
    return text.replace(",", "").strip()


def scalar(world: World, sql: str) -> int:
    return int(world.reader.query(sql).first_row[0])


SINCE = "published_at >= '2026-10-21 18:40:01' AND published_at < '2026-11-20 18:40:01'"


@pytest.mark.parametrize("path", PAGES)
def test_page_shows_without_error_and_fits_a_phone(page: Page, world: World, path: str) -> None:
    opened(page, world, path)
    assert not page.get_by_text(re.compile("出错了|没有成功|encountered an error")).count()
    assert not page.locator('[data-testid="stException"]').count()
    page.set_viewport_size({"width": 390, "height": 844})
    fits_a_phone(page)


def test_overview_counts_what_sql_counts(page: Page, world: World) -> None:
    opened(page, world, f"?{WIDE}")
    assert int(tile(page, "文档")) == scalar(world, f"SELECT uniqExact(id) FROM documents FINAL WHERE {SINCE}")
    assert int(tile(page, "独立事件")) == scalar(
        world, f"SELECT uniqExact(story_id) FROM documents FINAL WHERE {SINCE}"
    )
    card = page.locator(".fx-card", has_text="游戏").first
    games = scalar(world, f"SELECT uniqExact(document_id) FROM document_themes FINAL WHERE theme = 'game' AND {SINCE}")
    assert int(card.locator(".c b").inner_text()) == games


def test_sources_of_a_past_window_are_as_fresh_as_they_were_then(page: Page, world: World) -> None:
    opened(page, world, "?w=custom&days=2026-10-26,2026-10-27")
    expect(page.locator(".fx-sources .fx-box", has_text="sample-wire")).to_contain_text("正常")


def test_a_source_that_fails_is_told_of_now_alone(page: Page, world: World) -> None:
    world.client.command(
        "INSERT INTO source_health (source, checked_at, state, errors, message) VALUES"
        " ('sample-wire', now64(3) - INTERVAL 1 MINUTE, 'failing', 1, '连不上主机')"
    )
    box = page.locator(".fx-sources .fx-box", has_text="sample-wire")
    try:
        assert within(60, lambda: "出错" in (opened(page, world, f"?{WIDE}"), box.inner_text())[1], step=2)
        expect(box).to_contain_text("连不上主机")
        opened(page, world, "?w=custom&days=2026-10-26,2026-10-27")
        expect(box).to_contain_text("正常")
    finally:
        world.client.command(
            "INSERT INTO source_health (source, checked_at, state) VALUES ('sample-wire', now64(3), 'ok')"
        )


def test_counting_by_story_changes_the_cards(page: Page, world: World) -> None:
    opened(page, world, f"?{WIDE}")
    page.get_by_role("radio", name="按事件").click()
    stories = scalar(world, f"SELECT uniqExact(story_id) FROM document_themes FINAL WHERE theme = 'game' AND {SINCE}")
    card = page.locator(".fx-card", has_text="游戏").first
    expect(card.locator(".c b")).to_have_text(str(stories))
    assert "by=story" in page.url


def test_theme_card_leads_to_the_theme_and_on_to_a_document(page: Page, world: World) -> None:
    opened(page, world, f"?{WIDE}")
    page.locator(".fx-card", has_text="跨境电商").first.click()
    expect(page).to_have_url(re.compile(r"/theme\?.*theme=cross_border_ecommerce"))
    assert "w=30d" in page.url
    title = page.locator(".st-key-panel-theme-cross_border_ecommerce .fx-item .t a").first
    text = title.inner_text()
    title.click()
    expect(page).to_have_url(re.compile(r"/document\?.*id=[0-9a-f]{32}"))
    expect(page.locator(".fx-title")).to_have_text(text)


def test_deep_link_restores_theme_window_and_basis(page: Page, world: World) -> None:
    opened(page, world, "theme?theme=game&w=30d&by=story&lang=en")
    stories = scalar(world, f"SELECT uniqExact(story_id) FROM document_themes FINAL WHERE theme = 'game' AND {SINCE}")
    assert int(tile(page, "Stories")) == stories
    expect(page.get_by_role("radio", name="30 d")).to_be_checked()
    expect(page.get_by_role("radio", name="Stories")).to_be_checked()


def test_navigation_keeps_window_and_language(page: Page, world: World) -> None:
    opened(page, world, "?w=30d&lang=en")
    page.get_by_role("link", name="Securities").click()
    expect(page).to_have_url(re.compile("/security"))
    expect(page.get_by_role("radio", name="30 d")).to_be_checked()
    expect(page.get_by_text("Every mention")).to_be_visible()


def test_language_switch(page: Page, world: World) -> None:
    opened(page, world, "")
    expect(page.get_by_text("题材热度")).to_be_visible()
    page.get_by_role("radio", name="EN").click()
    expect(page.get_by_text("Live feed")).to_be_visible()
    assert "lang=en" in page.url
    expect(page.get_by_text("题材热度")).to_have_count(0)


def test_colour_convention_can_be_turned(page: Page, world: World) -> None:
    opened(page, world, f"?{WIDE}")
    red = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--fx-up')").strip()
    opened(page, world, f"?{WIDE}&colours=green_up")
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--fx-down')").strip() == red


def test_security_shows_every_mention_with_its_name_marked(page: Page, world: World) -> None:
    opened(page, world, f"security?code=300364.SZ&{WIDE}")
    where = f"code = '300364.SZ' AND {SINCE}"
    assert int(tile(page, "文档")) == scalar(world, f"SELECT uniqExact(document_id) FROM mentions FINAL WHERE {where}")
    marks = page.locator(".st-key-panel-mentions mark")
    mentions = scalar(world, f"SELECT count() FROM mentions FINAL WHERE {where}")
    expect(marks).to_have_count(min(mentions, 20))
    assert set(marks.all_inner_texts()) == {"中文在线"}
    expect(page.get_by_text("链接依据：括注").first).to_be_visible()


def test_report_shows_its_metadata_and_recommendations(page: Page, world: World) -> None:
    opened(page, world, f"reports?{WIDE}")
    card = page.locator(".st-key-panel-reports .fx-box").first
    for text in ("样例证券", "看好", "上调", "前次 中性", "王样例", "S0000526010001", "目标价 32.50", "中文在线"):
        expect(card).to_contain_text(text)
    opened(page, world, f"reports?tab=advice&{WIDE}")
    expect(page.locator(".st-key-panel-advice")).to_contain_text("生成模型落地")


def test_weekly_digest_downloads_as_a_page(page: Page, world: World) -> None:
    opened(page, world, "reports?tab=weekly&week=2026-W43")
    expect(page.locator(".fx-digest h1")).to_contain_text("2026-W43")
    with page.expect_download() as download:
        page.get_by_role("button", name="下载 HTML").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "题材变化" in text
    assert download.value.suggested_filename == "fengxiang-2026-W43.html"
    with page.expect_download() as download:
        page.get_by_role("button", name="下载 PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    assert download.value.suggested_filename == "fengxiang-2026-W43.pdf"


def test_search_finds_marks_and_filters(page: Page, world: World) -> None:
    opened(page, world, f"search?q=版号&{WIDE}")
    where = f"(position(title, '版号') > 0 OR position(body, '版号') > 0) AND {SINCE}"
    n = scalar(world, f"SELECT uniqExact(id) FROM documents FINAL WHERE {where}")
    assert n > 0
    expect(page.get_by_text(f"{n} 篇文档")).to_be_visible()
    expect(page.locator(".st-key-panel-search mark").filter(has_text=re.compile("^版号$")).first).to_be_visible()
    opened(page, world, f"search?q=版号&tone=negative&{WIDE}")
    n = scalar(world, f"SELECT uniqExact(id) FROM documents FINAL WHERE sentiment = 'negative' AND {where}")
    expect(page.get_by_text(f"{n} 篇文档")).to_be_visible()


def test_a_search_without_a_hit_leads_to_all_times(page: Page, world: World) -> None:
    opened(page, world, "search?q=版号&w=1h&kinds=wire")
    expect(page.get_by_text("0 篇文档")).to_be_visible()
    page.get_by_role("link", name="在全部时间中检索").click()
    n = scalar(
        world,
        "SELECT uniqExact(id) FROM documents FINAL"
        " WHERE (position(title, '版号') > 0 OR position(body, '版号') > 0) AND kind = 'wire'",
    )
    expect(page.get_by_text(f"{n} 篇文档")).to_be_visible()


def test_story_folds_copies(page: Page, world: World) -> None:
    story, copies = world.reader.query(
        f"SELECT story_id, uniqExact(id) AS n FROM documents FINAL"
        f" WHERE {SINCE} GROUP BY story_id ORDER BY n DESC LIMIT 1"
    ).first_row
    opened(page, world, f"stories?{WIDE}")
    first = page.locator(".fx-stories .fx-item").first
    assert int(first.locator(".fx-count").inner_text()) == copies
    opened(page, world, f"stories?story={story}&{WIDE}")
    expect(page.locator(".st-key-panel-copies .fx-item")).to_have_count(copies)


def test_sql_page_runs_reads_and_refuses_writes(page: Page, world: World) -> None:
    opened(page, world, "sql")
    editor = page.get_by_role("textbox")
    editor.fill("SELECT uniqExact(id) AS n FROM documents FINAL")
    page.get_by_role("button", name="运行").click()
    expect(page.get_by_text("1 行")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    n = scalar(world, "SELECT uniqExact(id) FROM documents FINAL")
    assert download.value.path().read_text(encoding="utf-8-sig").split() == ["n", str(n)]
    editor.fill("DROP TABLE documents")
    page.get_by_role("button", name="运行").click()
    expect(page.get_by_text("查询没有成功")).to_be_visible()
    assert scalar(world, "SELECT uniqExact(id) FROM documents FINAL") == n
    editor.fill("SELECT groupArray(number) FROM numbers(1000000000)")
    page.get_by_role("button", name="运行").click()
    expect(page.get_by_text("超出了只读用户的限额")).to_be_visible()
    expect(page.get_by_text("请缩短时段")).to_be_visible()


def test_sql_page_shows_keeps_and_charts_what_arrow_has_no_type_for(page: Page, world: World) -> None:
    shown = {"n": 3, "pairs": "[('游戏', 3)]", "address": "10.0.0.1", "wide": "170141183460469231731687303715884105727"}
    statement = (
        "SELECT toUInt64(3) AS n, [('游戏', n)] AS pairs, toIPv4('10.0.0.1') AS address,"
        f" toInt128('{shown['wide']}') AS wide"
    )
    opened(page, world, f"sql?sql={quote(statement)}")
    expect(page.get_by_text("1 行")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Parquet").click()
    assert pd.read_parquet(download.value.path()).to_dict("records") == [shown]
    unfold(page, "画图")
    page.locator(".st-key-chart_x").get_by_role("combobox").click()
    page.get_by_role("option", name="n", exact=True).click()
    expect(page.get_by_label("X-axis titled 'n'").first).to_be_attached()


def test_chart_shows_its_sql_and_downloads_its_numbers(page: Page, world: World) -> None:
    opened(page, world, f"?{WIDE}")
    page.get_by_role("button", name="SQL").first.click()
    shown = page.locator('[data-testid="stPopoverBody"]')
    expect(shown.locator("code").first).to_contain_text("FROM document_themes FINAL")
    with page.expect_download() as download:
        shown.get_by_role("button", name="CSV", exact=True).click()
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "theme,back,n,tone" and len(lines) > 5
    statement = shown.locator("code").first.inner_text()
    assert len(world.reader.query(statement).result_rows) == len(lines) - 1


def test_hostile_titles_are_shown_as_text(page: Page, world: World) -> None:
    shown = [plain(title, 99) for title in HOSTILE]
    for path in ("", f"theme?theme=aigc&{WIDE}", f"stories?{WIDE}&order=newest", "search?q=获批"):
        opened(page, world, path)
        for title in shown:
            expect(page.locator(".fx-item .t a").get_by_text(title, exact=True).first).to_be_visible()
    opened(page, world, f"security?code=300364.SZ&{WIDE}")
    for title in shown:
        expect(page.locator(".fx-item .s a").get_by_text(title, exact=True).first).to_be_visible()
    for title in HOSTILE:
        id_ = next(m.document.id for m in world.seed.messages if m.document.title == title)
        opened(page, world, f"document?id={id_}")
        assert page.locator(".fx-title").inner_text() == title
    assert page.evaluate("window.hacked") is None
    assert not page.locator('a[href^="javascript:"]').count()


def test_a_text_whose_time_is_over_shows_its_beginning_and_says_so(page: Page, world: World) -> None:
    """Only this document of 2025 is due; its evidence beyond the excerpt is simply not marked."""
    text = "某公司的游戏获批版号。" + "背景介绍，" * 60 + "中文在线的大模型也获批。"
    world.seed.add(make("old", "旧闻", text, "2025-01-02T10:00:00"))
    world.seed.insert(world.client)
    days = (datetime.now(SHANGHAI) - datetime(2025, 6, 1, tzinfo=SHANGHAI)).days
    Retention(text_days=days, document_days=0).keep(world.client)
    sql = "SELECT count() FROM documents FINAL WHERE text_length > 0"
    assert within(60, lambda: scalar(world, sql) == 1)
    id_ = next(m.document.id for m in world.seed.messages if m.document.title == "旧闻")
    opened(page, world, f"document?id={id_}")
    assert page.locator(".fx-body").inner_text() == text[:200] + "…"
    expect(page.get_by_text(f"全文（共 {len(text)} 字）的保存期限已过")).to_be_visible()
    opened(page, world, f"document?id={id_}&lang=en")
    expect(page.get_by_text(f"the whole text ({len(text)} characters)")).to_be_visible()


def test_the_system_page_shows_each_source_s_newest_item_and_its_rate_beside_the_usual(
    page: Page, world: World
) -> None:
    world.client.command(
        "INSERT INTO source_health (source, checked_at, state, fetched, new, last_item_at, usual) VALUES"
        " ('desk', now64(3) - INTERVAL 9 MINUTE, 'ok', 3, 3, now64(3) - INTERVAL 10 MINUTE, 12),"
        " ('desk', now64(3), 'silent', 0, 0, now64(3) - INTERVAL 10 MINUTE, 12)"
    )
    row = page.locator("tr", has_text="desk").first

    def shown() -> bool:  # the page's answers may be 20 seconds old
        return bool(opened(page, world, "system").locator("tr", has_text="desk").count())

    assert within(60, shown, step=2)
    for text in ("silent", re.compile("1[01] 分钟前"), "1 / 12"):
        expect(row).to_contain_text(text)


def test_live_feed_shows_a_new_document_and_keeps_the_readers_place(page: Page, world: World) -> None:
    opened(page, world, "")
    newest = world.reader.query("SELECT max(published_at) FROM documents").first_row[0]

    def push(i: int) -> str:
        title = f"直播测试第{i}条：中文在线大模型获批"
        world.seed.add(make("live", title, "正文", (newest + timedelta(seconds=i)).astimezone(SHANGHAI)))
        world.seed.insert(world.client)
        return title

    feed = page.locator(".fx-scroll")
    expect(feed.get_by_text(push(1))).to_be_visible(timeout=5_000)
    feed.evaluate("e => e.scrollTo(0, 400)")
    page.wait_for_timeout(300)
    seen = """e => {
        const top = e.getBoundingClientRect().top;
        return [...e.children].map(c => [c.dataset.key, c.getBoundingClientRect().top - top]).find(c => c[1] >= 0);
    }"""
    before = feed.evaluate(seen)
    title = push(2)
    expect(feed.get_by_text(title)).to_be_attached(timeout=5_000)
    after = feed.evaluate(seen)
    assert after[0] == before[0] and abs(after[1] - before[1]) < 2
    more = page.locator(".fx-more")
    expect(more).to_have_text("↑ 1 条新消息")
    more.click()
    expect(feed.get_by_text(title)).to_be_in_viewport()
    expect(more).to_be_hidden()
    world.client.command("DELETE FROM documents WHERE source = 'live'")
