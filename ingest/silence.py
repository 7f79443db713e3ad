"""How long a source may be quiet: its usual rate by the hour of a trading or closed day, learned from its own polls.

What is counted is polls that brought something, not items, because items come in batches that one event explains. Each
hour of the week's two kinds of day has n such polls in E hours of polling, so that the chance of none in t hours there
is (E / (E + t)) ** n: Poisson's, with what is not known of the rate from few days taken in. A source is silent when the
chance of its whole gap is below `CHANCE`. Hours not known from `MIN_DAYS` days (two of closed days) prove nothing.
Polls of a silent source and those after a long pause teach nothing: the first would make silence usual, the second
bring a backlog.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from models.trading import SHANGHAI, is_trading_day

CHANCE = 1e-6  # docs/sources.md says how often that is wrong
DAYS = 28
MIN_DAYS = 3
PAUSE_SECONDS = 7200  # polls farther apart don't say when something came

Query = Callable[[str, dict[str, Any]], Sequence[Sequence[Any]]]

# One row a source, day and hour (Shanghai): polls that brought something, hours of polling, the last that brought some.
_HISTORY = f"""
SELECT source, toDate(checked_at, 'Asia/Shanghai') AS day, toHour(checked_at, 'Asia/Shanghai') AS hour,
    countIf(new > 0) AS arrivals, sum(dateDiff('millisecond', before, checked_at)) / 3600000 AS hours,
    maxIf(checked_at, new > 0) AS last
FROM
(
    SELECT source, checked_at, new, lagInFrame(checked_at) OVER
        (PARTITION BY source ORDER BY checked_at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM source_health
    WHERE checked_at > %(since)s AND checked_at <= %(now)s AND state IN ('ok', 'gap')
)
WHERE before > checked_at - INTERVAL {PAUSE_SECONDS} SECOND
GROUP BY source, day, hour
"""


class Hour(NamedTuple):
    """One hour of one day of a source."""

    day: date
    hour: int  # 0..23, Shanghai
    arrivals: int  # polls that brought something
    hours: float  # of polling
    last: datetime | None = None  # latest of the arrivals


class Usual:
    """What one source usually does. `last`: when it last brought something, as far as the history says."""

    def __init__(self, history: Iterable[Hour]) -> None:
        arrivals: defaultdict[tuple[bool, int], int] = defaultdict(int)
        hours: defaultdict[tuple[bool, int], float] = defaultdict(float)
        days: defaultdict[tuple[bool, int], int] = defaultdict(int)
        last: list[datetime] = []
        for part in history:
            key = is_trading_day(part.day), part.hour
            arrivals[key] += part.arrivals
            hours[key] += part.hours
            days[key] += 1
            if part.arrivals and part.last:
                last.append(part.last)
        self.last = max(last, default=None)
        self._known = {
            key: (arrivals[key], hours[key])
            for key, n in days.items()
            if n >= (MIN_DAYS if key[0] else 2) and hours[key]
        }

    def rate(self, at: datetime) -> float | None:
        """Usual arrivals an hour at this moment; None where the history is too short."""
        known = self._known.get(_key(at))
        return known[0] / known[1] if known else None

    def chance(self, since: datetime, until: datetime) -> float | None:
        """How probable it is that nothing comes between the two; None where no hour between them is known."""
        spent: defaultdict[tuple[bool, int], float] = defaultdict(float)
        at = since
        until = min(until, since + timedelta(days=DAYS))
        while at < until:
            end = min(until, at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
            spent[_key(at)] += (end - at).total_seconds() / 3600
            at = end
        known = [(*self._known[key], hours) for key, hours in spent.items() if key in self._known]
        if spent and not known:
            return None
        return math.exp(-sum(n * math.log1p(hours / observed) for n, observed, hours in known))


def learn(query: Query, now: datetime) -> Mapping[str, Usual]:
    """Source -> what is usual, from the last `DAYS` days of `source_health`. Raises what `query` raises."""
    by_source: defaultdict[str, list[Hour]] = defaultdict(list)
    for source, *rest in query(_HISTORY, {"since": now - timedelta(days=DAYS), "now": now}):
        by_source[str(source)].append(Hour(*rest))
    return {source: Usual(history) for source, history in by_source.items()}


def _key(at: datetime) -> tuple[bool, int]:
    local = at.astimezone(SHANGHAI)
    return is_trading_day(local.date()), local.hour
