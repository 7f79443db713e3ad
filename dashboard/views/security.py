"""个股: what is written about one company, in which tone and theme, beside whom, and every sentence that names it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from markupsafe import Markup

from dashboard import baseline, blocks, charts, frame, lists, picker, state
from dashboard.client import ahead, read, rows
from dashboard.panel import link, panel
from dashboard.queries import documents, feedback
from dashboard.queries import security as sql
from dashboard.queries import theme as theme_sql
from dashboard.safe import html, join, plain
from dashboard.scope import Scope
from dashboard.text import moment, number, say, theme_name
from dashboard.views import notes
from dashboard.views.theme import recommendation_table

MENTIONS = 20


def page() -> None:
    view = frame.view()
    scope, names = view.scope, frame.names()
    code = _choose(scope, names)
    if not code:
        panel(blocks.empty("label_off", say("nothing"), say("nothing_hint")), "none")
        return
    ahead(sql.life(view.whole, code))
    _summary(view, code, names, scope.usual_windows(view.first))
    ahead(sql.steps(scope, code), sql.mentions(scope, code, "", MENTIONS), sql.themes(scope, code))
    ahead(sql.peers(scope, code), sql.ratings(scope, code), theme_sql.recommendations(scope, code=code))
    left, right = st.columns([1.55, 1], gap="medium")
    with left:
        title = say("security_trend", name=plain(names.get(code, code)))
        notes.trend("security", code, title, sql.steps(scope, code), scope, 270)
        _mentions(scope, code)
    with right:
        _themes(scope, code)
        _peers(scope, code, names)
        _ratings(scope, code)
        _stories(scope, code, names)


def _choose(scope: Scope, names: dict[str, str]) -> str:
    """The security of the URL, or the most mentioned one of the window."""
    counts = {str(row["code"]): row["n"] for row in rows(read(sql.known(scope)))}
    if not names:
        return ""
    codes = picker.offered("code", {code: code for code in counts} | names, counts)
    labels = {code: f"{plain(names.get(code, code), 20)} {code} ({number(counts.get(code, 0))})" for code in codes}
    chosen = state.bound(
        st.selectbox,
        say("security"),
        "code",
        next(iter(labels)),
        options=list(labels),
        format_func=lambda code: labels.get(code, code),
        always=True,
        tell=True,
        label_visibility="collapsed",
        placeholder=say("security_find"),
        accept_new_options=True,
    )
    return str(chosen or "")


def _summary(view: frame.View, code: str, names: dict[str, str], back: list[int]) -> None:
    scope = view.scope
    head, life = read(sql.headline(scope, code)), rows(read(sql.life(view.whole, code)))[0]
    surfaces = [plain(s, 12) for s in life["surfaces"] if s != names.get(code)]
    first: Markup | str = ""
    if life["first_id"]:  # none where all that named it was corrected
        first = link("document", say("first_seen", at=moment(life["first"], scope.end)), id=life["first_id"])
    intro = html(
        '<div class="fx-summary"><b>{name}</b> <small>{code}</small><small>{first}</small><small>{n}</small>'
        "<small>{also}</small></div>",
        name=plain(names.get(code, code)),
        code=code,
        first=first,
        n=say("ever", n=number(life["n"])),
        also=say("also_written", names=say("and").join(surfaces)) if surfaces else "",
    )
    tiles = [
        blocks.count_tile("documents", baseline.compare(head, back, "documents")),
        blocks.count_tile("stories", baseline.compare(head, back, "stories")),
        blocks.count_tile("publishers", baseline.compare(head, back, "publishers")),
        blocks.tone_tile("tone_towards", baseline.now(head, "tone"), baseline.usual_tone(head, back), head),
    ]
    panel(html("{i}<div style='height:8px'></div>{t}", i=intro, t=blocks.tiles(tiles)), "summary")


def _mentions(scope: Scope, code: str) -> None:
    tones = ("all", "positive", "neutral", "negative")
    tone = state.segments(say("tone"), "tone", tones, "all", say)
    tone = "" if tone == "all" else tone
    key = f"mentions-{code}-{tone}"
    limit = lists.more(key, MENTIONS)
    query = sql.mentions(scope, code, tone, limit)
    table = read(query)
    charts.head(say("every_mention"), query, table, "mentions", say("every_mention_note"))
    if table.empty:
        panel(blocks.heading("", say("nothing")), "mentions-none")
    else:
        lists.mentions(rows(table), scope.end, "mentions")
        lists.more_button(key, len(table), limit)
    if len(fixed := read(feedback.of_security(code))):
        lists.corrections(rows(fixed), scope.end, "corrections")


def _themes(scope: Scope, code: str) -> None:
    def draw(table: pd.DataFrame) -> Any:
        named = table.assign(name=[theme_name(t) if t else say("no_theme") for t in table["theme"]])
        return charts.bars_chart(named, "name")

    charts.figure(say("by_theme"), draw, sql.themes(scope, code), "themes", say("by_theme_note"))


def _peers(scope: Scope, code: str, names: dict[str, str]) -> None:
    query = sql.peers(scope, code)
    table = read(query)
    charts.head(say("peers"), query, table.assign(name=table["peer"].map(names)), "peers")
    chips = [
        html("{chip} <b>{n}</b> &nbsp; ", chip=blocks.security_chip(row["peer"], names), n=number(row["n"]))
        for row in rows(table)
    ]
    panel(html('<div class="fx-box fx-chips">{chips}</div>', chips=join(chips) or say("nothing")), "peers")


def _ratings(scope: Scope, code: str) -> None:
    query = sql.ratings(scope, code)
    table = read(query)
    charts.head(say("ratings"), query, table, "ratings")
    if table.empty:
        panel(html('<div class="fx-box fx-soft">{t}</div>', t=say("no_reports")), "ratings-none")
    else:
        panel(html('<div class="fx-box fx-wrap">{t}</div>', t=_rating_table(table, scope)), "ratings")
    advice_query = theme_sql.recommendations(scope, code=code)
    advice = read(advice_query)
    if len(advice):
        charts.head(say("recommended"), advice_query, advice, "recommended")
        panel(html('<div class="fx-box fx-wrap">{t}</div>', t=recommendation_table(advice, scope)), "recommended")


def _rating_table(table: pd.DataFrame, scope: Scope) -> object:
    lines = [
        html(
            "<tr><td>{broker}<br><small>{analysts}</small></td><td>{rating} <small>{action}</small></td>"
            "<td class='r'>{target}</td><td class='r'><small>{at}</small></td></tr>",
            broker=link("document", plain(row["broker"] or "—", 16), id=row["document_id"]),
            analysts="、".join(plain(a, 10) for a in list(row["analysts"])[:3]),
            rating=plain(row["rating"] or "—", 12),
            action=plain(row["rating_action"], 8),
            target=f"{row['target_price']:.2f}" if pd.notna(row["target_price"]) else "",
            at=moment(row["published_at"], scope.end),
        )
        for row in rows(table.head(12))
    ]
    return blocks.table(lines)


def _stories(scope: Scope, code: str, names: dict[str, str]) -> None:
    query = documents.stories(scope, documents.Filter(codes=(code,)), "newest", 10)
    table = read(query)
    charts.head(say("timeline"), query, table, "timeline")
    if len(table):
        lists.stories(rows(table), names, scope.end, "timeline")
