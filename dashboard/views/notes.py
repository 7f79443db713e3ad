"""The trend chart of a theme or a security with readers' notes: marked on it, listed, written and removed below it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pandas as pd
import streamlit as st
from markupsafe import Markup

from dashboard import blocks, charts, client, editing, lists, marks
from dashboard import notes as book
from dashboard.client import read, rows
from dashboard.notes import LONGEST, YEARS, Note, NoteError
from dashboard.panel import panel
from dashboard.queries import notes as sql
from dashboard.query import Query
from dashboard.safe import html, join, plain
from dashboard.scope import Scope
from dashboard.text import moment, say
from models.trading import SHANGHAI

SHOWN = 6  # of the list, at first


def trend(dimension: str, key: str, title: str, query: Query, scope: Scope, height: int) -> None:
    """The trend chart of a theme or a security (`query`: its steps by tone), and what was noted on it."""
    noted = sql.of(dimension, key)

    def draw(steps: pd.DataFrame) -> Any:
        chart = charts.tone_chart(steps, scope.step, height)
        return charts.noted(chart, book.by_step(rows(read(noted)), scope), scope.step)

    charts.figure(title, draw, query, "trend", say("chart_help"))
    _listed(dimension, key, rows(read(noted)), scope)


def _listed(dimension: str, key: str, found: list[dict[str, Any]], scope: Scope) -> None:
    """The list below the chart, with what an editor needs to change it; nothing where there is nothing to show."""
    edits = editing.store() is not None
    if not (found or edits):
        return
    with st.container(horizontal=True, vertical_alignment="center", key="head-notes"):
        panel(blocks.heading(say("notes"), say("notes_note") if found else say("notes_none")), "notes-title")
        if edits:
            _new(dimension, key, scope)
    if not found:
        return
    more = f"notes-{key}"
    limit = lists.more(more, SHOWN)
    panel(html('<div class="fx-box">{items}</div>', items=join(_item(row, scope) for row in found[:limit])), "notes")
    if len(found) > limit:
        lists.more_button(more, limit, limit)


def _item(row: dict[str, Any], scope: Scope) -> Markup:
    """One note, with the chart's marker where it stands on the chart."""
    return html(
        '<div class="fx-item" data-key="{key}"><span class="g">{marker}</span><div>'
        '<div class="q"><b>{day}</b> {text}</div><div class="meta"><span>{by}</span>{remove}</div></div></div>',
        key=row["id"],
        marker="▼" if book.within(row["moment"], scope) else "▽",
        day=moment(row["moment"], scope.end),
        text=plain(row["text"]),
        by=say("note_by", by=plain(row["by"] or say("somebody"), 30), at=moment(row["at"], scope.end)),
        remove=marks.unnote(str(row["id"])),
    )


def _new(dimension: str, key: str, scope: Scope) -> None:
    """The form for one more; it closes, empty again, with every note that it has written."""
    written = int(st.session_state.get("notes-written", 0))
    with st.popover(say("note_new"), icon=":material/edit:", key=f"note-new-{written}"):
        with st.form(f"note-{dimension}-{key}-{written}", border=False):
            left, right = st.columns(2)
            last = (scope.end - timedelta(seconds=1)).astimezone(SHANGHAI).date()
            earliest, latest = date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31)
            day = left.date_input(say("note_day"), last, earliest, latest, format="YYYY-MM-DD")
            at = right.time_input(say("note_time"), None)
            text = st.text_area(say("note_text"), max_chars=LONGEST, height=90, placeholder=say("note_placeholder"))
            pressed = st.form_submit_button(say("save"), type="primary")
        if pressed:
            _save(Note(dimension, key, datetime.combine(day, at or time(), SHANGHAI), text), written)


def _save(note: Note, written: int) -> None:
    store = editing.store()
    if store is None:
        return
    try:
        with client.explained():
            book.write(store, note, editing.reader())
    except NoteError as error:
        panel(html('<b class="fx-bad">✕ {e}</b>', e=error), "note-wrong")
        return
    st.session_state["notes-written"] = written + 1
    st.toast(say("note_saved"), icon=":material/check:")
    client.forget()
    st.rerun()
