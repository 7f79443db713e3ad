"""SQL: ask the tables anything as the read-only user; see the schema, chart and keep the answer."""

from __future__ import annotations

import io
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from pyarrow import ArrowException

from dashboard import blocks, charts
from dashboard.client import StoreError, client, read, rows, run
from dashboard.panel import panel
from dashboard.queries import system
from dashboard.query import Query
from dashboard.safe import html
from dashboard.text import number, say

LIMITS: dict[str, Any] = {"max_result_rows": 100_000, "result_overflow_mode": "break", "max_execution_time": 30}
EXAMPLES: dict[str, str] = {
    "sql_example_themes": """SELECT toDate(published_at) AS day, theme,
       uniqExact(document_id) AS n, round(avg(sentiment_score), 3) AS tone
FROM document_themes FINAL
GROUP BY day, theme ORDER BY day, n DESC""",
    "sql_example_securities": """SELECT code, argMax(name, published_at) AS name,
       uniqExact(document_id) AS n, round(avg(sentiment_score), 3) AS tone
FROM mentions FINAL
GROUP BY code ORDER BY n DESC LIMIT 50""",
    "sql_example_search": """SELECT published_at, publisher, title, sentiment
FROM documents FINAL
WHERE hasAllTokens(body, '游戏')
ORDER BY published_at DESC LIMIT 100""",
    "sql_example_negative": """SELECT m.published_at, m.name, m.sentence, round(m.sentiment_score, 2) AS score
FROM mentions AS m FINAL
WHERE m.sentiment = 'negative' AND m.relevance > 0.5
ORDER BY m.sentiment_score LIMIT 100""",
    "sql_example_offsets": """SELECT epoch, topic, `partition`, count() AS held,
       max(`offset`) + 1 - min(`offset`) AS expected
FROM documents FINAL GROUP BY ALL ORDER BY ALL""",
}


def page() -> None:
    left, right = st.columns([2.4, 1], gap="medium")
    with right:
        _schema()
    with left:
        _editor()


def _editor() -> None:
    def take() -> None:
        chosen = st.session_state.get("example")
        if chosen:
            st.session_state["sql"] = EXAMPLES[chosen]

    st.session_state.setdefault("sql", st.query_params.get("sql") or EXAMPLES["sql_example_themes"])
    st.pills(say("examples"), list(EXAMPLES), format_func=say, key="example", on_change=take)
    with st.form("editor", border=False):
        text = st.text_area("SQL", key="sql", height=200, label_visibility="collapsed")
        pressed = st.form_submit_button(say("run"), type="primary", icon=":material/play_arrow:", shortcut="ctrl+enter")
    if pressed:
        st.session_state["asked"] = text
        st.query_params["sql"] = text
    asked = st.session_state.get("asked") or st.query_params.get("sql", "")
    if asked:
        _answer(str(asked))
    else:
        panel(html('<div class="fx-soft">{t}</div>', t=say("sql_note")), "note")


def _answer(text: str) -> None:
    try:
        with st.spinner(say("running")):
            table = _ask(text)
    except StoreError as error:
        if error.kind == "away":
            raise
        panel(
            html(
                '<div class="fx-box"><b class="fx-bad">✕ {t}</b><div>{h}</div><div class="fx-code">{e}</div></div>',
                t=say(error.kind),
                h=say(f"{error.kind}_hint"),
                e=str(error),
            ),
            "error",
        )
        return
    panel(
        blocks.heading(
            say("n_rows", n=number(len(table))), say("cut") if len(table) >= LIMITS["max_result_rows"] else ""
        ),
        "count",
    )
    st.dataframe(table, hide_index=True, height=min(420, 38 + 35 * max(len(table), 1)), key="answer")
    with st.container(horizontal=True):
        st.download_button(
            "CSV",
            table.to_csv(index=False).encode("utf-8-sig"),
            "fengxiang.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Parquet",
            lambda: _parquet(table),
            "fengxiang.parquet",
            "application/vnd.apache.parquet",
            icon=":material/download:",
            on_click="ignore",
        )
    _chart(table)


@st.cache_data(ttl=60, max_entries=30, show_spinner=False)
def _ask(text: str) -> pd.DataFrame:
    return _storable(run(Query(text.strip().rstrip(";"), {}), settings=_allowed(LIMITS)))


def _allowed(limits: dict[str, Any]) -> dict[str, Any]:
    """The limits that this user may set: a strictly read-only user keeps the server's own."""
    known = client().server_settings
    return {k: v for k, v in limits.items() if k in known and not known[k].readonly}


def _storable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns as text that Arrow has no type for, and so neither Parquet nor the browser: tuples of
    several types, addresses, integers of more than 64 bits."""
    return pd.DataFrame({name: _stored(column) for name, column in table.items()})


def _stored(column: pd.Series[Any]) -> pd.Series[Any]:
    if column.dtype == object:
        try:
            _parquet(column.to_frame())
        except (ArrowException, OverflowError):
            with np.printoptions(legacy="1.25"):  # 3, not np.uint64(3)
                return column.map(str, na_action="ignore")
    return column


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _chart(table: pd.DataFrame) -> None:
    """A quick chart of two columns."""
    numeric = [str(c) for c in table.select_dtypes("number").columns]
    others = [str(c) for c in table.columns if str(c) not in numeric]
    if table.empty or not numeric or not others:
        return
    with st.expander(say("chart_it"), icon=":material/bar_chart:"):
        with st.container(horizontal=True):
            x = st.selectbox("x", [*others, *numeric], key="chart_x", width=200)
            y = st.selectbox("y", numeric, key="chart_y", width=200)
            colour = st.selectbox(
                say("colour_by"), [None, *others], format_func=lambda c: c or "—", key="chart_c", width=200
            )
        shown = table.head(5000)
        data = shown.assign(x_=shown[x], y_=shown[y], **({"c_": shown[colour]} if colour and colour != x else {}))
        temporal = pd.api.types.is_datetime64_any_dtype(data["x_"]) or (
            len(data) and hasattr(data["x_"].iloc[0], "isoformat")
        )
        encoding: dict[str, Any] = {
            "x": alt.X("x_:T" if temporal else "x_:N", title=str(x), sort=None),
            "y": alt.Y("y_:Q", title=str(y)),
            "tooltip": ["x_", "y_"],
        }
        if "c_" in data:
            encoding["color"] = alt.Color("c_:N", title=str(colour))
        mark = alt.Chart(data.astype({"x_": str}) if temporal else data)
        mark = mark.mark_line(point=True) if temporal else mark.mark_bar()
        charts.show(mark.encode(**encoding).interactive(), "answer")


def _schema() -> None:
    panel(blocks.heading(say("schema"), say("schema_note")), "schema")
    table = read(system.columns())
    for name, group in table.groupby("table", sort=True):
        with st.expander(str(name)):
            lines = [
                html("<tr><td><code>{n}</code></td><td><small>{t}</small></td></tr>", n=r["name"], t=r["type"])
                for r in rows(group)
            ]
            panel(blocks.table(lines, loose=True), f"schema-{name}")
