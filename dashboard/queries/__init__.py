"""All SQL of the pages, as functions that give a `Query`. Every count is of distinct things.

Tables are read with FINAL; what readers may correct (themes, links, tone) through the views `documents_now`,
`mentions_now` and `document_themes_now`, which hold the corrections, so that all pages count alike.

Windows are half-open; `back` numbers windows of equal length into the past (0: the current one).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dashboard.query import TIME, Query, query
from dashboard.scope import Scope

WINDOW = f"published_at >= {{start:{TIME}}} AND published_at < {{end:{TIME}}}"


def counted(basis: str, id_: str = "document_id") -> str:
    """The expression that counts documents, stories or publishers."""
    return {
        "raw": f"uniqExact({id_})",
        "story": f"uniqExact(if(story_id = '', {id_}, story_id))",
        "publisher": "uniqExact(if(publisher = '', source, publisher))",
    }[basis]


def bucket(scope: Scope) -> str:
    """Start of the trend's step in Shanghai, as text without a zone: a chart then shows it as it stands."""
    days = scope.step // 1440  # whole days have a unit of their own: minutes are counted from midnight in UTC
    every = {0: f"{scope.step} MINUTE", 1: "1 DAY"}.get(days, "1 WEEK")
    return f"formatDateTime(toStartOfInterval(published_at, INTERVAL {every}), '%Y-%m-%dT%H:%i:%S')"


def windowed(scope: Scope, **more: Any) -> dict[str, Any]:
    """Parameters of a query over one window."""
    return {"start": scope.start, "end": scope.end, **more}


# Rows of the current window and of the earlier ones it is compared with: {period} and {length} in milliseconds.
BACK = f"intDiv(dateDiff('millisecond', published_at, {{end:{TIME}}}) - 1, {{period:Int64}})"
IN_BACK = (
    f"published_at < {{end:{TIME}}} AND published_at >= {{oldest:{TIME}}}"
    f" AND modulo(dateDiff('millisecond', published_at, {{end:{TIME}}}) - 1, {{period:Int64}}) < {{length:Int64}}"
)


def with_history(scope: Scope, **more: Any) -> dict[str, Any]:
    """Parameters of a query over a window and those it is compared with."""
    return {
        "end": scope.end,
        "oldest": scope.start - scope.history * scope.period,
        "period": int(scope.period.total_seconds() * 1000),
        "length": int(scope.length.total_seconds() * 1000),
        **more,
    }


def extent() -> Query:
    """Times of the first and newest document, of no meaning where `any` is 0; a date far ahead of the clock is not
    believed. Every page asks this first, so it takes the ends of the table, which is in the order of time."""
    time_of = "SELECT published_at FROM documents WHERE NOT is_deleted"
    return query(f"""
SELECT ifNull(({time_of} ORDER BY published_at LIMIT 1), toDateTime64(0, 3, 'Asia/Shanghai')) AS first,
       ifNull(({time_of} AND published_at < now() + INTERVAL 1 DAY ORDER BY published_at DESC LIMIT 1), first)
       AS newest,
       ifNull(({time_of} ORDER BY published_at DESC LIMIT 1), first) AS last, toUnixTimestamp(last) > 0 AS any""")


def names(days: int = 0) -> Query:
    """Short name of every security that was ever mentioned, or in so many days: the one on its newest mention."""
    lately = "AND published_at >= now() - INTERVAL {days:UInt32} DAY" if days else ""
    return query(
        f"""
SELECT code, argMax(name, published_at) AS name
FROM (
    SELECT code, name, published_at FROM mentions WHERE NOT is_deleted {lately}
    UNION ALL
    SELECT correction, name, published_at FROM feedback FINAL WHERE kind = 'link' AND name != '' AND NOT undone
)
GROUP BY code""",
        **({"days": days} if days else {}),
    )


def busy(end: datetime) -> Query:
    """Documents since midnight and in the last five days before `end`."""
    return query(
        f"""
SELECT uniqExactIf(id, toDate(published_at) = toDate({{end:{TIME}}} - INTERVAL 1 SECOND)) AS day,
       uniqExact(id) AS five_days
FROM documents FINAL
WHERE published_at >= {{end:{TIME}}} - INTERVAL 5 DAY AND published_at < {{end:{TIME}}}""",
        end=end,
    )
