"""The weekly digest: what changed this week by theme and security, and what brokers said.

`digest` reads through a function that runs queries, so that the page and the command line share it. What it gives is
text only; `page` writes it as HTML and `dashboard.weekly_pdf` as PDF.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
from markupsafe import Markup, escape

from dashboard import baseline
from dashboard.client import rows
from dashboard.look import mark
from dashboard.queries import documents, overview, reports
from dashboard.query import Query
from dashboard.safe import html, join, plain
from dashboard.scope import Change, Scope
from dashboard.text import number, percent, say, score, speaking, theme_ids, theme_name
from models.trading import SHANGHAI, midnight

Read = Callable[[Query], pd.DataFrame]
STYLE = (Path(__file__).parent / "weekly.css").read_text(encoding="utf-8")
_WEEK = re.compile(r"(\d{4})-?[Ww](\d{1,2})", re.ASCII)
YEARS = range(1970, 2262)  # what the store's times and pandas can hold


@dataclass(frozen=True)
class Cell:
    """A piece of text: `note` stands smaller after it; `css` (fx-up, fx-down, fx-flat) gives its colour."""

    text: str
    note: str = ""
    css: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table: the first column is text, the others are figures, aligned right."""

    title: str
    heads: tuple[str, ...]
    lines: Sequence[tuple[Cell, ...]]
    empty: str  # said instead of no lines


@dataclass(frozen=True)
class Digest:
    """A week's digest in one language."""

    week: str
    language: str
    title: str
    intro: str
    change: Cell
    tables: list[Table]

    @property
    def body(self) -> Markup:
        """As HTML, without the page around it."""
        intro = html(
            "<h1>{title}</h1><p>{intro} {change}</p>", title=self.title, intro=self.intro, change=_cell(self.change)
        )
        return join([intro, *(_table(table) for table in self.tables)])


def bounds(week: str) -> tuple[datetime, datetime]:
    """Monday 00:00 and the next Monday of an ISO week such as 2026-W45. Raises ValueError for anything else."""
    found = _WEEK.fullmatch(week.strip())
    if not found or int(found[1]) not in YEARS:
        raise ValueError(f"{week!r} is not an ISO week: write it as in 2026-W45")
    year, number_ = int(found[1]), int(found[2])
    try:
        monday = date.fromisocalendar(year, number_, 1)
    except ValueError:
        last = date(year, 12, 28).isocalendar().week  # which is always in the last week
        raise ValueError(f"there is no week {week!r}: {year} has the weeks {year}-W01 to {year}-W{last}") from None
    start = midnight(monday)
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


def digest(week: str, first: datetime, newest: datetime, names: dict[str, str], read: Read, language: str) -> Digest:
    """The digest of a week against the one before it, if the data, of `first` to `newest`, reach back so far; one that
    still runs against as much of the one before.

    `names` are the securities' by code; `language` is zh or en. Raises ValueError for what is no week.
    """
    start, end = bounds(week)
    week = week_of(start)
    scope = Scope(start, min(end, newest + timedelta(seconds=1)), "custom", "raw")
    previous = scope.usual_windows(first)[:1]
    head, told = read(overview.headline(scope, previous)), read(overview.movers(scope))
    before = read(overview.before(scope, list(told["code"]), previous))
    total = baseline.compare(head, previous, "documents")
    with speaking(language):
        return Digest(
            week=week,
            language=language,
            title=say("weekly_title", week=week),
            intro=say(
                "weekly_intro",
                start=f"{start:%Y-%m-%d}",
                end=f"{scope.end - timedelta(seconds=1):%Y-%m-%d}",
                n=number(total.count),
                tone=score(baseline.now(head, "tone")),
            ),
            change=_change(total),
            tables=[
                _themes(read(overview.themes(scope, previous)), previous),
                _securities(baseline.movers(told, before, previous), bool(previous), names),
                _stories(read(documents.stories(scope, documents.Filter(), "spread", 10))),
                _advice(read(reports.recommended(scope))),
            ],
        )


def page(made: Digest) -> str:
    """A page that stands alone: to keep, to send, to print."""
    return str(
        html(
            '<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>{title}</title><style>{style}</style></head>'
            "<body>{body}</body></html>",
            language=made.language,
            title=made.title,
            style=Markup(STYLE),
            body=made.body,
        )
    )


def _cell(cell: Cell) -> Markup:
    text = html('<span class="{css}">{text}</span>', css=cell.css, text=cell.text) if cell.css else escape(cell.text)
    return html("{text} <small>{note}</small>", text=text, note=cell.note) if cell.note else text


def _table(table: Table) -> Markup:
    if not table.lines:
        return html("<h2>{t}</h2><p><small>{n}</small></p>", t=table.title, n=table.empty)
    header = join(html("<th{c}>{h}</th>", h=h, c=_right(i)) for i, h in enumerate(table.heads))
    lines = join(
        html("<tr>{l}</tr>", l=join(html("<td{c}>{t}</td>", t=_cell(c), c=_right(i)) for i, c in enumerate(line)))
        for line in table.lines
    )
    return html('<h2>{t}</h2><table class="fx-table"><tr>{h}</tr>{l}</table>', t=table.title, h=header, l=lines)


def _right(column: int) -> Markup:
    return Markup(' class="r"' if column else "")


def _made(title: str, heads: tuple[str, ...], lines: Sequence[tuple[Cell, ...]]) -> Table:
    return Table(say(title), tuple(say(head) for head in heads), lines, say("nothing"))


def _change(value: Change) -> Cell:
    if value.usual is None or not (value.usual or value.count):
        return Cell("—")
    if value.ratio is None:
        return Cell(f"▲ {say('rare')}", css="fx-up")
    css, shape = mark(value.ratio)
    return Cell(f"{shape} {percent(value.ratio)}", css=css)


def _tone(value: float) -> Cell:
    css, shape = mark(value)
    return Cell(f"{shape} {score(value)}", css=css)


def _themes(frame: pd.DataFrame, previous: list[int]) -> Table:
    lines = [
        (
            Cell(theme_name(theme)),
            Cell(number(count.count)),
            _change(count),
            _tone(tone) if count.count else Cell(""),
        )
        for theme, count, tone in baseline.themes(frame, previous, theme_ids())
        if count.count or count.usual
    ]
    return _made("weekly_themes", ("theme", "count", "vs_last_week", "tone"), lines)


def _securities(found: pd.DataFrame, comparable: bool, names: dict[str, str]) -> Table:
    lines = [
        (
            Cell(plain(names.get(row["code"], row["code"]), 20), note=plain(row["code"], 12)),
            Cell(number(row["n"])),
            _change(Change(float(row["n"]), float(row["usual"]) if comparable else None)),
            _tone(float(row["tone"])),
        )
        for row in rows(found.head(15))
    ]
    return _made("weekly_securities", ("security", "count", "vs_last_week", "tone"), lines)


def _stories(frame: pd.DataFrame) -> Table:
    lines = [
        (
            Cell(plain(row["first_title"], 80) or "—", note=plain(row["first_publisher"], 20)),
            Cell(number(row["copies"])),
            _tone(float(row["tone"])),
        )
        for row in rows(frame)
    ]
    return _made("weekly_stories", ("title", "documents", "tone"), lines)


def _advice(frame: pd.DataFrame) -> Table:
    lines = [
        (
            Cell(plain(row["name"], 20), note=plain(row["reason"], 40)),
            Cell("、".join(plain(b, 12) for b in row["by"])),
            Cell(number(row["reports"])),
        )
        for row in rows(frame.head(15))
    ]
    return _made("weekly_advice", ("security", "recommended_by", "reports"), lines)
