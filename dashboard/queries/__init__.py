"""All SQL of the pages, as functions that give a `Query`. Every count is of distinct things.

Tables are read with FINAL; what readers may correct (themes, links, tone) through the views `documents_now`,
`mentions_now`, `document_themes_now` and `companies_now`, which hold the corrections, so that all pages count alike
(`now`).

Windows are half-open; `back` numbers windows of equal length into the past (0: the current one).
"""

from __future__ import annotations

from typing import Any, Literal

from dashboard.query import TIME, Query, query
from dashboard.scope import Scope
from stream.queries import TOUCHED

MOST_HOURS = 400  # that are counted from the tables of truth beside the tallies
WINDOW = f"published_at >= {{start:{TIME}}} AND published_at < {{end:{TIME}}}"
# Moments of the window of which something was corrected: what lies there is to be looked at as corrected.
CORRECTED = f"published_at IN (SELECT published_at FROM feedback WHERE {WINDOW})"

Table = Literal["documents", "mentions", "document_themes", "companies"]

# What documents say of each company, where nothing was corrected (`companies_now`, without what that takes to plan).
COMPANIES = """(
        SELECT published_at, id AS document_id, source, publisher, story_id, themes, company.code AS code,
               company.weight AS weight, company.toned AS toned, company.positive AS positive,
               company.neutral AS neutral, company.negative AS negative, false AS corrected
        FROM documents FINAL ARRAY JOIN companies AS company
    )"""


def now(table: Table, scope: Scope, history: bool = False) -> str:
    """A table as corrected, to select from: the view, or its rows as stored where the window has no correction."""
    return as_corrected(table, scope.amended(history))


def as_corrected(table: Table, amended: bool = True) -> str:
    """The view, or, not `amended`, its rows as stored, which take a fraction of the planning that is most of a short
    window's time."""
    if amended:
        return f"{table}_now"
    rows = COMPANIES if table == "companies" else f"(SELECT *, false AS corrected FROM {table} FINAL)"
    return f"{rows} AS {table}_now"


def counted(basis: str, id_: str = "document_id") -> str:
    """The expression that counts documents, stories or publishers."""
    return {
        "raw": f"uniqExact({id_})",
        "story": f"uniqExact(if(story_id = '', {id_}, story_id))",
        "publisher": "uniqExact(if(publisher = '', source, publisher))",
    }[basis]


def bucket(scope: Scope, moment: str = "published_at") -> str:
    """Start of the trend's step in Shanghai, as text without a zone: a chart then shows it as it stands."""
    days = scope.step // 1440  # whole days have a unit of their own: minutes are counted from midnight in UTC
    every = {0: f"{scope.step} MINUTE", 1: "1 DAY"}.get(days, "1 WEEK")
    return f"formatDateTime(toStartOfInterval({moment}, INTERVAL {every}), '%Y-%m-%dT%H:%i:%S')"


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


def moments(column: Literal["code", "theme"], test: str) -> str:
    """A condition that documents with a security or theme pass, and few others: the tables in the order of time find
    those moments at once. Rows that were replaced and corrections are in it; what asks must still ask for the thing."""
    table = {"code": "mentions", "theme": "document_themes"}[column]
    return (
        f"published_at IN (SELECT published_at FROM {table} WHERE {column} {test} AND {WINDOW}"
        f" UNION ALL SELECT published_at FROM feedback WHERE correction {test})"
    )


def apart(scope: Scope) -> str:
    """A condition, led by AND, that what is as it was stored passes; nothing where all of the window is."""
    return "AND published_at NOT IN (SELECT published_at FROM feedback)" if scope.amended() else ""


def linked(scope: Scope, test: str, history: bool = False) -> str:
    """A condition that mentions of a security pass. As corrected they are found among those that were linked to it or
    corrected to it: mentions lie in the order of the links."""
    if not scope.amended(history):
        return f"code {test}"
    given = f"SELECT subject FROM feedback WHERE kind = 'link' AND correction {test}"
    return f"code {test} AND (linked_code {test} OR linked_code IN ({given}))"


def extent() -> Query:
    """Times of the first and newest document, of no meaning where `any` is 0; a date far ahead of the clock is not
    believed, unless there is no other. Every page asks this first, so it takes the ends of the table, which is in the
    order of time."""
    return query("""
WITH (SELECT published_at FROM documents WHERE NOT is_deleted ORDER BY published_at LIMIT 1) AS oldest,
     (SELECT published_at FROM documents WHERE NOT is_deleted AND published_at < now() + INTERVAL 1 DAY
      ORDER BY published_at DESC LIMIT 1) AS believed
SELECT oldest AS first, ifNull(believed, oldest) AS newest, first IS NOT NULL AS any""")


def untallied() -> Query:
    """How often `tallies` were counted (0: not at all), and the hours of which something was stored since the last
    time, 30 s of overlap included, and those of the documents that readers corrected: little more than `MOST_HOURS` of
    each, since then the tables themselves are counted, and as corrected."""
    since = (
        "(SELECT if(count() = 0, 4102444800000000,"  # in the year 2100
        " toUnixTimestamp64Micro(least(argMax(reached, version), now64(6))) - 30000000) FROM tally_refreshes)"
    )
    touched = TOUCHED.replace("{since:Int64}", since)
    hour = "toUnixTimestamp(toStartOfHour(published_at))"
    return query(f"""
SELECT (SELECT count() FROM tally_refreshes) AS counted, groupArray(hour) AS hours,
       (SELECT groupUniqArray({MOST_HOURS + 1})({hour}) FROM feedback) AS corrected
FROM ({touched} LIMIT {MOST_HOURS + 1})""")


def names(days: int = 0, *, tallied: bool = False) -> Query:
    """Short name of every security that was ever mentioned, or in so many days: the one on its newest mention. The most
    mentioned come first, about: copies of a tally that aren't merged yet count twice.

    tallied: what is seconds old may be missing."""
    moment, where = (
        ("bucket", "tallies WHERE step = 'day' AND dimension = 'security' AND")
        if tallied
        else ("published_at", "mentions WHERE")
    )
    code, count = ("key", "sum(documents)") if tallied else ("code", "count()")
    lately = f"AND {moment} >= now() - INTERVAL {{days:UInt32}} DAY" if days else ""
    return query(
        f"""
SELECT code, argMax(name, at) AS name
FROM (
    SELECT toString({code}) AS code, argMax(name, {moment}) AS name, max({moment}) AS at, {count} AS n
    FROM {where} NOT is_deleted {lately} GROUP BY {code}
    UNION ALL
    SELECT correction, name, published_at, 0 FROM feedback FINAL WHERE kind = 'link' AND name != '' AND NOT undone
)
GROUP BY code ORDER BY sum(n) DESC, code""",
        **({"days": days} if days else {}),
    )
