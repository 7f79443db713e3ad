"""Pieces of HTML that several pages show: tiles, cards, sparklines, chips, feed items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from markupsafe import Markup

from dashboard import baseline, look, marks
from dashboard.panel import link
from dashboard.safe import html, join, plain, web_address
from dashboard.scope import Change
from dashboard.text import mean, moment, number, percent, say, score, theme_name


def heading(title: str, note: str = "") -> Markup:
    return html('<div class="fx-h"><b>{title}</b><span>{note}</span></div>', title=title, note=note)


def change(value: Change) -> Markup:
    """▲ +50% beside its usual, or nothing to compare with."""
    if value.usual is None:
        return html('<span class="fx-soft">—</span>')
    if value.usual < 0.5:  # a multiple of next to nothing says nothing
        return html('<span class="fx-up">▲ {text}</span>' if value.count else "", text=say("rare"))
    css, shape = look.mark(value.ratio)
    return html('<span class="{css}">{shape} {text}</span>', css=css, shape=shape, text=percent(value.ratio or 0.0))


def tone(value: float) -> Markup:
    """▲ +0.21 in its colour."""
    css, shape = look.mark(value)
    return html('<span class="{css}">{shape} {text}</span>', css=css, shape=shape, text=score(value))


def sparkline(values: Sequence[float], colour: str = "var(--st-primary-color)") -> Markup:
    """A small area chart without axes; flat when there is nothing."""
    points = [float(v) for v in values] or [0.0]
    if len(points) == 1:
        points *= 2
    top, width, height = max(max(points), 1.0), 100, 30
    line = " ".join(
        f"{i * width / (len(points) - 1):.1f},{height - 1 - p / top * (height - 4):.1f}" for i, p in enumerate(points)
    )
    return html(
        '<svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">'
        '<polygon points="0,30 {line} 100,30" fill="{colour}" fill-opacity=".13"/>'
        '<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6" '
        'vector-effect="non-scaling-stroke"/></svg>',
        line=line,
        colour=colour,
    )


def tile(key: str, value: str, detail: Markup) -> Markup:
    return html(
        '<div class="fx-tile"><div class="k">{k}</div><div class="v">{v}</div><div class="d">{d}</div></div>',
        k=key,
        v=value,
        d=detail,
    )


def count_tile(key: str, value: Change) -> Markup:
    """How many, beside how many there usually are."""
    detail = change(value)
    if value.usual is not None:
        detail = html('{c} <span class="fx-soft">{u} {n}</span>', c=detail, u=say("usual"), n=mean(value.usual))
    return tile(say(key), number(value.count), detail)


def tone_tile(key: str, value: float, usual: float | None, head: pd.DataFrame) -> Markup:
    """Mean tone with the shares of positive and negative documents in the window; `head` has a row per `back`."""
    positive, negative, all_ = (baseline.now(head, column) for column in ("positive", "negative", "documents"))
    detail = html(
        '{split}<span class="fx-soft">{u}</span>',
        split=split(positive, max(all_ - positive - negative, 0), negative),
        u="" if usual is None else f"{say('usual')} {score(usual)}",
    )
    return html(
        '<div class="fx-tile"><div class="k">{k}</div><div class="v">{v}</div><div class="d">{d}</div></div>',
        k=say(key),
        v=tone(value),
        d=detail,
    )


def tiles(items: Sequence[Markup]) -> Markup:
    return html('<div class="fx-tiles">{items}</div>', items=join(items))


def split(positive: float, neutral: float, negative: float) -> Markup:
    """A bar of the three shares."""
    total = max(positive + neutral + negative, 1)
    parts = ((positive, "p"), (neutral, "z"), (negative, "q"))
    return html(
        '<div class="fx-split">{parts}</div>',
        parts=join(html('<i class="{c}" style="width:{w:.1f}%"></i>', c=c, w=100 * n / total) for n, c in parts if n),
    )


def table(lines: Iterable[Markup], header: Markup | str = "", *, loose: bool = False) -> Markup:
    """Rows of cells under their header; `loose`: with more room between them."""
    css = "fx-table fx-loose" if loose else "fx-table"
    return html('<table class="{css}">{h}{l}</table>', css=css, h=header, l=join(lines))


def outward(address: str, text: str) -> Markup:
    """A link out of the app, in a new tab; nothing where the address is none that can be followed."""
    url = web_address(address)
    link_ = '<a href="{u}" target="_blank" rel="noopener noreferrer">{t}</a>'
    return html(link_, u=url, t=text) if url else Markup("")


def source_link(address: str) -> Markup:
    """The way to where a document was published."""
    return outward(address, say("open_source"))


def theme_chip(theme: str) -> Markup:
    return link("theme", theme_name(theme), css="fx-chip", theme=theme)


def security_chip(code: str, names: Mapping[str, str]) -> Markup:
    return link("security", names.get(code, code), css="fx-chip sec", code=code)


def theme_card(theme: str, count: Change, mean_tone: float, steps: Sequence[float]) -> Markup:
    badge = html('<span class="fx-badge" title="{t}">⚡ {b}</span>', b=say("burst"), t=say("burst_help"))
    usual = Markup("") if count.usual is None else html("{u} {n}", u=say("usual"), n=mean(count.usual))
    body = html(
        '<div class="n"><span title="{name}">{name}</span>{badge}</div><div class="c"><b>{n}</b>{change}</div>'
        '<div class="m"><span>{usual}</span><span>{tone}</span></div>{spark}',
        name=theme_name(theme),
        badge=badge if count.burst else "",
        n=number(count.count),
        change=change(count) if count.count or count.usual else "",
        usual=usual,
        tone=tone(mean_tone) if count.count else "",
        spark=sparkline(steps),
    )
    return link("theme", body, css="fx-card" if count.count else "fx-card quiet", theme=theme)


def item(
    row: Mapping[str, Any], names: Mapping[str, str], now: datetime, text: Markup | str = "", theme: str = ""
) -> Markup:
    """One document in a list: tone, title, when, where from, themes and securities; in a theme's list also what says
    that it doesn't belong there."""
    css, shape = look.mark_of(str(row["sentiment"]))
    copies = int(row.get("copy_number") or 1)
    parts = [
        html("<span>{at}</span>", at=moment(row["published_at"], now)),
        html("<span>{who}</span>", who=plain(row.get("publisher") or row["source"], 20)),
        html('<span class="fx-chip">{kind}</span>', kind=kind_name(str(row["kind"]))) if row["kind"] != "wire" else "",
        html("<span>{n}</span>", n=say("copy_of", n=copies)) if copies > 1 else "",
        marks.chip(row.get("corrected")),
        *[theme_chip(str(t)) for t in list(row.get("themes", ()))[:3]],
        *[security_chip(str(c), names) for c in list(row.get("codes", ()))[:4]],
    ]
    parts.append(source_link(str(row.get("url", ""))))
    if theme:
        parts.append(marks.wrong_theme(str(row["id"]), theme))
    return html(
        '<div class="fx-item" data-key="{key}"><span class="g {css}" title="{label}">{shape}</span>'
        '<div><div class="t">{title}</div>{text}<div class="meta">{meta}</div></div></div>',
        key=row["id"],
        css=css,
        shape=shape,
        label=say(str(row["sentiment"]) or "neutral"),
        title=link("document", plain(row["title"], 160) or "—", id=str(row["id"])),
        text=html('<div class="s">{text}</div>', text=text) if text else "",
        meta=join(Markup(p) for p in parts if p),
    )


def kind_name(kind: str) -> str:
    return say(f"kind_{kind}") if kind in ("wire", "news", "announcement", "report") else kind


def empty(icon: str, title: str, hint: str, detail: str = "") -> Markup:
    """A page or a block that has nothing to show, and what to do about it. `icon`: a Material symbol's name."""
    return html(
        '<div class="fx-state"><div class="i" aria-hidden="true">{icon}</div><h3>{title}</h3><p>{hint}</p>'
        "<p><small>{detail}</small></p></div>",
        icon=icon,
        title=title,
        hint=hint,
        detail=detail,
    )
