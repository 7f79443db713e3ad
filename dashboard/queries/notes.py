"""SQL of readers' notes on trend charts."""

from __future__ import annotations

from dashboard.query import Query, query


def of(dimension: str, key: str) -> Query:
    """The notes on a theme or a security, those of the latest moments first."""
    return query(
        """
SELECT id, moment, text, `by`, at
FROM notes_now
WHERE dimension = {dimension:String} AND key = {key:String}
ORDER BY moment DESC, at DESC, id LIMIT 500""",
        dimension=dimension,
        key=key,
    )
