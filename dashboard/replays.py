"""Asking for dead letters to be sent once more. A worker does it: the dashboard can't write to Kafka.

A request is known by what it means, so that a second press of the button doesn't make another
(`stream/schema/0010_replay_requests.sql`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import datetime

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from dashboard.query import clock as shanghai

COLUMNS = ["id", "stage", "source", "reason", "until", "by", "version"]


class Letters(Struct, frozen=True):
    """Dead letters of a stage and source whose reasons are alike (`stream.queries.REASON`), failed by `until`."""

    stage: str
    source: str
    reason: str
    until: datetime

    @property
    def id(self) -> str:
        meant = "\n".join((self.stage, self.source, self.reason, shanghai(self.until)))
        return hashlib.sha256(meant.encode()).hexdigest()[:32]


def ask(editor: Client, letters: Letters, by: str, clock: Callable[[], int] = time.time_ns) -> None:
    """Ask for those of the letters that are open to be sent again."""
    row = [letters.id, letters.stage, letters.source, letters.reason, letters.until, by, clock() // 1000]
    editor.insert("replay_requests", [row], column_names=COLUMNS)
