"""SQL of the reports page and of the weekly digest."""

from __future__ import annotations

from dashboard.queries import WINDOW, windowed
from dashboard.query import Query, query
from dashboard.scope import Scope


def listed(scope: Scope, broker: str = "", text: str = "") -> Query:
    """Broker reports of the window with their metadata, newest first."""
    more = "AND broker = {broker:String}" if broker else ""
    more += " AND positionCaseInsensitiveUTF8(title, {text:String}) > 0" if text else ""
    values = {k: v for k, v in (("broker", broker), ("text", text)) if v}
    return query(
        f"""
SELECT published_at, title, broker, report_type, industry, analysts.name AS analysts, analysts.licence AS licences,
       rating,
       rating_action, previous_rating, target_price, benchmark, report_date, period_start, period_end, related,
       recommendations.name AS names, recommendations.code AS codes, recommendations.reason AS reasons,
       recommendations.`group` AS groups, document_id
FROM reports FINAL
WHERE {WINDOW} {more}
ORDER BY published_at DESC, document_id LIMIT 300""",
        **windowed(scope, **values),
    )


def brokers(scope: Scope) -> Query:
    """Reports by broker and rating action."""
    return query(
        f"""
SELECT broker, uniqExact(document_id) AS n, countIf(rating_action = '上调') AS raised,
       countIf(rating_action = '下调') AS lowered,
       max(published_at) AS last
FROM reports FINAL WHERE {WINDOW} GROUP BY broker ORDER BY n DESC, broker""",
        **windowed(scope),
    )


def recommended(scope: Scope) -> Query:
    """Securities by how many brokers and reports recommend them."""
    return query(
        f"""
SELECT if(r.code = '', r.name, r.code) AS code, any(r.name) AS name, uniqExact(broker) AS brokers,
       uniqExact(document_id) AS reports,
       groupUniqArray(4)(broker) AS by, argMax(r.reason, published_at) AS reason, max(published_at) AS last
FROM reports FINAL ARRAY JOIN recommendations AS r
WHERE {WINDOW}
GROUP BY code ORDER BY brokers DESC, reports DESC, code LIMIT 100""",
        **windowed(scope),
    )
