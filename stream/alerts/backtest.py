"""Looking back: how often a rule would have fired, when and for what, and which threshold gives about N a day.

The store picks the documents (`sql`, `frames`), the same code as live decides about windows (`windows`), and the
manners of a subscription are left out: this counts what would have been told, each story once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from clickhouse_connect.driver.client import Client
from msgspec import Struct

from models.trading import SHANGHAI
from stream.alerts import frames, windows
from stream.alerts.facts import of_signal
from stream.alerts.ledger import STORY_DAYS
from stream.alerts.rules import Condition, Rule
from stream.alerts.sql import PERIOD, Where
from stream.alerts.subscriptions import Subscription
from stream.alerts.text import RuleError
from stream.alerts.windows import Signal

MOST = 200_000
LOOSE = {"burst": 1.2, "count": 1.0, "tone_turn": 0.05}
# threshold of a condition -> (which mention or document value, +1: fires above, -1: fires below)
BOUNDS = (
    ("mention_below", -1),
    ("mention_above", 1),
    ("tone_below", -1),
    ("tone_above", 1),
    ("relevance", 1),
    ("theme_score", 1),
    ("novelty", 1),
)


class Past(Struct, frozen=True):
    """A firing that would have been."""

    at: datetime
    title: str
    why: str = ""
    document_id: str = ""
    url: str = ""


class Lookback(Struct, frozen=True, kw_only=True):
    """What a rule would have done. `suggested` is the value of `threshold` for about `wanted` a day."""

    days: int
    total: int
    documents: int  # that fulfil the condition, copies included; signals of a watch before its rests
    by_day: list[tuple[str, int]]
    firings: list[Past]  # the latest first
    threshold: str = ""
    current: float | None = None
    wanted: float = 0.0
    suggested: float | None = None
    suggested_total: int = 0
    truncated: bool = False

    @property
    def per_day(self) -> float:
        return self.total / self.days

    def summary(self) -> str:
        """One line for people."""
        text = f"{self.days} 天内 {self.total} 次，平均每天 {self.per_day:.1f} 次 ({self.total} in {self.days} days)"
        if self.suggested is not None:
            text += (
                f"；每天约 {self.wanted:g} 次的阈值 threshold for about {self.wanted:g} a day: {self.threshold} ="
                f" {self.suggested:g}（{self.suggested_total} 次; now {self.current:g}）"
            )
        return text + ("; only the latest were read" if self.truncated else "")


def look_back(client: Client, subscription: Subscription, *, days: int, per_day: float, now: datetime) -> Lookback:
    """The last `days` days of a rule. Raises `RuleError` for a `trouble`, which is about now."""
    if subscription.trouble:
        raise RuleError("trouble is about the pipeline as it is now and can't be looked back on: use `dry_run: true`")
    start = now - timedelta(days=days)
    if subscription.kind == "document":
        return _documents(client, subscription, start, now, days, per_day)
    return _watch(client, subscription, start, now, days, per_day)


# ---------------------------------------------------------------------- rules on documents


def _documents(
    client: Client, rule: Subscription, start: datetime, now: datetime, days: int, per_day: float
) -> Lookback:
    bound = next(((name, way) for name, way in BOUNDS if _is_set(rule.when, name)), None)
    rows = _rows(client, rule.when, start, now)
    chosen = _once_a_story(rows)
    suggestion: dict[str, Any] = {}
    if bound:
        name, way = bound
        loose = msgspec.structs.replace(rule.when, **{name: None if name.startswith(("tone", "mention")) else 0.0})
        values = _rows(client, loose, start, now, _value(loose, name))
        suggestion = _suggest(values, way, per_day * days)
        suggestion |= {"threshold": name, "current": getattr(rule.when, name), "wanted": per_day}
    return Lookback(
        days=days,
        total=len(chosen),
        documents=len(rows),
        by_day=_by_day([row[0] for row in chosen], start, now),
        firings=[Past(at=_moment(r[0]), title=r[3], document_id=r[1], url=r[4]) for r in reversed(chosen)],
        truncated=len(rows) >= MOST,
        **suggestion,
    )


def _is_set(condition: Condition, name: str) -> bool:
    return getattr(condition, name) not in (None, 0.0)


class _Value:
    """An SQL expression of the value that a threshold bounds, for each document."""

    def __init__(self, sql: str, condition: Condition | None = None, join: str = "") -> None:
        self.sql, self.condition, self.join = sql, condition, join


def _value(condition: Condition, name: str) -> _Value:
    if name == "novelty":
        return _Value("novelty")
    if name.startswith("tone"):
        return _Value("sentiment_score")
    if name == "theme_score":
        return _Value("best", condition, "theme")
    return _Value(
        "best",
        condition,
        {"relevance": "max(relevance)", "mention_below": "min(sentiment_score)"}.get(name, "max(sentiment_score)"),
    )


def _rows(
    client: Client, condition: Condition, start: datetime, now: datetime, value: _Value | None = None
) -> list[tuple[float, str, str, str, str, float]]:
    """(time, id, story, title, url, value) of the documents that fulfil the condition, oldest first."""
    where = Where()
    clause = where.clause(condition)
    join = ""
    if value and value.join:
        assert value.condition is not None
        if value.join == "theme":
            own = where._list(value.condition.theme)
            inner = f"SELECT document_id, max(score) AS best FROM document_themes_now WHERE {PERIOD} AND theme IN {own}"
        else:
            only = where.of_one_mention(value.condition)  # the one mention that all bounds are about
            inner = f"SELECT document_id, {value.join} AS best FROM mentions_now WHERE {only}"
        join = f" INNER JOIN ({inner} GROUP BY document_id) AS v ON v.document_id = d.id"
    sql = f"""
    SELECT toUnixTimestamp64Milli(published_at) / 1000 AS at, id, if(story_id = '', id, story_id) AS story, title, url,
        {value.sql if value else 0} AS value
    FROM (SELECT id, story_id, title, url, published_at, novelty, sentiment_score FROM documents_now
          WHERE {PERIOD} AND {clause}) AS d{join}
    ORDER BY at DESC, id LIMIT {MOST}
    """
    rows = client.query(sql, parameters={**where.parameters, "low": start, "high": now}).result_rows
    return list(reversed(rows))


def _once_a_story(rows: Sequence[Any]) -> list[Any]:
    """The rows that would have been told: a story again only when it is quiet for `STORY_DAYS`."""
    last: dict[str, float] = {}
    chosen = []
    for row in rows:
        if row[0] - last.get(row[2], -np.inf) > STORY_DAYS * 86400:
            chosen.append(row)
        last[row[2]] = row[0]
    return chosen


def _suggest(rows: Sequence[Any], way: int, wanted: float) -> dict[str, Any]:
    """The threshold at which about `wanted` stories are told: each story counts with its strongest document."""
    best: dict[str, float] = {}
    for row in rows:
        best[row[2]] = max(best.get(row[2], -np.inf), way * row[5])
    values = np.sort(np.array(list(best.values())))[::-1]
    if not len(values):
        return {}
    n = min(max(round(wanted), 1), len(values))
    suggested = float(np.floor(values[n - 1] * 1000) / 1000)
    return {"suggested": way * suggested, "suggested_total": int((values >= suggested).sum())}


# ---------------------------------------------------------------------- watches


def _watch(client: Client, rule: Subscription, start: datetime, now: datetime, days: int, per_day: float) -> Lookback:
    known = frames.read(client, rule, start - timedelta(seconds=windows.history(rule) + 86400), now)
    low, high = start.timestamp(), now.timestamp()
    signals = windows.decide(rule, known.frames, known.since, low, high)
    kept = windows.thin(signals, windows.rest(rule))
    suggestion: dict[str, Any] = {}
    if tunable := windows.tunable(rule):
        loose = windows.tuned(rule, LOOSE[rule.kind])
        suggestion = _suggest_watch(loose, windows.decide(loose, known.frames, known.since, low, high), per_day * days)
        suggestion |= {"threshold": ".".join(tunable), "current": float(getattr(getattr(rule, tunable[0]), tunable[1]))}
        suggestion["wanted"] = per_day
    return Lookback(
        days=days,
        total=len(kept),
        documents=len(signals),
        by_day=_by_day([signal.at for signal in kept], start, now),
        firings=_past(client, rule, known.frames, kept),
        truncated=known.cut,
        **suggestion,
    )


def _past(client: Client, rule: Subscription, known: dict[str, frames.Frame], kept: list[Signal]) -> list[Past]:
    span = windows.window_of(rule)
    full = [s if s.ids else windows.with_documents(s, known[s.key], span) for s in reversed(kept)]
    ids = list({signal.ids[0] for signal in full[:1000] if signal.ids})
    links: dict[str, tuple[str, str]] = {}
    if full and ids:
        times = [signal.at for signal in full]
        values = {"ids": ids, "low": _moment(min(times) - 40 * 86400), "high": _moment(max(times) + 1)}
        sql = f"SELECT id, url, title FROM documents FINAL WHERE {PERIOD} AND id IN {{ids:Array(String)}}"
        links = {row[0]: (row[1], row[2]) for row in client.query(sql, parameters=values).result_rows}
    found = []
    for signal in full:
        fact = of_signal(rule, signal, (), {})
        id_ = signal.ids[0] if signal.ids else ""
        url, title = links.get(id_, ("", ""))
        why = "；".join(filter(None, [fact.why, fact.unusual, title]))
        found.append(Past(at=_moment(signal.at), title=fact.title, why=why, document_id=id_, url=url))
    return found


def _suggest_watch(loose: Rule, signals: list[Signal], wanted: float) -> dict[str, Any]:
    """The threshold whose signals, with their rests, come nearest to `wanted`."""
    if not signals:
        return {}
    strengths = np.array([signal.strength for signal in signals])
    pause = windows.rest(loose)
    low, high, best = 0, 200, (0.0, 0)
    grid = np.quantile(strengths, np.linspace(0, 1, high + 1))
    while low <= high:  # the higher the threshold, the fewer signals
        middle = (low + high) // 2
        count = len(windows.thin((s for s in signals if s.strength >= grid[middle]), pause))
        if not best[1] or abs(count - wanted) <= abs(best[1] - wanted):
            best = (float(grid[middle]), count)
        if count > wanted:
            low = middle + 1
        else:
            high = middle - 1
    rounded = np.floor(best[0] * 100) / 100
    return {"suggested": float(rounded), "suggested_total": best[1]}


# ----------------------------------------------------------------------


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(SHANGHAI)


def _by_day(times: Sequence[float], start: datetime, now: datetime) -> list[tuple[str, int]]:
    """Counts by Shanghai's days, empty days included."""
    counts = Counter(str(_moment(at).date()) for at in times)
    first, last = start.astimezone(SHANGHAI).date(), now.astimezone(SHANGHAI).date()
    days = [str(first + timedelta(days=n)) for n in range((last - first).days + 1)]
    return [(day, counts[day]) for day in days]
