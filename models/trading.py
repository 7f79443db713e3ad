"""The mainland trading calendar: which session a moment falls in, and which trading day its news belongs to.

Days come from `exchange_calendars` (XSHG, which Shenzhen and Beijing share). Beyond the last year that it knows,
Monday to Friday are taken for trading days and `is_known` says so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
Session = Literal["pre_open", "morning", "midday", "afternoon", "after_close", "closed"]

# When the sessions of a trading day end, but for the last one.
BOUNDS: Final = ((time(9, 30), "pre_open"), (time(11, 30), "morning"), (time(13), "midday"), (time(15), "afternoon"))
_FIRST: Final = "2005-01-01"


@lru_cache(maxsize=1)
def _days() -> list[date]:
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XSHG", start=_FIRST)
    return [day.date() for day in calendar.sessions]


def is_known(day: date) -> bool:
    """Whether the calendar's holidays cover the day."""
    return date.fromisoformat(_FIRST) <= day <= date(_days()[-1].year, 12, 31)


def is_trading_day(day: date) -> bool:
    """Whether the exchanges open on the day."""
    if not is_known(day):
        return day.weekday() < 5
    days = _days()
    i = bisect_left(days, day)
    return i < len(days) and days[i] == day


def next_trading_day(day: date) -> date:
    """The first trading day after `day`."""
    days = _days()
    i = bisect_right(days, day)
    if is_known(day) and i < len(days):
        return days[i]
    day += timedelta(days=1)
    while not is_trading_day(day):
        day += timedelta(days=1)
    return day


def session_of(moment: datetime) -> Session:
    """The session of a zone-aware moment: 盘前, 上午, 午间, 下午, 盘后, or closed (休市) on a day without trading."""
    local = _local(moment)
    if not is_trading_day(local.date()):
        return "closed"
    for end, name in BOUNDS:
        if local.time() < end:
            return name  # type: ignore[return-value]
    return "after_close"


def trading_day_of(moment: datetime) -> date:
    """The trading day that can react to news of this moment: after 15:00 and on closed days, the next one."""
    local = _local(moment)
    if is_trading_day(local.date()) and local.time() < time(15):
        return local.date()
    return next_trading_day(local.date())


def midnight(day: date) -> datetime:
    """When a day begins in Shanghai."""
    return datetime.combine(day, time.min, SHANGHAI)


def _local(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(SHANGHAI)
