"""The feeds at work, and taken up anew when the settings file says others: nobody has to restart the ingestor."""

from __future__ import annotations

import logging
from collections.abc import Callable

from deploy.sections import FeedSettings
from deploy.settings import Settings, SettingsError, read, settings_file
from ingest.feeds.base import Poller
from ingest.running import Threads

log = logging.getLogger(__name__)

END_SECONDS = 60.0  # a request in progress takes half of it at most


class LiveFeeds:
    """Polls the feeds of `settings`; `refresh` looks whether the file has others by now.

    make: the pollers of settings, or `SettingsError`; start: sets them to work.
    """

    def __init__(
        self, settings: Settings, make: Callable[[Settings], list[Poller]], start: Callable[[list[Poller]], Threads]
    ) -> None:
        self._make, self._start = make, start
        self._feeds: tuple[FeedSettings, ...] = settings.ingest.feeds
        self._seen = _stamp()
        self._threads = start(make(settings))

    @property
    def names(self) -> list[str]:
        return self._threads.names

    def refresh(self) -> bool:
        """Whether other feeds are polled now. A file that is wrong is told, and the feeds stay."""
        stamp = _stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            settings = read()
            if settings.ingest.feeds == self._feeds:
                return False
            made = self._make(settings)
        except (SettingsError, OSError) as error:
            log.warning("the feeds stay as they are: %s", error)
            return False
        self._threads.end(END_SECONDS)  # all of them: what a host is asked, and how often, is known to one fetcher
        self._feeds, self._threads = settings.ingest.feeds, self._start(made)
        log.info("feeds are now: %s", ", ".join(self.names) or "none")
        return True

    def end(self, seconds: float) -> None:
        self._threads.end(seconds)


def _stamp() -> tuple[int, int] | None:
    """What changes when the settings file does."""
    try:
        stat = settings_file().stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
