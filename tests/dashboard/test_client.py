"""What pages begin to read ahead: asked once, failing where it is read, and nothing that isn't read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import client
from dashboard.client import StoreError, ahead, read
from dashboard.query import Query
from deploy.settings import Settings
from tests.dashboard.conftest import DATABASE, World
from tests.fixtures.clickhouse import ClickHouseServer


@pytest.fixture(autouse=True)
def nothing_is_cached() -> Iterator[None]:
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


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
