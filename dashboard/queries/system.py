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


# When the newest row was stored: those published last give a time that the index over `stored_at` can go by.
STORED = """(
    SELECT max(stored_at) FROM documents WHERE stored_at >= (
        SELECT max(stored_at) FROM documents
        WHERE published_at >= (SELECT max(published_at) FROM documents) - INTERVAL 1 DAY
    )
)"""


def totals(exact: bool = False) -> Query:
    """How many documents and mentions are held, and how many themes documents have, by the tallies, which are behind
    by seconds, or minutes after much came at once; `exact`: by the tables, as in `offsets` and `versions`."""
    if exact:
        return query("""
SELECT (SELECT count() FROM documents FINAL) AS documents,
       (SELECT count() FROM document_themes FINAL) AS document_themes,
       (SELECT count() FROM mentions FINAL) AS mentions""")
    return query("""
SELECT sumIf(t.documents, dimension = 'source') AS documents,
       sumIf(t.documents, dimension = 'theme') AS document_themes,
       sumIf(t.mentions, dimension = 'all') AS mentions
FROM tallies AS t FINAL WHERE step = 'day' AND dimension IN ('source', 'theme', 'all')""")


def pulse() -> Query:
    """What is asked every few seconds: what came in the last minute, when the last document came, and dead letters."""
    return query(f"""
SELECT (SELECT count() FROM reports FINAL) AS reports,
       (SELECT count() FROM dead_letters FINAL) AS dead,
       (SELECT countIf(replayed_at IS NULL) FROM dead_letters FINAL) AS open_dead,
       {STORED} AS stored,
       (SELECT count() FROM documents WHERE stored_at > now() - INTERVAL 1 MINUTE) AS last_minute""")


def delays() -> Query:
    """Quantiles of the seconds between the steps, over documents stored in the last day of storing, and published in
    the week before that."""
    quantiles = ", ".join(
        f"quantiles(0.5, 0.95, 0.99)(greatest(dateDiff('millisecond', {pair}), 0) / 1000)" for pair in STAGES.values()
    )
    return query(f"""
SELECT stage, q[1] AS p50, q[2] AS p95, q[3] AS p99, n
FROM (
    SELECT count() AS n, [{quantiles}] AS of_stages
    FROM documents FINAL
    WHERE NOT backfill AND stored_at > {STORED} - INTERVAL 1 DAY AND published_at > {STORED} - INTERVAL 8 DAY
) ARRAY JOIN of_stages AS q, {list(STAGES)} AS stage""")


def stored_steps() -> Query:
    """Documents stored by minute over the last hour of storing; one that was stored again counts again."""
    return query(f"""
SELECT formatDateTime(toStartOfMinute(stored_at), '%Y-%m-%dT%H:%i:%S') AS at, source, uniqExact(id) AS n
FROM documents
WHERE stored_at > {STORED} - INTERVAL 1 HOUR
GROUP BY at, source ORDER BY at, source""")


def offsets(exact: bool = False) -> Query:
    """By log partition: documents held, the lowest and highest offset, and how many offsets between them are absent
    (dead letters explain some)."""
    if exact:
        return query("""
SELECT epoch, topic, `partition`, count() AS held, min(`offset`) AS lowest, max(`offset`) AS highest,
       highest - lowest + 1 - held AS absent
FROM documents FINAL GROUP BY epoch, topic, `partition` ORDER BY epoch, topic, `partition`""")
    return query("""
SELECT place[1] AS epoch, place[2] AS topic, toUInt16(place[3]) AS `partition`, sum(documents) AS held,
       min(t.lowest) AS lowest, max(t.highest) AS highest, highest - lowest + 1 - held AS absent
FROM (SELECT splitByChar('\\t', key) AS place, * FROM tallies FINAL WHERE step = 'day' AND dimension = 'log') AS t
GROUP BY place ORDER BY epoch, topic, `partition`""")


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


def versions(exact: bool = False) -> Query:
    """Which versions of model and data gave how many documents, analysed since and until when."""
    if exact:
        return query("""
SELECT model_version, taxonomy_version, securities_version, code_version, count() AS documents,
       min(analysed_at) AS since, max(analysed_at) AS until
FROM documents FINAL GROUP BY ALL ORDER BY until DESC""")
    return query("""
SELECT of[1] AS model_version, of[2] AS taxonomy_version, of[3] AS securities_version, of[4] AS code_version,
       sum(t.documents) AS documents, fromUnixTimestamp64Milli(toInt64(min(lowest)), 'Asia/Shanghai') AS since,
       fromUnixTimestamp64Milli(toInt64(max(highest)), 'Asia/Shanghai') AS until
FROM (SELECT splitByChar('\\t', key) AS of, * FROM tallies FINAL WHERE step = 'day' AND dimension = 'versions') AS t
GROUP BY of ORDER BY until DESC""")


def storage() -> Query:
    return query("""
SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts
FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table ORDER BY bytes DESC""")


def columns() -> Query:
    return query(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"
    )
