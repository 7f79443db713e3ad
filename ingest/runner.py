"""The ingestor process: every configured source, and the drain of the outbox that they add to.

SIGTERM or SIGINT ends all of them after the step in progress.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from deploy.logs import configure
from deploy.proxies import spare_loopback
from deploy.settings import Settings, SettingsError, load, secret
from deploy.signals import stopped_by
from ingest.arrivals import Arrivals
from ingest.drain import Drain, outbox_of
from ingest.feeds.live import LiveFeeds
from ingest.feeds.registry import pollers
from ingest.folder import Folder
from ingest.health import Health
from ingest.metrics import exposition
from ingest.outbox import Outbox
from ingest.outbox_file import OutboxBroken
from ingest.push import Push
from ingest.running import Source, Threads
from ingest.silence import learn
from ingest.store import Store, StoreAway

log = logging.getLogger(__name__)

HEALTH_SECONDS = 15.0  # between writings of the sources' health
LOOK_SECONDS = 60.0  # between looks at what was pushed and put into the folder
LEARN_SECONDS = 3600.0  # between looks at what is usual of them


def doors_of(settings: Settings, outbox: Outbox, health: Health, arrivals: Arrivals) -> list[Source]:
    """The ways in that nobody polls, as the settings ask for."""
    found: list[Source] = []
    if settings.ingest.inbox:
        inbox, max_bytes = settings.data_dir / settings.ingest.inbox, settings.ingest.max_file_mb * 1_000_000
        found.append(Folder(inbox, max_bytes=max_bytes, arrived=arrivals.note, failed=arrivals.failed))
    if settings.ingest.push_port:
        token = settings.ingest.push_token or secret(settings.data_dir, "push-token")
        metrics = partial(exposition, outbox, health)
        found.append(Push("127.0.0.1", settings.ingest.push_port, token, metrics=metrics, arrived=arrivals.note))
    return found


def run(settings: Settings, stop: threading.Event) -> None:
    """Run until `stop`. Raises `SettingsError` for feeds that can't be set up."""
    outbox = outbox_of(settings)
    health = Health(timedelta(hours=settings.ingest.silent_after_hours))
    feeds = LiveFeeds(settings, lambda settings: pollers(settings, outbox, health), lambda made: Threads(made, outbox))
    arrivals = Arrivals(outbox, health, polled=feeds.names)
    doors = Threads(doors_of(settings, outbox, health, arrivals), outbox, arrivals.failed)
    drain = Drain(settings, outbox)
    drain.start()
    if not drain.owns:
        log.warning("another ingestor publishes from %s; this one only adds to it", outbox.path)
    log.info("ingestor ready: %s", ", ".join([*feeds.names, *doors.names]) or "no sources, only the outbox")
    store = Store(settings)
    learn_at = 0.0
    look_at = time.monotonic() + LOOK_SECONDS
    while not stop.wait(HEALTH_SECONDS):
        polled = set(feeds.names)
        if feeds.refresh():
            arrivals.polled = frozenset(feeds.names)
            health.forget(polled - arrivals.polled)
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
    feeds.end(5)
    doors.end(5)
    drain.stop()
    log.info("ingestor stopped")


def main() -> None:
    """Entry point of `python -m ingest`."""
    spare_loopback()
    try:
        settings = load()
        configure(settings, "ingest")
        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # its retries are told by ours, once
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        run(settings, stopped_by(signal.SIGTERM, signal.SIGINT))
    except (SettingsError, OutboxBroken) as error:
        raise SystemExit(f"ingestor: {error}") from error
