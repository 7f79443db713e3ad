"""The way to ClickHouse: pooled clients for the process, cached answers, and errors that pages can show.

Everything is read by the read-only user; the editor, who may fill `EDITED_TABLES` alone, is used for no more than that.

Every failure becomes a `StoreError` with a kind: `away` (can't be reached: pages wait and try again), `unready` (no
tables yet), `limited` (more than a reader may use) or `refused` (the statement itself).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

import clickhouse_connect
import pandas as pd
import streamlit as st
from clickhouse_connect.driver.exceptions import ClickHouseError, NotSupportedError

from dashboard.query import SETTINGS, Query
from deploy.settings import Settings, clickhouse_arguments, load, redact
from stream.queries import LIMIT_CODES, only_read

_UNREADY = {60, 81}  # UNKNOWN_TABLE, UNKNOWN_DATABASE
_CODE = re.compile(r"[Cc]ode:? (\d+)")


class StoreError(Exception):
    """ClickHouse did not answer as hoped; `kind` says which way, the text is for the reader."""

    def __init__(self, kind: Literal["away", "unready", "limited", "refused"], message: str) -> None:
        super().__init__(message)
        self.kind = kind


@st.cache_resource
def settings() -> Settings:
    return load()


_lock = threading.Lock()
_clients: dict[tuple[str, bool], Any] = {}


def client() -> Any:
    """The shared read-only client. It carries no session, so threads may use it at once. Raises `StoreError`."""
    return _client(settings().clickhouse_url(writer=False), settings().writer_reads)


def editor() -> Any:
    """The shared client that fills what readers may change; None where there is none. Raises `StoreError`."""
    url = settings().clickhouse_editor_url()
    return _client(url, False) if url else None


def _client(url: str, reads_only: bool) -> Any:
    key = url, reads_only
    with _lock:
        if key not in _clients:
            with explained():
                made = clickhouse_connect.get_client(
                    **clickhouse_arguments(url),
                    autogenerate_session_id=False,
                    connect_timeout=3,
                    send_receive_timeout=60,
                )
                if reads_only:
                    only_read(made)
                _clients[key] = made
        return _clients[key]


def explain(error: Exception) -> StoreError:
    """The error that a page can show for one of the client's."""
    text = " ".join(str(error).split())
    if isinstance(error, NotSupportedError):  # the client's own word, of types that it can't read
        return StoreError("refused", text)
    found = _CODE.search(text)
    if not found:
        return StoreError("away", f"{redact(settings().clickhouse_url(writer=False))}: {text[:300]}")
    code = int(found[1])
    if code in _UNREADY:
        return StoreError("unready", text)
    return StoreError("limited" if code in LIMIT_CODES else "refused", re.sub(r"^.*?(Code: \d+)", r"\1", text))


@contextmanager
def explained() -> Iterator[None]:
    """Errors of the client as those that pages can show."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise explain(error) from error


def run(query: Query, settings: dict[str, Any] | None = None) -> pd.DataFrame:
    """Rows of `query`, uncached. Raises `StoreError`."""
    arguments = {"parameters": query.parameters, "settings": SETTINGS | (settings or {})}
    with explained():
        frame: pd.DataFrame = client().query_df(query.sql, **arguments)
    return pd.DataFrame(columns=_columns(query, arguments)) if frame.empty else frame


def _columns(query: Query, arguments: dict[str, Any]) -> list[str]:
    """Those of an answer without rows, which comes without them; none of what can't be described, such as SHOW."""
    try:
        with explained():  # on lines of its own: the statement may end in a comment
            return [row[0] for row in client().query(f"DESCRIBE (\n{query.sql}\n)", **arguments).result_rows]
    except StoreError as error:
        if error.kind != "refused":
            raise
        return []


@st.cache_data(ttl=20, max_entries=500, show_spinner=False)
def _cached(sql: str, parameters: dict[str, Any]) -> pd.DataFrame:
    return run(Query(sql, parameters))


@st.cache_data(ttl=1, max_entries=100, show_spinner=False)  # less than the live feed's step: each look is a new one
def _fresh(sql: str, parameters: dict[str, Any]) -> pd.DataFrame:
    return run(Query(sql, parameters))


PATIENCE = 1.0  # seconds; where so many ask that one waits longer, the page has read it by itself
_others = ThreadPoolExecutor(2, thread_name_prefix="ahead")  # few: what a page shows first shouldn't wait for the rest


def ahead(*asked: Query) -> None:
    """Begin to read what a page is about to read, side by side. `read` waits for these answers; what fails here is
    asked again there, and told."""
    began = time.monotonic()

    def begin(query: Query) -> None:
        if time.monotonic() - began < PATIENCE:
            read(query)

    for query in asked:
        _others.submit(begin, query)


def read(query: Query, *, fresh: bool = False) -> pd.DataFrame:
    """Rows of `query`, at most 20 s old (1 s if `fresh`), shared by all viewers. Raises `StoreError`."""
    frame: pd.DataFrame = (_fresh if fresh else _cached)(query.sql, query.parameters)
    return frame


class Held:
    """Answers of the last seconds to what every page asks first, so that no reader waits for them while others read:
    one that is `OLD` is given once more, and asked for anew beside."""

    OLD, GONE = 2.0, 20.0  # seconds; what is gone is waited for

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, pd.DataFrame]] = {}
        self._asked: set[str] = set()
        self._cleared = 0.0

    def ahead(self, query: Query) -> None:
        """Begin to read what is about to be read."""
        _others.submit(self.read, query)

    def read(self, query: Query) -> pd.DataFrame:
        """Rows of a query without parameters, at most 20 s old. Raises `StoreError`."""
        with self._lock:
            at, frame = self._answers.get(query.sql, (0.0, None))
            age = self._clock() - at
            if renew := age >= self.OLD and query.sql not in self._asked:
                self._asked.add(query.sql)
        if frame is None or age >= self.GONE:
            return self._ask(query)
        if renew:
            _others.submit(self._ask, query)
        return frame

    def _ask(self, query: Query) -> pd.DataFrame:
        began = self._clock()
        try:
            frame = read(query, fresh=True)
        except StoreError:
            with self._lock:
                self._answers.pop(query.sql, None)  # who asks next is told
            raise
        finally:
            with self._lock:
                self._asked.discard(query.sql)
        with self._lock:
            if began >= self._cleared:
                self._answers[query.sql] = began, frame
        return frame

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()
            self._cleared = self._clock()


held = Held()
CACHES: list[Any] = [_cached, _fresh, held]  # and others' of what readers may change


def forget() -> None:
    """Read everything anew: something was changed."""
    for cache in CACHES:
        cache.clear()


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dictionaries by column."""
    return [dict(zip(frame.columns, values, strict=True)) for values in frame.itertuples(index=False, name=None)]


def state() -> str:
    """ok, or the kind of the error that a query over the tables meets."""
    try:
        run(Query("SELECT count() FROM documents WHERE 0", {}))
    except StoreError as error:
        return error.kind
    return "ok"
