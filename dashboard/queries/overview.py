"""SQL of the overview: the state of the window, its themes, its securities, its tone, its sources and its feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from dashboard.queries import WINDOW, as_corrected, bucket, counted, now, windowed, with_history
from dashboard.queries.tallies import TONE, N, back, counts
from dashboard.query import TIME, Query, query
from dashboard.scope import Scope

MOVERS = 300  # of the securities of the window, those most told of


def headline(scope: Scope, earlier: Sequence[int]) -> Query:
    """Documents, stories, publishers and tone of the window and of earlier ones: one row per `back`."""
    return query(
        f"""
SELECT label AS back, {N["raw"]} AS documents, {N["story"]} AS stories, {N["publisher"]} AS publishers,
       {TONE} AS tone, sum(positive) AS positive, sum(negative) AS negative
FROM {counts(scope, "document", back("moment"), earlier=earlier)}
GROUP BY back ORDER BY back""",
        **with_history(scope),
    )


def themes(scope: Scope, earlier: Sequence[int]) -> Query:
    """Count and tone of every theme in the window and in earlier ones, one row per theme and `back`."""
    return query(
        f"""
SELECT key AS theme, label AS back, {N[scope.basis]} AS n, {TONE} AS tone
FROM {counts(scope, "theme", back("moment"), earlier=earlier)}
GROUP BY theme, back ORDER BY theme, back""",
        **with_history(scope),
    )


def theme_steps(scope: Scope) -> Query:
    """Count and tone of every theme by step of the window."""
    return query(f"""
SELECT key AS theme, label AS at, {N[scope.basis]} AS n, {TONE} AS tone
FROM {counts(scope, "theme", bucket(scope, "moment"), longest=scope.step * 60_000)}
GROUP BY theme, at ORDER BY theme, at""")


def movers(scope: Scope) -> Query:
    """Count and tone of the window's securities that are most told of; tone weighs mentions by relevance."""
    return query(f"""
SELECT key AS code, {N[scope.basis]} AS n, {TONE} AS tone
FROM {counts(scope, "security", "0")}
GROUP BY code HAVING n > 0 ORDER BY n DESC, code LIMIT {MOVERS}""")


def before(scope: Scope, codes: list[str], earlier: Sequence[int]) -> Query:
    """How often these securities were told of in earlier windows: one row per security and `back`."""
    return query(
        f"""
SELECT key AS code, label AS back, {N[scope.basis]} AS n
FROM {counts(scope, "security", back("moment"), now=False, earlier=earlier, only="key IN {codes:Array(String)}")}
GROUP BY code, back ORDER BY code, back""",
        **with_history(scope, codes=codes),
    )


def top_themes(scope: Scope, codes: list[str]) -> Query:
    """The themes of the most documents of the window that name each of these securities, three at most."""
    return query(
        f"""
SELECT code, arrayMap(x -> x.2, arraySlice(arraySort(groupArray((-documents, theme))), 1, 3)) AS themes
FROM (
    SELECT toString(arrayJoin(codes)) AS code, theme, count() AS documents
    FROM {now("document_themes", scope)} WHERE {WINDOW} GROUP BY code, theme
)
WHERE code IN {{codes:Array(String)}}
GROUP BY code""",
        **windowed(scope, codes=codes),
    )


def tone_steps(scope: Scope) -> Query:
    """Documents by tone and the mean score, by step of the window."""
    if scope.basis == "raw":  # of stories and publishers it isn't kept which tone their documents have
        tones = "['positive', 'neutral', 'negative']"
        return query(f"""
SELECT at, sentiment, n, if(documents > 0, toned / documents, 0) AS tone
FROM (
    SELECT label AS at, sum(documents) AS documents, sum(toned) AS toned,
           [sum(positive), sum(neutral), sum(negative)] AS numbers
    FROM {counts(scope, "document", bucket(scope, "moment"), longest=scope.step * 60_000)}
    GROUP BY at
) ARRAY JOIN numbers AS n, {tones} AS sentiment
WHERE n > 0
ORDER BY at, sentiment""")
    return query(
        f"""
SELECT {bucket(scope)} AS at, sentiment, {counted(scope.basis, "id")} AS n, avg(sentiment_score) AS tone
FROM {now("documents", scope)}
WHERE {WINDOW}
GROUP BY at, sentiment ORDER BY at, sentiment""",
        **windowed(scope),
    )


def sources(scope: Scope) -> Query:
    """Every source: its newest document, how many in the window, its usual gap, and its last health report."""
    before = replace(scope, start=scope.start - timedelta(days=14), end=scope.start)
    return query(
        f"""
SELECT d.source AS source, d.newest AS newest, n.n AS n, d.seconds / greatest(n.n + b.n - 1, 1) AS usual_gap,
       h.state AS state, h.message AS message
FROM (
    SELECT toString(source) AS source, max(published_at) AS newest,
           dateDiff('second', min(published_at), newest) AS seconds
    FROM documents
    WHERE NOT is_deleted AND published_at >= {{start:{TIME}}} - INTERVAL 14 DAY AND published_at < {{end:{TIME}}}
    GROUP BY source
) AS d
LEFT JOIN (SELECT key, sum(documents) AS n FROM {counts(scope, "source", "0")} GROUP BY key) AS n ON n.key = d.source
LEFT JOIN (SELECT key, sum(documents) AS n FROM {counts(before, "source", "0")} GROUP BY key) AS b ON b.key = d.source
LEFT JOIN (
    SELECT toString(source) AS source, argMax(state, checked_at) AS state, argMax(message, checked_at) AS message
    FROM source_health GROUP BY source
) AS h ON h.source = d.source
ORDER BY newest DESC""",
        **windowed(scope),
    )


def feed(end: str, limit: int = 40, amended: bool = True) -> Query:
    """The newest documents before a time ("": whatever is newest), with the securities that matter in each.

    amended: some of them may have been corrected.

    The moments of the newest ones are taken off the table's end first: the view would read all texts to sort them.
    """
    before = f"AND published_at < {{end:{TIME}}}" if end else ""
    return query(
        f"""
SELECT id, source, kind, publisher, title, leftUTF8(body, 120) AS lead, url, published_at, sentiment,
       sentiment_score, themes, codes, story_id, copy_number, novelty, corrected
FROM {as_corrected("documents", amended)}
WHERE published_at IN (
    SELECT DISTINCT published_at FROM documents WHERE NOT is_deleted {before}
    ORDER BY published_at DESC LIMIT {{limit:UInt32}} + 20
)
ORDER BY published_at DESC, id LIMIT {{limit:UInt32}}""",
        limit=limit,
        **({"end": end} if end else {}),
    )
