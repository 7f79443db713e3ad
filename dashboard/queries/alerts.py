"""SQL of the alerts page."""

from __future__ import annotations

from dashboard.query import Query, query


def fired() -> Query:
    """By subscription: firings of the last seven days, and when it fired last."""
    return query("""
SELECT subscription_id, countIf(fired_at > now() - INTERVAL 7 DAY AND outcome != 'grouped') AS week,
       max(fired_at) AS last
FROM alerts FINAL GROUP BY subscription_id""")
