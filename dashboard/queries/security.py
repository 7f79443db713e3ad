"""SQL of the security page."""

from __future__ import annotations

from dashboard.queries import (
    BACK,
    CORRECTED,
    IN_BACK,
    WINDOW,
    apart,
    bucket,
    counted,
    linked,
    now,
    windowed,
    with_history,
)
from dashboard.queries.tallies import counts, whole_days
from dashboard.query import Query, query
from dashboard.scope import Scope

CODE = "= {code:String}"
MEAN = "sum(sentiment_score * relevance) / greatest(sum(relevance), 0.001)"


def known(scope: Scope) -> Query:
    """The securities of the window, the most mentioned first."""
    return query(f"""
SELECT key AS code, sum(documents) AS n
FROM {counts(scope, "security", "0")}
GROUP BY code ORDER BY n DESC, code""")


def headline(scope: Scope, code: str) -> Query:
    return query(
        f"""
SELECT {BACK} AS back, uniqExact(document_id) AS documents, {counted("story")} AS stories,
       {counted("publisher")} AS publishers, {MEAN} AS tone,
       uniqExactIf(document_id, sentiment = 'positive') AS positive, uniqExactIf(document_id,
       sentiment = 'negative') AS negative
FROM {now("mentions", scope, history=True)}
WHERE {linked(scope, CODE, history=True)} AND {IN_BACK}
GROUP BY back ORDER BY back""",
        **with_history(scope, code=code),
    )


def life(whole: Scope, code: str) -> Query:
    """First and last mention ever, and how many documents, given all times: the tallies of whole days say on which days
    to look, and those are enough to see how else it is written; days that aren't tallied are looked at."""
    kept, rest = whole_days(whole)
    return query(
        f"""
WITH (
    SELECT (min(bucket), max(bucket), sum(documents)) FROM tallies FINAL
    WHERE step = 'day' AND dimension = 'security' AND key = {{code:String}} AND {kept}
) AS held
SELECT min(published_at) AS first, max(published_at) AS last, held.3 + uniqExactIf(document_id, {rest}) AS n,
       argMin(document_id, published_at) AS first_id, groupUniqArray(10)(surface) AS surfaces
FROM {now("mentions", whole)}
WHERE {linked(whole, CODE)} AND (published_at >= held.1 AND published_at < held.1 + INTERVAL 1 DAY
      OR published_at >= held.2 AND published_at < held.2 + INTERVAL 1 DAY OR {rest})""",
        code=code,
    )


def steps(scope: Scope, code: str) -> Query:
    return query(
        f"""
SELECT {bucket(scope)} AS at, sentiment, {counted(scope.basis)} AS n, {MEAN} AS tone
FROM {now("mentions", scope)}
WHERE {linked(scope, CODE)} AND {WINDOW}
GROUP BY at, sentiment ORDER BY at, sentiment""",
        **windowed(scope, code=code),
    )


def themes(scope: Scope, code: str) -> Query:
    """Themes of the documents that name the security, with the tone towards it in each."""
    return query(
        f"""
SELECT arrayJoin(if(empty(themes), [''], themes)) AS theme, {counted(scope.basis)} AS n, {MEAN} AS tone
FROM {now("mentions", scope)}
WHERE {linked(scope, CODE)} AND {WINDOW}
GROUP BY theme ORDER BY n DESC, theme""",
        **windowed(scope, code=code),
    )


def peers(scope: Scope, code: str) -> Query:
    """Securities named in the same documents."""
    return query(
        f"""
SELECT peer, uniqExact(document_id) AS n, max(published_at) AS last
FROM {now("mentions", scope)} ARRAY JOIN codes AS peer
WHERE {linked(scope, CODE)} AND {WINDOW} AND peer != code
GROUP BY peer ORDER BY n DESC, peer LIMIT 20""",
        **windowed(scope, code=code),
    )


def mentions(scope: Scope, code: str, tone: str = "", limit: int = 30) -> Query:
    """Every mention with its sentence and why it was linked, newest first."""
    of_tone = "AND sentiment = {tone:String}" if tone else ""
    order = "published_at DESC, document_id, field DESC, start"
    chosen = f"AND {WINDOW} {of_tone}"
    titled = f"""published_at IN (
        SELECT published_at FROM mentions FINAL WHERE code {CODE} {chosen} {apart(scope)}
        ORDER BY {order} LIMIT {{limit:UInt32}}
    )"""
    if scope.amended():
        titled = f"({titled} OR {CORRECTED})"
    return query(
        f"""
SELECT m.published_at AS published_at, m.document_id AS document_id, m.code AS code, d.title AS title, d.url AS url,
       m.publisher AS publisher,
       m.source AS source, m.kind AS kind, m.field AS field, m.start AS start, m.`end` AS `end`, m.sentence AS sentence,
       m.sentence_start AS sentence_start, m.section AS section, m.page AS page, m.surface AS surface,
       m.sentiment AS sentiment,
       m.sentiment_score AS sentiment_score, m.relevance AS relevance, m.confidence AS confidence,
       m.evidence AS evidence,
       m.role AS role, m.copy_number AS copy_number, m.corrected AS corrected
FROM (
    SELECT * FROM {now("mentions", scope)} WHERE {linked(scope, CODE)} {chosen} ORDER BY {order} LIMIT {{limit:UInt32}}
) AS m
LEFT JOIN (SELECT id, title, url FROM documents FINAL WHERE {titled}) AS d ON d.id = m.document_id
ORDER BY {order}""",
        **windowed(scope, code=code, limit=limit, **({"tone": tone} if tone else {})),
    )


def ratings(scope: Scope, code: str) -> Query:
    """Broker reports that name the security, with rating, its change, target price and analysts."""
    return query(
        f"""
SELECT published_at, broker, rating, rating_action, previous_rating, target_price, analysts.name AS analysts,
       report_type, title, document_id
FROM reports FINAL
WHERE {WINDOW}
  AND document_id IN (SELECT document_id FROM {now("mentions", scope)} WHERE {linked(scope, CODE)} AND {WINDOW})
ORDER BY published_at DESC, document_id LIMIT 200""",
        **windowed(scope, code=code),
    )
