"""事件: what happened, each thing once: copies folded, who was first, how far and fast it spread."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import blocks, charts, frame, lists, state
from dashboard.client import read, rows
from dashboard.panel import link, panel
from dashboard.queries import documents as sql
from dashboard.queries.stories import told
from dashboard.safe import html, join, plain
from dashboard.text import moment, say, theme_ids, theme_name

ORDERS = ("spread", "fastest", "newest")


def page() -> None:
    view = frame.view()
    names = frame.names()
    story = str(st.query_params.get("story", ""))
    if story:
        _one(story, names, view)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        order = state.segments(say("order"), "order", ORDERS, "spread", lambda o: say(f"order_{o}"))
        themes = state.bound(
            st.multiselect,
            say("themes"),
            "themes",
            [],
            options=theme_ids(),
            format_func=theme_name,
            placeholder=say("all_themes"),
            label_visibility="collapsed",
            select_all=False,
            width=320,
        )
    limit = lists.more("stories")
    query = told(view.scope, tuple(themes), order, limit)
    table = read(query)
    charts.head(say("page_stories"), query, table, "stories", say("stories_note"))
    if table.empty:
        panel(blocks.empty("folder_off", say("nothing"), say("nothing_hint")), "stories-none")
        return
    lists.stories(rows(table), names, view.scope.end, "stories")
    lists.more_button("stories", len(table), limit)


def _one(story: str, names: dict[str, str], view: frame.View) -> None:
    """One story: its first text, when each publisher took it up, and all its copies."""
    scope = frame.place(story, "story_id")
    query = sql.copies(scope or view.scope, story)
    table = read(query)
    back = link("stories", say("back_to_stories"), css="fx-chip")
    if table.empty:
        panel(html("{b}{e}", b=back, e=blocks.empty("folder_off", say("no_story"), say("nothing_hint"))), "story-none")
        return
    found = rows(table)
    first, last = found[0], found[-1]
    minutes = (last["published_at"] - first["published_at"]).total_seconds() / 60
    panel(
        html(
            '{back}<div class="fx-summary" style="margin-top:10px">{title}</div><div class="fx-soft">{facts}</div>',
            back=back,
            title=link("document", plain(first["title"], 160), id=first["id"]),
            facts=" · ".join(
                [
                    say("first_by", who=plain(first["publisher"] or first["source"], 20)),
                    moment(first["published_at"], view.newest),
                    say("copies", n=len(found)),
                    say("spread", n=len({r["publisher"] or r["source"] for r in found}), t=lists.duration(minutes)),
                ]
            ),
        ),
        "story",
    )
    data = pd.DataFrame(
        {
            "at": [r["published_at"].strftime("%Y-%m-%dT%H:%M:%S") for r in found],
            "who": [plain(r["publisher"] or r["source"], 20) for r in found],
            "copies": range(1, len(found) + 1),
            "title": [plain(r["title"], 60) for r in found],
        }
    )
    tooltip = [
        alt.Tooltip("at:T", title=say("time"), format="%Y-%m-%d %H:%M:%S"),
        alt.Tooltip("who:N", title=say("publisher")),
    ]
    base = alt.Chart(data).encode(
        x=charts.time_axis(1),
        y=alt.Y(
            "copies:Q",
            title=say("copies_so_far"),
            axis=alt.Axis(tickMinStep=1),
            scale=alt.Scale(domain=[0, len(found) + 0.6]),
        ),
    )
    chart = base.mark_line(interpolate="step-after", opacity=0.6) + base.mark_circle(size=90).encode(
        color=alt.Color("who:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=[*tooltip, alt.Tooltip("title:N", title=say("title"))],
    ).add_params(charts.zoom())
    charts.figure(say("spread_over_time"), lambda _: chart.properties(height=220), query, "spread")
    items = join(blocks.item(row, names, view.newest, plain(row["lead"], 120)) for row in found)
    panel(html('<div class="fx-box">{items}</div>', items=items), "copies")
