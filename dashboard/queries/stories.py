"""SQL of the stories page, from the rows that the worker keeps: one a story, of all its copies, seconds behind; and the
orders of stories everywhere."""

from __future__ import annotations

from dashboard.queries import windowed
from dashboard.query import TIME, Query, query
from dashboard.scope import Scope

ORDERS = {
    "spread": "copies DESC, publishers DESC, first_at DESC",
    "newest": "first_at DESC",
    "fastest": "per_hour DESC, copies DESC, first_at DESC",
}
PER_HOUR = "copies / greatest(dateDiff('second', first_at, last_at) / 3600, 0.25) AS per_hour"


def told(scope: Scope, themes: tuple[str, ...] = (), order: str = "spread", limit: int = 30) -> Query:
    """Stories that were told in the window, whole: who was first, and how far and fast they have spread since. When the
    first ones began is found before anything else of them is read; and before that, when the earliest one did that goes
    on into the window: from there on `FINAL` reads the table, which is in the order of beginnings."""
    start, end = f"{{start:{TIME}}}", f"{{end:{TIME}}}"
    before = f"(SELECT minOrNull(first_at) FROM stories WHERE first_at < {start} AND last_at >= {start})"
    passes = f"first_at >= ifNull({before}, {start}) AND first_at < {end} AND last_at >= {start}"
    passes += " AND hasAny(themes, {themes:Array(String)})" if themes else ""
    return query(
        f"""
SELECT story_id AS story, copies, publishers, title AS first_title, first_id, first_publisher, first_at, last_at,
       dateDiff('second', first_at, last_at) / 60 AS minutes, {PER_HOUR},
       sentiment_score AS tone, arraySlice(themes, 1, 5) AS of_themes, arraySlice(codes, 1, 8) AS of_codes
FROM stories FINAL
WHERE {passes} AND first_at IN (
    SELECT first_at FROM (
        SELECT first_at, copies, publishers, {PER_HOUR} FROM stories FINAL WHERE {passes}
        ORDER BY {ORDERS[order]} LIMIT {{limit:UInt32}}
    )
)
ORDER BY {ORDERS[order]}, story LIMIT {{limit:UInt32}}""",
        **windowed(scope, limit=limit, **({"themes": list(themes)} if themes else {})),
    )
