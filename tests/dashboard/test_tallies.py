"""A window counted from tallies and the truth together is the window counted from the truth alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from dashboard import queries
from dashboard.queries import documents, overview, security, tallies
from dashboard.query import SETTINGS, Query
from dashboard.scope import BASES, Scope, Tallied, window
from models.trading import SHANGHAI
from stream.tallies import keep_up
from tests.dashboard.conftest import schema
from tests.dashboard.seed import Seed, make
from tests.fixtures.clickhouse import ClickHouseServer

DATABASE = "dashboard_tallies"
NOW = datetime.now(UTC).astimezone(SHANGHAI).replace(second=17, microsecond=0) - timedelta(hours=1)
NAMES = ("中文在线", "吉比特", "芒果超媒")


def wires(number: int, begin: int = 0) -> Iterator[Any]:
    for n in range(begin, begin + number):
        company = NAMES[n % len(NAMES)]
        yield make(
            "cls", f"{company}的游戏版号{n // 3}", f"{company}大模型增长", NOW - timedelta(minutes=47 * n), str(n)
        )


@pytest.fixture(scope="module")
def store(clickhouse_server: ClickHouseServer) -> Iterator[tuple[Client, Tallied, frozenset[int]]]:
    """1,500 wires of 49 days, tallied; then some that are stored again or new, and a correction, which aren't."""
    schema(clickhouse_server, DATABASE)
    seed = Seed()
    for message in wires(1500):
        seed.add(message)
    with clickhouse_server.client(database=DATABASE) as client:
        seed.insert(client)
        keep_up(client)
        # As if all that was an hour ago, and the rest came after the refresh.
        client.command("INSERT INTO tally_refreshes SELECT now64(6), max(version) + 1 FROM tally_refreshes")
        move(client, "stored_at - INTERVAL 1 HOUR", "1")
        seed.add(make("eastmoney", "中文在线又有游戏版号", "中文在线大模型增长", NOW, "new"))
        seed.insert(client)
        move(client, "now64(3) + INTERVAL 5 MINUTE", "source = 'eastmoney'")
        client.command(
            "INSERT INTO feedback (document_id, published_at, kind, subject, correction, at, version)"
            " SELECT document_id, published_at, 'theme', theme, '', now64(3) + INTERVAL 5 MINUTE, 1"
            " FROM document_themes FINAL WHERE published_at > now() - INTERVAL 12 DAY ORDER BY published_at LIMIT 1"
        )
        row = ask(client, queries.untallied())[0]
        assert 1 <= len(row["hours"]) <= 3
        first = NOW.replace(hour=0, minute=0, second=0) - timedelta(days=34)
        assert len(row["corrected"]) == 1
        yield client, Tallied(frozenset(row["hours"]), int(first.timestamp())), frozenset(row["corrected"])


def move(client: Client, stored_at: str, where: str) -> None:
    sql = f"ALTER TABLE documents UPDATE stored_at = {stored_at} WHERE {where} SETTINGS mutations_sync = 1"
    client.command(sql)


def ask(client: Client, made: Query) -> list[dict[str, Any]]:
    result = client.query(made.sql, parameters=made.parameters, settings=SETTINGS)
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


ASKED: dict[str, Callable[[Scope], Query]] = {
    "headline": lambda scope: overview.headline(scope, range(1, scope.history + 1)),
    "themes": lambda scope: overview.themes(scope, range(1, scope.history + 1)),
    "theme_steps": overview.theme_steps,
    "movers": overview.movers,
    "top_themes": lambda scope: overview.top_themes(scope, ["300364.SZ", "300413.SZ"]),
    "tone_steps": overview.tone_steps,
    "sources": overview.sources,
    "known": security.known,
    "found": lambda scope: documents.found(scope, documents.Filter()),
    "found theme": lambda scope: documents.found(scope, documents.Filter(themes=("game",))),
    "found code": lambda scope: documents.found(scope, documents.Filter(codes=("300364.SZ",))),
    "found sources": lambda scope: documents.found(scope, documents.Filter(sources=("cls", "eastmoney"))),
    "life": lambda scope: security.life(scope, "300364.SZ"),
}


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows]


@pytest.mark.parametrize("preset", ["1h", "today", "5d", "30d", "custom"])
@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("name", ASKED)
def test_counts_are_those_of_the_truth(
    store: tuple[Client, Tallied, frozenset[int]], name: str, preset: str, basis: str
) -> None:
    client, tallied, corrected = store
    days = (NOW.date() - timedelta(days=20), NOW.date() - timedelta(days=3))
    scope = window(preset, NOW, basis, days if preset == "custom" else None)
    made = ASKED[name]
    truth = plain(ask(client, made(scope)))
    found = plain(ask(client, made(replace(scope, tallied=tallied, corrected=corrected))))
    if "back" in (truth or [{}])[0]:  # the edges of earlier windows are moved
        truth, found = ([row for row in rows if row["back"] == 0] for rows in (truth, found))
    assert found == truth and (truth or preset == "1h")


@pytest.mark.parametrize("preset", ["today", "custom"])
def test_some_earlier_windows_are_counted_as_among_all(
    store: tuple[Client, Tallied, frozenset[int]], preset: str
) -> None:
    client, tallied, corrected = store
    for known in ({}, {"tallied": tallied, "corrected": corrected}):
        length = timedelta(hours=6) if preset == "today" else timedelta(days=8)  # at any hour something in each window
        scope = replace(Scope(NOW - length, NOW, preset), **known)
        for made in (
            overview.headline,
            overview.themes,
            lambda scope, earlier: overview.before(scope, ["300364.SZ", "300413.SZ"], earlier),
        ):
            all_ = ask(client, made(scope, range(1, scope.history + 1)))
            some = ask(client, made(scope, [1, 3]))
            assert plain(some) == plain([row for row in all_ if row["back"] in (0, 1, 3)])
            assert {row["back"] for row in some} >= {1, 3}


def test_a_window_is_cut_without_gap_or_overlap() -> None:
    behind = frozenset(int(NOW.timestamp()) // 3600 * 3600 - 3600 * n for n in (0, 1, 30, 24 * 12))
    tallied = Tallied(behind, int((NOW - timedelta(days=10)).timestamp()) // 60 * 60)
    for preset in ("1h", "today", "5d", "30d"):
        for longest in (tallies.MINUTE, tallies.HOUR, tallies.DAY, tallies.WEEK):
            scope = replace(window(preset, NOW), tallied=tallied)
            spans = tallies.cut(scope, 0, 0, longest)
            ordered = sorted(span for some in spans.values() for span in some)
            assert ordered[0][0] == scope.start.timestamp() * 1000 and ordered[-1][1] == scope.end.timestamp() * 1000
            assert all(one[1] == other[0] for one, other in pairwise(ordered))
            for step in tallies.STEPS:
                for start, end in spans[step]:
                    hours = range(start // tallies.HOUR * tallies.HOUR, end, tallies.HOUR)
                    assert not any(hour // 1000 in behind for hour in hours)
            assert bool(spans["week"]) == (preset == "30d" and longest == tallies.WEEK)


def test_what_a_month_is_compared_with_is_cut_into_whole_days() -> None:
    tallied = Tallied(frozenset(), int((NOW - timedelta(days=10)).timestamp()) // 60 * 60)
    scope = replace(window("30d", NOW), tallied=tallied)
    spans = tallies.cut(scope, 1, 2)
    assert {step for step in spans if spans[step]} == {"week", "day"}
    length = sum(end - start for some in spans.values() for start, end in some)
    assert length == 2 * scope.length // timedelta(milliseconds=1)


def test_the_start_of_a_visit_counts_alike(store: tuple[Client, Tallied, frozenset[int]]) -> None:
    client, tallied, _ = store
    assert ask(client, tallies.busy(NOW, tallied)) == ask(client, tallies.busy(NOW))
    assert ask(client, queries.names(tallied=True)) is not None
