"""How far a query is, on a terminal's standard error: seconds, and rows read where the store says so."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from time import monotonic

from clickhouse_connect.driver.client import Client
from rich.console import Console

SOON = 1.0  # seconds: a query that is quicker shows nothing
_READ = """
SELECT read_rows, total_rows_approx FROM system.processes
WHERE position(query, {mark:String}) > 0 AND position(query, 'system.processes') = 0
ORDER BY elapsed DESC LIMIT 1
"""


@contextmanager
def progress(sql: str, connect: Callable[[], Client], console: Console) -> Iterator[str]:
    """The statement, marked so that it is found among what the store does; while the block lasts, its progress."""
    if not console.is_terminal:
        yield sql
        return
    mark, ended = f"/* {secrets.token_hex(8)} */", threading.Event()
    thread = threading.Thread(target=_show, args=(mark, connect, console, ended), name="progress", daemon=True)
    thread.start()
    try:
        yield f"{sql} {mark}"
    finally:
        ended.set()
        thread.join(2)


def _show(mark: str, connect: Callable[[], Client], console: Console, ended: threading.Event) -> None:
    began = monotonic()
    if ended.wait(SOON):
        return
    with suppress(Exception), closing(connect()) as client, console.status("") as status:
        while not ended.is_set():
            status.update(f"查询中 running {monotonic() - began:.0f} s{_rows(client, mark)}")
            ended.wait(0.5)


def _rows(client: Client, mark: str) -> str:
    """What the store says; a reader who may not ask sees the seconds alone."""
    try:
        rows = client.query(_READ, parameters={"mark": mark}).result_rows
    except Exception:  # noqa: BLE001 - progress is no reason to fail
        return ""
    if not rows or not rows[0][0]:
        return ""
    read, total = rows[0]
    return f", 已读 read {read:,} 行 rows" + (f" / {total:,}" if total >= read else "")
