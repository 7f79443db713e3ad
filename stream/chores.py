"""What a worker does beside the stream: work on the store, done again and again on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep

from clickhouse_connect.driver.client import Client

from stream.store import StoreAway, first_line

log = logging.getLogger(__name__)

MAX_PAUSE = 60.0  # seconds


class Chore(threading.Thread):
    """Does `work` every `interval` seconds while `active`; where it fails, it is done again, with growing pauses.

    connect: a client of its own, or `StoreAway`; share: of the time that the work may take, so that one that takes long
    is done less often; trouble: what a failure means, for the log.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Client], object],
        connect: Callable[[], Client],
        *,
        active: Callable[[], bool],
        interval: float,
        trouble: str,
        share: float = 1.0,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._work, self._connect, self._active = work, connect, active
        self._interval, self._trouble, self._share = interval, trouble, share
        self._client: Client | None = None

    def run(self) -> None:
        pause = self._interval
        while True:
            sleep(pause)
            if not self._active():
                continue
            began = monotonic()
            try:
                self._client = self._client or self._connect()
                self._work(self._client)
                pause = max(self._interval, (monotonic() - began) / self._share)
            except Exception as error:  # noqa: BLE001 - the work waits; the stream goes on
                words = str(error) if isinstance(error, StoreAway) else first_line(error)
                log.warning("%s: %s", self._trouble, words)
                with suppress(Exception):
                    if self._client:
                        self._client.close()
                self._client = None
                pause = min(2 * pause, MAX_PAUSE)
