"""Altair charts, and the frame that every chart stands in: title, its SQL, its numbers to download.

Times come from ClickHouse as Shanghai wall-clock text without a zone, so they show the same in every browser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from altair.utils import schemapi

from dashboard import look
from dashboard.blocks import heading
from dashboard.client import StoreError, read
from dashboard.panel import panel
from dashboard.query import Query
from dashboard.scope import Scope
from dashboard.text import say, theme_name

schemapi.disable_debug_mode()  # the parts of a chart aren't checked as they are made


def zoom() -> alt.Parameter:
    """Drag to pan and Shift + wheel to zoom along the time axis; the plain wheel scrolls the page."""
    return alt.selection_interval(
        bind="scales",
        encodings=["x"],
        zoom="wheel![event.shiftKey]",
        translate="[pointerdown, window:pointerup] > window:pointermove!",
    )


def time_axis(step: int, column: str = "at") -> alt.X:
    """The time axis for steps of so many minutes, with the hour where they are shorter than a few hours."""
    form, least = ("%m-%d %H:%M", step) if step <= 60 else ("%m-%d", 1440)
    axis = alt.Axis(format=form, labelFlush=True, tickCount=6, tickMinStep=least * 60_000)
    return alt.X(f"{column}:T", title=None, axis=axis)


def count_axis(grid: bool = True) -> alt.Axis:
    """An axis of counts: whole numbers, however few."""
    return alt.Axis(tickCount=4, tickMinStep=1, grid=grid)


def figure(title: str, draw: Callable[[pd.DataFrame], Any], query: Query, key: str, note: str = "") -> None:
    """Show what `draw` makes of a query's rows in its frame, or that there is nothing to chart. Raises `StoreError`."""
    with st.container(border=True, key=f"figure-{key}"):
        head(title, query, None, key, note)  # first: who clicked sees at once that it was heard
        frame = read(query)
        if frame.empty:
            panel(heading("", say("nothing")), f"{key}-empty")
        else:
            show(draw(frame), key, title)


def show(chart: Any, key: str, told: str = "") -> None:
    """Show a chart, `told` to who can't see it. It isn't checked against Vega-Lite's schema, which takes a fifth of a
    page's run: the tests check those of this module, and draw all."""
    object.__setattr__(chart, "to_dict", partial(chart.to_dict, validate=False))  # as Streamlit calls it
    st.altair_chart(chart, key=f"chart-{key}", alt=told or None)


def head(title: str, query: Query, frame: pd.DataFrame | None, key: str, note: str = "") -> None:
    """A title with the button that shows SQL and numbers (None: the query's rows as they are)."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"head-{key}"):
        panel(heading(title, note), f"{key}-title")
        numbers(query, frame, key)


def numbers(query: Query, frame: pd.DataFrame | None, key: str) -> None:
    """The button that shows a query and its rows (None: read them then); the table sorts, searches and downloads."""
    with st.container(width="content"):  # a fragment alone would take what room there is
        _numbers(query, frame, key)


@st.fragment
def _numbers(query: Query, frame: pd.DataFrame | None, key: str) -> None:
    with st.popover(
        "SQL",
        type="tertiary",
        icon=":material/database:",
        help=say("data"),
        key=f"sql-{key}",
        on_change="rerun",  # few open it, so what is in it waits until then
    ) as shown:
        if not shown.open:
            return
        try:
            frame = read(query) if frame is None else frame
        except StoreError as error:
            st.caption(str(error))
            return
        st.code(query.literal(), language="sql", wrap_lines=True)
        st.dataframe(frame, height=240, hide_index=True, key=f"rows-{key}")
        st.download_button(
            "CSV",
            frame.to_csv(index=False).encode("utf-8-sig"),
            file_name=f"fengxiang-{key}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key=f"csv-{key}",
        )


def tone_chart(frame: pd.DataFrame, step: int, height: int = 250) -> Any:
    """Documents by tone as stacked bars, and the mean score as a line. Columns: at, sentiment, n, tone.

    `step` is the minutes in one bar.
    """
    up, flat, down = look.colours()
    labels = {k: say(k) for k in ("positive", "neutral", "negative")}
    until = (pd.to_datetime(frame["at"]) + pd.Timedelta(minutes=step * 0.86)).dt.strftime("%Y-%m-%dT%H:%M:%S")
    data = frame.assign(
        until=until,
        label=frame["sentiment"].map(labels),
        rank=frame["sentiment"].map({"positive": 0, "neutral": 1, "negative": 2}),
    )
    mean = frame.assign(weighted=frame["tone"] * frame["n"]).groupby("at", as_index=False)[["weighted", "n"]].sum()
    mean["middle"] = (pd.to_datetime(mean["at"]) + pd.Timedelta(minutes=step * 0.43)).dt.strftime("%Y-%m-%dT%H:%M:%S")
    mean["score"] = mean["weighted"] / mean["n"].clip(lower=1)
    bars = (
        alt.Chart(data)
        .mark_bar(opacity=0.82, orient="vertical")
        .encode(
            x=time_axis(step),
            x2="until:T",
            y=alt.Y("n:Q", title=say("count"), stack=True, axis=count_axis()),
            color=alt.Color(
                "label:N",
                title=None,
                scale=alt.Scale(domain=list(labels.values()), range=[up, flat, down]),
                legend=alt.Legend(orient="top"),
            ),
            order=alt.Order("rank:Q", sort="descending"),
            tooltip=[
                alt.Tooltip("at:T", title=say("time"), format="%Y-%m-%d %H:%M"),
                alt.Tooltip("label:N", title=say("tone")),
                alt.Tooltip("n:Q", title=say("count")),
            ],
        )
        .add_params(zoom())
    )
    line = (
        alt.Chart(mean)
        .mark_line(color=look.hue("blue"), strokeWidth=2, interpolate="monotone", point=alt.OverlayMarkDef(size=16))
        .encode(
            x=time_axis(step, "middle"),
            y=alt.Y(
                "score:Q", title=say("score"), scale=alt.Scale(domain=[-1, 1]), axis=alt.Axis(tickCount=5, grid=False)
            ),
            tooltip=[
                alt.Tooltip("at:T", title=say("time"), format="%Y-%m-%d %H:%M"),
                alt.Tooltip("score:Q", title=say("score"), format="+.2f"),
                alt.Tooltip("n:Q", title=say("count")),
            ],
        )
    )
    return alt.layer(bars, line).resolve_scale(y="independent").properties(height=height)


def noted(chart: Any, notes: Mapping[str, str], step: int) -> Any:
    """A layered chart with a marker on each step that something was noted of, and the text to read on it.

    `notes`: start of the step (as trends write it) -> text. `step` is the minutes in one.
    """
    if not notes:
        return chart
    middle = (pd.to_datetime(list(notes)) + pd.Timedelta(minutes=step * 0.43)).strftime("%Y-%m-%dT%H:%M:%S")
    data = pd.DataFrame({"at": middle, "text": list(notes.values())})
    marker = alt.Chart(data).encode(x=time_axis(step), tooltip=[alt.Tooltip("text:N", title=say("note"))])
    ink = look.hue("ink")  # told apart from every palette's colours of tone
    rule = marker.mark_rule(color=ink, strokeWidth=1.5, strokeDash=[4, 3], opacity=0.7, clip=True)
    flag = marker.mark_point(shape="triangle-down", size=130, color=ink, fill=ink, opacity=1, clip=True)
    return chart + rule + flag.encode(y=alt.value(6))


def heat_chart(frame: pd.DataFrame, order: list[str], scope: Scope, height: int = 250) -> Any:
    """Themes by time, the depth of one colour says how many. Columns: theme, at, n, tone.

    It is higher than `height` where the names of all themes need it.
    """
    data = frame.assign(name=frame["theme"].map(theme_name))
    fine = scope.step <= 60
    labels = alt.Axis(
        labelExpr="slice(datum.value, 11, 16)"
        if fine
        else "slice(datum.value, 11) == '00:00:00' ? slice(datum.value, 5, 10) : ''",
        labelOverlap="greedy",
        labelAngle=0,
        ticks=False,
        domain=False,
    )
    return (
        alt.Chart(data)
        .mark_rect(cornerRadius=2, stroke=None)
        .encode(
            x=alt.X("at:O", title=None, axis=labels, scale=alt.Scale(domain=scope.ticks(), paddingInner=0.08)),
            y=alt.Y(
                "name:N",
                title=None,
                sort=[theme_name(t) for t in order],
                axis=alt.Axis(ticks=False, domain=False, labelLimit=110, labelOverlap=False, labelFlush=False),
                scale=alt.Scale(paddingInner=0.08),
            ),
            color=alt.Color(
                "n:Q",
                title=None,
                scale=alt.Scale(type="sqrt", range=["#3b82f61c", "#3b82f6", "#c7dcff" if look.dark() else "#172f6e"]),
                legend=alt.Legend(orient="top", gradientThickness=8, gradientLength=120, tickCount=3),
            ),
            tooltip=[
                alt.Tooltip("name:N", title=say("theme")),
                alt.Tooltip("at:N", title=say("time")),
                alt.Tooltip("n:Q", title=say("count")),
                alt.Tooltip("tone:Q", title=say("score"), format="+.2f"),
            ],
        )
        .properties(height=max(height, 100 + 18 * len(order)))
    )


def lines_chart(frame: pd.DataFrame, order: list[str], scope: Scope, height: int = 230) -> Any:
    """Counts of several themes as lines; a click on the legend picks one out. Columns: theme, at, n, tone."""
    full = pd.MultiIndex.from_product([order, scope.ticks()], names=["theme", "at"])
    data = frame.set_index(["theme", "at"]).reindex(full).fillna({"n": 0}).reset_index()
    data["name"] = data["theme"].map(theme_name)
    picked = alt.selection_point(fields=["name"], bind="legend")
    return (
        alt.Chart(data)
        .mark_line(interpolate="monotone", strokeWidth=2, point=alt.OverlayMarkDef(size=18))
        .encode(
            x=time_axis(scope.step),
            y=alt.Y("n:Q", title=say("count"), axis=count_axis()),
            color=alt.Color(
                "name:N",
                title=None,
                sort=[theme_name(t) for t in order],
                legend=alt.Legend(orient="top", symbolType="stroke"),
            ),
            strokeDash=alt.StrokeDash("name:N", sort=[theme_name(t) for t in order], legend=None),
            opacity=alt.condition(picked, alt.value(1), alt.value(0.15)),
            tooltip=[
                alt.Tooltip("name:N", title=say("theme")),
                alt.Tooltip("at:T", title=say("time"), format="%Y-%m-%d %H:%M"),
                alt.Tooltip("n:Q", title=say("count")),
                alt.Tooltip("tone:Q", title=say("score"), format="+.2f"),
            ],
        )
        .add_params(zoom(), picked)
        .properties(height=height)
    )


def bars_chart(frame: pd.DataFrame, label: str, height: int | None = None) -> Any:
    """Counts as bars, coloured by mean tone. Columns: `label`, n, tone."""
    up, flat, down = look.colours()
    rows = max(len(frame), 1)
    return (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3, height={"band": 0.72})
        .encode(
            x=alt.X("n:Q", title=None, axis=count_axis(grid=False)),
            y=alt.Y(f"{label}:N", sort=None, title=None, axis=alt.Axis(labelLimit=130, ticks=False, domain=False)),
            color=alt.Color(
                "tone:Q",
                scale=alt.Scale(domain=[-0.6, 0, 0.6], range=[down, flat, up], clamp=True, interpolate="rgb"),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip(f"{label}:N", title=say("name")),
                alt.Tooltip("n:Q", title=say("count")),
                alt.Tooltip("tone:Q", title=say("score"), format="+.2f"),
            ],
        )
        .properties(height=height or 26 * rows + 30)
    )
