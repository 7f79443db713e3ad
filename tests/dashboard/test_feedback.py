"""Readers' corrections: applied at once wherever the thing is shown, visible, undoable, and exported for training."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from dashboard import feedback, queries
from dashboard.feedback import FeedbackError, Mark
from dashboard.queries import documents, overview, security, theme
from dashboard.queries import feedback as sql
from dashboard.query import Query
from dashboard.scope import Scope
from deploy.cli import UserError
from deploy.cli.feedback import command
from deploy.settings import load
from models.records import Document
from models.trading import SHANGHAI
from tests.dashboard.conftest import Doors
from tests.dashboard.seed import Seed, make
from tests.dashboard.site import Site
from tests.fixtures.clickhouse import ClickHouseServer

COL, GIGABIT = "300364.SZ", "603444.SH"
AT = "2026-11-20T10:00:00"


@dataclass
class Corrected:
    """A store with a few documents, its read-only client and its editor."""

    reader: Client
    editor: Client
    documents: list[Document]
    url: str
    editor_url: str

    def mark(self, kind: str, shown: str, correction: str = "", document: int = 0) -> None:
        feedback.save(self.reader, self.editor, Mark(self.documents[document].id, kind, shown, correction), "王")

    def ask(self, query: Query) -> list[dict[str, Any]]:
        return list(self.reader.query(query.sql, parameters=query.parameters).named_results())


def texts() -> list[Document]:
    return [
        make("a", "中文在线大模型获批，游戏版号增长", "中文在线与吉比特发布游戏。吉比特下跌。", AT),
        make("b", "吉比特游戏获批", "吉比特游戏上涨。", AT),  # at the same moment as the first
        make("c", "<b>中文在线</b>游戏", "中文在线亏损。", "2026-11-20T11:00:00"),
    ]


@pytest.fixture
def store(doors: Doors) -> Corrected:
    found = texts()
    seed = Seed({"中文在线": COL, "吉比特": GIGABIT})
    for document in found:
        seed.add(document)
    seed.insert(doors.writer)
    return Corrected(doors.reader, doors.editor, found, doors.url, doors.editor_url)


def day() -> Scope:
    start = texts()[0].published_at.astimezone(SHANGHAI).replace(hour=0)
    return Scope(start, start.replace(hour=23))


def counts(store: Corrected) -> dict[str, Any]:
    """What the pages count, in short."""
    themes = store.ask(overview.theme_steps(day()))
    return {
        "themes": {t: sum(r["n"] for r in themes if r["theme"] == t) for t in {r["theme"] for r in themes}},
        "movers": {r["code"]: r["n"] for r in store.ask(overview.movers(day()))},
        "tones": {r["sentiment"]: r["n"] for r in store.ask(overview.tone_steps(day()))},
    }


def test_without_corrections_the_views_are_the_tables(store: Corrected) -> None:
    for table in ("documents", "mentions", "document_themes"):
        columns = [row[:2] for row in store.reader.query(f"DESCRIBE {table}").result_rows]
        shown = [row[:2] for row in store.reader.query(f"DESCRIBE {table}_now").result_rows]
        if table == "documents":  # its companies as corrected are those of `companies_now`
            columns = [column for column in columns if column[0] != "companies"]
        beside = [("linked_code", "LowCardinality(String)")] if table == "mentions" else []
        assert shown == [*columns, ("corrected", "Bool"), *beside]
        named = ", ".join(f"`{name}`" for name, _ in columns)
        rows = store.reader.query(f"SELECT {named} FROM {table} FINAL ORDER BY ALL").result_rows
        now = store.reader.query(f"SELECT {named} FROM {table}_now ORDER BY ALL").result_rows
        assert rows and now == rows


def test_all_tables_say_alike_what_is_said_of_companies_whatever_is_corrected(store: Corrected) -> None:
    sums = """SELECT published_at, document_id, source, story_id, {} AS theme, toString({}code) AS code,
        arraySort(themes) AS themes, round(sum({}), 3), round(sum({}), 3), {} FROM {} GROUP BY ALL ORDER BY ALL"""
    tones = [f"countIf(sentiment = '{tone}')" for tone in ("positive", "neutral", "negative")]

    def agree() -> list[tuple[Any, ...]]:
        mentions = ("relevance", "sentiment_score * relevance", ", ".join(tones))
        kept = [f"company.{x}" for x in ("weight", "toned", "positive", "neutral", "negative")]
        of_themes = (*kept[:2], ", ".join(f"sum({x})" for x in kept[2:]))
        stored = ("weight", "toned", "sum(positive), sum(neutral), sum(negative)")
        rows = store.reader.query(sums.format("''", "", *mentions, "mentions_now")).result_rows
        assert rows and store.reader.query(sums.format("''", "", *stored, "companies_now")).result_rows == rows
        by_theme = sums.format("toString(topic)", "", *mentions, "mentions_now ARRAY JOIN themes AS topic")
        found = sums.format(
            "toString(theme)", "company.", *of_themes, "document_themes_now ARRAY JOIN companies AS company"
        )
        assert store.reader.query(found).result_rows == store.reader.query(by_theme).result_rows
        beside = "SELECT DISTINCT {} AS id, arraySort(themes), arraySort(codes) FROM {} WHERE {} ORDER BY id"
        for table in ("mentions_now", "document_themes_now"):
            of = "codes" if table == "mentions_now" else "themes"
            truth = store.reader.query(beside.format("id", "documents_now", f"notEmpty({of})")).result_rows
            assert store.reader.query(beside.format("document_id", table, "1")).result_rows == truth
        return list(rows)

    plain = agree()
    store.mark("link", GIGABIT)
    gone = agree()
    store.mark("tone", COL, "neutral", document=2)
    store.mark("theme", "game", document=2)
    store.mark("link", COL, "300413.SZ")
    store.mark("tone", "300413.SZ", "negative")
    other = agree()
    store.mark("link", GIGABIT, "300413.SZ")  # both names are one company
    assert len({tuple(map(str, rows)) for rows in (plain, gone, other, agree())}) == 4
    for row in store.ask(sql.latest()):
        feedback.undo(store.reader, store.editor, row["id"], "李")
    assert agree() == plain


def test_a_wrong_link_goes_from_every_page_and_comes_back(store: Corrected) -> None:
    before = counts(store)
    store.mark("link", GIGABIT)
    first = store.documents[0].id
    assert counts(store)["movers"] == {COL: 2, GIGABIT: 1} and before["movers"] == {COL: 2, GIGABIT: 2}
    assert {r["code"] for r in store.ask(documents.mentions_of(day(), first))} == {COL}
    assert first not in {r["document_id"] for r in store.ask(security.mentions(day(), GIGABIT))}
    listed = {r["id"]: r for r in store.ask(documents.listed(day(), documents.Filter()))}
    assert listed[first]["codes"] == [COL] and listed[first]["corrected"]
    assert not listed[store.documents[1].id]["corrected"]  # of the same moment, untouched
    feed = {r["id"]: r["codes"] for r in store.ask(overview.feed(""))}
    assert feed[first] == [COL] and feed[store.documents[1].id] == [GIGABIT]
    (row,) = store.ask(sql.of_document(first))
    assert (row["kind"], row["subject"], row["said"], row["correction"], row["by"]) == (
        "link",
        GIGABIT,
        "吉比特",
        "",
        "王",
    )
    feedback.undo(store.reader, store.editor, row["id"], "李")
    assert counts(store) == before and store.ask(sql.of_document(first)) == []
    (row,) = store.ask(sql.latest())
    assert row["undone"] and row["by"] == "李"


def test_a_link_to_another_company(store: Corrected) -> None:
    store.mark("link", GIGABIT, "300413.SZ")
    assert counts(store)["movers"] == {COL: 2, GIGABIT: 1, "300413.SZ": 1}
    shown = store.ask(security.mentions(day(), "300413.SZ"))
    assert {r["surface"] for r in shown} == {"吉比特"} and all(r["corrected"] for r in shown)
    assert [r["name"] for r in store.ask(queries.names()) if r["code"] == "300413.SZ"] == ["芒果超媒"]
    assert {r["peer"]: r["n"] for r in store.ask(security.peers(day(), "300413.SZ"))} == {COL: 1}
    assert [r["documents"] for r in store.ask(security.headline(day(), "300413.SZ")) if r["back"] == 0] == [1]
    assert {r["code"]: r["n"] for r in store.ask(theme.securities(day(), "game"))} == counts(store)["movers"]
    assert {(r["a"], r["b"]) for r in store.ask(theme.pairs(day(), "game"))} == {(COL, "300413.SZ")}
    store.mark("link", "300413.SZ")  # the correction was wrong, too: it is the first link that is corrected
    assert counts(store)["movers"] == {COL: 2, GIGABIT: 1}
    assert [r["subject"] for r in store.ask(sql.latest())] == [GIGABIT]


def test_a_wrong_theme_and_another_one(store: Corrected) -> None:
    assert counts(store)["themes"] == {"aigc": 1, "game": 3}
    store.mark("theme", "aigc")
    store.mark("theme", "game", "ip", document=1)
    assert counts(store)["themes"] == {"game": 2, "ip": 1}
    assert [r["n"] for r in store.ask(theme.compared(day(), ["aigc"]))] == []
    assert {r["theme"]: r["n"] for r in store.ask(security.themes(day(), GIGABIT))} == {"game": 1, "ip": 1}
    found = store.ask(documents.found(day(), documents.Filter(themes=("ip",))))
    assert found[0]["documents"] == 1


def test_a_theme_corrected_to_one_that_the_document_has_counts_once(store: Corrected) -> None:
    store.mark("theme", "aigc", "game")
    first = store.documents[0].id
    themes = "SELECT theme, corrected FROM document_themes_now WHERE document_id = {id:String}"
    assert store.reader.query(themes, parameters={"id": first}).result_rows == [("game", False)]
    assert counts(store)["themes"] == {"game": 3}
    (row,) = [row for row in store.ask(theme.headline(day(), "game")) if row["back"] == 0]
    tones = "SELECT countIf(sentiment = 'positive'), countIf(sentiment = 'negative') FROM documents_now"
    assert (row["positive"], row["negative"]) == store.reader.query(tones).first_row
    store.mark("theme", "game", "ip")
    store.mark("theme", "aigc", "ip")  # two that become the same are one, too
    assert store.reader.query(themes, parameters={"id": first}).result_rows == [("ip", True)]
    assert counts(store)["themes"] == {"game": 2, "ip": 1}


def test_a_wrong_tone_of_a_document_and_toward_a_company(store: Corrected) -> None:
    store.mark("tone", "", "negative", document=1)
    store.mark("tone", COL, "neutral", document=2)
    assert store.ask(documents.whole(day(), store.documents[1].id))[0]["sentiment"] == "negative"
    assert store.ask(documents.whole(day(), store.documents[1].id))[0]["p_negative"] == 1.0
    rows = store.ask(documents.mentions_of(day(), store.documents[2].id))
    assert {(r["sentiment"], r["sentiment_score"]) for r in rows} == {("neutral", 0.0)}
    assert store.ask(documents.found(day(), documents.Filter(tone="negative")))[0]["documents"] >= 1
    row = store.ask(sql.of_security(COL))[0]
    assert (row["subject"], row["correction"]) == (COL, "neutral")


@pytest.mark.parametrize("order", documents.ORDERS)
def test_lists_and_stories_are_found_as_corrected(store: Corrected, order: str) -> None:
    store.mark("theme", "game", document=2)  # taken from one
    store.mark("theme", "aigc", "ip")  # and given to the first, whose moment another one shares
    store.mark("tone", "", "negative", document=1)
    filters = {"": 3, "game": 2, "ip": 1, "aigc": 0}
    for name, number in filters.items():
        chosen = documents.Filter(themes=(name,) if name else ())
        listed = store.ask(documents.listed(day(), chosen, order))
        assert len(listed) == number
        for limit in range(1, 4):
            assert store.ask(documents.listed(day(), chosen, order, limit)) == listed[:limit]
        any_source = replace(chosen, sources=tuple({document.source for document in store.documents}))
        assert store.ask(documents.listed(day(), any_source, order)) == listed
        assert store.ask(documents.stories(day(), chosen)) == store.ask(documents.stories(day(), any_source))
    store.mark("link", GIGABIT, "300413.SZ")
    for code, number in ((GIGABIT, 1), ("300413.SZ", 1), (COL, 2)):
        chosen = documents.Filter(codes=(code,))
        any_source = replace(chosen, sources=tuple({document.source for document in store.documents}))
        found = store.ask(documents.stories(day(), chosen))
        assert len(found) == number and found == store.ask(documents.stories(day(), any_source))
    assert len(store.ask(documents.listed(day(), documents.Filter(tone="negative"), order))) >= 1


def test_themes_of_documents_that_are_not_there_take_no_places(store: Corrected, doors: Doors) -> None:
    """Those of a batch that is just being stored, and those of documents whose time is up."""
    game = documents.Filter(themes=("game",))
    wanted = {order: store.ask(documents.listed(day(), game, order, 2)) for order in ("newest", "oldest")}
    rows = (
        "SELECT * REPLACE (toDateTime64({at:String}, 3, 'Asia/Shanghai') AS published_at, {id:String} AS document_id)"
    )
    for number in range(20):
        for at in ("2026-11-20 09:00:00", "2026-11-20 11:30:00"):
            doors.writer.command(
                f"INSERT INTO document_themes {rows} FROM document_themes WHERE theme = 'game' LIMIT 1",
                parameters={"at": at, "id": f"absent{number}"},
            )
    for order, listed in wanted.items():
        assert len(listed) == 2 and store.ask(documents.listed(day(), game, order, 2)) == listed


def test_where_a_document_lies_and_whether_it_was_corrected(store: Corrected) -> None:
    first, second, third = (document.id for document in store.documents)
    store.mark("tone", "", "negative")

    def place(id_: str) -> list[tuple[bool, bool]]:
        return [(row["first"] == row["last"], bool(row["corrected"])) for row in store.ask(documents.place(id_))]

    assert place(first) == place(second) == [(True, True)]  # of one moment
    assert place(third) == [(True, False)] and place("0" * 32) == []


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        (Mark("0" * 32, "link", COL), "no document"),
        (Mark("", "link", "600000.SH"), "no link"),
        (Mark("", "theme", "social"), "no theme"),
        (Mark("", "theme", "game", "'; DROP"), "no theme"),
        (Mark("", "tone", "", "angry"), "no tone"),
        (Mark("", "tone", "600000.SH", "positive"), "names no"),
        (Mark("", "link", COL, "123"), "no security"),
        (Mark("", "title", "x"), "can't be corrected"),
    ],
)
def test_what_cannot_be_corrected_is_named(store: Corrected, mark: Mark, reason: str) -> None:
    id_ = mark.document_id or store.documents[0].id
    with pytest.raises(FeedbackError, match=reason):
        feedback.save(store.reader, store.editor, Mark(id_, mark.kind, mark.shown, mark.correction), "")
    with pytest.raises(FeedbackError, match="no correction"):
        feedback.undo(store.reader, store.editor, "x", "")
    assert store.ask(sql.latest()) == []


def test_corrections_become_training_examples(store: Corrected) -> None:
    assert list(feedback.examples(store.reader)) == []
    store.mark("link", GIGABIT)
    store.mark("theme", "aigc", "ip")
    store.mark("tone", COL, "neutral")
    (row,) = feedback.examples(store.reader, texts=True)
    assert row["ref"] == f"document:{store.documents[0].id}" and row["title"] == store.documents[0].title
    assert row["themes"] == ["game", "ip"] and row["corrected"] == [f"link:{GIGABIT}", "theme:aigc", f"tone:{COL}"]
    mentions = {m["surface"]: m for m in row["mentions"]}
    assert mentions["吉比特"]["code"] == "-" and mentions["中文在线"]["code"] == COL
    assert mentions["中文在线"] == {
        "surface": "中文在线", "field": "title", "start": 0, "code": COL, "tone": "neutral", "credit": False
    }  # fmt: skip


# ---------------------------------------------------------------------- in the browser


@pytest.fixture
def site(store: Corrected, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    running = Site(store.url, tmp_path_factory.mktemp("site"), store.editor_url).start()
    yield running
    running.stop()


@pytest.mark.browser
def test_one_click_corrects_and_undo_brings_it_back(page: Page, store: Corrected, site: Site) -> None:
    first = store.documents[0].id
    page.goto(f"{site.address}/document?id={first}")
    row = page.locator(".st-key-panel-analysis tr", has_text="吉比特")
    row.get_by_role("button", name="这里说的不是这家公司").click()
    expect(row).to_have_count(0)
    fixed = page.locator(".st-key-panel-corrections .fx-item")
    expect(fixed).to_contain_text("吉比特")
    page.goto(f"{site.address}/security?code={GIGABIT}&w=30d")
    expect(page.locator(".st-key-panel-mentions")).not_to_contain_text(store.documents[0].title)
    expect(page.locator(".st-key-panel-corrections")).to_contain_text(store.documents[0].title)
    page.locator(".st-key-panel-corrections").get_by_role("button", name="撤销").click()
    expect(page.locator(".st-key-panel-mentions")).to_contain_text(store.documents[0].title)
    expect(page.locator(".st-key-panel-corrections")).to_have_count(0)


@pytest.mark.browser
def test_a_company_that_nothing_names_any_more_was_never_mentioned(page: Page, store: Corrected, site: Site) -> None:
    for document in (0, 1):
        store.mark("link", GIGABIT, document=document)
    page.goto(f"{site.address}/security?code={GIGABIT}&w=30d")
    summary = page.locator(".st-key-panel-summary")
    expect(summary).to_contain_text("累计 0 篇")
    expect(summary).not_to_contain_text("首次提及")
    page.goto(f"{site.address}/security?code={COL}&w=30d")
    expect(summary).to_contain_text("首次提及")


@pytest.mark.browser
def test_tone_and_theme_by_one_click_from_the_lists(page: Page, store: Corrected, site: Site) -> None:
    page.goto(f"{site.address}/security?code={COL}&w=30d&lang=en")
    item = page.locator(".st-key-panel-mentions .fx-item", has_text="亏损")
    item.get_by_role("button", name="Should be: Positive").click()
    expect(item.locator(".fx-chip.fixed")).to_have_text("✎ Corrected")
    expect(item.get_by_role("button", name="Should be: Positive")).to_be_disabled()
    assert "lang=en" in page.url
    page.goto(f"{site.address}/theme?theme=aigc&w=30d")
    page.get_by_role("button", name="文章与这个题材无关").click()
    expect(page.get_by_text("没有符合条件的内容").or_(page.locator(".st-key-panel-corrections")).first).to_be_visible()
    page.goto(f"{site.address}/document?id={store.documents[0].id}")
    page.get_by_role("button", name="改为…").click()
    box = page.get_by_role("combobox").last
    box.click()
    page.get_by_role("option", name="IP", exact=False).first.click()
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".st-key-panel-corrections")).to_contain_text(re.compile("→ .*IP"))
    page.goto(f"{site.address}/system")
    expect(page.locator(".st-key-panel-corrections .fx-item")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="训练样本").click()
    assert len(download.value.path().read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.browser
def test_without_an_editor_nothing_can_be_pressed(
    page: Page, store: Corrected, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = Site(store.url, tmp_path_factory.mktemp("site")).start()
    try:
        page.goto(f"{site.address}/document?id={store.documents[2].id}")
        expect(page.locator(".fx-title")).to_have_text("<b>中文在线</b>游戏")
        expect(page.locator(".st-key-panel-analysis tr").first).to_be_visible()
        assert not page.locator(".fx-mark").count()
    finally:
        site.stop()


def test_the_command_lists_exports_and_takes_back(
    store: Corrected, clickhouse_server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store.mark("theme", "game", "ip", document=1)
    monkeypatch.setenv("FENGXIANG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FENGXIANG_CLICKHOUSE", clickhouse_server.url(database=store.url.rsplit("/", 1)[1]))
    load.cache_clear()
    try:
        run = CliRunner().invoke
        (row,) = [json.loads(line) for line in run(command, ["list", "--json"]).stdout.splitlines()]
        assert (row["kind"], row["subject"], row["correction"], row["by"]) == ("theme", "game", "ip", "王")
        (example,) = [json.loads(line) for line in run(command, ["export"]).stdout.splitlines()]
        assert example["themes"] == ["ip"] and "body" not in example
        assert run(command, ["undo", row["id"]]).exit_code == 0
        assert run(command, ["export"]).stdout == ""
        assert isinstance(run(command, ["undo", row["id"]]).exception, UserError)
        assert "undone" in run(command, ["list"]).stdout
    finally:
        load.cache_clear()
