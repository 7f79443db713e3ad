"""What every page stands in: the toolbar, and the designed states when there is nothing or the store is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import pandas as pd
import streamlit as st

from dashboard import client, queries, state
from dashboard.blocks import empty
from dashboard.client import StoreError, held, read
from dashboard.panel import panel
from dashboard.queries import documents, tallies
from dashboard.query import Query
from dashboard.scope import Scope, Tallied
from dashboard.text import say
from models.trading import SHANGHAI, midnight
from stream.queries import MINUTE_DAYS

LOG = logging.getLogger(__name__)
T = TypeVar("T")
BUSY = 25  # documents that make a window worth starting with


class NothingToShow(Exception):
    """Ends a page whose state is shown. `st.stop` wouldn't do: it leaves what ran on the page before running."""


@dataclass(frozen=True)
class View:
    """What the toolbar says, and the extent of the data."""

    scope: Scope
    first: datetime
    newest: datetime

    @property
    def whole(self) -> Scope:
        """All times."""
        start = midnight(self.first.astimezone(SHANGHAI).date())
        return replace(self.scope, start=start, end=self.newest + timedelta(seconds=1), preset="custom")

    @property
    def live(self) -> bool:
        return datetime.now(SHANGHAI) - self.newest < timedelta(minutes=30)


def extent() -> tuple[datetime, datetime] | None:
    """Times of the first and newest documents; None where there are none."""
    row = held.read(queries.extent()).iloc[0]
    if not row["any"]:
        return None
    first, newest = (pd.Timestamp(row[k]).tz_convert(SHANGHAI).to_pydatetime() for k in ("first", "newest"))
    return first, newest


def view() -> View:
    """The toolbar. Where there is nothing to show, a designed state and `NothingToShow`."""
    held.ahead(queries.untallied())
    span = extent()
    if span is None:
        waiting("empty", "newspaper", say("empty"), say("empty_hint"))
        raise NothingToShow
    first, newest = span
    with st.container(horizontal=True, vertical_alignment="center", key="toolbar"):
        counted = tallied()
        scope = state.window_controls(first, newest, busy_preset(newest, counted))
    return View(replace(scope, tallied=counted, corrected=corrected()), first, newest)


def tallied() -> Tallied | None:
    """How far the store's tallies can be relied on; None where they are far behind."""
    row = held.read(queries.untallied()).iloc[0]
    if not row["counted"] or len(row["hours"]) > queries.MOST_HOURS:
        return None
    kept = midnight(datetime.now(SHANGHAI).date()) - timedelta(days=MINUTE_DAYS - 1)
    return Tallied(frozenset(int(hour) for hour in row["hours"]), int(kept.timestamp()))


def corrected() -> frozenset[int] | None:
    """The hours of what readers corrected; None where they are too many to tell."""
    hours = held.read(queries.untallied()).iloc[0]["corrected"]
    return frozenset(int(hour) for hour in hours) if len(hours) <= queries.MOST_HOURS else None


def place(value: str, by: Literal["id", "story_id"]) -> Scope | None:
    """When the documents with an id, or of a story, were published; None where there are none."""
    found = client.rows(read(documents.place(value, by))) if value else []
    if not found:
        return None
    until = found[0]["last"] + timedelta(milliseconds=1)
    return Scope(found[0]["first"], until, corrected=None if found[0]["corrected"] else frozenset())


def busy_preset(newest: datetime, counted: Tallied | None) -> str:
    """The shortest window that has enough in it, decided once per visit."""
    if "default_window" in st.session_state:
        return str(st.session_state["default_window"])
    ends = newest + timedelta(seconds=1)
    counts = read(tallies.busy(ends, counted)).iloc[0]
    return next((p for p, column in (("today", "day"), ("5d", "five_days")) if counts[column] >= BUSY), "30d")


def names() -> dict[str, str]:
    """Short names of the securities by code."""
    return known.read() | _new_names()


class Known:
    """The names of all that was ever mentioned, kept a hundred times as long as it takes to read them, 20 s to 10 min:
    a store that is being filled names what comes soon, and a large one isn't asked all the time."""

    SHORTEST, LONGEST, TIMES = 20.0, 600.0, 100

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._until = 0.0

    def read(self) -> dict[str, str]:
        """Short name by code. Raises `StoreError`."""
        with self._lock:
            began = self._clock()
            if began >= self._until:
                self._names = _by_code(queries.names(tallied=tallied() is not None))
                ended = self._clock()
                self._until = ended + min(max(self.TIMES * (ended - began), self.SHORTEST), self.LONGEST)
            return self._names


known = Known()


@st.cache_resource(ttl=20, show_spinner=False)
def _new_names() -> dict[str, str]:
    """Those of the last days, among them what is new since all were read."""
    return _by_code(queries.names(2))


client.CACHES.append(_new_names)


def _by_code(query: Query) -> dict[str, str]:
    frame = client.run(query)
    return dict(zip(frame["code"].tolist(), frame["name"].tolist(), strict=True))


def kept(key: str, fresh: Callable[[], T]) -> tuple[T | None, str]:
    """What a fragment shows: what `fresh` reads; where the store gives nothing what it read last, with a word on why.

    Errors in a fragment don't come to `guarded`, as Streamlit shows them itself: a page that should wait for the store
    reads outside of its fragments first.
    """
    try:
        found = st.session_state[key] = fresh()
        return found, ""
    except StoreError as error:
        return st.session_state.get(key), say("reconnecting" if error.kind == "away" else error.kind)


def guarded(page: Callable[[], None]) -> None:
    """Run a page; where the store is away, say so and try again until it is back."""
    try:
        page()
    except NothingToShow:
        pass
    except StoreError as error:
        icon = {"away": "power_off", "unready": "construction"}.get(error.kind, "warning")
        waiting(error.kind, icon, say(error.kind), say(f"{error.kind}_hint"), str(error))
    except Exception as error:
        LOG.exception("a page failed")
        panel(empty("warning", say("failed"), say("failed_hint"), type(error).__name__), "failed")


def waiting(shown: str, icon: str, title: str, hint: str, detail: str = "") -> None:
    """Show a state, and look every few seconds whether it has changed."""
    panel(empty(icon, title, hint, detail), "state")
    if shown not in ("refused", "limited"):
        _retry(shown)


@st.fragment(run_every=3)
def _retry(shown: str) -> None:
    """Run the page again as soon as the store is in another state than the one shown: away, unready or empty."""
    now = client.state()
    if now == "ok" and shown == "empty":
        try:
            now = "empty" if extent() is None else "ok"
        except StoreError:
            return
    if now != shown:
        st.rerun()
