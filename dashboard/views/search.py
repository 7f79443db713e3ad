"""检索: words in titles and bodies, with filters; the URL keeps the search."""

from __future__ import annotations

import streamlit as st

from dashboard import blocks, frame, lists
from dashboard.charts import numbers
from dashboard.client import read
from dashboard.panel import panel
from dashboard.queries import documents as sql
from dashboard.safe import plain
from dashboard.text import number, say, theme_ids, theme_name

KINDS = ("wire", "news", "announcement", "report")
TONES = ("positive", "neutral", "negative")
EXPORT = 2000  # rows of the table to download


def page() -> None:
    view = frame.view()
    names = frame.names()
    text = st.text_input(
        say("search_words"),
        key="q",
        placeholder=say("search_placeholder"),
        label_visibility="collapsed",
        bind="query-params",
        icon=":material/search:",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        themes = st.multiselect(
            say("themes"), theme_ids(), format_func=theme_name, key="themes", bind="query-params", width=240
        )
        codes = st.multiselect(
            say("security"),
            sorted(names),
            format_func=lambda c: f"{plain(names.get(c, ''), 16)} {c}",
            key="codes",
            bind="query-params",
            width=240,
        )
        tone = st.selectbox(
            say("tone"),
            TONES,
            index=None,
            format_func=say,
            placeholder=say("all"),
            key="tone",
            bind="query-params",
            width=120,
        )
        kinds = st.multiselect(
            say("kind"), KINDS, format_func=blocks.kind_name, key="kinds", bind="query-params", width=180
        )
        known = [str(s) for s in read(sql.sources())["source"]]
        sources = st.multiselect(say("source"), known, key="sources", bind="query-params", width=200)
        order = st.selectbox(
            say("order"),
            tuple(sql.ORDERS),
            format_func=lambda o: say(f"order_{o}"),
            key="order",
            bind="query-params",
            width=150,
        )
        first_only = st.toggle(say("first_only"), key="first", bind="query-params")
    filter_ = sql.Filter(
        text=(text or "")[:200],
        themes=tuple(themes),
        codes=tuple(codes),
        tone=tone or "",
        sources=tuple(sources),
        kinds=tuple(kinds),
        first_only=bool(first_only),
    )
    found = read(sql.found(view.scope, filter_)).iloc[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        panel(blocks.heading(say("found", n=number(found["documents"]), stories=number(found["stories"]))), "found")
        export = sql.listed(view.scope, filter_, order or "newest", EXPORT)
        numbers(export, read(export), "search")
    lists.documents(view.scope, filter_, "search", names, order or "newest")
