"""What is looked at: a window of event time, how to count, and the earlier windows that say what is usual.

Pure: the page's state gives the presets, the store gives the newest document's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from models.trading import SHANGHAI, is_trading_day, midnight

PRESETS = ("1h", "today", "5d", "30d", "custom")
BASES = ("raw", "story", "publisher")
DAY = timedelta(days=1)
# A step of time for about 24 to 60 points over the window.
STEPS = (
    (timedelta(hours=2), 2),
    (timedelta(hours=6), 10),
    (timedelta(days=1, hours=1), 60),
    (timedelta(days=6), 240),
    (timedelta(days=45), 1440),
)


@dataclass(frozen=True)
class Tallied:
    """How far the store's `tallies` can be relied on. Times in seconds since 1970.

    behind: the hours of which something was stored since they were counted; minutes_from: since when minutes are kept.
    """

    behind: frozenset[int]
    minutes_from: int


@dataclass(frozen=True)
class Scope:
    """The window [start, end), the counting basis, and how it can be counted (None: from the tables of truth).

    corrected: the hours (seconds since 1970) of the documents that readers corrected; None: any may be.
    """

    start: datetime
    end: datetime
    preset: str = "custom"
    basis: str = "raw"
    tallied: Tallied | None = None
    corrected: frozenset[int] | None = None

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def step(self) -> int:
        """Minutes in one bucket of a trend."""
        return next((minutes for limit, minutes in STEPS if self.length <= limit), 10080)

    def ticks(self) -> list[str]:
        """Start of every step that touches the window, as the trend queries write them: none is left out."""
        at = self.start.astimezone(SHANGHAI)
        day = midnight(at.date())
        if self.step > 1440:
            at = day - timedelta(days=at.weekday())
        else:
            at = day + (at - day) // timedelta(minutes=self.step) * timedelta(minutes=self.step)
        found = []
        while at < self.end:
            found.append(at.strftime("%Y-%m-%dT%H:%M:%S"))
            at += timedelta(minutes=self.step)
        return found

    @property
    def period(self) -> timedelta:
        """How far apart the earlier windows lie: a day where the hour matters, else whole weeks."""
        if self.preset in ("1h", "today"):
            return DAY
        return timedelta(weeks=max(1, -(-self.length // timedelta(weeks=1))))

    @property
    def history(self) -> int:
        """How many earlier windows are compared with: 20 days; of windows of up to a fortnight 4, of longer ones 2."""
        if self.preset in ("1h", "today"):
            return 20
        return 4 if self.length <= timedelta(weeks=2) else 2

    def amended(self, history: bool = False) -> bool:
        """Whether anything in the window, or since the first of those it is compared with, may have been corrected."""
        oldest = self.start - self.history * self.period if history else self.start
        return self.amended_within(oldest.timestamp(), self.end.timestamp())

    def amended_within(self, start: float, end: float) -> bool:
        """Whether anything published in [start, end), seconds since 1970, may have been corrected."""
        return self.corrected is None or any(start - 3600 < hour < end for hour in self.corrected)

    def usual_windows(self, first: datetime) -> list[int]:
        """Numbers of the earlier windows (1: the one before) that lie within the data and on the same kind of day."""

        def comparable(k: int) -> bool:
            start, end = self.start - k * self.period, self.end - k * self.period
            same_kind = self.period != DAY or is_trading_day(end.date()) == is_trading_day(self.end.date())
            return same_kind and start >= first - timedelta(hours=1)

        return [k for k in range(1, self.history + 1) if comparable(k)]


def window(preset: str, newest: datetime, basis: str = "raw", custom: tuple[date, date] | None = None) -> Scope:
    """The window that a preset means when `newest` is the time of the newest document."""
    end = newest.astimezone(SHANGHAI).replace(microsecond=0) + timedelta(seconds=1)
    if preset == "custom" and custom:
        first, last = min(custom), max(custom)
        start = midnight(first)
        return Scope(start, midnight(last) + DAY, "custom", basis)
    if preset == "1h":
        return Scope(end - timedelta(hours=1), end, preset, basis)
    if preset == "today":
        return Scope(midnight(end.date()) if end.hour + end.minute else end - DAY, end, preset, basis)
    days = 30 if preset == "30d" else 5
    return Scope(end - days * DAY, end, preset if preset in PRESETS else "5d", basis)


@dataclass(frozen=True)
class Change:
    """A count beside its usual value."""

    count: float
    usual: float | None  # None: no earlier window to compare with

    @property
    def ratio(self) -> float | None:
        """Relative change, 0.5 for half as much again; None where usual is unknown or zero."""
        return None if not self.usual else self.count / self.usual - 1

    @property
    def burst(self) -> bool:
        """Far more than usual: three standard deviations of a Poisson count, and at least five."""
        return self.usual is not None and self.count >= 5 and self.count - self.usual >= 3 * max(self.usual, 1) ** 0.5
