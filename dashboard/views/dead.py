"""Dead letters by reason and source, with examples; editors send them once more and see what became of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard import blocks, charts, client, editing, frame, lists
from dashboard.client import StoreError, read, rows
from dashboard.panel import panel
from dashboard.queries import system as sql
from dashboard.replays import Letters, ask
from dashboard.safe import html, join, label, plain
from dashboard.text import moment, number, say
from models.trading import SHANGHAI

SECONDS = 5
SHOWN = 10  # groups at first
STAGES = ("ingest", "decode", "analyse", "store")


def section() -> None:
    query = sql.dead()
    table = read(query)
    note = say("dead_note") if editing.store() is not None else say("dead_elsewhere")
    charts.head(say("dead_letters"), query, table, "dead", note)
    _groups()


@st.fragment(run_every=SECONDS)
def _groups() -> None:
    """The groups and the requests, kept fresh: a request's outcome is seen as it comes. The store going away for a
    moment leaves what is shown."""
    limit = lists.more("dead", SHOWN)
    shown, note = frame.kept("dead", lambda: _letters(limit))
    if note:
        panel(html('<div class="fx-soft">{t}</div>', t=note), "dead-note")
    if shown is None:
        return
    groups, requests, known = shown
    now = datetime.now(SHANGHAI)
    if not groups:
        panel(html('<div class="fx-box fx-ok">✓ {t}</div>', t=say("no_dead")), "dead-none")
    examples = defaultdict(list)
    for row in known:
        examples[_key(row)].append(row)
    waiting = {(r["stage"], r["source"], r["reason"]) for r in requests if not r["outcome"]}
    for row in groups:
        _group(row, examples[_key(row)], now, waiting=_key(row) in waiting)
    lists.more_button("dead", len(groups), limit)
    if requests:
        items = join(_request(row, now) for row in requests)
        panel(html('<div class="fx-box">{h}{i}</div>', h=blocks.heading(say("replays")), i=items), "replays")


def _letters(limit: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Groups, requests and examples."""
    groups, requests = (rows(read(query, fresh=True)) for query in (sql.dead_groups(limit), sql.replays()))
    return groups, requests, rows(read(sql.dead_examples()))


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["stage"], row["source"], row["alike"]


def _group(row: dict[str, Any], examples: list[dict[str, Any]], now: datetime, *, waiting: bool) -> None:
    letters = Letters(*_key(row), row["last"].to_pydatetime())
    name = Letters(*_key(row), datetime.fromtimestamp(0, SHANGHAI)).id  # the same when more of them fail
    with st.container(border=True, key=f"dead-{name}"):
        head = html(
            '<div class="fx-item"><span class="g {css}">{shape}</span><div><div class="t">{reason}</div><div'
            ' class="meta"><span>{stage}</span><span>{source}</span><span>{count}</span><span>{last}</span></div></div>'
            "</div>",
            css="fx-bad" if row["open"] else "fx-ok",
            shape="✕" if row["open"] else "✓",
            reason=plain(row["alike"], 300),
            stage=stage(row["stage"]),
            source=plain(row["source"], 30),
            count=say("dead_count", n=number(row["n"]), open=number(row["open"])),
            last=moment(row["last"], now),
        )
        panel(html("{h}{e}", h=head, e=join(_example(one, now) for one in examples)), f"dead-{name}")
        if row["open"] and editing.store() is not None:
            said = say("replay_waiting") if waiting else say("replay_n", n=number(row["open"]))
            icon, help_ = ":material/replay:", say("replay_help")
            if st.button(said, icon=icon, help=help_, disabled=waiting, key=f"replay-{name}"):
                _ask(letters)


def _example(row: dict[str, Any], now: datetime) -> Markup:
    return html(
        '<div class="fx-item" data-key="{key}"><span class="g">·</span><div><div class="s">{reason}</div><div'
        ' class="s"><code>{payload}</code></div><div class="meta"><span>{id}</span><span>{at}</span>{again}</div></div>'
        "</div>",
        key=row["document_id"],
        reason=plain(row["reason"], 300),
        payload=plain(row["payload"], 200),
        id=plain(row["document_id"], 60),
        at=moment(row["failed_at"], now),
        again=html('<span class="fx-ok">{t}</span>', t=say("replayed_already")) if row["again"] else "",
    )


def _request(row: dict[str, Any], now: datetime) -> Markup:
    parts = [say("replay_waiting")]
    if row["outcome"] == "failed":
        parts = [say("replay_failed", why=plain(row["detail"], 200))]
    elif row["outcome"]:
        parts = [say("replay_done", sent=number(row["sent"]))]
        if row["skipped"]:
            parts.append(say("replay_skipped", n=number(row["skipped"]), why=plain(row["detail"], 200)))
    return html(
        '<div class="fx-item" data-key="{key}"><span class="g">↻</span><div><div class="q">{said}</div><div'
        ' class="meta"><span>{by}</span><span>{at}</span><span>{stage}</span><span>{source}</span><span>{reason}</span>'
        "</div></div></div>",
        key=row["id"],
        said=say("and").join(parts),
        by=plain(row["by"] or say("somebody"), 30),
        at=moment(row["at"], now),
        stage=stage(row["stage"]),
        source=plain(row["source"], 30),
        reason=plain(row["reason"], 80),
    )


def stage(name: str) -> str:
    return say(f"dead_stage_{name}") if name in STAGES else plain(name, 20)


def _ask(letters: Letters) -> None:
    store = editing.store()
    if store is None:
        return
    try:
        with client.explained():
            ask(store, letters, editing.reader())
    except StoreError as error:
        st.toast(label(error, 200), icon=":material/error:")
        return
    st.toast(say("replay_asked"), icon=":material/replay:")
    client.forget()
    st.rerun()
