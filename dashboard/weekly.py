"""The weekly digest: what changed this week by theme and security, and what brokers said, as one HTML page.

`digest` reads through a function that runs queries, so that the page and the command line share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from dashboard import baseline
from dashboard.client import rows
from dashboard.look import mark
from dashboard.queries import documents, overview, reports
from dashboard.query import SHANGHAI, Query
from dashboard.safe import html, join, plain
from dashboard.scope import Change, Scope
from dashboard.text import number, percent, say, score, theme_ids, theme_name

Read = Callable[[Query], pd.DataFrame]
STYLE = (Path(__file__).parent / "weekly.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Digest:
    week: str
    title: str
    body: Markup


def bounds(week: str) -> tuple[datetime, datetime]:
    """Monday 00:00 and the next Monday of an ISO week such as 2026-W45. Raises ValueError for anything else."""
    year, _, number_ = week.upper().partition("-W")
    monday = date.fromisocalendar(int(year), int(number_), 1)
    start = datetime.combine(monday, time(), SHANGHAI)
    return start, start + timedelta(weeks=1)


def week_of(at: datetime) -> str:
    year, week, _ = at.astimezone(SHANGHAI).isocalendar()
    return f"{year}-W{week:02d}"


def weeks(first: datetime, newest: datetime) -> list[str]:
    """Every week of the data, the newest first."""
    found: list[str] = []
    at = newest
    while at > first - timedelta(weeks=1) and len(found) < 260:
        found.append(week_of(at))
        at -= timedelta(weeks=1)
    return [w for w in found if bounds(w)[1] > first]


def digest(week: str, first: datetime, names: dict[str, str], read: Read) -> Digest:
    """The digest of a week against the four before it (as far as there is data)."""
    start, end = bounds(week)
    scope = Scope(start, end, "custom", "raw")
    back = scope.usual_windows(first)
    previous = back[:1]
    head = read(overview.headline(scope))
    total, tone = baseline.compare(head, previous, "documents"), baseline.now(head, "tone")
    parts = [
        html("<h1>{t}</h1>", t=say("weekly_title", week=week)),
        html(
            "<p>{text} {change}</p>",
            text=say(
                "weekly_intro",
                start=f"{start:%Y-%m-%d}",
                end=f"{end - timedelta(days=1):%Y-%m-%d}",
                n=number(total.count),
                tone=score(tone),
            ),
            change=_change(total),
        ),
        _themes(read(overview.themes(scope)), previous),
        _securities(read(overview.movers(scope)), previous, names),
        _stories(read(documents.stories(scope, documents.Filter(), "spread", 10))),
        _advice(read(reports.recommended(scope))),
    ]
    return Digest(week, say("weekly_title", week=week), join(parts))


def page(made: Digest) -> str:
    """A page that stands alone: to keep, to send, to print as PDF."""
    return str(
        html(
            '<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{title}</title><style>{style}'
            "</style></head><body>{body}</body></html>",
            title=made.title,
            style=Markup(STYLE),
            body=made.body,
        )
    )


def _change(value: Change) -> Markup:
    if value.ratio is None:
        return Markup("—") if not value.count else html('<span class="fx-up">▲ {t}</span>', t=say("rare"))
    css, shape = mark(value.ratio)
    return html('<span class="{css}">{shape} {text}</span>', css=css, shape=shape, text=percent(value.ratio))


def _tone(value: float) -> Markup:
    css, shape = mark(value)
    return html('<span class="{css}">{shape} {text}</span>', css=css, shape=shape, text=score(value))


def _table(title: str, heads: list[str], lines: list[Markup]) -> Markup:
    if not lines:
        return html("<h2>{t}</h2><p><small>{n}</small></p>", t=title, n=say("nothing"))
    header = join(html("<th class='{c}'>{h}</th>", h=h, c="" if not i else "r") for i, h in enumerate(heads))
    return html('<h2>{t}</h2><table class="fx-table"><tr>{h}</tr>{l}</table>', t=title, h=header, l=join(lines))


def _themes(frame: pd.DataFrame, previous: list[int]) -> Markup:
    lines = [
        html(
            "<tr><td>{name}</td><td class='r'>{n}</td><td class='r'>{change}</td><td class='r'>{tone}</td></tr>",
            name=theme_name(theme),
            n=number(count.count),
            change=_change(count),
            tone=_tone(tone) if count.count else "",
        )
        for theme, count, tone in baseline.themes(frame, previous, theme_ids())
        if count.count or count.usual
    ]
    return _table(say("weekly_themes"), [say("theme"), say("count"), say("vs_last_week"), say("tone")], lines)


def _securities(frame: pd.DataFrame, previous: list[int], names: dict[str, str]) -> Markup:
    lines = [
        html(
            "<tr><td>{name} <small>{code}</small></td><td class='r'>{n}</td><td class='r'>{change}</td><td"
            " class='r'>{tone}</td></tr>",
            name=plain(names.get(row["code"], row["code"]), 20),
            code=row["code"],
            n=number(row["n"]),
            change=_change(Change(float(row["n"]), float(row["usual"]) if previous else None)),
            tone=_tone(float(row["tone"])),
        )
        for row in rows(baseline.movers(frame, previous).head(15))
    ]
    return _table(say("weekly_securities"), [say("security"), say("count"), say("vs_last_week"), say("tone")], lines)


def _stories(frame: pd.DataFrame) -> Markup:
    lines = [
        html(
            "<tr><td>{title}<br><small>{who}</small></td><td class='r'>{n}</td><td class='r'>{tone}</td></tr>",
            title=plain(row["first_title"], 80),
            who=plain(row["first_publisher"], 20),
            n=number(row["copies"]),
            tone=_tone(float(row["tone"])),
        )
        for row in rows(frame)
    ]
    return _table(say("weekly_stories"), [say("title"), say("documents"), say("tone")], lines)


def _advice(frame: pd.DataFrame) -> Markup:
    lines = [
        html(
            "<tr><td>{name} <small>{reason}</small></td><td class='r'><small>{by}</small></td><td class='r'>{n}"
            "</td></tr>",
            name=plain(row["name"], 20),
            reason=plain(row["reason"], 40),
            by="、".join(plain(b, 12) for b in row["by"]),
            n=number(row["reports"]),
        )
        for row in rows(frame.head(15))
    ]
    return _table(say("weekly_advice"), [say("security"), say("recommended_by"), say("reports")], lines)
