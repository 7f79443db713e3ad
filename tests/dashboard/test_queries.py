"""The pages' SQL against the same figures counted in Python, on rows that were also replayed and buried."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from dashboard import queries
from dashboard.queries import documents, overview, reports, security, stories, system, theme
from dashboard.query import Query
from dashboard.scope import BASES, Scope, window
from models.trading import SHANGHAI
from stream.records import AnalysedDocument
from stream.tallies import keep_up
from tests.bench.bench_store import page_queries
from tests.dashboard.conftest import schema
from tests.dashboard.seed import Seed, make, weekly_report
from tests.fixtures.clickhouse import ClickHouseServer

DATABASE = "dashboard_queries"


@pytest.fixture(scope="module")
def store(clickhouse_server: ClickHouseServer) -> Iterator[tuple[Client, list[AnalysedDocument]]]:
    """The sample corpus, every row written twice."""
    schema(clickhouse_server, DATABASE)
    seed = Seed()
    seed.add_corpus()
    seed.add(weekly_report())
    tables = {name: list(rows) for name, rows in seed.rows.tables.items()}
    with clickhouse_server.client(database=DATABASE) as client:
        seed.insert(client)
        seed.rows.tables |= tables
        seed.insert(client)
        with clickhouse_server.client(database=DATABASE, writer=False) as reader:
            yield reader, seed.messages


def run(client: Client, made: Query) -> list[dict[str, Any]]:
    result = client.query(made.sql, parameters=made.parameters)
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A tone that was added up is as exact as a tone."""
    return [{k: round(v, 5) + 0.0 if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def scope_of(messages: list[AnalysedDocument], preset: str, basis: str = "raw") -> Scope:
    return window(preset, max(m.document.published_at for m in messages), basis)


def within(messages: list[AnalysedDocument], scope: Scope, back: int = 0) -> list[AnalysedDocument]:
    start, end = scope.start - back * scope.period, scope.end - back * scope.period
    return [m for m in messages if start <= m.document.published_at < end]


def counted(messages: list[AnalysedDocument], basis: str) -> int:
    key = {
        "raw": lambda m: m.document.id,
        "story": lambda m: m.analysis.story_id,
        "publisher": lambda m: m.document.publisher,
    }[basis]
    return len({key(m) for m in messages})


def test_extent(store: tuple[Client, list[AnalysedDocument]]) -> None:
    client, messages = store
    times = [m.document.published_at for m in messages]
    row = run(client, queries.extent())[0]
    assert (row["first"], row["newest"], row["any"]) == (min(times), max(times), 1)


@pytest.mark.parametrize("preset", ["1h", "today", "5d", "30d"])
def test_headline_counts_every_window(store: tuple[Client, list[AnalysedDocument]], preset: str) -> None:
    client, messages = store
    scope = scope_of(messages, preset)
    rows = {row["back"]: row for row in run(client, overview.headline(scope, range(1, scope.history + 1)))}
    assert set(rows) == {k for k in range(scope.history + 1) if within(messages, scope, k)}
    for back, row in rows.items():
        inside = within(messages, scope, back)
        assert row["documents"] == counted(inside, "raw")
        assert row["stories"] == counted(inside, "story")
        assert row["publishers"] == counted(inside, "publisher")
        assert row["tone"] == pytest.approx(sum(m.analysis.sentiment.score for m in inside) / len(inside), abs=1e-5)


@pytest.mark.parametrize("basis", BASES)
def test_theme_counts(store: tuple[Client, list[AnalysedDocument]], basis: str) -> None:
    client, messages = store
    scope = scope_of(messages, "30d", basis)
    inside: dict[str, list[AnalysedDocument]] = defaultdict(list)
    for message in within(messages, scope):
        for found in message.analysis.themes:
            inside[found.theme].append(message)
    expected = {name: counted(of_theme, basis) for name, of_theme in inside.items()}
    now = {row["theme"]: row["n"] for row in run(client, overview.themes(scope, [])) if row["back"] == 0}
    assert now == expected
    steps = run(client, overview.theme_steps(scope))
    if basis == "raw":
        totals: Counter[str] = Counter()
        for row in steps:
            totals[row["theme"]] += row["n"]
        assert dict(totals) == expected
    for name in expected:
        head = {row["back"]: row for row in run(client, theme.headline(scope, name))}[0]
        assert head[{"raw": "documents", "story": "stories", "publisher": "publishers"}[basis]] == expected[name]


def test_steps_are_shanghai_clock_time(store: tuple[Client, list[AnalysedDocument]]) -> None:
    client, messages = store
    scope = scope_of(messages, "30d")
    days = Counter(f"{m.document.published_at.astimezone(SHANGHAI):%Y-%m-%dT00:00:00}" for m in within(messages, scope))
    found: Counter[str] = Counter()
    for row in run(client, overview.tone_steps(scope)):
        found[row["at"]] += row["n"]
    assert found == days
    for preset in ("1h", "today", "5d", "30d"):
        scope = scope_of(messages, preset)
        ticks = scope.ticks()
        assert {row["at"] for row in run(client, overview.tone_steps(scope))} <= set(ticks)
        assert 6 <= len(ticks) <= 62
    year = Scope(scope.end - timedelta(days=300), scope.end)
    assert {row["at"] for row in run(client, overview.tone_steps(year))} <= set(year.ticks())


def documents_of(messages: list[AnalysedDocument], code: str) -> int:
    return sum(any(m.code == code for m in message.analysis.mentions) for message in messages)


def test_security_counts_and_mentions(store: tuple[Client, list[AnalysedDocument]]) -> None:
    client, messages = store
    scope = scope_of(messages, "30d")
    inside = within(messages, scope)
    by_code: Counter[str] = Counter()
    for message in inside:
        by_code.update({m.code for m in message.analysis.mentions})
    movers = {row["code"]: row["n"] for row in run(client, overview.movers(scope))}
    assert movers == dict(by_code)
    before = [(r["code"], r["back"], r["n"]) for r in run(client, overview.before(scope, list(by_code), range(1, 5)))]
    earlier = {(code, k): documents_of(within(messages, scope, k), code) for code in by_code for k in range(1, 5)}
    assert before == sorted((code, k, n) for (code, k), n in earlier.items() if n) and before
    code = by_code.most_common(1)[0][0]
    rows = run(client, security.mentions(scope, code, limit=1000))
    expected = [m for message in inside for m in message.analysis.mentions if m.code == code]
    assert len(rows) == len(expected)
    for row in rows:
        start = row["start"] - row["sentence_start"]
        assert row["sentence"][start : start + len(row["surface"])] == row["surface"]
        assert row["title"]
    negative = run(client, security.mentions(scope, code, "negative", 1000))
    assert len(negative) == sum(m.sentiment.label == "negative" for m in expected)
    pairs = {(row["a"], row["b"]): row["n"] for row in run(client, theme.pairs(scope, limit=10_000))}
    peers = {row["peer"]: row["n"] for row in run(client, security.peers(scope, code))}
    for peer, n in peers.items():
        assert pairs[min(code, peer), max(code, peer)] == n


def test_search_finds_exactly_the_texts_with_every_word(store: tuple[Client, list[AnalysedDocument]]) -> None:
    client, messages = store
    scope = scope_of(messages, "30d")
    for words in ("版号", "游戏 增长", "AIGC", "aigc", "没有这样的词语", "100%", "'; DROP TABLE documents --", "_"):

        def holds(message: AnalysedDocument, wanted: str = words) -> bool:
            return all(
                word.lower() in message.document.title.lower() or word.lower() in message.document.body.lower()
                for word in wanted.split()
            )

        expected = {m.document.id for m in within(messages, scope) if holds(m)}
        filter_ = documents.Filter(text=words)
        rows = run(client, documents.listed(scope, filter_, limit=1000))
        assert {row["id"] for row in rows} == expected, words
        assert run(client, documents.found(scope, filter_))[0]["documents"] == len(expected)
        if expected and " " not in words:
            in_body = {m.document.id for m in messages if words.lower() in m.document.body.lower()}
            assert all(words.lower() in row["passage"].lower() for row in rows if row["id"] in in_body)


@pytest.mark.parametrize("preset", ["today", "30d"])
def test_a_window_without_corrections_is_read_from_the_tables_alike(
    store: tuple[Client, list[AnalysedDocument]], preset: str
) -> None:
    client, messages = store
    scope = scope_of(messages, preset)
    empty = set()
    for name, made in page_queries("300364.SZ").items():
        if not name.startswith("view"):  # those of the store itself, which know nothing of a scope
            rows, alike = (rounded(run(client, made(s))) for s in (scope, replace(scope, corrected=frozenset())))
            assert rows == alike, name
            empty |= set() if rows else {name}
    assert preset == "today" or empty == {"overview before", "overview top_themes"}  # of the bench's own securities


def test_filters_combine(store: tuple[Client, list[AnalysedDocument]]) -> None:
    client, messages = store
    scope = scope_of(messages, "30d")
    filter_ = documents.Filter(themes=("game", "aigc"), tone="positive", kinds=("wire",), first_only=True)
    expected = {
        m.document.id
        for m in within(messages, scope)
        if {t.theme for t in m.analysis.themes} & {"game", "aigc"}
        and (m.analysis.sentiment.label, m.document.kind, m.analysis.copy_number) == ("positive", "wire", 1)
    }
    assert expected
    assert {row["id"] for row in run(client, documents.listed(scope, filter_, limit=1000))} == expected


@pytest.mark.parametrize(
    "of", [{}, {"themes": ("game",)}, {"themes": ("game", "aigc")}, {"codes": ("300364.SZ",)}, {"sources": ()}]
)
def test_what_is_found_is_what_is_listed(
    store: tuple[Client, list[AnalysedDocument]], of: dict[str, tuple[str, ...]]
) -> None:
    client, messages = store
    of = {name: chosen or (messages[0].document.source,) for name, chosen in of.items()}
    scope, filter_ = scope_of(messages, "30d"), documents.Filter(**of)
    assert (filter_.tallied is None) == (of == {"themes": ("game", "aigc")})
    listed = run(client, documents.listed(scope, filter_, limit=5000))
    (found,) = run(client, documents.found(scope, filter_))
    assert found["documents"] == len(listed) > 0
    assert found["stories"] == len({row["story_id"] or row["id"] for row in listed})


@pytest.mark.parametrize("order", ["spread", "fastest", "newest"])
def test_stories_fold_copies(store: tuple[Client, list[AnalysedDocument]], order: str) -> None:
    client, messages = store
    scope = scope_of(messages, "30d")
    rows = run(client, documents.stories(scope, documents.Filter(text="游戏"), order, 1000))
    inside = [m for m in within(messages, scope) if "游戏" in m.document.title + m.document.body]
    assert {row["story"]: row["copies"] for row in rows} == dict(Counter(m.analysis.story_id for m in inside))


@pytest.mark.parametrize("order", ["spread", "fastest", "newest"])
@pytest.mark.parametrize("of", [{"themes": ("game", "aigc")}, {"codes": ("300364.SZ", "603444.SH")}])
def test_stories_of_themes_or_securities_alone_are_those_of_any_filter(
    store: tuple[Client, list[AnalysedDocument]], order: str, of: dict[str, tuple[str, ...]]
) -> None:
    client, messages = store
    scope = scope_of(messages, "30d")
    everywhere = documents.Filter(**of, sources=tuple({m.document.source for m in messages}))
    assert documents.Filter(**of).alone and not everywhere.alone
    whole = run(client, documents.stories(scope, everywhere, order, 1000))
    assert len(whole) > 5 and any(row["copies"] > 1 for row in whole)
    for limit in (3, 1000):
        assert run(client, documents.stories(scope, documents.Filter(**of), order, limit)) == whole[:limit]


@pytest.mark.parametrize("order", documents.ORDERS)
def test_documents_of_themes_alone_are_those_of_any_filter(
    store: tuple[Client, list[AnalysedDocument]], order: str
) -> None:
    client, messages = store
    scope, themes = scope_of(messages, "30d"), ("game", "aigc")
    everywhere = documents.Filter(themes=themes, sources=tuple({m.document.source for m in messages}))
    whole = run(client, documents.listed(scope, everywhere, order, 1000))
    assert any(set(themes) <= set(row["themes"]) for row in whole)  # once, though it has both
    for limit in (3, len(whole) - 1, 1000):
        assert run(client, documents.listed(scope, documents.Filter(themes=themes), order, limit)) == whole[:limit]


@pytest.mark.parametrize("themes", [(), ("game", "aigc")])
@pytest.mark.parametrize("order", ["spread", "fastest", "newest"])
def test_told_stories_are_whole(
    store: tuple[Client, list[AnalysedDocument]], order: str, themes: tuple[str, ...]
) -> None:
    client, messages = store
    scope = scope_of(messages, "5d")
    rows = run(client, stories.told(scope, themes, order, 1000))
    of: dict[str, list[AnalysedDocument]] = {}
    for message in messages:
        of.setdefault(message.analysis.story_id, []).append(message)

    def wanted(story: str) -> bool:
        moments = [m.document.published_at for m in of[story]]
        named = {theme.theme for m in of[story] for theme in m.analysis.themes}
        return min(moments) < scope.end and max(moments) >= scope.start and (not themes or bool(named & set(themes)))

    expected = {story: len(told) for story, told in of.items() if wanted(story)}
    assert {row["story"]: row["copies"] for row in rows} == expected
    assert 0 < len(expected) < len(of) and (themes or max(expected.values()) > 1)
    by = {"spread": "copies", "fastest": "per_hour", "newest": "first_at"}[order]
    assert [row[by] for row in rows] == sorted((row[by] for row in rows), reverse=True)
    for row in rows:
        first = min(of[row["story"]], key=lambda m: (m.document.published_at, m.analysis.copy_number))
        assert (row["first_id"], row["first_title"]) == (first.document.id, first.document.title)


def test_a_story_is_told_in_a_window_that_it_goes_on_into(store: tuple[Client, list[AnalysedDocument]]) -> None:
    client, messages = store
    moments: dict[str, list[datetime]] = defaultdict(list)
    for message in messages:
        moments[message.analysis.story_id].append(message.document.published_at)
    longest = max(moments, key=lambda story: max(moments[story]) - min(moments[story]))
    first, last = min(moments[longest]), max(moments[longest])
    step = timedelta(milliseconds=1)
    assert first + step < last
    for start in (first, first + step, last, last + step):
        scope = Scope(start, last + timedelta(hours=1), "custom")
        found = {row["story"] for row in run(client, stories.told(scope, limit=1000))}
        assert found == {s for s, m in moments.items() if min(m) < scope.end and max(m) >= start}
        assert (longest in found) == (start <= last)


def test_report_queries(store: tuple[Client, list[AnalysedDocument]]) -> None:
    client, messages = store
    scope = scope_of(messages, "30d")
    row = run(client, reports.listed(scope))[0]
    assert (row["broker"], row["rating_action"], row["analysts"], row["licences"]) == (
        "样例证券",
        "上调",
        ["王样例"],
        ["S0000526010001"],
    )
    assert {r["name"] for r in run(client, reports.recommended(scope))} == {"中文在线", "吉比特"}
    assert run(client, reports.brokers(scope))[0]["raised"] == 1
    assert [r["code"] for r in run(client, theme.recommendations(scope, code="300364.SZ"))] == ["300364.SZ"]
    assert len(run(client, security.ratings(scope, "300364.SZ"))) == 1


def test_the_system_page_counts_what_is_held_and_what_is_absent(
    store: tuple[Client, list[AnalysedDocument]], clickhouse_server: ClickHouseServer
) -> None:
    client, messages = store
    with clickhouse_server.client(database=DATABASE) as writer:
        keep_up(writer)
    total = run(client, system.totals())[0]
    assert total["documents"] == len(messages) and total["mentions"] == sum(len(m.analysis.mentions) for m in messages)
    rows = run(client, system.offsets())
    assert sum(row["held"] for row in rows) == len(messages) and not any(row["absent"] for row in rows)
    assert sum(row["documents"] for row in run(client, system.versions())) == len(messages)
    for made in (system.totals, system.offsets, system.versions):
        assert run(client, made()) == run(client, made(exact=True)), made.__name__
    for made in (system.delays(), system.stored_steps(), system.columns()):
        assert run(client, made)
    for made in (system.dead(), system.health(), system.storage()):
        run(client, made)


def test_late_news_of_the_far_future_does_not_move_the_window(clickhouse_server: ClickHouseServer) -> None:
    schema(clickhouse_server, "dashboard_future")
    seed = Seed()
    seed.add(make("a", "今天", "正文", "2026-11-20T10:00:00"))
    seed.add(make("b", "笔误", "正文", "2099-01-01T10:00:00"))
    with clickhouse_server.client(database="dashboard_future") as client:
        seed.insert(client)
        row = run(client, queries.extent())[0]
    assert row["newest"] == row["first"] and row["newest"].year == 2026


def test_a_wrong_date_is_forgotten_once_it_is_corrected(clickhouse_server: ClickHouseServer) -> None:
    schema(clickhouse_server, "dashboard_corrected_date")
    wrong = make("a", "今天", "正文", "2005-11-20T10:00:00")
    seed = Seed()
    seed.add(wrong)
    with clickhouse_server.client(database="dashboard_corrected_date") as client:
        seed.insert(client)
        # what the sink leaves of the moment that a text had before, once its parts are merged
        client.command("INSERT INTO documents (id, published_at, version, is_deleted) SELECT id, published_at,"
                       " version + 1, 1 FROM documents")  # fmt: skip
        client.command("OPTIMIZE TABLE documents FINAL")
        assert not run(client, queries.extent())[0]["any"]
        seed = Seed()
        seed.add(make("a", "今天", "正文", "2026-11-20T10:00:00"))
        seed.insert(client)
        assert run(client, queries.extent())[0]["first"].year == 2026
