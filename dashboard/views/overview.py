"""总览: in ten seconds, what the media talk about, how the tone turned and which companies ride it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st
from markupsafe import Markup

from dashboard import baseline, blocks, charts, frame, look
from dashboard.client import ahead, read, rows
from dashboard.panel import link, panel
from dashboard.queries import overview as sql
from dashboard.query import clock
from dashboard.safe import html, join, plain
from dashboard.scope import Change
from dashboard.text import ago, moment, number, say, score, theme_ids, theme_name

FEED_SECONDS = 2
MOVERS = 12


def page() -> None:
    view = frame.view()
    scope = view.scope
    back = scope.usual_windows(view.first)
    themes_query, steps_query = sql.themes(scope, back), sql.theme_steps(scope)
    ahead(sql.headline(scope, back), steps_query)
    names = frame.names()
    themes = read(themes_query)
    cards = baseline.themes(themes, back, theme_ids())

    _summary(view, cards, back)
    steps = read(steps_query)
    ahead(sql.movers(scope), sql.tone_steps(scope), sql.sources(scope))
    left, right = st.columns([2.15, 1], gap="medium")
    with left:
        charts.head(say("hot_themes"), themes_query, themes, "themes", say("hot_themes_note"))
        panel(_cards(cards, steps, scope.ticks()), "cards")
        _movers(view, back, names)
    with right:
        _feed()
    left, right = st.columns(2, gap="medium")
    with left:
        charts.figure(
            say("tone_over_time"),
            lambda tone: charts.tone_chart(tone, scope.step, 290),
            sql.tone_steps(scope),
            "tone",
            say("chart_help"),
        )
    with right:
        order = [c[0] for c in cards]
        charts.figure(
            say("heat_over_time"), lambda steps: charts.heat_chart(steps, order, scope, 290), steps_query, "heat"
        )
    _sources(view)


def _summary(view: frame.View, cards: list[baseline.ThemeRow], back: list[int]) -> None:
    head = read(sql.headline(view.scope, back))
    documents = baseline.compare(head, back, "documents")
    stories = baseline.compare(head, back, "stories")
    tone, usual = baseline.now(head, "tone"), baseline.usual_tone(head, back)
    tiles = [
        blocks.count_tile("documents", documents),
        blocks.count_tile("stories", stories),
        blocks.count_tile("publishers", baseline.compare(head, back, "publishers")),
        blocks.tone_tile("market_tone", tone, usual, head),
    ]
    sentence = _sentence(view, cards, documents, stories, tone, usual)
    panel(html("{s}<div style='height:12px'></div>{t}", s=sentence, t=blocks.tiles(tiles)), "summary")


def _sentence(
    view: frame.View,
    cards: list[baseline.ThemeRow],
    documents: Change,
    stories: Change,
    tone: float,
    usual: float | None,
) -> Markup:
    """The window in words: how much, against usual, in which tone, about what."""
    ratio = documents.ratio
    if ratio is None:
        versus = say("summary_no_usual")
    elif abs(ratio) < 0.1:
        versus = say("about_same")
    else:
        key = "times_usual" if ratio >= 2 else "more_by" if ratio > 0 else "fewer_by"
        versus = say(key, p=f"{ratio + 1:.1f}" if ratio >= 2 else f"{abs(ratio):.0%}")
    turn = ""
    if usual is not None and abs(tone - usual) >= look.NEUTRAL_BAND:
        turn = say("tone_up" if tone > usual else "tone_down")
    text = say(
        "summary",
        window=say(f"last_{view.scope.preset}"),
        n=number(documents.count),
        stories=number(stories.count),
        versus=versus,
        tone=say(f"tone_{look.tone_of(tone)}", s=score(tone)),
        turn=turn,
    )
    bursts = [c for c in cards if c[1].burst]
    hot = [c for c in cards if c[1].count][:3]
    at = say("as_of", at=moment(view.scope.end - timedelta(seconds=1), view.scope.end + timedelta(days=1)))
    return html(
        '<div class="fx-summary"><small><span class="fx-dot {css}"></span>{at}</small>{text} {hot}{bursts}</div>',
        css="live" if view.live else "past",
        at=at,
        text=text,
        hot=_named("summary_hot", hot),
        bursts=_named("summary_burst", sorted(bursts, key=lambda c: -(c[1].ratio or 99))[:3]),
    )


def _named(key: str, cards: list[baseline.ThemeRow]) -> Markup:
    if not cards:
        return Markup("")
    parts = [html("{a} {n}", a=link("theme", theme_name(t), theme=t), n=number(c.count)) for t, c, _ in cards]
    return html(say(key, themes="{themes}"), themes=Markup(say("and")).join(parts))


def _cards(cards: list[baseline.ThemeRow], steps: pd.DataFrame, ticks: list[str]) -> Markup:
    counts = {(row["theme"], row["at"]): float(row["n"]) for row in rows(steps)}

    def series(theme: str) -> list[float]:
        return [counts.get((theme, at), 0.0) for at in ticks]

    return html(
        '<div class="fx-cards">{cards}</div>', cards=join(blocks.theme_card(t, c, s, series(t)) for t, c, s in cards)
    )


def _movers(view: frame.View, back: list[int], names: dict[str, str]) -> None:
    query = sql.movers(view.scope)
    told = read(query)
    codes = list(told["code"])
    ahead(of_themes := sql.top_themes(view.scope, codes))
    found = baseline.movers(told, read(sql.before(view.scope, codes, back)), back)
    top_themes = read(of_themes).set_index("code")["themes"]
    found = found.assign(name=found["code"].map(names), top_themes=found["code"].map(top_themes))
    table = found[["code", "name", "n", "usual", "tone", "top_themes"]]
    charts.head(say("movers"), query, table, "movers", say("movers_note"))
    if found.empty:
        panel(blocks.heading("", say("nothing")), "movers-none")
        return
    top = float(found["n"].head(MOVERS).astype(float).max())
    lines = [_mover(row, names, top, bool(back)) for row in rows(found.head(MOVERS))]
    half = -(-len(lines) // 2)
    header = html(
        '<tr><th>{a}</th><th class="r">{b}</th><th class="fx-hide"></th><th class="r">{c}</th><th class="r">{d}'
        '</th></tr>',
        a=say("security"), b=say("mentions"), c=say("change"), d=say("tone"),
    )  # fmt: skip
    tables = (blocks.table(part, header) for part in (lines[:half], lines[half:]) if part)
    panel(
        html(
            '<div class="fx-two">{tables}</div>',
            tables=join(html('<div class="fx-box fx-wrap">{t}</div>', t=t) for t in tables),
        ),
        "movers",
    )


def _mover(row: dict[str, Any], names: dict[str, str], top: float, comparable: bool) -> Markup:
    code, n = str(row["code"]), float(row["n"])
    themes = row["top_themes"][:1] if isinstance(row["top_themes"], list) else []
    return html(
        '<tr><td>{name}<br><small>{code} {themes}</small></td><td class="r"><b>{n}</b></td>'
        '<td class="fx-hide" style="width:22%"><span class="fx-bar" style="width:{w:.0f}%"></span></td><td'
        ' class="r">{change}</td><td class="r">{tone}</td></tr>',
        name=link("security", names.get(code, code), code=code),
        code=code,
        themes=" ".join(theme_name(t) for t in themes),
        n=number(n),
        w=100 * n / max(top, 1),
        change=blocks.change(Change(n, float(row["usual"]) if comparable else None)),
        tone=blocks.tone(float(row["tone"])),
    )


@st.fragment(run_every=FEED_SECONDS)
def _feed() -> None:
    """The newest documents, refreshed by themselves; the store going away for a moment leaves what is shown."""
    shown, note = frame.kept("feed", _newest)
    if not shown or not shown[0]:
        return
    documents, names = shown
    now = documents[0]["published_at"]
    items = join(
        blocks.item(row, names, now, plain(row["lead"], 80) if len(str(row["title"])) < 18 else "") for row in documents
    )
    panel(
        html(
            '<div class="fx-box fx-feed">{head}<button class="fx-more" hidden data-label="{label}"></button>'
            '<div class="fx-scroll" style="max-height:{h}px">{items}</div></div>',
            head=blocks.heading(say("feed"), note or say("as_of", at=clock(now)[:16])),
            label=say("feed_new"),
            h=820,
            items=items,
        ),
        "feed",
    )


def _newest() -> tuple[list[dict[str, Any]], dict[str, str]]:
    shown, _ = st.session_state.get("feed", ([], {}))
    return rows(read(sql.feed("", amended=_amended(shown)), fresh=True)), frame.names()


def _amended(shown: list[dict[str, Any]]) -> bool:
    """Whether a document in the feed may have been corrected, given what it showed last: it only moves on."""
    corrected = frame.corrected()
    if not shown or corrected is None:
        return True
    return any(hour + 3600 > shown[-1]["published_at"].timestamp() for hour in corrected)


def _sources(view: frame.View) -> None:
    query = sql.sources(view.scope)
    table = read(query)
    charts.head(say("source_state"), query, table, "sources")
    now = min(view.newest, view.scope.end)  # of a past window: as fresh as then, and nothing of today's checks
    parts = []
    for row in rows(table):
        state = "error" if row["state"] == "failing" and now == view.newest else source_state(row, now)
        css = {"ok": "fx-ok", "late": "fx-warn"}.get(state, "fx-bad")
        shape = {"ok": "●", "late": "◐", "silent": "○", "error": "✕"}[state]
        parts.append(
            html(
                '<div class="fx-box"><div class="n"><b>{name}</b> <span class="{css}">{shape} {label}</span></div>'
                '<div class="fx-soft">{ago} · {n}</div><small class="fx-soft">{message}</small></div>',
                name=row["source"],
                css=css,
                shape=shape,
                label=say(f"source_{state}"),
                ago=ago(row["newest"], now),
                n=say("in_window", n=number(row["n"])),
                message=plain(row["message"], 90) if state == "error" else "",
            )
        )
    panel(html('<div class="fx-sources">{parts}</div>', parts=join(parts)), "sources")


def source_state(row: dict[str, Any], now: datetime) -> str:
    """ok, late (five usual gaps and ten minutes) or silent (twenty and an hour)."""
    age = (now - row["newest"]).total_seconds()
    gap = float(row["usual_gap"])
    if age > max(20 * gap, 3600):
        return "silent"
    return "late" if age > max(5 * gap, 600) else "ok"
