"""检索: words in titles and bodies, with filters; the URL keeps the search."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard import blocks, frame, lists, picker, state
from dashboard.charts import numbers
from dashboard.client import ahead, read
from dashboard.panel import link, panel
from dashboard.queries import documents as sql
from dashboard.safe import html, plain
from dashboard.text import number, say, theme_ids, theme_name
from models.trading import SHANGHAI

KINDS = ("wire", "news", "announcement", "report")
TONES = ("positive", "neutral", "negative")
EXPORT = 2000  # rows of the table to download


def page() -> None:
    view = frame.view()
    names = frame.names()
    text = state.bound(
        st.text_input,
        say("search_words"),
        "q",
        "",
        placeholder=say("search_placeholder"),
        label_visibility="collapsed",
        icon=":material/search:",
    )
    companies = picker.offered("codes", names)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        themes = _several("themes", theme_ids(), theme_name, 230)
        codes = _several(
            "codes", companies, lambda c: f"{plain(names.get(c, ''), 16)} {c}", 230, "security", accept_new_options=True
        )
        tone = state.bound(
            st.selectbox,
            say("tone"),
            "tone",
            None,
            options=[None, *TONES],
            format_func=lambda t: say(t or "all"),
            placeholder=say("all"),
            width=120,
        )
        kinds = _several("kinds", KINDS, blocks.kind_name, 180, "kind")
        sources = _several("sources", [str(s) for s in read(sql.sources())["source"]], str, 200, "source")
        order = state.bound(
            st.selectbox,
            say("order"),
            "order",
            "newest",
            options=list(sql.ORDERS),
            format_func=lambda o: say(f"order_{o}"),
            width=150,
        )
        first_only = state.bound(st.toggle, say("first_only"), "first", False)
    filter_ = sql.Filter(
        text=(text or "")[:200],
        themes=tuple(themes),
        codes=tuple(codes),
        tone=tone or "",
        sources=tuple(sources),
        kinds=tuple(kinds),
        first_only=bool(first_only),
    )
    ahead(sql.listed(view.scope, filter_, order, lists.more("search")))
    found = read(sql.found(view.scope, filter_)).iloc[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        panel(blocks.heading(say("found", n=number(found["documents"]), stories=number(found["stories"]))), "found")
        numbers(sql.listed(view.scope, filter_, order, EXPORT), None, "search")
    lists.documents(view.scope, filter_, "search", names, order)
    if not found["documents"] and filter_ != sql.Filter() and view.scope.start > view.first:
        panel(html('<p class="fx-center">{link}</p>', link=_everywhere(view)), "everywhere")


def _everywhere(view: frame.View) -> Markup:
    """The same search over all times: most who search an archive don't mean the window of their charts."""
    days = ",".join(at.astimezone(SHANGHAI).date().isoformat() for at in (view.first, view.newest))
    return link("search", say("search_all_times"), **{**st.query_params.to_dict(), "w": "custom", "days": days})


def _several(
    key: str, options: Collection[str], names: Callable[[str], str], width: int, label: str = "", **more: Any
) -> list[str]:
    found: list[str] = state.bound(
        st.multiselect,
        say(label or key),
        key,
        [],
        options=list(options),
        format_func=names,
        placeholder=say("all"),
        select_all=False,  # it would stand first, and Enter take it
        width=width,
        **more,
    )
    return found
