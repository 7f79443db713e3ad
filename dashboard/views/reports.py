"""研报: broker reports with what is printed on them, whom they recommend, and the week against the one before."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import streamlit as st
from markupsafe import Markup

from dashboard import blocks, charts, frame, state, weekly
from dashboard.client import read, rows
from dashboard.panel import link, panel
from dashboard.queries import reports as sql
from dashboard.safe import html, join, plain
from dashboard.scope import Scope
from dashboard.text import language, moment, number, say
from dashboard.weekly_pdf import pdf

ACTIONS = {"上调": ("fx-up", "▲"), "下调": ("fx-down", "▼"), "首次": ("fx-flat", "★"), "维持": ("fx-flat", "■")}


def page() -> None:
    view = frame.view()
    tabs = state.segments(
        say("page_reports"), "tab", ("list", "advice", "weekly"), "list", lambda t: say(f"reports_{t}")
    )
    if tabs == "weekly":
        _weekly(view)
    elif tabs == "advice":
        _advice(view.scope)
    else:
        _listed(view.scope)


def _listed(scope: Scope) -> None:
    brokers = read(sql.brokers(scope))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        broker = state.bound(
            st.selectbox,
            say("broker"),
            "broker",
            None,
            options=[None, *(str(b) for b in brokers["broker"] if b)],
            format_func=lambda b: b or say("all"),
            placeholder=say("all"),
            width=260,
        )
        text = state.bound(st.text_input, say("in_title"), "title", "", width=300)
    query = sql.listed(scope, broker or "", text or "")
    table = read(query)
    charts.head(say("reports_list"), query, table, "reports", say("reports_note", n=len(table)))
    if table.empty:
        panel(blocks.empty("article", say("no_reports"), say("nothing_hint")), "reports-none")
        return
    panel(
        html('<div class="fx-cards fx-wide">{c}</div>', c=join(_card(row, scope) for row in rows(table.head(60)))),
        "reports",
    )


def _card(row: dict[str, object], scope: Scope) -> Markup:
    css, shape = ACTIONS.get(str(row["rating_action"]), ("fx-flat", ""))
    analysts = [
        f"{plain(name, 10)} {plain(licence, 16)}".strip()
        for name, licence in zip(list(row["analysts"]), list(row["licences"]), strict=True)  # type: ignore[call-overload]
    ]
    picks = [
        link("security", plain(name, 16), css="fx-chip sec", code=code)
        if code
        else html('<span class="fx-chip">{n}</span>', n=plain(name, 16))
        for name, code in zip(list(row["names"]), list(row["codes"]), strict=True)  # type: ignore[call-overload]
    ]
    target = row["target_price"]
    facts = [
        plain(row["report_type"], 16),
        plain(row["industry"], 20),
        f"{say('target')} {target:.2f}" if isinstance(target, float) and pd.notna(target) else "",
        f"{say('benchmark')} {plain(row['benchmark'], 16)}" if row["benchmark"] else "",
        f"{row['period_start']:%m-%d} – {row['period_end']:%m-%d}" if _both(row) else "",
    ]
    return html(
        '<div class="fx-box"><div class="fx-soft">{broker} · {at}</div><div class="fx-strong">{title}</div>'
        '<div><span class="{css}">{shape} {rating} {action}</span> <span class="fx-soft">{before}</span></div>'
        '<div class="fx-soft">{facts}</div><div class="fx-soft">{analysts}</div><div class="fx-chips">{picks}</div>'
        "</div>",
        broker=plain(row["broker"] or "—", 20),
        at=moment(row["published_at"], scope.end),  # type: ignore[arg-type]
        title=link("document", plain(row["title"], 100), id=str(row["document_id"])),
        css=css,
        shape=shape,
        rating=plain(row["rating"] or "—", 12),
        action=plain(row["rating_action"], 6),
        before=say("was", rating=plain(row["previous_rating"], 12)) if row["previous_rating"] else "",
        facts=" · ".join(f for f in facts if f),
        analysts="、".join(analysts[:4]),
        picks=join(html("{p} ", p=p) for p in picks[:12]),
    )


def _both(row: dict[str, object]) -> bool:
    return bool(pd.notna(row["period_start"]) and pd.notna(row["period_end"]))  # type: ignore[call-overload]


def _advice(scope: Scope) -> None:
    query = sql.recommended(scope)
    table = read(query)
    charts.head(say("reports_advice"), query, table, "advice", say("advice_note"))
    if table.empty:
        panel(blocks.empty("article", say("no_reports"), say("nothing_hint")), "advice-none")
        return
    lines = [
        html(
            "<tr><td>{name} <small>{code}</small></td><td class='r'><b>{brokers}</b></td><td class='r'>{reports}</td>"
            "<td><small>{by}</small></td><td><small>{reason}</small></td><td class='r'><small>{at}</small></td></tr>",
            name=link("security", plain(row["name"], 20), code=row["code"])
            if "." in row["code"]
            else plain(row["name"], 20),
            code=row["code"] if "." in row["code"] else "",
            brokers=number(row["brokers"]),
            reports=number(row["reports"]),
            by="、".join(plain(b, 12) for b in row["by"]),
            reason=plain(row["reason"], 60),
            at=moment(row["last"], scope.end),
        )
        for row in rows(table)
    ]
    header = html(
        "<tr><th>{a}</th><th class='r'>{b}</th><th class='r'>{c}</th><th>{d}</th><th>{e}</th><th></th></tr>",
        a=say("security"), b=say("brokers"), c=say("reports"), d=say("recommended_by"), e=say("reason"),
    )  # fmt: skip
    panel(html('<div class="fx-box fx-wrap">{t}</div>', t=blocks.table(lines, header, loose=True)), "advice")


def _weekly(view: frame.View) -> None:
    """The week in one page: what changed by theme and by security, and the reports of the week, to read or to keep."""
    weeks = weekly.weeks(view.first, view.newest)
    labels = {w: f"{w} ({weekly.bounds(w)[0]:%m-%d} – {weekly.bounds(w)[1] - timedelta(days=1):%m-%d})" for w in weeks}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        week = state.bound(
            st.selectbox,
            say("week"),
            "week",
            weeks[0],
            options=weeks,
            format_func=lambda w: labels.get(w, w),
            always=True,
            width=280,
        )
        digest = weekly.digest(
            str(week or weeks[0]), view.first, view.newest, frame.names(), lambda q: read(q), language()
        )
        st.download_button(
            say("download_html"),
            weekly.page(digest).encode(),
            file_name=f"fengxiang-{digest.week}.html",
            mime="text/html",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            say("download_pdf"),
            lambda: pdf(digest),
            file_name=f"fengxiang-{digest.week}.pdf",
            mime="application/pdf",
            icon=":material/picture_as_pdf:",
            on_click="ignore",
        )
    panel(html('<div class="fx-box fx-digest">{d}</div>', d=digest.body), "weekly")
