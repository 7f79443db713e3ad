"""What pages begin to read ahead: asked once, failing where it is read, and nothing that isn't read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import client, frame
from dashboard.client import StoreError, ahead, read
from dashboard.query import Query
from deploy.settings import Settings
from tests.dashboard.conftest import DATABASE, World
from tests.fixtures.clickhouse import ClickHouseServer


@pytest.fixture(autouse=True)
def nothing_is_cached(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(frame, "known", frame.Known())
    st.cache_data.clear()
    st.cache_resource.clear()
    client.held.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()
    client.held.clear()


def test_what_was_asked_ahead_is_waited_for_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = threading.Event(), threading.Event()
    threads = []

    def run(query: Query) -> pd.DataFrame:
        threads.append(threading.current_thread().name)
        asked.set()
        assert answer.wait(20)
        return pd.DataFrame({"n": [len(query.sql)]})

    monkeypatch.setattr(client, "run", run)
    ahead(query := Query("SELECT 1", {}))
    assert asked.wait(20)
    threading.Timer(0.2, answer.set).start()
    assert read(query)["n"].tolist() == [8]
    assert len(threads) == 1 and threads[0].startswith("ahead")


def test_what_fails_ahead_is_asked_again_where_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, threads = threading.Event(), []

    def run(query: Query) -> pd.DataFrame:
        threads.append(threading.current_thread().name)
        asked.set()
        raise StoreError("away", "gone")

    monkeypatch.setattr(client, "run", run)
    ahead(query := Query("SELECT 2", {}))
    assert asked.wait(20)  # a thread that came late would ask the real store, and leave its address to the next test
    with pytest.raises(StoreError, match="gone"):
        read(query)
    assert threads[-1] == threading.current_thread().name


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("SELECT 1 AS n, 'a' AS name WHERE 0", ["n", "name"]),
        ("SELECT 1 AS n WHERE 0 -- none", ["n"]),
        ("SHOW TABLES LIKE 'none'", []),
    ],
)
def test_an_answer_without_rows_has_its_columns_where_they_can_be_told(
    clickhouse_server: ClickHouseServer,
    clickhouse_database: str,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    columns: list[str],
) -> None:
    url = clickhouse_server.url(writer=False, database=clickhouse_database)
    monkeypatch.setattr(client, "load", lambda: Settings(clickhouse=url, clickhouse_reader=url))
    frame = client.run(Query(statement, {}))
    assert (len(frame), list(frame.columns)) == (0, columns)


def test_what_the_client_cannot_read_is_refused(
    clickhouse_server: ClickHouseServer, clickhouse_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = clickhouse_server.url(writer=False, database=clickhouse_database)
    monkeypatch.setattr(client, "load", lambda: Settings(clickhouse=url, clickhouse_reader=url))
    with pytest.raises(StoreError) as refused:
        client.run(Query("SELECT uniqState(1)", {}))
    assert refused.value.kind == "refused"


class Clock:
    """Seconds, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_held_answer_is_given_while_it_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    held, query = client.Held(clock := Clock()), Query("SELECT 3", {})
    later: list[Any] = []
    monkeypatch.setattr(client._others, "submit", lambda function, *given: later.append((function, given)))
    answers = iter(range(100))
    monkeypatch.setattr(client, "read", lambda query, fresh: pd.DataFrame({"n": [next(answers)]}))

    def n() -> int:
        return int(held.read(query)["n"][0])

    assert (n(), n(), later) == (0, 0, [])
    clock.now += held.OLD
    assert (n(), n(), len(later)) == (0, 0, 1)  # one asks for all
    function, given = later.pop()
    function(*given)
    assert (n(), later) == (1, [])
    clock.now += held.GONE
    assert (n(), later) == (2, [])  # too old to be shown: waited for
    held.clear()
    assert n() == 3


def test_an_answer_that_fails_is_not_held_on_to(monkeypatch: pytest.MonkeyPatch) -> None:
    held, query = client.Held(clock := Clock()), Query("SELECT 4", {})

    def submit(function: Any, *given: Any) -> None:
        with pytest.raises(StoreError, match="gone"):
            function(*given)

    monkeypatch.setattr(client._others, "submit", submit)
    monkeypatch.setattr(client, "read", lambda query, fresh: pd.DataFrame({"n": [1]}))
    held.read(query)

    def away(query: Query, fresh: bool) -> pd.DataFrame:
        raise StoreError("away", "gone")

    monkeypatch.setattr(client, "read", away)
    clock.now += held.OLD
    assert len(held.read(query)) == 1
    with pytest.raises(StoreError, match="gone"):
        held.read(query)


@pytest.mark.parametrize(("taken", "kept"), [(0.01, 20), (1.0, 100), (30.0, 600)])
def test_names_are_kept_as_long_as_they_are_dear(monkeypatch: pytest.MonkeyPatch, taken: float, kept: float) -> None:
    clock, answers = Clock(), iter("甲乙丙")
    known = frame.Known(clock)
    monkeypatch.setattr(frame, "tallied", lambda: None)

    def run(query: Query) -> pd.DataFrame:
        clock.now += taken
        return pd.DataFrame({"code": ["600000.SH"], "name": [next(answers)]})

    monkeypatch.setattr(client, "run", run)
    assert known.read() == {"600000.SH": "甲"}
    clock.now += kept - 0.01
    assert known.read() == {"600000.SH": "甲"}
    clock.now += 0.02
    assert known.read() == {"600000.SH": "乙"}


@pytest.mark.parametrize("name", ["overview", "theme", "security", "search"])
def test_pages_read_all_that_they_ask_ahead(
    world: World, clickhouse_server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked, answered = set(), set()
    run = client.run

    class Later:
        """Takes what is asked ahead and leaves it."""

        def submit(self, function: Any, query: Query) -> None:
            asked.add((query.sql, str(query.parameters)))

    def noted(query: Query) -> pd.DataFrame:
        answered.add((query.sql, str(query.parameters)))
        return run(query)

    def script(name: str) -> None:
        import importlib

        importlib.import_module(f"dashboard.views.{name}").page()

    url = clickhouse_server.url(writer=False, database=DATABASE)
    monkeypatch.setattr(client, "load", lambda: Settings(clickhouse=url, clickhouse_reader=url))
    monkeypatch.setattr(client, "_others", Later())
    monkeypatch.setattr(client, "run", noted)
    page = AppTest.from_function(script, kwargs={"name": name}, default_timeout=60).run()
    assert not page.exception
    assert len(asked) > 1 and asked <= answered
