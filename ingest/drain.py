"""Publishing and confirming of one outbox, in two threads, by the one process that owns it.

`Drain` runs beside whatever adds to the outbox. While another process owns the outbox it only waits, and takes over
when that one ends. Kafka or ClickHouse away: said once, tried again ever more slowly, and the outbox keeps all.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable

from kafka.errors import KafkaError

from deploy.settings import Settings
from ingest.confirm import Confirmer
from ingest.outbox import Outbox
from ingest.outbox_file import Ownership
from ingest.publisher import Broker, BrokerAway, Publisher
from ingest.store import Store, StoreAway

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.2  # between looks at an empty outbox
CONFIRM_SECONDS = 1.0  # between looks into the store
MAX_WAIT_SECONDS = 15.0


def outbox_of(settings: Settings) -> Outbox:
    """The outbox of this installation."""
    return Outbox(settings.data_dir / "ingest" / "outbox.db", limit_bytes=settings.ingest.outbox_limit_mb * 1_000_000)


class Drain:
    """See the module's text. `start`, then `stop`; `troubles`: what keeps `publish` or `confirm` from working now."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox
        self._ownership = Ownership(outbox.path)
        self._stop = threading.Event()
        self._owned = threading.Event()
        self._threads: list[threading.Thread] = []
        self.troubles: dict[str, str] = {}

    @property
    def owns(self) -> bool:
        """Whether this process publishes; otherwise another one does."""
        return self._owned.is_set()

    def start(self) -> None:
        self._take()
        for target in (self._publish, self._confirm):
            thread = threading.Thread(target=target, name=target.__name__.strip("_"), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float = 12.0) -> None:
        """End after the step in progress; what isn't done stays in the outbox."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)
            if thread.is_alive():
                log.warning("%s did not end in %s s; what it had in hand is sent again later", thread.name, timeout)
        self._ownership.give_back()
        self._owned.clear()

    def _take(self) -> bool:
        if not self._owned.is_set() and self._ownership.take():
            self._owned.set()
        return self._owned.is_set()

    # ------------------------------------------------------------------ threads

    def _publish(self) -> None:
        broker = Broker(self._settings)
        publisher = Publisher(self._outbox, broker, max_message_bytes=self._settings.stream.max_message_bytes)
        try:
            self._repeat("publish", publisher.step, IDLE_SECONDS)
        finally:
            broker.reset()

    def _confirm(self) -> None:
        store, broker = Store(self._settings), Broker(self._settings)
        confirmer = Confirmer(
            self._outbox, store.query, patience=self._settings.ingest.confirm_after_seconds, clock=time.monotonic
        )

        def step() -> int:
            if not self._outbox.sent(1):
                return 0
            try:
                confirmer.follow(broker.logs())
            finally:
                confirmer.step()  # what the store has is confirmed though Kafka be away
            return 0  # a look a second is enough, whatever it found

        try:
            self._repeat("confirm", step, CONFIRM_SECONDS)
        finally:
            store.close()
            broker.reset()

    def _repeat(self, name: str, step: Callable[[], int], idle: float) -> None:
        failures = 0
        while not self._stop.is_set():
            wait = idle
            if self._take():
                try:
                    wait = 0.0 if step() else idle
                    if failures:
                        log.info("%s: working again", name)
                    failures = 0
                    self.troubles.pop(name, None)
                except (BrokerAway, StoreAway, KafkaError, OSError, sqlite3.Error, RuntimeError, ValueError) as error:
                    failures += 1
                    if self.troubles.get(name) != str(error):
                        log.warning("%s: %s; the outbox keeps everything, trying again", name, error)
                    self.troubles[name] = str(error)
                    wait = min(MAX_WAIT_SECONDS, 0.5 * 2**failures) * random.uniform(0.7, 1.0)
            self._stop.wait(wait)
