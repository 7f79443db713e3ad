"""Readers' notes: marked on the trend charts and listed below them, for every reader, until an editor removes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Locator, Page, expect

from dashboard import notes
from dashboard.notes import LONGEST, Note, NoteError
from dashboard.queries import notes as sql
from dashboard.scope import Scope
from models.trading import SHANGHAI
from tests.dashboard.conftest import HOSTILE, Doors
from tests.dashboard.seed import Seed, make
from tests.dashboard.site import Site, sign_in

DAY = datetime(2026, 11, 18, tzinfo=SHANGHAI)
COL = "300364.SZ"
IMAGE = "<img src=x onerror=window.hacked=1>"


@dataclass
class Noted:
    """A store with a few days of documents, its read-only client and its editor."""

    reader: Client
    editor: Client

    def write(self, text: str, moment: datetime = DAY, dimension: str = "theme", key: str = "game") -> None:
        notes.write(self.editor, Note(dimension, key, moment, text), "王")

    def shown(self, dimension: str = "theme", key: str = "game") -> list[dict[str, Any]]:
        query = sql.of(dimension, key)
        return list(self.reader.query(query.sql, parameters=query.parameters).named_results())


@pytest.fixture
def store(doors: Doors) -> Noted:
    seed = Seed({"中文在线": COL})
    for day in range(16, 21):
        seed.add(make("a", f"{day}日中文在线游戏获批", "中文在线游戏上涨。", f"2026-11-{day}T10:00:00"))
    seed.insert(doors.writer)
    return Noted(doors.reader, doors.editor)


def test_a_note_is_kept_once_and_its_history_for_ever(store: Noted) -> None:
    for _ in range(2):
        store.write("  新规\n发布\u202e ")
    store.write("财报", dimension="security", key=COL)
    (note,) = store.shown()
    assert (note["text"], note["moment"], note["by"]) == ("新规 发布", DAY, "王")
    assert [n["text"] for n in store.shown("security", COL)] == ["财报"] and not store.shown("theme", "aigc")
    notes.remove(store.reader, store.editor, note["id"], "李")
    assert store.shown() == []
    with pytest.raises(NoteError, match="刷新"):
        notes.remove(store.reader, store.editor, note["id"], "李")
    kept = "SELECT text, `by`, removed FROM notes FINAL WHERE key = 'game' ORDER BY version"
    assert store.reader.query(kept).result_rows == [
        *[("新规 发布", "王", False)] * 2,
        ("新规 发布", "李", True),
    ]
    store.write("新规 发布")
    assert [n["id"] for n in store.shown()] == [note["id"]]


@pytest.mark.parametrize("code", ["00700.HK", "BABA.US", "688981.SH"])
def test_a_company_of_any_market_can_be_noted(store: Noted, code: str) -> None:
    store.write("财报", dimension="security", key=code)
    assert [n["text"] for n in store.shown("security", code)] == ["财报"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"text": " \u200b\n"}, "请写下"),
        ({"text": "长" * (LONGEST + 1)}, f"最多 {LONGEST} 字，现有 {LONGEST + 1} 字"),
        ({"moment": DAY.replace(year=1700)}, "1700 年"),
        ({"key": "no such theme"}, "不是题材"),
        ({"dimension": "security"}, "证券代码"),
        ({"dimension": "source"}, "不是题材"),
    ],
)
def test_what_cannot_be_noted_is_named(store: Noted, wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(NoteError, match=reason):
        store.write(**({"text": "新规"} | wrong))
    assert store.reader.query("SELECT count() FROM notes").first_row == (0,)


def test_a_note_stands_on_the_step_that_holds_its_moment() -> None:
    scope = Scope(DAY + timedelta(hours=9), DAY + timedelta(days=2), "custom")  # steps of four hours
    moments = {
        "前日": DAY - timedelta(days=1),
        "当日": DAY,  # has begun before the window, and lasts into it
        "盘前": DAY + timedelta(hours=8, minutes=59),
        "午后": DAY + timedelta(hours=13, minutes=5),
        "三点": DAY + timedelta(hours=15),
        "次日": DAY + timedelta(days=1),
        "窗外": DAY + timedelta(days=2),
    }
    rows = [{"moment": moment, "text": text} for text, moment in reversed(moments.items())]
    assert notes.by_step(rows, scope) == {
        "2026-11-18T08:00:00": "11-18 当日",
        "2026-11-18T12:00:00": "11-18 13:05 午后；11-18 15:00 三点",
        "2026-11-19T00:00:00": "11-19 次日",
    }
    assert notes.by_step([], scope) == {}
    (long,) = notes.by_step([{"moment": DAY, "text": "长" * LONGEST}], scope).values()
    assert long == f"11-18 {'长' * 39}…"


# ---------------------------------------------------------------------- in the browser


def visit(page: Page, site: Site, path: str, name: str) -> None:
    sign_in(page, site, path, name)
    expect(page.locator(".st-key-figure-trend canvas, .st-key-figure-trend svg").last).to_be_visible()


def listed(page: Page) -> Locator:
    return page.locator(".st-key-panel-notes .fx-item")


def fill(page: Page, day: str, text: str) -> None:
    page.get_by_role("button", name="写批注").click()
    page.get_by_role("group", name="日期").locator('[data-type="day"]').press_sequentially(day)
    page.get_by_label("内容").fill(text)
    page.get_by_role("button", name="保存").click()


def hover_marker(page: Page) -> Locator:
    """Point at the only marker on the trend chart; what it says then."""
    marker = page.locator('.st-key-figure-trend path[aria-roledescription="point"][aria-label*="批注"]')
    expect(marker).to_have_count(1)
    marker.hover()
    tip = page.locator("#vg-tooltip-element.visible")
    expect(tip).to_be_visible()
    return tip


@pytest.mark.browser
@pytest.mark.parametrize("path", ["theme?theme=game", f"security?code={COL}"])
def test_a_note_is_on_the_chart_for_every_reader_until_it_is_removed(
    page: Page, store: Noted, team_site: Site, path: str
) -> None:
    visit(page, team_site, f"{path}&w=30d", "ann")
    fill(page, "18", "新规发布")
    expect(listed(page)).to_contain_text("11-18 新规发布")
    expect(listed(page)).to_contain_text("ann")
    expect(page.get_by_label("内容")).to_have_count(0)  # the form has closed
    expect(hover_marker(page)).to_contain_text("11-18 新规发布")
    visit(page, team_site, f"{path}&w=30d", "vic")
    expect(listed(page)).to_contain_text("新规发布")
    expect(hover_marker(page)).to_contain_text("新规发布")
    expect(page.get_by_role("button", name="写批注")).to_have_count(0)
    expect(page.locator(".fx-mark")).to_have_count(0)
    visit(page, team_site, f"{path}&w=30d", "ann")
    listed(page).get_by_role("button", name="删除这条批注").click()
    expect(page.get_by_text("还没有批注")).to_be_visible()
    expect(listed(page)).to_have_count(0)
    expect(page.locator('.st-key-figure-trend [aria-label*="批注"]')).to_have_count(0)


@pytest.mark.browser
def test_hostile_notes_are_text_and_empty_ones_are_refused(page: Page, store: Noted, team_site: Site) -> None:
    for title in HOSTILE:
        store.write(title)
    visit(page, team_site, "theme?theme=game&w=30d", "ann")
    fill(page, "18", "   ")
    expect(page.get_by_text("请写下发生了什么")).to_be_visible()
    page.get_by_label("内容").fill(IMAGE)
    page.get_by_role("button", name="保存").click()
    expect(listed(page)).to_have_count(len(HOSTILE) + 1)
    said = " ".join(listed(page).locator(".q").all_inner_texts())
    assert all(part in said for part in ("<script>window.hacked=1</script>", "**粗体** [点我]", "<style>*{display"))
    tip = hover_marker(page)
    expect(tip).to_contain_text(IMAGE)
    assert not tip.locator("img, script, style, a").count()
    assert not listed(page).locator("img, script, style, a, strong").count()
    assert page.evaluate("window.hacked") is None
