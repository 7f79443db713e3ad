"""The ingestor process: every configured source, and the drain of the outbox that they add to.

Each source runs in a thread of its own. One that raises is logged and started again, more slowly each time; the
others never notice. SIGTERM or SIGINT ends all of them after the step in progress.
"""

from __future__ import annotations

import logging
import random
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from deploy.logs import configure
from deploy.settings import Settings, SettingsError, load, secret
from ingest.arrivals import Arrivals
from ingest.drain import Drain, outbox_of
from ingest.feeds.registry import pollers
from ingest.folder import Folder
from ingest.health import Health
from ingest.metrics import exposition
from ingest.outbox import Outbox, OutboxBroken, OutboxFull
from ingest.push import Push
from ingest.silence import learn
from ingest.store import Store, StoreAway

log = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 300.0
HEALTH_SECONDS = 15.0  # between writings of the sources' health
LOOK_SECONDS = 60.0  # between looks at what was pushed and put into the folder
LEARN_SECONDS = 3600.0  # between looks at what is usual of them
STEADY_SECONDS = 600.0  # a source that ran so long starts anew with a short wait


class Source(Protocol):
    """Something that adds documents to the outbox until told to stop."""

    @property
    def name(self) -> str: ...

    def run(self, outbox: Outbox, stop: threading.Event) -> None: ...


def keep_running(
    source: Source,
    outbox: Outbox,
    stop: threading.Event,
    wait: Callable[[float], object],
    failed: Callable[[str, str], None] = lambda *_: None,
) -> None:
    """Run a source until `stop`, again after every failure.

    wait: sleeps up to so many seconds, less when stopping; failed: is told the source's name and why.
    """
    failures = 0
    while not stop.is_set():
        started = time.monotonic()
        try:
            source.run(outbox, stop)
            if stop.is_set():
                return
            log.info("source %s ended", source.name)
            return
        except OutboxFull as error:
            log.warning("source %s waits: %s", source.name, error)
            failed(source.name, str(error))
        except Exception as error:  # isolation: whatever a source does, the others go on
            log.exception("source %s failed; it starts again", source.name)
            failed(source.name, f"{type(error).__name__}: {error}")
        failures = 1 if time.monotonic() - started > STEADY_SECONDS else failures + 1
        wait(min(MAX_WAIT_SECONDS, 2.0**failures) * random.uniform(0.7, 1.0))


def sources_of(settings: Settings, outbox: Outbox, health: Health) -> tuple[list[Source], Arrivals]:
    """The sources that the settings ask for, and who watches those that aren't polled."""
    found: list[Source] = [*pollers(settings, outbox, health)]
    arrivals = Arrivals(outbox, health, polled=[source.name for source in found])
    max_bytes = settings.ingest.max_file_mb * 1_000_000
    if settings.ingest.inbox:
        inbox = settings.data_dir / settings.ingest.inbox
        found.append(Folder(inbox, max_bytes=max_bytes, arrived=arrivals.note, failed=arrivals.failed))
    if settings.ingest.push_port:
        token = settings.ingest.push_token or secret(settings.data_dir, "push-token")
        metrics = partial(exposition, outbox, health)
        found.append(Push("127.0.0.1", settings.ingest.push_port, token, metrics=metrics, arrived=arrivals.note))
    return found, arrivals


def run(settings: Settings, stop: threading.Event) -> None:
    """Run until `stop`. Raises `SettingsError` for feeds that can't be set up."""
    outbox = outbox_of(settings)
    health = Health(timedelta(hours=settings.ingest.silent_after_hours))
    sources, arrivals = sources_of(settings, outbox, health)
    drain = Drain(settings, outbox)
    drain.start()
    if not drain.owns:
        log.warning("another ingestor publishes from %s; this one only adds to it", outbox.path)
    threads = [
        threading.Thread(
            target=keep_running, args=(source, outbox, stop, stop.wait, arrivals.failed), name=source.name, daemon=True
        )
        for source in sources
    ]
    for thread in threads:
        thread.start()
    log.info("ingestor ready: %s", ", ".join(source.name for source in sources) or "no sources, only the outbox")
    store = Store(settings)
    learn_at = 0.0
    look_at = time.monotonic() + LOOK_SECONDS
    while not stop.wait(HEALTH_SECONDS):
        if time.monotonic() >= look_at:
            arrivals.look()
            look_at = time.monotonic() + LOOK_SECONDS
        try:
            health.flush(store.insert)
            if time.monotonic() >= learn_at:
                health.expect(learn(store.query, datetime.now(UTC)))
                learn_at = time.monotonic() + LEARN_SECONDS
        except StoreAway as error:
            log.debug("source health waits: %s", error)
    for thread in threads:
        thread.join(5)
    drain.stop()
    log.info("ingestor stopped")


def main() -> None:
    """Entry point of `python -m ingest`."""
    settings = load()
    configure(settings, "ingest")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # its retries are told by ours, once
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(settings, stop)
    except (SettingsError, OutboxBroken) as error:
        raise SystemExit(f"ingestor: {error}") from error
