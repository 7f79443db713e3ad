"""Counts of a window, and of the earlier ones it is compared with, from as few rows as possible.

The store keeps `tallies` by minute, hour, day and week that add up (`stream.tallies`). A window is cut into whole
weeks, days, hours and minutes, which are read from there, and the rest, which is counted from the tables as corrected:
hours of which something was stored a moment ago, and what is left at the edges. So a count is of now, right and quick.
Earlier windows only say what is usual: their edges are moved back to a whole minute, or to the hour where minutes
aren't kept any more, those of windows longer than a fortnight to the day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from dashboard.queries import Table, as_corrected
from dashboard.query import TIME, Query, clock, query
from dashboard.scope import Scope, Tallied
from models.trading import SHANGHAI
from stream.queries import PUBLISHER, story

MINUTE, HOUR, DAY, WEEK = 60_000, 3_600_000, 86_400_000, 604_800_000
MIDNIGHT = 8 * HOUR  # Shanghai is as far ahead of UTC, all year round
MONDAY = MIDNIGHT - 4 * DAY  # 1970 began on a Thursday
STEPS = {"week": WEEK, "day": DAY, "hour": HOUR, "minute": MINUTE}
TRUTH = "truth"

FEW = 6  # spans that are asked for one by one
CLOSE = 3  # unless they are no further apart than so many times their length: little lies between

Span = tuple[int, int]  # [from, to), milliseconds since 1970

# Dimension -> the table, its column, the column of the document's id.
_SOURCES: dict[str, tuple[Table, str, str]] = {
    "theme": ("document_themes", "theme", "document_id"),
    "security": ("companies", "code", "document_id"),
    "source": ("documents", "source", "id"),
    "document": ("documents", "''", "id"),
}
_TONES = {
    "weight": "toFloat64(count())",
    "toned": "sum(sentiment_score)",
    "positive": "countIf(sentiment = 'positive')",
    "neutral": "countIf(sentiment = 'neutral')",
    "negative": "countIf(sentiment = 'negative')",
}
N = {"raw": "sum(documents)", "story": "uniqMerge(stories)", "publisher": "uniqMerge(publishers)"}  # by basis
TONE = "sum(toned) / greatest(sum(weight), 1e-3)"


def back(moment: str) -> str:
    """SQL: the number of the window that a moment lies in."""
    return f"intDiv(dateDiff('millisecond', {moment}, {{end:{TIME}}}) - 1, {{period:Int64}})"


def counts(
    scope: Scope,
    dimension: str,
    label: str,
    *,
    now: bool = True,
    earlier: Sequence[int] = (),
    longest: int = WEEK,
    only: str = "",
) -> str:
    """A subquery's SQL: partial counts by `key` and `label`, to be grouped by them with `N`, `TONE` and `sum`.

    label: SQL in which a row's time stands as `moment`; now: the window itself; earlier: windows before it, by their
    numbers, where the label is `back`; longest: the longest steps that may be read, in milliseconds; only: a condition
    on `key`.
    """
    table, key, id_ = _SOURCES[dimension]
    spans = cut(scope, 0 if now else 1, max(earlier, default=0), longest)
    only = f" AND {only}" if only else ""
    if len(earlier) < max(earlier, default=0):  # sets of windows that aren't meant needn't be united
        only += f" AND label IN {[0, *earlier]}"
    parts = []
    kept = " OR ".join(f"step = '{step}' AND {_within('bucket', spans[step])}" for step in STEPS if spans[step])
    if kept:
        parts.append(f"""
    SELECT key, {label.replace("moment", "bucket")} AS label, documents, stories, publishers, weight, toned, positive,
           neutral, negative
    FROM tallies FINAL
    WHERE dimension = '{dimension}'{only} AND ({kept})""")
    if spans[TRUTH] or not parts:
        # What is tallied holds the corrections already.
        amended = any(scope.amended_within(start / 1000, end / 1000) for start, end in spans[TRUTH])
        rows = as_corrected(table, amended)
        tones = {name: f"sum({name})" for name in _TONES} if table == "companies" else _TONES
        parts.append(f"""
    SELECT toString({key}) AS key, {label.replace("moment", "published_at")} AS label, uniqExact({id_}) AS documents,
           uniqState(cityHash64({story(id_)})) AS stories, uniqState(cityHash64({PUBLISHER})) AS publishers,
           {", ".join(f"{sql} AS {name}" for name, sql in tones.items())}
    FROM {rows}
    WHERE {_within("published_at", spans[TRUTH])}{only.replace("key", key)}
    GROUP BY key, label""")
    return "(" + "\n    UNION ALL".join(parts) + "\n)"


def whole_days(scope: Scope) -> tuple[str, str]:
    """Conditions that divide the window: on the `bucket` of the days that the tallies hold, and on the `published_at`
    of the rest."""
    spans = cut(scope, 0, 0, DAY)
    rest = sorted(span for step, found in spans.items() if step != "day" for span in found)
    return _within("bucket", spans["day"]), _within("published_at", rest)


@lru_cache(maxsize=500)
def cut(scope: Scope, first: int, last: int, longest: int = WEEK) -> dict[str, list[Span]]:
    """The spans of each step, and those of the truth, of the windows numbered so (0: now, 1: the one before)."""
    found: dict[str, list[Span]] = defaultdict(list)
    tallied = scope.tallied
    for number in range(first, last + 1):
        start, end = (_ms(moment - number * scope.period) for moment in (scope.start, scope.end))
        if tallied is None:
            found[TRUTH].append((start, end))
            continue
        behind, minutes_from = tallied.behind, tallied.minutes_from * 1000
        if number:
            short = MINUTE if start >= minutes_from else HOUR
            unit = DAY if end - start > 2 * WEEK else short
            start, end = start - (start + MIDNIGHT) % unit, end - (end + MIDNIGHT) % unit
        at = start
        while at < end:
            week, day, hour = at - (at + MONDAY) % WEEK, at - (at + MIDNIGHT) % DAY, at - at % HOUR
            if hour // 1000 in behind:
                step, to = TRUTH, hour + HOUR
            elif longest >= WEEK and at == week and week + WEEK <= end and not _any_behind(week, WEEK, behind):
                step, to = "week", week + WEEK
            elif longest >= DAY and at == day and day + DAY <= end and not _any_behind(day, DAY, behind):
                step, to = "day", day + DAY
            elif longest >= HOUR and at == hour and hour + HOUR <= end:
                step, to = "hour", hour + HOUR
            elif at >= minutes_from and at % MINUTE == 0 and at + MINUTE <= end:
                step, to = "minute", min(hour + HOUR, end - end % MINUTE)
            else:
                step, to = TRUTH, hour + HOUR if at < minutes_from else at - at % MINUTE + MINUTE
            to = min(to, end)
            if found[step] and found[step][-1][1] == at:
                at = found[step].pop()[0]
            found[step].append((at, to))
            at = to
    return found


def _any_behind(start: int, length: int, behind: frozenset[int]) -> bool:
    return any(start <= hour * 1000 < start + length for hour in behind)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _within(column: str, spans: list[Span]) -> str:
    """Whether a moment lies in one of the spans; many alike ones at equal distances are asked for at once, since each
    comparison takes its time to plan."""
    terms = []
    for run in _runs(spans):
        start, end = run[0]
        length = end - start
        period = run[1][0] - start if len(run) > 1 else 0
        if period and (len(run) > FEW or period <= CLOSE * length):
            first = f"toDateTime64({_time(start)}, 3, 'Asia/Shanghai')"
            within = f"modulo(dateDiff('millisecond', {first}, {column}), {period}) < {length}"
            terms.append(f"{_between(column, start, run[-1][1])} AND {within}")
        else:  # what lies between isn't read
            terms += [_between(column, *span) for span in run]
    return "(" + " OR ".join(terms) + ")" if terms else "false"


def _between(column: str, start: int, end: int) -> str:
    return f"{column} >= {_time(start)} AND {column} < {_time(end)}"


def _runs(spans: list[Span]) -> list[list[Span]]:
    """The spans in groups of equal lengths and distances, each in order."""
    runs: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: (span[1] - span[0], span[0])):
        run = runs[-1] if runs else []
        fits = run and run[0][1] - run[0][0] == span[1] - span[0]
        if fits and (len(run) == 1 or span[0] - run[-1][0] == run[1][0] - run[0][0]):
            run.append(span)
        else:
            runs.append([span])
    return runs


def _time(ms: int) -> str:
    return f"'{clock(datetime.fromtimestamp(ms / 1000, SHANGHAI))}'"


def busy(end: datetime, tallied: Tallied | None = None) -> Query:
    """Documents since midnight and in the last five days before `end`."""
    five_days = Scope(end - timedelta(days=5), end, tallied=tallied)
    return query(
        f"""
SELECT sumIf(documents, label) AS day, sum(documents) AS five_days
FROM {counts(five_days, "document", f"toDate(moment) = toDate({{end:{TIME}}} - INTERVAL 1 SECOND)")}""",
        end=end,
    )
