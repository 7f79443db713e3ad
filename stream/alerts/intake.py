"""Newly stored documents, each once: what the rules have been tried on is remembered in the store.

Documents are found by when they were stored, with an overlap, since a batch can become visible a little after one
that was stored later. A replay stores documents again, but they are known; a backfill says that it is one; and what
was published longer ago than `max_age` tells nobody anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from clickhouse_connect.driver.client import Client

from stream.alerts.items import Item, load

OVERLAP = timedelta(minutes=2)
MOST = 400  # documents at once
_NEW = """
SELECT id, min(published_at), max(published_at), min(stored_at) AS at FROM documents
WHERE published_at >= {oldest:DateTime64(3, 'UTC')} AND stored_at >= {since:DateTime64(3, 'UTC')}
    AND NOT backfill AND NOT is_deleted
GROUP BY id ORDER BY at, id
"""


class Intake:
    """Asks for documents with `take`, and notes them with `done` when their firings are stored. Not thread-safe."""

    def __init__(self, client: Client, max_age: timedelta) -> None:
        self._client, self._max_age = client, max_age
        self._seen: dict[int, None] = {}
        self._cursor = self._restore()

    def take(self, now: datetime) -> list[Item]:
        """The next documents, oldest first; at most `MOST`."""
        values = {"oldest": now - self._max_age, "since": self._cursor - OVERLAP}
        rows = [
            row for row in self._client.query(_NEW, parameters=values).result_rows if _short(row[0]) not in self._seen
        ]
        rows = rows[:MOST]
        if not rows:
            return []
        return load(self._client, [row[0] for row in rows], min(row[1] for row in rows), max(row[2] for row in rows))

    def done(self, items: Sequence[Item]) -> None:
        """The rules have been tried on these, and what fired is stored."""
        if not items:
            return
        rows = [[item.id, item.stored_at] for item in items]
        self._client.insert("alert_seen", rows, column_names=["document_id", "stored_at"])
        self._seen.update((_short(item.id), None) for item in items)
        self._cursor = max(self._cursor, *(item.stored_at for item in items))

    # ------------------------------------------------------------------

    def _restore(self) -> datetime:
        """The cursor; at the very first start it is now, so that what was stored before tells nobody anything."""
        values = {"seconds": round(self._max_age.total_seconds()) + 86400}
        sql = "SELECT document_id FROM alert_seen WHERE seen_at > now() - toIntervalSecond({seconds:UInt32})"
        for (id_,) in self._client.query(sql, parameters=values).result_rows:
            self._seen[_short(id_)] = None
        sql = "SELECT maxOrNull(stored_at), now64(3, 'Asia/Shanghai') FROM alert_seen"
        cursor, now = self._client.query(sql).result_rows[0]
        if cursor is None:
            self._begin(now)
        return cursor or now  # type: ignore[no-any-return]

    def _begin(self, now: datetime) -> None:
        """Notes what the overlap would bring in, and that there was a start."""
        values = {"oldest": now - self._max_age, "since": now - 2 * OVERLAP}
        known = [(row[0], row[3]) for row in self._client.query(_NEW, parameters=values).result_rows if row[3] < now]
        self._client.insert("alert_seen", [*known, ("", now)], column_names=["document_id", "stored_at"])
        self._seen.update((_short(id_), None) for id_, _ in known)


def _short(id_: str) -> int:
    return int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=8).digest(), "big")
