"""运行: volume, delays, what was lost and why, sources, versions."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import blocks, charts, frame, lists
from dashboard.client import client, read, rows
from dashboard.feedback import examples
from dashboard.panel import panel
from dashboard.queries import feedback
from dashboard.queries import system as sql
from dashboard.safe import html, plain
from dashboard.text import ago, mean, number, say
from dashboard.views import dead
from models.trading import SHANGHAI

SECONDS = 5
FEW = 1_000_000  # documents; what is more isn't counted anew while a page waits


def page() -> None:
    _few()  # asks the store before the first fragment does: see `frame.kept`
    _now()
    left, right = st.columns(2, gap="medium")
    with left:
        _rate()
        _sources()
    with right:
        _delays()
        _offsets()
    dead.section()
    _corrections()
    _versions()


@st.fragment(run_every=SECONDS)
def _now() -> None:
    """Totals, kept fresh; the store going away for a moment leaves what is shown."""
    total, note = frame.kept("totals", _totals)
    if total is None:
        return
    now = datetime.now(SHANGHAI)
    unsent = html(
        '<span class="{c}">{t}</span>',
        c="fx-bad" if total["open_dead"] else "fx-ok",
        t=say("open_dead", n=number(total["open_dead"])),
    )
    stored = ago(total["stored"], now) if total["documents"] else "—"
    tiles = [
        blocks.tile(say("documents"), number(total["documents"]), html("{t}", t=note or say("stored_ago", ago=stored))),
        blocks.tile(
            say("mentions"),
            number(total["mentions"]),
            html("{t}", t=say("theme_rows", n=number(total["document_themes"]))),
        ),
        blocks.tile(say("per_minute"), number(total["last_minute"]), html("{t}", t=say("per_minute_note"))),
        blocks.tile(say("dead_letters"), number(total["dead"]), unsent),
    ]
    panel(blocks.tiles(tiles), "totals")


def _totals() -> dict[str, Any]:
    return rows(read(sql.totals(_few())))[0] | rows(read(sql.pulse(), fresh=True))[0]


def _few() -> bool:
    """Whether the tables can be counted anew: the tallies lag behind when much comes at once."""
    return bool(rows(read(sql.totals()))[0]["documents"] < FEW)


def _rate() -> None:
    def draw(table: pd.DataFrame) -> Any:
        return (
            alt.Chart(table)
            .mark_bar(width=6)
            .encode(
                x=alt.X("at:T", title=None, axis=alt.Axis(format="%H:%M", tickCount=6)),
                y=alt.Y("n:Q", title=say("documents")),
                color=alt.Color("source:N", title=None, legend=alt.Legend(orient="top", columns=4)),
                tooltip=[alt.Tooltip("at:T", format="%Y-%m-%d %H:%M", title=say("time")), "source:N", "n:Q"],
            )
            .add_params(charts.zoom())
            .properties(height=210)
        )

    charts.figure(say("stored_rate"), draw, sql.stored_steps(), "rate", say("stored_rate_note"))


def _delays() -> None:
    query = sql.delays()
    table = read(query)
    with st.container(border=True):
        charts.head(say("delays"), query, table, "delays", say("delays_note"))
        lines = [
            html(
                "<tr><td>{stage}</td><td class='r'>{a}</td><td class='r'>{b}</td><td class='r'>{c}</td></tr>",
                stage=say(f"stage_{row['stage']}"),
                a=seconds(row["p50"]),
                b=seconds(row["p95"]),
                c=seconds(row["p99"]),
            )
            for row in rows(table)
        ]
        header = html(
            "<tr><th>{s}</th><th class='r'>p50</th><th class='r'>p95</th><th class='r'>p99</th></tr>", s=say("stage")
        )
        panel(blocks.table(lines, header), "delays")


def seconds(value: float) -> str:
    if value != value:
        return "—"
    for limit, size, unit in ((1, 0.001, "ms"), (120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if value < limit:
            return f"{value / size:.3g} {unit}"
    return f"{value / 86400:.3g} d"


def _sources() -> None:
    query = sql.health()
    table = read(query)
    with st.container(border=True):
        charts.head(say("source_checks"), query, table, "health", say("last_day"))
        if table.empty:
            panel(html('<span class="fx-soft">{t}</span>', t=say("no_checks")), "health-none")
            return
        now = datetime.now(SHANGHAI)
        lines = [
            html(
                "<tr><td>{name}</td><td><span class='{css}'>● {state}</span></td><td class='r'>{checked}</td>"
                "<td class='r'>{newest}</td><td class='r'>{arrivals}</td><td class='r'>{new}</td>"
                "<td class='r'>{errors}</td><td><small>{message}</small></td></tr>",
                name=row["source"],
                css="fx-ok" if row["state"] == "ok" else "fx-bad",
                state=plain(row["state"], 16),
                checked=ago(row["checked"], now),
                newest="—" if pd.isna(row["last_item"]) else ago(row["last_item"], now),
                arrivals=f"{row['arrivals']} / {mean(row['usual'])}" if row["usual"] >= 0 else row["arrivals"],
                new=number(row["new"]),
                errors=number(row["errors"]),
                message=plain(row["message"], 60),
            )
            for row in rows(table)
        ]
        header = html(
            "<tr><th>{a}</th><th>{b}</th><th class='r'>{c}</th><th class='r'>{f}</th>"
            "<th class='r' title='{help}'>{g}</th><th class='r'>{d}</th><th class='r'>{e}</th><th></th></tr>",
            a=say("source"), b=say("state"), c=say("checked"), d=say("new_items"), e=say("errors"),
            f=say("newest_item"), g=say("hour_usual"), help=say("hour_usual_help"),
        )  # fmt: skip
        panel(html('<div class="fx-wrap">{t}</div>', t=blocks.table(lines, header)), "health")


def _offsets() -> None:
    query = sql.offsets(_few())
    table = read(query)
    with st.container(border=True):
        charts.head(say("offsets"), query, table, "offsets", say("offsets_note"))
        _listed(table, "offsets")


def _corrections() -> None:
    """What readers corrected, and the training examples made of it."""
    query = feedback.latest()
    table = read(query)
    lists.corrections(rows(table), datetime.now(SHANGHAI), "corrections")
    if len(table):
        st.download_button(
            say("training_rows"),
            lambda: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in examples(client(), texts=True)),
            "fengxiang-feedback.jsonl",
            "application/jsonl",
            icon=":material/download:",
            on_click="ignore",
        )


def _versions() -> None:
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        query = sql.versions(_few())
        table = read(query)
        charts.head(say("versions"), query, table, "versions")
        _listed(table, "versions")
    with right:
        query = sql.storage()
        table = read(query)
        charts.head(say("storage"), query, table, "storage")
        sizes = table.assign(bytes=(table["bytes"].astype(float) / 1e6).round(1)).rename(columns={"bytes": "MB"})
        _listed(sizes, "storage")


def _listed(table: pd.DataFrame, key: str) -> None:
    """A table that sorts and searches, its columns named in the reader's language."""
    named = {str(column): say(f"column_{column}") for column in table.columns if column != "MB"}
    st.dataframe(table, column_config=named, hide_index=True, key=f"table-{key}")
