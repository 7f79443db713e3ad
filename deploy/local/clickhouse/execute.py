"""Runs one request on a prepared handle. Called in a worker thread; everything here blocks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import from_engine
from .request import Request
from .session import Session
from .sql import Kind, quote

# Formats of which several documents, one after the other, are one document: the engine streams each block as its own.
CONCATENABLE = frozenset(
    (
        *("Native", "RowBinary", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow"),
        *("LineAsString", "RawBLOB"),
    )
)
CLIENT_QUERY_ID = re.compile(rb"\bquery_id\s*(=|IN\b)", re.IGNORECASE)


class Pieces:
    """The blocks of a streamed result. Holds the handle until `close`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lock = threading.Lock()  # a client that goes away closes the stream while a worker waits for a block

    def next(self) -> bytes | None:
        """The next block, None at the end. Raises `ChError` when the query fails on the way."""
        try:
            with self._lock:
                block = next(self._stream, None)
        except Exception as error:  # noqa: BLE001 - chDB raises several types
            raise from_engine(error) from None
        return None if block is None else block.bytes()

    def close(self) -> None:
        """Ends the query where it is. Raises `ChError`."""
        try:
            with self._lock:
                self._stream.close()
        except Exception as error:  # noqa: BLE001
            raise from_engine(error) from None


@dataclass
class Answer:
    """A result: `body` whole, or its first block with the `pieces` that follow."""

    body: bytes = b""
    pieces: Pieces | None = None
    has_rows: bool = False
    summary: dict[str, str] = field(default_factory=dict)


def run(request: Request, session: Session, clock: Callable[[], int] = time.monotonic_ns) -> Answer:
    """Prepares the session's handle and runs the statement. Raises `ChError`."""
    started = clock()
    session.prepare(request)
    statement, handle = request.statement, session.handle
    if statement.kind is Kind.INSERT and statement.format is not None:
        for name, value in request.parameters.items():
            handle.query(f"SET param_{name} = {quote(value)}")
        written = handle.insert(statement.head, statement.format, statement.data)
        return Answer(summary=_summary(written.rows_written, written.bytes_written, clock() - started))
    sql = statement.sql
    if statement.verb == b"KILL":  # clients know a query by the id they gave it; the engine keeps that in log_comment
        sql = CLIENT_QUERY_ID.sub(rb"Settings['log_comment'] \1", sql)
    if statement.streamable and not request.buffered and request.output_format in CONCATENABLE:
        pieces = Pieces(handle.stream(sql, request.output_format, request.parameters))
        first = pieces.next()
        if first is None:
            pieces.close()
            return Answer(has_rows=True)
        return Answer(first, pieces, has_rows=True)
    result = handle.query(sql, request.output_format, request.parameters)
    session.after(statement)
    body: bytes = result.bytes() or b""
    has_rows = statement.kind is Kind.ROWS
    rows = result.rows_read() if has_rows else result.rows_written()
    summary = {
        "read_rows": str(result.storage_rows_read() or result.rows_read()),
        "read_bytes": str(result.storage_bytes_read() or result.bytes_read()),
        "written_rows": str(result.rows_written()),
        "written_bytes": str(result.bytes_written()),
        "total_rows_to_read": "0",
        "result_rows": str(rows),
        "result_bytes": str(len(body)),
        "elapsed_ns": str(clock() - started),
    }
    return Answer(body, has_rows=has_rows, summary=summary)


def _summary(rows: int, size: int, elapsed: int) -> dict[str, str]:
    names = ("read", "written", "result")
    counts = {f"{name}_rows": str(rows) for name in names} | {f"{name}_bytes": str(size) for name in names}
    return counts | {"total_rows_to_read": "0", "elapsed_ns": str(elapsed)}
