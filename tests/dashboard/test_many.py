"""The pages over 20,000 made-up wires of a month: what they say is what SQL says, and hostile titles are text."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

import pytest
from playwright.sync_api import Page, expect

from dashboard.picker import OFFERED
from dashboard.query import clock
from dashboard.safe import plain
from dashboard.text import theme_name
from dashboard.views.search import EXPORT
from models.securities import load
from models.trading import SHANGHAI
from stream.tallies import keep_up
from tests.dashboard.conftest import HOSTILE, World, schema
from tests.dashboard.seed import BAD, GOOD, THEME_CUES, Seed, known_names, make
from tests.dashboard.site import Site
from tests.dashboard.test_pages import opened, scalar, tile
from tests.fixtures.clickhouse import ClickHouseServer

pytestmark = pytest.mark.browser

DATABASE = "dashboard_many"
WIRES = 20_000
LAST = datetime(2026, 11, 20, 18, 40, tzinfo=SHANGHAI)
SINCE = f"published_at >= '{clock(LAST - timedelta(days=30, seconds=-1))}' AND published_at <= '{clock(LAST)}'"
COMPANY = "300364.SZ"
ALL = "w=30d"


def wires(names: list[str], chance: random.Random) -> Iterator[tuple[str, str, datetime, str]]:
    """Title, body, time and publisher of each wire, the earliest first: one in six is a copy of a recent one, one in
    97 has a hostile title, and so have the last ones."""
    cues = [cue for some in THEME_CUES.values() for cue in some]
    weights = [1 / (n + 1) for n in range(len(names))]
    told: list[tuple[str, str]] = []
    for n in range(WIRES):
        company, other = chance.choices(names, weights, k=2)
        cue, word = chance.choice(cues), chance.choice([*GOOD, *BAD, "公告", "会议"])
        at = LAST - timedelta(seconds=(WIRES - 1 - n) * 130)
        title, body = f"{company}{cue}{word}{n}", f"{company}{cue}{word}。{other}亦谈{chance.choice(cues)}。"
        if told and chance.random() < 1 / 6:
            title, body = chance.choice(told[-30:])
        elif n % 97 == 0 or n >= WIRES - len(HOSTILE):
            title = f"{HOSTILE[n % len(HOSTILE)]} {n}"
            body = f"{title} {company}{cue}{word}。"
        told.append((title, body))
        yield title, body, at, f"第{chance.randrange(30)}报"


@pytest.fixture(scope="module")
def many(clickhouse_server: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The wires with their tallies counted, and pages read by the read-only user."""
    schema(clickhouse_server, DATABASE)
    chance = random.Random(7)
    known = known_names()
    known |= {s.name: s.code for s in islice(load(), OFFERED) if s.name not in known and s.code not in known.values()}
    seed = Seed(known)
    for n, (title, body, at, publisher) in enumerate(wires(list(known), chance)):
        source = ("cls", "eastmoney", "sina")[n % 3]
        seed.add(make(source, title, body, at, str(n), publisher=publisher, url="javascript:window.hacked=1"))
    with (
        clickhouse_server.client(database=DATABASE) as client,
        clickhouse_server.client(database=DATABASE, writer=False) as reader,
    ):
        seed.insert(client)
        keep_up(client)
        site = Site(clickhouse_server.url(writer=False, database=DATABASE), tmp_path_factory.mktemp("site")).start()
        yield World(client, reader, seed, site)
        site.stop()


def count(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_overview_counts_all_of_them(page: Page, many: World) -> None:
    assert scalar(many, "SELECT count() FROM documents FINAL") == WIRES
    opened(page, many, f"?{ALL}")
    assert int(tile(page, "文档")) == scalar(many, f"SELECT count() FROM documents FINAL WHERE {SINCE}") > 19_000
    stories = scalar(many, f"SELECT uniqExact(story_id) FROM documents FINAL WHERE {SINCE}")
    assert int(tile(page, "独立事件")) == stories
    by_theme = f"SELECT theme, count() FROM document_themes FINAL WHERE {SINCE} GROUP BY theme"
    expected = {theme_name(theme): n for theme, n in many.reader.query(by_theme).result_rows}
    cards = page.locator(".fx-card:not(.quiet)")
    expect(cards).to_have_count(len(expected))
    names = [card.locator(".n span").first.inner_text() for card in cards.all()]
    assert dict(zip(names, map(count, cards.locator(".c b").all_inner_texts()), strict=True)) == expected


def test_a_theme_from_a_deep_link_by_story_in_english(page: Page, many: World) -> None:
    opened(page, many, f"theme?theme=game&by=story&lang=en&{ALL}")
    of_game = f"theme = 'game' AND {SINCE}"
    assert int(tile(page, "Documents")) == scalar(many, f"SELECT count() FROM document_themes FINAL WHERE {of_game}")
    stories = scalar(many, f"SELECT uniqExact(story_id) FROM document_themes FINAL WHERE {of_game}")
    assert int(tile(page, "Stories")) == stories
    top = f"""SELECT code, uniqExact(story_id) AS n FROM mentions FINAL WHERE has(themes, 'game') AND {SINCE}
              GROUP BY code ORDER BY n DESC, code LIMIT 10"""
    lines = page.locator(".st-key-panel-securities tr")
    expect(lines.last).to_be_visible()
    found = [(line.locator("small").first.inner_text(), count(line.locator("b").inner_text())) for line in lines.all()]
    assert found == many.reader.query(top).result_rows


def test_a_security_and_its_mentions(page: Page, many: World) -> None:
    opened(page, many, f"security?code={COMPANY}&{ALL}")
    where = f"code = '{COMPANY}' AND {SINCE}"
    assert int(tile(page, "文档")) == scalar(many, f"SELECT uniqExact(document_id) FROM mentions FINAL WHERE {where}")
    (name,) = {name for name, code in known_names().items() if code == COMPANY}
    expect(page.locator(".st-key-panel-mentions mark").last).to_be_visible()
    assert set(page.locator(".st-key-panel-mentions mark").all_inner_texts()) == {name}


def test_stories_fold_their_copies_in_the_order_of_spread(page: Page, many: World) -> None:
    opened(page, many, f"stories?{ALL}")
    copies = f"""
        SELECT count() AS n FROM documents FINAL GROUP BY story_id
        HAVING countIf({SINCE}) > 0 ORDER BY n DESC LIMIT 30"""
    expected = [row[0] for row in many.reader.query(copies).result_rows]
    assert expected[0] > 5
    expect(page.locator(".fx-stories .fx-count")).to_have_text([f"{n:,}" for n in expected])


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("q=版号", "(position(title, '版号') > 0 OR position(body, '版号') > 0)"),
        ("q=版号&tone=negative", "(position(title, '版号') + position(body, '版号') > 0) AND sentiment = 'negative'"),
        (f"codes={COMPANY}&sources=sina", f"has(codes, '{COMPANY}') AND source = 'sina'"),
        ("themes=game&first=1", "has(themes, 'game') AND copy_number <= 1"),
        ("q=<script>", "position(title, '<script>') > 0"),
    ],
)
def test_a_search_finds_and_downloads_what_sql_finds(page: Page, many: World, query: str, where: str) -> None:
    n = scalar(many, f"SELECT count() FROM documents FINAL WHERE {where} AND {SINCE}")
    assert n > 20
    opened(page, many, f"search?{query}&{ALL}")
    expect(page.get_by_text(f"{n:,} 篇文档")).to_be_visible()
    page.get_by_role("button", name="SQL").first.click()
    with page.expect_download() as download:
        page.locator('[data-testid="stPopoverBody"]').get_by_role("button", name="CSV", exact=True).click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert len(set(ids)) == len(ids) == min(n, EXPORT)
    held = f"SELECT count() FROM documents FINAL WHERE {where} AND {SINCE} AND id IN {{ids:Array(String)}}"
    assert many.reader.query(held, parameters={"ids": ids}).first_row == (len(ids),)
    assert page.evaluate("window.hacked") is None


def test_a_company_that_is_not_offered_is_found_by_what_is_typed(page: Page, many: World) -> None:
    by_code = "SELECT code, any(name) FROM mentions FINAL GROUP BY code ORDER BY count() DESC, code"
    code, name = many.reader.query(by_code).result_rows[OFFERED:][-1]
    n = scalar(many, f"SELECT count() FROM documents FINAL WHERE has(codes, '{code}') AND {SINCE}")
    opened(page, many, f"search?{ALL}")
    box = page.get_by_role("combobox", name="证券")
    box.fill(code[:6])
    expect(page.get_by_role("option")).to_have_count(1)  # to take what was typed
    expect(page.get_by_role("option", name=code)).to_have_count(0)
    box.press("Enter")
    expect(page.get_by_text(f"{n:,} 篇文档")).to_be_visible()
    box.fill("没有*这家*公司")
    box.press("Enter")
    expect(page.get_by_text("没有文档提到“没有*这家*公司”")).to_be_visible()
    expect(page.get_by_text(f"{n:,} 篇文档")).to_be_visible()
    assert f"codes={code}" in page.url
    opened(page, many, f"security?code={COMPANY}&{ALL}")
    box = page.get_by_role("combobox", name="证券")
    box.fill(name)
    box.press("Enter")
    expect(page.locator(".st-key-panel-summary .fx-summary")).to_contain_text(code)
    assert f"code={code}" in page.url


def test_the_system_page_counts_all_of_them(page: Page, many: World) -> None:
    opened(page, many, "system")
    assert int(tile(page, "文档")) == WIRES
    assert int(tile(page, "提及")) == scalar(many, "SELECT count() FROM mentions FINAL")


def test_hostile_titles_among_them_are_text(page: Page, many: World) -> None:
    newest = many.reader.query(f"SELECT id, title FROM documents FINAL ORDER BY published_at DESC LIMIT {len(HOSTILE)}")
    hostile = [(id_, title) for id_, title in newest.result_rows if any(title.startswith(start) for start in HOSTILE)]
    assert hostile
    for path in ("", "?lang=en", f"stories?order=newest&{ALL}", f"search?{ALL}"):
        opened(page, many, path)
        for _, title in hostile:
            expect(page.locator(".fx-item .t a").get_by_text(plain(title, 99), exact=True).first).to_be_visible()
        assert not page.locator(".fx-panel script, .fx-panel img, .fx-item strong").count()
    for id_, title in hostile:
        opened(page, many, f"document?id={id_}")
        assert page.locator(".fx-title").inner_text() == title
    assert page.evaluate("window.hacked") is None
    assert not page.locator('a[href^="javascript:"]').count()


def test_a_push_is_seen_within_five_seconds(page: Page, many: World) -> None:
    opened(page, many, "")
    title = "中文在线大模型获批：第两万零一条"
    many.seed.add(make("live", title, "正文", LAST + timedelta(seconds=1)))
    many.seed.insert(many.client)
    expect(page.locator(".fx-scroll").get_by_text(title)).to_be_visible(timeout=5_000)
    many.client.command("DELETE FROM documents WHERE source = 'live'")
