"""How the sources are doing: the state of each poll, kept in the store's `source_health`.

States: `ok`; `failing` (it raised); `gap` (a stretch that the vendor no longer serves); `silent` (it answers, but
has had nothing new for so long that its usual rate makes it improbable, `ingest.silence`). The dashboard and the alerts
read the table. Rows that can't be written wait, up to `KEPT`, then the oldest go: they are about now, and documents
matter more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ingest.silence import CHANCE, Usual

KEPT = 10_000
_COLUMNS = ["source", "checked_at", "state", "fetched", "new", "errors", "last_item_at", "message", "usual"]


class Report(NamedTuple):
    """One poll of one source."""

    source: str
    checked_at: datetime
    state: str
    fetched: int = 0
    new: int = 0
    errors: int = 0
    last_item_at: datetime | None = None
    message: str = ""
    usual: float | None = None  # polls an hour that usually bring something at this time


class Health:
    """Collects reports from any thread; `flush` writes them.

    silent_after: a source without a new item for so long is silent, as long as its usual rate isn't known.
    """

    def __init__(self, silent_after: timedelta = timedelta(hours=6)) -> None:
        self._silent_after = silent_after
        self._waiting: deque[Report] = deque(maxlen=KEPT)
        self._last_item: dict[str, datetime] = {}
        self._last_new: dict[str, datetime] = {}
        self._totals: dict[str, tuple[int, int]] = {}
        self._usual: Mapping[str, Usual] = {}
        self.latest: dict[str, Report] = {}

    def expect(self, usual: Mapping[str, Usual]) -> None:
        """From now on, silence is measured against these."""
        self._usual = usual

    def usual_rate(self, source: str, at: datetime) -> float | None:
        """Polls an hour that usually bring something at this time; None where that isn't known."""
        return self._usual[source].rate(at) if source in self._usual else None

    def add(self, report: Report, *, steady: bool = True) -> None:
        """Take a report. steady: the source is expected to bring something, also before its usual rate is known."""
        last = max(filter(None, (self._last_item.get(report.source), report.last_item_at)), default=None)
        if last:
            self._last_item[report.source] = last
        if report.new:
            self._last_new[report.source] = report.checked_at
        report = report._replace(usual=self.usual_rate(report.source, report.checked_at))
        if report.state == "ok" and (silence := self._silence(report, last, steady)):
            report = report._replace(state="silent", message=silence)
        new, errors = self._totals.get(report.source, (0, 0))
        self._totals[report.source] = new + report.new, errors + report.errors
        self.latest[report.source] = report
        self._waiting.append(report._replace(last_item_at=last))

    def _silence(self, report: Report, last_item: datetime | None, steady: bool) -> str:
        """Why this poll makes the source silent; empty when it doesn't."""
        usual = self._usual.get(report.source)
        since = self._last_new.get(report.source) or (usual.last if usual else None)
        chance = usual.chance(since, report.checked_at) if usual and since else None
        if chance is None:
            late = steady and last_item and report.checked_at - last_item > self._silent_after
            return f"nothing new since {last_item.isoformat()}" if last_item and late else ""
        if chance >= CHANCE or since is None:
            return ""
        minutes = (report.checked_at - since).total_seconds() / 60
        return f"nothing new for {minutes:.0f} minutes, which by its usual rate happens once in {1 / chance:.0e} times"

    def forget(self, sources: Iterable[str]) -> None:
        """These are polled no more."""
        for source in sources:
            for known in (self.latest, self._last_item, self._last_new, self._totals):
                known.pop(source, None)

    def tallies(self) -> dict[str, Report]:
        """The latest report of each source, with `new` and `errors` summed since the start."""
        return {
            name: report._replace(
                new=self._totals[name][0], errors=self._totals[name][1], last_item_at=self._last_item.get(name)
            )
            for name, report in list(self.latest.items())
        }

    def flush(self, insert: Callable[[str, list[list[Any]], list[str]], None]) -> int:
        """Write what waits; how many. What `insert` raises goes to the caller, and the rows stay."""
        rows = list(self._waiting)
        if rows:
            insert("source_health", [list(row) for row in rows], _COLUMNS)
            for _ in rows:
                self._waiting.popleft()
        return len(rows)
