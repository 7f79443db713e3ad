"""订阅: who is told of what, where to, what fired, and how often a rule would have fired."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard import blocks, client, editing, lists, state, subscriptions
from dashboard.panel import link, panel
from dashboard.queries import alerts as sql
from dashboard.safe import html, join, label, plain
from dashboard.text import moment, number, say
from dashboard.views import alert_editor, alert_lookback
from models.trading import SHANGHAI
from stream.alerts.channels import ChannelBook, Safe
from stream.alerts.history import channel_states, log_rows
from stream.alerts.rules import load_baskets
from stream.alerts.subscriptions import Book, Stored, read, write
from stream.alerts.text import RuleError

TABS = ("list", "log", "channels", "exchange")
STATES = {"on": ("fx-ok", "●"), "off": ("fx-flat", "○"), "dry_run": ("fx-warn", "◐"), "snoozed": ("fx-warn", "☾")}
OUTCOMES = ("send", "digest", "held", "cooldown", "limited", "grouped", "snoozed", "dry_run")
DELIVERED = {"sent": ("fx-ok", "✓"), "failed": ("fx-warn", "↻"), "gave_up": ("fx-bad", "✕"), "acknowledged": ("", "☑")}


def page() -> None:
    with client.explained():
        load_baskets(client.settings().user_themes)
        me = editing.reader()
        known = [s for s in Book(client.client()).all() if subscriptions.sees(s.subscription, me)]
        wanted = str(st.query_params.get("id", ""))
        stored = next((s for s in known if s.subscription.id == wanted), None)
        if wanted == "new" or stored:
            _one(stored, known, me)
            return
        if wanted:
            panel(
                blocks.empty("notifications_off", say("no_subscription"), say("no_subscription_hint"), wanted), "none"
            )
            return
        tab = state.segments(say("page_alerts"), "alerts", TABS, "list", lambda key: say(f"alerts_{key}"))
        {"list": _list, "log": _log, "channels": _channels, "exchange": _exchange}[tab](known, me)


# ---------------------------------------------------------------------- the list


def _list(known: list[Stored], me: str) -> None:
    counts = {row[0]: row[1:] for row in client.client().query(sql.fired().sql).result_rows}
    now = datetime.now(UTC)
    on = sum(subscriptions.state(s, now) == "on" for s in known)
    week = sum(counts.get(s.subscription.id, (0, None))[0] for s in known)
    failing = sum(s.state != "sent" for s in channel_states(client.client()).values())
    tiles = [
        blocks.tile(say("alerts_list"), number(len(known)), html("{t}", t=say("alerts_on", n=on))),
        blocks.tile(say("fired_week"), number(week), html("{t}", t=say("fired_week_note"))),
        blocks.tile(
            say("channels_failing"), number(failing), link("alerts", say("alerts_channels"), alerts="channels")
        ),
    ]
    panel(html('<div class="fx-three">{t}</div>', t=join(tiles)), "totals")
    if editing.store() is not None:
        panel(link("alerts", f"＋ {say('new_subscription')}", css="fx-button", id="new"), "new")
    else:
        panel(html('<span class="fx-soft">{t}</span>', t=say("read_only")), "readonly")
    if not known:
        panel(blocks.empty("notifications_off", say("no_subscriptions"), say("no_subscriptions_hint")), "none")
        return
    lines = [_line(stored, *counts.get(stored.subscription.id, (0, None)), now=now) for stored in known]
    head = html(
        "<tr><th>{a}</th><th>{b}</th><th class='fx-hide'>{c}</th><th class='r'>{d}</th><th class='r'>{e}</th></tr>",
        a=say("name"), b=say("rule"), c=say("goes_to"), d=say("fired_week_short"), e=say("state"),
    )  # fmt: skip
    panel(html('<div class="fx-box fx-wrap">{t}</div>', t=blocks.table(lines, head, loose=True)), "subscriptions")


def _line(stored: Stored, fired: int, last: datetime | None, *, now: datetime) -> Markup:
    s = stored.subscription
    return html(
        "<tr><td>{name}<br><small>{owner}</small></td><td>{rule}<br><small>{schedule}</small></td>"
        "<td class='fx-hide'><small>{channels}</small></td><td class='r'><b>{n}</b><br><small>{last}</small></td>"
        "<td class='r'>{state}</td></tr>",
        name=link("alerts", plain(s.name, 60), id=s.id),
        owner=plain(s.owner or say("everybody"), 30),
        rule=alert_editor.in_words(s),
        schedule=" · ".join(say(f"schedule_{d}") for d in s.schedule),
        channels="、".join(plain(c, 20) for c in s.channels) or say("feed_only"),
        n=number(fired),
        last=moment(last, now) if fired and last else "",
        state=state_mark(stored, now),
    )


def state_mark(stored: Stored, now: datetime) -> Markup:
    kind = subscriptions.state(stored, now)
    css, shape = STATES[kind]
    until = moment(stored.snoozed_until, now) if kind == "snoozed" and stored.snoozed_until else ""
    return html('<span class="{c}">{s} {t} {u}</span>', c=css, s=shape, t=say(f"state_{kind}"), u=until)


# ---------------------------------------------------------------------- what fired


def _log(known: list[Stored], me: str) -> None:
    limit = lists.more("alerts-log", 50)
    ids = [stored.subscription.id for stored in known] if me else []
    rows = log_rows(client.client(), ids, limit) if ids or not me else []
    firings(rows, "log", names=True)
    lists.more_button("alerts-log", len(rows), limit)


def firings(rows: list[dict[str, Any]], key: str, *, names: bool, manage: bool = False) -> None:
    """Firings with what became of each message; manage: with the page that acknowledges it or mutes."""
    now = datetime.now(SHANGHAI)
    items = [
        html(
            '<div class="fx-item" data-key="{key}"><span class="g fx-warn">●</span><div><div class="t">{title}</div>'
            '<div class="meta"><span>{at}</span>{name}<span class="fx-chip">{outcome}</span>{deliveries}{manage}</div>'
            "</div></div>",
            key=f"{row['subscription_id']}-{row['message_id']}-{number_}",
            title=link("document", plain(row["title"], 140) or "—", id=row["document_id"])
            if row["document_id"]
            else plain(row["title"], 140),
            at=moment(row["fired_at"], now),
            name=link("alerts", plain(row["name"], 40), id=row["subscription_id"]) if names else "",
            outcome=say(f"outcome_{row['outcome']}") if row["outcome"] in OUTCOMES else plain(row["outcome"], 20),
            deliveries=join(_delivery(str(c), str(s)) for c, s in row["deliveries"]),
            manage=alert_editor.manage(row["subscription_id"], row["message_id"])
            if manage and row["message_id"]
            else "",
        )
        for number_, row in enumerate(rows)
    ]
    panel(html('<div class="fx-box">{i}</div>', i=join(items) or say("no_firings")), key)


def _delivery(channel: str, state_: str) -> Markup:
    css, shape = DELIVERED.get(state_, ("", "?"))
    said = say(f"delivery_{state_}") if state_ in DELIVERED else plain(state_, 20)
    return html('<span class="{c}">{s} {n} {t}</span>', c=css, s=shape, n=plain(channel, 30), t=said)


# ---------------------------------------------------------------------- channels


def _channels(known: list[Stored], me: str) -> None:
    reader = client.client()
    found = ChannelBook(reader, Safe("")).names(me or None)
    last, now = channel_states(reader), datetime.now(SHANGHAI)
    lines = []
    for owner, name, kind in found:
        done = last.get((owner, name))
        css, shape = DELIVERED.get(done.state, ("", "?")) if done else ("fx-flat", "○")
        said = f"{say(f'delivery_{done.state}')} {moment(done.at, now)}" if done else say("channel_unused")
        used = sum(name in s.subscription.channels for s in known)
        lines.append(
            html(
                "<tr><td><b>{name}</b><br><small>{owner}</small></td><td>{kind}</td><td class='r'>{used}</td>"
                "<td><span class='{css}'>{shape} {said}</span><br><small>{detail}</small></td></tr>",
                name=plain(name, 60),
                owner=plain(owner or say("everybody"), 30),
                kind=plain(kind, 20),
                used=number(used),
                css=css,
                shape=shape,
                said=said,
                detail=plain(done.detail, 120) if done and done.state != "sent" else "",
            )
        )
    head = html(
        "<tr><th>{a}</th><th>{b}</th><th class='r'>{c}</th><th>{d}</th></tr>",
        a=say("name"), b=say("kind"), c=say("alerts_list"), d=say("last_delivery"),
    )  # fmt: skip
    panel(
        html(
            '<div class="fx-box fx-wrap">{t}</div><div class="fx-soft" style="margin-top:10px">{n}</div>',
            t=blocks.table(lines, head, loose=True) if lines else say("no_channels"),
            n=say("channels_note"),
        ),
        "channels",
    )


# ---------------------------------------------------------------------- export and import


def _exchange(known: list[Stored], me: str) -> None:
    panel(blocks.heading(say("alerts_exchange"), say("exchange_note")), "exchange")
    st.download_button(
        say("export_yaml"),
        write([stored.subscription for stored in known if subscriptions.owns(stored.subscription, me)]).encode(),
        "fengxiang-alerts.yaml",
        "application/yaml",
        icon=":material/download:",
        on_click="ignore",
        disabled=not known,
    )
    if editing.store() is None:
        return
    with st.form("import", border=False):
        file = st.file_uploader(say("import_file"), type=["yaml", "yml"])
        text = st.text_area(say("import_text"), height=260, key="import_text")
        pressed = st.form_submit_button(say("import_yaml"), type="primary", icon=":material/upload:")
    if pressed:
        try:
            given = file.getvalue().decode("utf-8") if file else text
            saved = alert_editor.store(read(given, file.name if file else ""), me)
        except (RuleError, UnicodeDecodeError) as error:
            alert_editor.wrong(error)
            return
        st.session_state["imported"] = [(stored.subscription.name, stored.subscription.id) for stored in saved]
        st.toast(label(say("imported", n=len(saved))), icon=":material/check:")
    if imported := st.session_state.get("imported"):
        names = join(html("<div>✓ {n}</div>", n=link("alerts", plain(name, 60), id=id_)) for name, id_ in imported)
        panel(html('<div class="fx-box">{n}</div>', n=names), "imported")


# ---------------------------------------------------------------------- one subscription


def _one(stored: Stored | None, known: list[Stored], me: str) -> None:
    panel(link("alerts", say("back_to_alerts"), alerts="list"), "back")
    now = datetime.now(UTC)
    mine = editing.store() is not None and (stored is None or subscriptions.owns(stored.subscription, me))
    if stored:
        panel(
            html(
                '<div class="fx-summary">{name} <small>{state}</small><small>{rule}</small><small>{by}</small></div>',
                name=plain(stored.subscription.name),
                state=state_mark(stored, now),
                rule=alert_editor.in_words(stored.subscription),
                by=say("changed_by", by=plain(stored.changed_by or say("somebody"), 30), at=_changed(stored, now)),
            ),
            "head",
        )
        if mine:
            alert_editor.actions(stored, me)
    else:
        panel(blocks.heading(say("new_subscription")), "head")
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        alert_editor.editor(stored, known, me, mine)
    with right:
        if stored:
            panel(blocks.heading(say("recent_firings")), "firings-title")
            rows = log_rows(client.client(), [stored.subscription.id], 20)
            firings(rows, "firings", names=False, manage=mine)
            if mine or stored.subscription.shared:
                alert_editor.feed(stored.subscription.id)
            alert_editor.versions(stored, me, mine)
        alert_lookback.lookback(stored.subscription.id if stored else "new", known, me, mine)


def _changed(stored: Stored, now: datetime) -> str:
    return moment(stored.changed_at, now) if stored.changed_at else ""
