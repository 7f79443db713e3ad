"""What comes without being asked for, by HTTP push and into the watched folder: health rows as of a feed.

A feed's poll says how much came; here a look each minute does, for each source that the documents name, so that
freshness, usual rates and silence (ingest.silence) are told in the same way. Sources are known from what they brought,
and remembered in the outbox's notes. One that has brought nothing for `KNOWN_DAYS` is no longer looked at: clients go.

Only a usual rate makes such a source silent, never the fixed time before one is known: a file that was put there once
is no promise.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingest.entries import Added
from ingest.health import Health, Report
from ingest.outbox import Outbox
from ingest.silence import DAYS
from models.records import Document
from stream.records import DeadLetter

KNOWN_DAYS = DAYS
MAX_SOURCES = 500  # sources are named by whoever pushes
MENDED_SECONDS = 600.0  # without a new failure; longer than the pauses between tries
NOTE = "arrivals"


@dataclass
class _Minute:
    """What a source brought since the last look."""

    taken: int = 0
    new: int = 0
    rejected: int = 0
    newest: datetime | None = None


class Arrivals:
    """See the module's text. Safe for use by several threads.

    polled: names of the feeds, whose polls tell of them; clock: aware datetimes.
    """

    def __init__(
        self,
        outbox: Outbox,
        health: Health,
        *,
        polled: Collection[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._outbox, self._health, self._clock = outbox, health, clock
        self.polled = frozenset(polled)
        self._lock = threading.Lock()
        self._minutes: dict[str, _Minute] = {}
        self._last = {name: datetime.fromisoformat(str(at)) for name, at in outbox.note(NOTE).items()}
        self._failed: dict[str, datetime] = {}

    def note(self, items: Sequence[Document | DeadLetter], added: Added) -> None:
        """These were taken into the outbox."""
        with self._lock:
            for item in items:
                if not item.source:
                    continue
                minute = self._minutes.setdefault(item.source, _Minute())
                if isinstance(item, Document):
                    minute.taken += 1
                    minute.newest = max(filter(None, (minute.newest, item.published_at)))
                else:
                    minute.rejected += 1
            for source, new in added.new_documents.items():
                self._minutes.setdefault(source, _Minute()).new += new

    def failed(self, name: str, why: str) -> None:
        """The door itself, push or folder, doesn't work."""
        now = self._clock()
        with self._lock:
            self._failed[name] = now
        self._health.add(Report(name, now, "failing", errors=1, message=why[:300]), steady=False)

    def look(self) -> None:
        """Report on every known source; call it once a minute."""
        now = self._clock()
        with self._lock:
            minutes, self._minutes = self._minutes, {}
            mended = [name for name, at in self._failed.items() if (now - at).total_seconds() > MENDED_SECONDS]
            for name in mended:
                del self._failed[name]
        for name in mended:
            self._health.add(Report(name, now, "ok", message="works again"), steady=False)
        arrived = {name for name, minute in minutes.items() if minute.new}
        self._remember(arrived, now)
        for source in sorted((self._last.keys() | minutes.keys()) - self.polled):
            minute = minutes.get(source, _Minute())
            message = f"{minute.rejected} rejected" if minute.rejected else ""
            counts = minute.taken, minute.new, minute.rejected
            self._health.add(Report(source, now, "ok", *counts, minute.newest, message), steady=False)

    def _remember(self, arrived: Collection[str], now: datetime) -> None:
        """Note who brought something, and let go of those who haven't for long."""
        known = self._last | dict.fromkeys(arrived, now)
        oldest = now - timedelta(days=KNOWN_DAYS)
        newest_first = sorted(known.items(), key=lambda item: item[1], reverse=True)[:MAX_SOURCES]
        kept = {name: at for name, at in newest_first if at > oldest and name not in self.polled}
        if kept != self._last:
            self._outbox.set_note(NOTE, {name: at.isoformat() for name, at in kept.items()})
        self._last = kept
