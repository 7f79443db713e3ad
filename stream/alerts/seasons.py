"""What is usual at this time of a day of this kind: half-hours of trading days apart from those of closed days.

The sessions of the exchanges begin and end on half-hours, so a half-hour belongs to one session. Its rate is the mean
of the same half-hour on the earlier days of the same kind, drawn toward its session's mean where the days are few.
Pure; times are seconds since 1970, days are Shanghai's.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.trading import SHANGHAI, is_trading_day, session_of

Floats = NDArray[np.float64]

SLOT = 1800
SLOTS = 86400 // SLOT
SHRINK = 3.0  # days' worth of trust in the session's mean
MIN_DAYS = 3  # fewer earlier days say nothing
_ZONE = 8 * 3600  # Shanghai has no summer time


class Calendar:
    """The half-hours from the day of `low` to the day of `high`: their kind of day and their session."""

    def __init__(self, low: float, high: float) -> None:
        self.first = int((low + _ZONE) // 86400)
        self.days = int((high + _ZONE) // 86400) - self.first + 1
        self.edges: Floats = (self.first * 86400 - _ZONE) + SLOT * np.arange(self.days * SLOTS + 1, dtype=float)
        epoch = date(1970, 1, 1)
        self.dates = [epoch + timedelta(days=self.first + n) for n in range(self.days)]
        self.trading: NDArray[np.bool_] = np.array([is_trading_day(day) for day in self.dates])

    def counts(self, times: Floats) -> Floats:
        """How many times fall into each half-hour: (days, SLOTS)."""
        return np.histogram(times, self.edges)[0].reshape(self.days, SLOTS).astype(float)

    def active(self, sessions: tuple[str, ...]) -> Floats:
        """1 for each half-hour of one of these sessions, 0 for the others: (days, SLOTS)."""
        rows = {kind: np.array([name in sessions for name in _sessions(kind)], dtype=float) for kind in (True, False)}
        return np.array([rows[bool(kind)] for kind in self.trading]).reshape(self.days, SLOTS)

    def integral(self, rates: Floats) -> Floats:
        """The running sum of a rate per half-hour, at `edges`."""
        return np.concatenate([[0.0], np.cumsum(rates.ravel())])

    def between(self, integral: Floats, start: Any, end: Any) -> Floats:
        """What an integral gains from `start` to `end`."""
        gained: Floats = np.interp(end, self.edges, integral) - np.interp(start, self.edges, integral)
        return gained


def usual(calendar: Calendar, counts: Floats, since: float, days: int) -> Floats:
    """Expected count of each half-hour from the `days` before its day; NaN where fewer than `MIN_DAYS` are known.

    since: when the records begin; the days before it, and that day itself, are not quiet but unknown.
    """
    known = calendar.first + np.arange(calendar.days) > (since + _ZONE) // 86400
    upto = np.arange(calendar.days)
    start = np.maximum(0, upto - days)
    rates = np.full((calendar.days, SLOTS), np.nan)
    for kind in (True, False):
        same = known & (calendar.trading == kind)
        total = np.vstack([np.zeros(SLOTS), np.cumsum(counts * same[:, None], axis=0)])
        size = np.concatenate([[0], np.cumsum(same)])
        n = (size[upto] - size[start])[:, None]
        summed = total[upto] - total[start]
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = (summed + SHRINK * (summed @ _session_means(kind)) / n) / (n + SHRINK)
        enough = (calendar.trading == kind) & (n[:, 0] >= (MIN_DAYS if kind else 2))  # closed days are fewer
        rates[enough] = rate[enough]
    return rates


def _sessions(trading: bool) -> list[str]:
    """Session of each half-hour of a trading day; of a closed day, all are closed."""
    if not trading:
        return ["closed"] * SLOTS
    day = next(d for n in range(10) if is_trading_day(d := date(2024, 6, 3) + timedelta(days=n)))
    return [session_of(datetime.combine(day, time(n // 2, n % 2 * 30), SHANGHAI)) for n in range(SLOTS)]


@lru_cache(maxsize=2)
def _session_means(trading: bool) -> Floats:
    """(SLOTS, SLOTS): a day's half-hours times this give each the mean of its session; a night has several."""
    long = ("pre_open", "after_close", "closed")
    parts = [f"{name} {n // 12}" if name in long else name for n, name in enumerate(_sessions(trading))]
    same = np.array([[a == b for b in parts] for a in parts], dtype=float)
    means: Floats = same / same.sum(axis=0)
    return means
