"""A look back over a subscription: how often it would have fired, and the threshold for about so many a day."""

from __future__ import annotations

from datetime import UTC, datetime

import altair as alt
import msgspec
import pandas as pd
import streamlit as st

from dashboard import blocks, charts, client, subscriptions
from dashboard.panel import link, panel
from dashboard.safe import html, join, plain
from dashboard.text import moment, number, say
from dashboard.views import alert_editor
from models.trading import SHANGHAI
from stream.alerts.backtest import Lookback, look_back
from stream.alerts.subscriptions import Stored, Subscription
from stream.alerts.text import RuleError

SHOWN = 30  # firings of a look back


def lookback(id_: str, known: list[Stored], me: str, mine: bool) -> None:
    """How often, when and for what the rule would have fired, and the threshold for about so many a day."""
    asked = st.session_state.get("lookback")
    panel(blocks.heading(say("look_back"), say("look_back_note")), "lookback-title")
    with st.container(horizontal=True):
        days = int(st.number_input(say("days_back"), 1, 400, 30, key="lookback_days", width=130))
        wanted = float(st.number_input(say("wanted_a_day"), 0.1, 1000.0, 3.0, key="lookback_wanted", width=150))
    if not asked or asked[0] != id_:
        return
    rule: Subscription = asked[1]
    try:
        with st.spinner(say("running")):
            found = _look_back(msgspec.json.encode(rule), days, wanted, int(datetime.now(UTC).timestamp() // 60))
    except RuleError as error:
        alert_editor.wrong(error)
        return
    suggestion = ""
    if found.suggested is not None and found.current is not None:
        suggestion = say(
            "suggested",
            n=f"{found.wanted:g}",
            threshold=found.threshold,
            value=f"{found.suggested:g}",
            total=number(found.suggested_total),
            now=f"{found.current:g}",
        )
    told = say("would_have", days=days, n=number(found.total), a_day=f"{found.per_day:.1f}")
    panel(html('<div class="fx-box"><b>{t}</b><div class="fx-soft">{s}</div></div>', t=told, s=suggestion), "lookback")
    if mine and suggestion and found.suggested is not None:
        try:
            better = subscriptions.with_threshold(rule, found.threshold, found.suggested)
            if st.button(say("take_threshold"), icon=":material/tune:"):
                alert_editor.keep(msgspec.structs.replace(better, id=rule.id, owner=rule.owner), known, me)
        except (RuleError, KeyError) as error:
            alert_editor.wrong(error)
    data = pd.DataFrame(found.by_day, columns=["day", "n"])
    chart = alt.Chart(data).mark_bar().encode(
        x=alt.X("day:T", title=None, axis=alt.Axis(format="%m-%d", tickCount=6)),
        y=alt.Y("n:Q", title=say("count"), axis=alt.Axis(tickMinStep=1)),
        tooltip=[alt.Tooltip("day:T", format="%Y-%m-%d", title=say("time")), alt.Tooltip("n:Q", title=say("count"))],
    )  # fmt: skip
    charts.show(chart.properties(height=150), "lookback", told)
    now = datetime.now(SHANGHAI)
    items = [
        html(
            '<div class="fx-item" data-key="{k}"><span class="g">·</span><div><div class="t">{title}</div>'
            '<div class="s">{why}</div><div class="meta"><span>{at}</span>{source}</div></div></div>',
            k=f"{past.document_id}-{past.at}",
            title=link("document", plain(past.title, 120) or "—", id=past.document_id)
            if past.document_id
            else plain(past.title, 120),
            why=plain(past.why, 200),
            at=moment(past.at, now),
            source=blocks.source_link(past.url),
        )
        for past in found.firings[:SHOWN]
    ]
    panel(html('<div class="fx-box">{i}</div>', i=join(items) or say("never_fired")), "lookback-firings")


@st.cache_data(ttl=300, max_entries=50, show_spinner=False)
def _look_back(rule: bytes, days: int, wanted: float, minute: int) -> Lookback:
    """The look back of a rule, once a minute at most."""
    subscription = msgspec.json.decode(rule, type=Subscription)
    now = datetime.fromtimestamp(minute * 60 + 60, UTC)
    with client.explained():
        return look_back(client.client(), subscription, days=days, per_day=wanted, now=now)
