"""Sources at work, each in a thread of its own: one that fails is started again, more slowly each time."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ingest.entries import OutboxFull
from ingest.outbox import Outbox

log = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 300.0
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


class Threads:
    """Runs the sources from now until `end`."""

    def __init__(
        self, sources: Sequence[Source], outbox: Outbox, failed: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self.names = [source.name for source in sources]
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(
                target=keep_running,
                args=(source, outbox, self._stop, self._stop.wait, failed),
                name=source.name,
                daemon=True,
            )
            for source in sources
        ]
        for thread in self._threads:
            thread.start()

    def end(self, seconds: float) -> None:
        """Let each end the step that it is at, for up to so many seconds."""
        self._stop.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
