"""SQL of the system page: volume, delays, losses, sources, versions, storage."""

from __future__ import annotations

from dashboard.query import Query, query
from stream.queries import REASON

# Delay of each step of the way; history that was loaded late says nothing of it.
STAGES = {
    "fetched": "published_at, fetched_at",
    "analysed": "fetched_at, analysed_at",
    "stored": "analysed_at, stored_at",
}


def totals() -> Query:
    """Asked every few seconds: the large tables' counts are those of the roll-up, which is seconds behind."""
    return query("""
WITH (
    SELECT (sumIf(documents, dimension = 'source'), sumIf(mentions, dimension = 'security'),
            sumIf(documents, dimension = 'theme'))
    FROM trends FINAL WHERE step = 'day'
) AS held
SELECT held.1 AS documents, held.2 AS mentions, held.3 AS document_themes,
       (SELECT count() FROM reports FINAL) AS reports,
       (SELECT count() FROM dead_letters FINAL) AS dead, (SELECT countIf(replayed_at IS NULL)
       FROM dead_letters FINAL) AS open_dead,
       (SELECT max(stored_at) FROM documents) AS stored, (SELECT countIf(stored_at > now() - INTERVAL 1 MINUTE)
       FROM documents) AS last_minute""")


def delays() -> Query:
    """Quantiles of the seconds between the steps, over documents stored in the last day of storing, and published in
    the week before that."""
    parts = " UNION ALL ".join(
        f"SELECT '{stage}' AS stage, count() AS n,"
        f" quantiles(0.5, 0.95, 0.99)(greatest(dateDiff('millisecond', {pair}), 0) / 1000) AS q"
        f" FROM documents FINAL WHERE NOT backfill AND stored_at > (SELECT max(stored_at) - INTERVAL 1 DAY"
        f" FROM documents) AND published_at > (SELECT max(stored_at) - INTERVAL 8 DAY FROM documents)"
        for stage, pair in STAGES.items()
    )
    return query(
        f"SELECT stage, q[1] AS p50, q[2] AS p95, q[3] AS p99, n"
        f" FROM ({parts}) ORDER BY indexOf(['fetched', 'analysed', 'stored'], stage)"
    )


def stored_steps() -> Query:
    """Documents stored by minute over the last hour of storing; one that was stored again counts again."""
    return query("""
SELECT formatDateTime(toStartOfMinute(stored_at), '%Y-%m-%dT%H:%i:%S') AS at, source, uniqExact(id) AS n
FROM documents
WHERE stored_at > (SELECT max(stored_at) - INTERVAL 1 HOUR FROM documents)
GROUP BY at, source ORDER BY at, source""")


def offsets() -> Query:
    """By log partition: rows held, the highest offset, and how many offsets are absent (dead letters explain some)."""
    return query("""
SELECT epoch, topic, `partition`, uniqExact(`offset`) AS held, min(`offset`) AS lowest, max(`offset`) AS highest,
       highest - lowest + 1 - held AS absent
FROM documents FINAL GROUP BY epoch, topic, `partition` ORDER BY epoch, topic, `partition`""")


def dead() -> Query:
    return query("""
SELECT failed_at, stage, reason, error, source, document_id, topic, `partition`, `offset`, replayed_at,
       left(payload, 300) AS payload
FROM dead_letters FINAL ORDER BY failed_at DESC LIMIT 500""")


def dead_groups(limit: int) -> Query:
    """Dead letters by stage, source and reason (ids and numbers in it aside); those that are still open first."""
    return query(
        f"""
SELECT stage, source, {REASON} AS alike, count() AS n, countIf(replayed_at IS NULL) AS open, min(failed_at) AS first,
       max(failed_at) AS last
FROM dead_letters FINAL GROUP BY stage, source, alike
ORDER BY open > 0 DESC, last DESC, stage, source, alike LIMIT {{limit:UInt32}}""",
        limit=limit,
    )


def dead_examples() -> Query:
    """The newest three of each group, with the beginning of the original."""
    return query(f"""
SELECT stage, source, {REASON} AS alike, document_id, failed_at, replayed_at IS NOT NULL AS again, reason,
       left(payload, 300) AS payload
FROM dead_letters FINAL
WHERE (document_id, stage) IN (
    SELECT document_id, stage
    FROM (SELECT document_id, stage, source, {REASON} AS alike, failed_at FROM dead_letters FINAL)
    ORDER BY failed_at DESC, document_id LIMIT 3 BY stage, source, alike
)
ORDER BY failed_at DESC, document_id""")


def replays() -> Query:
    """What editors asked to be sent once more, the latest first, and what became of it."""
    return query("""
SELECT id, stage, source, reason, `by`, at, outcome, sent, skipped, detail, done_at
FROM replay_requests FINAL ORDER BY at DESC, id LIMIT 20""")


def health() -> Query:
    """Every source's last day of checks; `arrivals`: those of the last hour that brought something; `usual`: how many
    do at this time, -1 where that isn't known."""
    return query("""
SELECT source, argMax(state, checked_at) AS state, max(checked_at) AS checked, max(last_item_at) AS last_item,
       countIf(h.new > 0 AND checked_at > now() - INTERVAL 1 HOUR) AS arrivals,
       ifNull(argMax(tuple(h.usual), checked_at).1, -1) AS usual, sum(h.new) AS new, sum(errors) AS errors,
       argMax(message, checked_at) AS message
FROM source_health AS h WHERE checked_at > now() - INTERVAL 1 DAY GROUP BY source ORDER BY source""")


def versions() -> Query:
    return query("""
SELECT model_version, taxonomy_version, securities_version, code_version, uniqExact(id) AS documents,
       min(analysed_at) AS since, max(analysed_at) AS until
FROM documents FINAL GROUP BY ALL ORDER BY until DESC""")


def storage() -> Query:
    return query("""
SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts
FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table ORDER BY bytes DESC""")


def columns() -> Query:
    return query(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"
    )
