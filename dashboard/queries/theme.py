"""SQL of the theme page."""

from __future__ import annotations

from dashboard.queries import BACK, IN_BACK, WINDOW, Table, bucket, counted, now, windowed, with_history
from dashboard.query import Query, query
from dashboard.scope import Scope


def headline(scope: Scope, theme: str) -> Query:
    """Documents, stories, publishers, companies and tone: one row per `back`."""
    return query(
        f"""
SELECT {BACK} AS back, uniqExact(document_id) AS documents, {counted("story")} AS stories,
       {counted("publisher")} AS publishers, uniqExactArray(codes) AS companies, avg(sentiment_score) AS tone,
       countIf(sentiment = 'positive') AS positive, countIf(sentiment = 'negative') AS negative
FROM {now("document_themes", scope, history=True)}
WHERE theme = {{theme:String}} AND {IN_BACK}
GROUP BY back ORDER BY back""",
        **with_history(scope, theme=theme),
    )


def steps(scope: Scope, theme: str) -> Query:
    """Documents by tone and the mean score, by step."""
    return query(
        f"""
SELECT {bucket(scope)} AS at, sentiment, {counted(scope.basis)} AS n, avg(sentiment_score) AS tone
FROM {now("document_themes", scope)}
WHERE theme = {{theme:String}} AND {WINDOW}
GROUP BY at, sentiment ORDER BY at, sentiment""",
        **windowed(scope, theme=theme),
    )


def compared(scope: Scope, themes: list[str]) -> Query:
    """Count and tone of several themes by step."""
    return query(
        f"""
SELECT theme, {bucket(scope)} AS at, {counted(scope.basis)} AS n, avg(sentiment_score) AS tone
FROM {now("document_themes", scope)}
WHERE theme IN {{themes:Array(String)}} AND {WINDOW}
GROUP BY theme, at ORDER BY theme, at""",
        **windowed(scope, themes=themes),
    )


def securities(scope: Scope, theme: str) -> Query:
    """Securities mentioned in the theme's documents: count, share of the theme's count, tone towards each."""
    return query(
        f"""
SELECT * FROM (
    SELECT code, n, n / max(n) OVER () AS share, tone, last  -- the whole theme, of no code, has the most
    FROM (
        SELECT company.code AS code, {counted(scope.basis)} AS n,
               sum(company.toned) / greatest(sum(company.weight), 0.001) AS tone, max(published_at) AS last
        FROM {now("document_themes", scope)} LEFT ARRAY JOIN companies AS company
        WHERE theme = {{theme:String}} AND {WINDOW}
        GROUP BY GROUPING SETS ((code), ())
    )
)
WHERE code != '' ORDER BY n DESC, code LIMIT 50""",
        **windowed(scope, theme=theme),
    )


def pairs(scope: Scope, theme: str = "", limit: int = 60) -> Query:
    """Pairs of securities named in the same documents, of a theme or of all."""
    table: Table = "document_themes" if theme else "documents"
    of_theme = "theme = {theme:String} AND " if theme else ""
    return query(
        f"""
SELECT a, b, uniqExact(id) AS n
FROM (
    SELECT {"document_id" if theme else "id"} AS id, arraySlice(arraySort(codes), 1, 12) AS others,
           arrayJoin(others) AS a
    FROM {now(table, scope)}
    WHERE {of_theme}length(codes) BETWEEN 2 AND 30 AND {WINDOW}
)
ARRAY JOIN others AS b
WHERE a < b
GROUP BY a, b ORDER BY n DESC, a, b LIMIT {{limit:UInt32}}""",
        **windowed(scope, limit=limit, **({"theme": theme} if theme else {})),
    )


def together(scope: Scope, theme: str) -> Query:
    """Other themes of the same documents."""
    return query(
        f"""
SELECT other, uniqExact(document_id) AS n, avg(sentiment_score) AS tone
FROM {now("document_themes", scope)} ARRAY JOIN themes AS other
WHERE theme = {{theme:String}} AND {WINDOW} AND other != theme
GROUP BY other ORDER BY n DESC, other""",
        **windowed(scope, theme=theme),
    )


def recommendations(scope: Scope, theme: str = "", code: str = "") -> Query:
    """Securities that broker reports recommend by name, newest first, of a theme or of one security."""
    with_theme = f"SELECT document_id FROM {now('document_themes', scope)} WHERE theme = {{theme:String}} AND {WINDOW}"
    of_theme = f"AND document_id IN ({with_theme})" if theme else ""
    of_code = "AND r.code = {code:String}" if code else ""
    values = {k: v for k, v in (("theme", theme), ("code", code)) if v}
    return query(
        f"""
SELECT published_at, broker, r.name AS name, r.code AS code, r.reason AS reason, r.`group` AS `group`, rating,
       title, document_id
FROM reports FINAL ARRAY JOIN recommendations AS r
WHERE {WINDOW} {of_theme} {of_code}
ORDER BY published_at DESC, document_id, name LIMIT 200""",
        **windowed(scope, **values),
    )
