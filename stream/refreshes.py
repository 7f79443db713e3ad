"""How far the tables that are counted from the tables of truth have come: what was stored, or corrected, since then.

Times are the store's own, and a refresh's version is above the last one's: a clock that is set back, here or there,
makes no count wrong. How far a refresh has come is noted last, so that one that was cut off is done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from models.trading import SHANGHAI, midnight
from stream.rows import moment_of

WEEKS_AT_ONCE = 5  # bounds the memory of one statement; whole ones, since a week is the sum of its days
OVERLAP = 30_000_000  # microseconds: inserts that were under way when the last refresh began


class Reach(NamedTuple):
    """What a refresh covers. Microseconds since 1970, by the store's clock.

    since: when something may have been stored that isn't counted yet; reached: now; version: of the rows to be written.
    """

    since: int
    reached: int
    version: int


def reach(client: Client, table: str) -> Reach:
    """Where the next refresh begins; table: that notes how far the refreshes have come."""
    sql = f"""
        SELECT toUnixTimestamp64Micro(now64(6)), toUnixTimestamp64Micro(argMax(reached, version)), max(version)
        FROM {table}"""
    now, reached, version = client.query(sql).result_rows[0]
    # Of a store whose clock was set back, what was stored since then has times before `reached`.
    return Reach(max(0, min(reached, now) - OVERLAP), now, max(now, version + 1))


def note(client: Client, table: str, reached: int, version: int) -> None:
    """A refresh is done."""
    client.insert(table, [[moment_of(reached), version]], column_names=["reached", "version"])


def parts(hours: Sequence[int], reached: int, version: int, minute_days: int) -> Iterator[dict[str, Any]]:
    """The parameters of the statements that count some days anew: `version`, the `days` and, of them, the `hours`
    (beginnings, in seconds since 1970), `first` and `end` of their span, their `weeks` (Mondays) with `first_week` and
    `end_week`, and `minutes_from`, the first day that is counted by the minute, too."""
    today = moment_of(reached).astimezone(SHANGHAI).date()
    hours_of: dict[date, list[int]] = {}
    for hour in hours:
        hours_of.setdefault(datetime.fromtimestamp(hour, SHANGHAI).date(), []).append(hour)
    mondays = sorted({_monday(day) for day in hours_of})
    for start in range(0, len(mondays), WEEKS_AT_ONCE):
        weeks = mondays[start : start + WEEKS_AT_ONCE]
        some = sorted(day for day in hours_of if _monday(day) in weeks)
        yield {
            "version": version,
            "days": some,
            "hours": [hour for day in some for hour in hours_of[day]],
            "first": _second(some[0]),
            "end": _second(some[-1] + timedelta(days=1)),
            "weeks": weeks,
            "first_week": _second(weeks[0]),
            "end_week": _second(weeks[-1] + timedelta(days=7)),
            "minutes_from": today - timedelta(days=minute_days),
        }


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _second(day: date) -> int:
    """When a day begins, in seconds since 1970, not before that."""
    return max(0, int(midnight(day).timestamp()))
