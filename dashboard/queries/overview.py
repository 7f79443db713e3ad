"""SQL of the overview: the state of the window, its themes, its securities, its tone, its sources and its feed."""

from __future__ import annotations

from dashboard.queries import BACK, IN_BACK, WINDOW, bucket, counted, windowed, with_history
from dashboard.query import TIME, Query, query
from dashboard.scope import Scope


def headline(scope: Scope) -> Query:
    """Documents, stories, publishers and tone of the window and of those before it: one row per `back`."""
    return query(
        f"""
SELECT {BACK} AS back, uniqExact(id) AS documents, {counted("story", "id")} AS stories,
       {counted("publisher", "id")} AS publishers, avg(sentiment_score) AS tone,
       countIf(sentiment = 'positive') AS positive, countIf(sentiment = 'negative') AS negative
FROM documents_now
WHERE {IN_BACK}
GROUP BY back ORDER BY back""",
        **with_history(scope),
    )


def themes(scope: Scope) -> Query:
    """Count and tone of every theme, one row per theme and `back`."""
    return query(
        f"""
SELECT theme, {BACK} AS back, {counted(scope.basis)} AS n, avg(sentiment_score) AS tone
FROM document_themes_now
WHERE {IN_BACK}
GROUP BY theme, back ORDER BY theme, back""",
        **with_history(scope),
    )


def theme_steps(scope: Scope) -> Query:
    """Count and tone of every theme by step of the window."""
    return query(
        f"""
SELECT theme, {bucket(scope)} AS at, {counted(scope.basis)} AS n, avg(sentiment_score) AS tone
FROM document_themes_now
WHERE {WINDOW}
GROUP BY theme, at ORDER BY theme, at""",
        **windowed(scope),
    )


def movers(scope: Scope) -> Query:
    """Count and tone of every security, one row per security and `back`; tone weighs mentions by relevance."""
    return query(
        f"""
SELECT * EXCEPT told FROM (
SELECT code, {BACK} AS back, {counted(scope.basis)} AS n,
       sum(sentiment_score * relevance) / greatest(sum(relevance), 0.001) AS tone,
       groupArrayArrayIf(themes, back = 0) AS told,
       arraySlice(arraySort(t -> (-countEqual(told, t), t), arrayDistinct(told)), 1, 3) AS top_themes
FROM mentions_now
WHERE {IN_BACK}
GROUP BY code, back
) ORDER BY back, n DESC, code""",
        **with_history(scope),
    )


def tone_steps(scope: Scope) -> Query:
    """Documents by tone and the mean score, by step of the window."""
    return query(
        f"""
SELECT {bucket(scope)} AS at, sentiment, {counted(scope.basis, "id")} AS n, avg(sentiment_score) AS tone
FROM documents_now
WHERE {WINDOW}
GROUP BY at, sentiment ORDER BY at, sentiment""",
        **windowed(scope),
    )


def sources(scope: Scope) -> Query:
    """Every source: its newest document, how many in the window, its usual gap, and its last health report."""
    return query(
        f"""
SELECT source, d.newest AS newest, d.n AS n, d.usual_gap AS usual_gap, h.state AS state, h.message AS message
FROM (
    SELECT source, max(published_at) AS newest, uniqExactIf(id, {WINDOW}) AS n,
           dateDiff('second', min(published_at), max(published_at)) / greatest(count() - 1, 1) AS usual_gap
    FROM documents FINAL
    WHERE published_at >= {{start:{TIME}}} - INTERVAL 14 DAY AND published_at < {{end:{TIME}}}
    GROUP BY source
) AS d
LEFT JOIN (
    SELECT source, argMax(state, checked_at) AS state, argMax(message, checked_at) AS message
    FROM source_health GROUP BY source
) AS h USING (source)
ORDER BY newest DESC""",
        **windowed(scope),
    )


def feed(end: str, limit: int = 40) -> Query:
    """The newest documents before a time ("": whatever is newest), with the securities that matter in each.

    The moments of the newest ones are taken off the table's end first: the view would read all texts to sort them.
    """
    before = f"AND published_at < {{end:{TIME}}}" if end else ""
    return query(
        f"""
SELECT id, source, kind, publisher, title, leftUTF8(body, 120) AS lead, url, published_at, sentiment,
       sentiment_score, themes, codes, story_id, copy_number, novelty, corrected
FROM documents_now
WHERE published_at IN (
    SELECT DISTINCT published_at FROM documents WHERE NOT is_deleted {before}
    ORDER BY published_at DESC LIMIT {{limit:UInt32}} + 20
)
ORDER BY published_at DESC, id LIMIT {{limit:UInt32}}""",
        limit=limit,
        **({"end": end} if end else {}),
    )
