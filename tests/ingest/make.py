"""Documents and clocks for the ingest tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models.records import Document, document_id
from stream.records import DeadLetter

NOW = datetime(2026, 6, 18, 3, 0, tzinfo=UTC)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.seconds = NOW.timestamp()

    def __call__(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds


def in_gbk(path: Path) -> Path:
    """The path with its last name in the bytes that a Chinese Windows gives it."""
    return path.with_name(os.fsdecode(path.name.encode("gbk")))


def document(native: str = "1", *, body: str = "芒果超媒盘中涨停。", at: datetime = NOW) -> Document:
    return Document(
        id=document_id("test", native),
        source="test",
        kind="wire",
        title=f"快讯 {native}",
        body=body,
        published_at=at - timedelta(minutes=1),
        fetched_at=at,
    )


def letter(native: str = "bad") -> DeadLetter:
    return DeadLetter(document_id=document_id("test", native), stage="ingest", reason="row 1: not JSON", failed_at=NOW)
