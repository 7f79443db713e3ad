"""题材: how much and in which tone a theme is written about, who drives it, and the sentences that say so."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import baseline, blocks, charts, frame, lists, network, state
from dashboard.client import ahead, read, rows
from dashboard.panel import link, panel
from dashboard.queries import documents, feedback, overview
from dashboard.queries import theme as sql
from dashboard.query import Query
from dashboard.safe import html, join, label, plain
from dashboard.scope import Scope
from dashboard.text import moment, number, say, theme_ids, theme_name
from dashboard.views import notes

STORIES = 8


def page() -> None:
    view = frame.view()
    scope, names = view.scope, frame.names()
    back = scope.usual_windows(view.first)
    ranked = baseline.themes(read(overview.themes(scope, back)), back, theme_ids())
    theme = _choose(ranked)
    if not theme:
        return
    _summary(scope, theme, back)
    ahead(sql.steps(scope, theme), sql.securities(scope, theme), stories(scope, theme), sql.pairs(scope, theme))
    ahead(sql.together(scope, theme), sql.recommendations(scope, theme))
    left, right = st.columns([1.55, 1], gap="medium")
    with left:
        title = say("theme_trend", name=theme_name(theme))
        notes.trend("theme", theme, title, sql.steps(scope, theme), scope, 280)
        _drivers(scope, theme, names)
        _compare(scope, theme, [t for t, _, _ in ranked])
    with right:
        _securities(scope, theme, names)
        _network(scope, theme, names)
        _together(scope, theme)
        _recommended(scope, theme)
    panel(blocks.heading(say("latest")), "latest-title")
    lists.documents(scope, documents.Filter(themes=(theme,)), f"theme-{theme}", names, theme=theme)
    if len(fixed := read(feedback.of_theme(theme))):
        lists.corrections(rows(fixed), scope.end, "corrections")


def _choose(ranked: list[baseline.ThemeRow]) -> str:
    """The theme of the URL, or the busiest one; pills show each one's count."""
    counts = {t: c for t, c, _ in ranked}
    if not counts:
        return ""
    chosen = state.bound(
        st.pills,
        say("theme"),
        "theme",
        next(iter(counts)),
        options=list(counts),
        format_func=lambda t: f"{label(theme_name(t))} {number(counts[t].count)}{' ⚡' if counts[t].burst else ''}",
        required=True,
        always=True,
        tell=True,
        label_visibility="collapsed",
    )
    return str(chosen or next(iter(counts)))


def _summary(scope: Scope, theme: str, back: list[int]) -> None:
    head = read(sql.headline(scope, theme))
    tiles = [
        blocks.count_tile("documents", baseline.compare(head, back, "documents")),
        blocks.count_tile("stories", baseline.compare(head, back, "stories")),
        blocks.count_tile("companies", baseline.compare(head, back, "companies")),
        blocks.tone_tile("tone", baseline.now(head, "tone"), baseline.usual_tone(head, back), head),
    ]
    panel(blocks.tiles(tiles), "summary")


def stories(scope: Scope, theme: str) -> Query:
    """The stories behind a theme's count."""
    return documents.stories(scope, documents.Filter(themes=(theme,)), "spread", STORIES)


def _drivers(scope: Scope, theme: str, names: dict[str, str]) -> None:
    query = stories(scope, theme)
    charts.head(say("drivers"), query, None, "drivers", say("drivers_note"))
    table = read(query)
    if table.empty:
        panel(blocks.heading("", say("nothing")), "drivers-none")
    else:
        lists.stories(rows(table), names, scope.end, "drivers")


def _compare(scope: Scope, theme: str, known: list[str]) -> None:
    with st.container(border=True):
        others = state.bound(
            st.multiselect,
            say("compare"),
            "with",
            [],
            options=[t for t in known if t != theme],
            format_func=theme_name,
            max_selections=5,
            select_all=False,
            placeholder=say("choose"),
        )
        chosen = [theme, *(others or [t for t in known if t != theme][:2])]
        query = sql.compared(scope, chosen)
        charts.head(say("compare_note"), query, None, "compare")
        table = read(query)
        if not table.empty:
            charts.show(charts.lines_chart(table, chosen, scope), "compare", say("compare"))


def _securities(scope: Scope, theme: str, names: dict[str, str]) -> None:
    query = sql.securities(scope, theme)
    table = read(query)
    charts.head(
        say("top_securities"), query, table.assign(name=table["code"].map(names)), "securities", say("share_note")
    )
    if table.empty:
        panel(blocks.heading("", say("nothing")), "securities-none")
        return
    lines = [
        html(
            '<tr><td>{name} <small>{code}</small></td><td class="r"><b>{n}</b></td><td style="width:26%"><span'
            ' class="fx-bar" '
            'style="width:{w:.0f}%"></span> <small>{share}</small></td><td class="r">{tone}</td></tr>',
            name=link("security", names.get(row["code"], row["code"]), code=row["code"]),
            code=row["code"],
            n=number(row["n"]),
            w=min(70 * row["n"] / table["n"].iloc[0], 70),
            share=f"{row['share']:.0%}",
            tone=blocks.tone(row["tone"]),
        )
        for row in rows(table.head(10))
    ]
    panel(html('<div class="fx-box fx-wrap">{t}</div>', t=blocks.table(lines)), "securities")


def _network(scope: Scope, theme: str, names: dict[str, str]) -> None:
    query = sql.pairs(scope, theme)
    charts.figure(say("network"), lambda pairs: network.chart(pairs, names), query, "network", say("network_note"))


def _together(scope: Scope, theme: str) -> None:
    query = sql.together(scope, theme)
    table = read(query)
    if table.empty:
        return
    chips = [
        html("{chip} <b>{n}</b> &nbsp; ", chip=blocks.theme_chip(row["other"]), n=number(row["n"]))
        for row in rows(table)
    ]
    charts.head(say("together"), query, table, "together")
    panel(html('<div class="fx-box">{chips}</div>', chips=join(chips)), "together")


def _recommended(scope: Scope, theme: str) -> None:
    query = sql.recommendations(scope, theme)
    table = read(query)
    if table.empty:
        return
    charts.head(say("recommended"), query, table, "recommended")
    panel(html('<div class="fx-box fx-wrap">{t}</div>', t=recommendation_table(table, scope)), "recommended")


def recommendation_table(table: pd.DataFrame, scope: Scope, limit: int = 12) -> object:
    lines = [
        html(
            "<tr><td>{name}<br><small>{group}</small></td><td><small>{reason}</small></td><td class='r'>{broker}"
            "<br><small>{at}</small></td></tr>",
            name=link("security", plain(row["name"], 20), code=row["code"]) if row["code"] else plain(row["name"], 20),
            group=plain(row["group"], 24),
            reason=plain(row["reason"], 40),
            broker=link("document", plain(row["broker"] or "—", 16), id=row["document_id"]),
            at=moment(row["published_at"], scope.end),
        )
        for row in rows(table.head(limit))
    ]
    return blocks.table(lines, loose=True)
