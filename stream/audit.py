"""Is anything missing? The log's offsets against the store's rows.

Every stored document and dead letter says at which offset of which epoch it stood. An offset that neither has is
looked up in the log: when a later message of the same document is stored, it was superseded; when it was published too
long ago to be kept, it has expired; else it is a **gap**, unless the stream has not come that far. **Duplicates** are
documents or offsets that the store has twice, **orphans** rows of mentions, themes or reports that don't belong to
their document's current analysis.

The log of an earlier epoch is gone (the embedded broker forgets at a restart): of its documents the store can only say
that they are there. Whether one is missing then, the ingestors' outbox says: it holds what was never confirmed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from clickhouse_connect.driver.client import Client

from stream.log import Log, PartitionState
from stream.records import ANALYSES, DEAD, DOCUMENTS

EXAMPLES = 20  # named in a report; the counts are of all
LOOK_UPS = 20_000  # offsets looked up in the log at most


class Finding(msgspec.Struct, frozen=True):
    """Something wrong. kind: gap, duplicate, orphan, unconfirmed."""

    kind: str
    count: int
    what: str
    examples: list[str]


class AuditReport(msgspec.Struct, kw_only=True):
    """What came in, what is stored, what is wrong. `notes`: what can't be concluded, and why."""

    epoch: str
    log_messages: int = 0  # offsets of this epoch that the stream has finished
    in_flight: int = 0  # not analysed, or not stored, yet
    stored: int = 0  # documents, all epochs
    stored_this_epoch: int = 0
    dead: int = 0  # documents that are only in the dead letters, all epochs
    superseded: int = 0  # offsets whose document came again later
    expired: int = 0  # offsets whose document is no longer kept
    findings: list[Finding] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.findings


_ONLY_DEAD = """
SELECT uniqExact(document_id) FROM dead_letters FINAL WHERE document_id NOT IN (SELECT id FROM documents FINAL)
"""


def audit(client: Client, log: Log, *, since: datetime | None = None) -> AuditReport:
    """Compare. since: what was published earlier is no longer kept. Raises `LogAway`, or what the client raises."""
    epoch = log.epochs([DOCUMENTS]).get(DOCUMENTS, "")
    states = log.partitions([DOCUMENTS, ANALYSES, DEAD])
    report = AuditReport(epoch=epoch, in_flight=sum(state.lag for state in states))
    report.stored = _one(client, "SELECT uniqExact(id) FROM documents FINAL")
    report.dead = _one(client, _ONLY_DEAD)
    values = {"epoch": epoch, "topic": DOCUMENTS}
    report.stored_this_epoch = _one(client, "SELECT count() FROM documents FINAL WHERE epoch = {epoch:String}", values)
    earlier = report.stored - report.stored_this_epoch
    if earlier:
        report.notes.append(
            f"{earlier:,} documents came in earlier epochs, whose log is gone: if any is missing, only the outbox knows"
        )
    _find_gaps(report, client, log, [state for state in states if state.topic == DOCUMENTS], since)
    _find_duplicates(report, client)
    _find_orphans(report, client, since)
    return report


# ---------------------------------------------------------------------- gaps


_HOLES = """
SELECT before + 1 AS first, offset - 1 AS last FROM
(
    SELECT offset, lagInFrame(offset, 1, {begin:Int64} - 1)
        OVER (ORDER BY offset ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM
    (
        SELECT DISTINCT toInt64(offset) AS offset FROM
        (
            SELECT epoch, topic, partition, offset FROM documents
            UNION ALL SELECT epoch, topic, partition, offset FROM dead_letters
        )
        WHERE epoch = {epoch:String} AND topic = {topic:String} AND partition = {partition:UInt16}
            AND offset >= {begin:Int64} AND offset < {end:Int64}
        UNION ALL SELECT {end:Int64}
    )
)
WHERE offset > before + 1
ORDER BY first
"""


class _Message(msgspec.Struct):
    """What the audit reads of a document in the log."""

    id: str = ""
    published_at: Annotated[datetime, msgspec.Meta(tz=True)] = datetime.max.replace(tzinfo=UTC)


def _read(key: bytes, value: bytes) -> _Message:
    try:
        published = msgspec.json.decode(value, type=_Message).published_at
    except (msgspec.DecodeError, UnicodeDecodeError):
        published = _Message().published_at
    return _Message(key.decode("utf-8", "replace"), published)


def _find_gaps(
    report: AuditReport, client: Client, log: Log, states: Sequence[PartitionState], since: datetime | None
) -> None:
    undecided, missing, budget = 0, list[str](), LOOK_UPS
    for state in states:
        end = max(state.begin, min(state.end, state.committed or 0))
        report.log_messages += end - state.begin
        values = {
            "epoch": report.epoch,
            "topic": DOCUMENTS,
            "partition": state.partition,
            "begin": state.begin,
            "end": end,
        }
        for first, last in client.query(_HOLES, parameters=values).result_rows:
            last_looked = min(last, first + budget - 1)
            budget -= last_looked - first + 1
            undecided += last - last_looked
            if last_looked < first:
                continue
            messages = log.look_up(DOCUMENTS, state.partition, first, last_looked, _read)
            known = _known(client, sorted({message.id for message in messages.values()}))
            for offset in range(first, last_looked + 1):
                message = messages.get(offset, _Message())
                if message.id in known:
                    report.superseded += 1
                elif since and message.published_at < since:
                    report.expired += 1
                else:
                    missing.append(f"{DOCUMENTS}/{state.partition}/{offset} (document {message.id or 'unknown'})")
    if undecided:
        report.notes.append(f"{undecided:,} more offsets without rows were not looked up in the log")
        missing += [f"{undecided} offsets not looked up"]
    if missing and report.in_flight:
        report.notes.append(
            f"{len(missing):,} documents are not stored yet; {report.in_flight:,} messages are in flight"
        )
    elif missing:
        count = len(missing) + max(0, undecided - 1)
        report.findings.append(Finding("gap", count, "messages that are neither stored nor dead", missing[:EXAMPLES]))


def _known(client: Client, ids: Sequence[str]) -> set[str]:
    sql = (
        "SELECT id FROM documents FINAL WHERE id IN {ids:Array(String)}"
        " UNION DISTINCT SELECT document_id FROM dead_letters FINAL WHERE document_id IN {ids:Array(String)}"
    )
    found: set[str] = set()
    for start in range(0, len(ids), 1000):
        rows = client.query(sql, parameters={"ids": list(ids[start : start + 1000])}).result_rows
        found |= {row[0] for row in rows}
    return found


# ---------------------------------------------------------------------- duplicates and orphans


def _find_duplicates(report: AuditReport, client: Client) -> None:
    checks = {
        "documents that are stored twice": "SELECT id AS place FROM documents FINAL GROUP BY id HAVING count() > 1",
        "offsets that belong to two documents": """
            SELECT concat(topic, '/', toString(partition), '/', toString(offset)) AS place FROM documents FINAL
            WHERE epoch != '' GROUP BY epoch, topic, partition, offset HAVING uniqExact(id) > 1""",
    }
    for what, sql in checks.items():
        _add_finding(report, client, "duplicate", what, sql)


def _find_orphans(report: AuditReport, client: Client, since: datetime | None) -> None:
    # Where rows have their time, the tables drop them at moments of their own.
    kept = f"published_at >= fromUnixTimestamp64Milli({int(since.timestamp()) * 1000})" if since else "true"
    for table in ("mentions", "document_themes", "reports"):
        sql = f"""
            SELECT child.document_id AS place
            FROM (SELECT DISTINCT document_id, version FROM {table} FINAL WHERE {kept}) AS child
            LEFT ANTI JOIN (SELECT id, version FROM documents FINAL) AS document
            ON child.document_id = document.id AND child.version = document.version"""
        what = f"documents with rows of {table} that are not of their current analysis"
        _add_finding(report, client, "orphan", what, sql)
    sql = f"""
        SELECT id AS place FROM documents FINAL
        WHERE {kept} AND notEmpty(codes) AND id NOT IN (SELECT document_id FROM mentions FINAL)
        UNION DISTINCT SELECT id FROM documents FINAL
        WHERE {kept} AND notEmpty(themes) AND id NOT IN (SELECT document_id FROM document_themes FINAL)"""
    _add_finding(report, client, "orphan", "documents whose mentions or themes are missing", sql)


def _add_finding(report: AuditReport, client: Client, kind: str, what: str, sql: str) -> None:
    count = _one(client, f"SELECT count() FROM ({sql})")
    if count:
        examples = [
            row[0] for row in client.query(f"SELECT place FROM ({sql}) ORDER BY place LIMIT {EXAMPLES}").result_rows
        ]
        report.findings.append(Finding(kind, count, what, examples))


def _one(client: Client, sql: str, parameters: dict[str, Any] | None = None) -> int:
    return int(client.query(sql, parameters=parameters).result_rows[0][0])
