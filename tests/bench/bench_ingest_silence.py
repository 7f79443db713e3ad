"""How soon silence is noticed, and how often wrongly: `python -m tests.bench.bench_ingest_silence WIRES.jsonl.gz`.

Polls each vendor's archive once a minute, with what is usual learned from the 28 days before (14 at least), and prints
a table: silences told although nothing had happened (an archive that lacks a whole day is a hole, and counts apart),
and the minutes until an outage from a random moment on is told.
"""

from __future__ import annotations

import gzip
import json
import random
import statistics
import sys
from bisect import bisect
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from ingest.silence import CHANCE, DAYS, Hour, Usual
from models.trading import SHANGHAI, is_trading_day

MINUTE = timedelta(minutes=1)
OUTAGES = 600


def polls(path: Path) -> dict[str, list[datetime]]:
    """Source -> the polls that brought something."""
    found: defaultdict[str, set[datetime]] = defaultdict(set)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            at = datetime.fromisoformat(row["datetime"]).astimezone(SHANGHAI)
            found[row["source"]].add(at.replace(second=0, microsecond=0) + MINUTE)
    return {source: sorted(times) for source, times in found.items()}


def measure(times: list[datetime]) -> tuple[int, int, int, dict[str, list[float]]]:
    """Days looked at, holes and false silences, and the minutes until outages of each time of day were told."""
    counts = Counter((at.date(), at.hour) for at in times)
    first = times[0].date() + timedelta(days=1)

    @lru_cache
    def usual(day: date) -> Usual:
        days = [before for n in range(1, DAYS + 1) if (before := day - timedelta(days=n)) >= first]
        return Usual(Hour(before, hour, counts[before, hour], 1.0) for before in days for hour in range(24))

    def silent(since: datetime, at: datetime) -> bool:
        chance = usual(at.date()).chance(since, at)
        return chance is not None and chance < CHANCE

    start = times[0] + timedelta(days=15)
    holes = false = 0
    for since, until in pairwise(times):
        if since > start and silent(since, until - MINUTE):
            whole_day = until.date() - since.date() > timedelta(days=1) or until - since > timedelta(hours=22)
            holes, false = holes + whole_day, false + (not whole_day)
    noticed: defaultdict[str, list[float]] = defaultdict(list)
    chance = random.Random(1)
    while sum(map(len, noticed.values())) < OUTAGES:
        begun = start + chance.random() * (times[-1] - start)
        place = bisect(times, begun)
        since, at = times[place - 1], begun
        if silent(since, at) or times[place] - since > timedelta(hours=22):
            continue
        while not silent(since, at):
            at += MINUTE
        trading = is_trading_day(begun.date()) and 9 <= begun.hour < 15
        noticed["9-15" if trading else "night" if begun.hour < 7 else "other"].append((at - begun) / MINUTE)
    return (times[-1] - start).days, holes, false, noticed


def main() -> None:
    print(f"{'source':<12}{'days':>6}{'holes':>7}{'false':>7}   minutes until told, median (95 %), by when it began")
    for source, times in polls(Path(sys.argv[1])).items():
        days, holes, false, noticed = measure(times)
        told = (f"{k} {statistics.median(v):.0f} ({statistics.quantiles(v, n=20)[-1]:.0f})" for k, v in noticed.items())
        print(f"{source:<12}{days:>6}{holes:>7}{false:>7}   {', '.join(sorted(told))}")


if __name__ == "__main__":
    main()
