"""When a firing is told: at once, with a digest, or later because of quiet hours, a cooldown or a limit. Pure.

Nothing is dropped: what can't be told now is told together with others, later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from models.trading import SHANGHAI, is_trading_day
from stream.alerts.rules import seconds
from stream.alerts.subscriptions import Subscription

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT_TRADING = {"pre_open": time(9, 15), "midday": time(11, 40), "after_close": time(15, 30)}  # in Shanghai


@dataclass(frozen=True)
class Plan:
    """Why and when."""

    outcome: str
    due_at: datetime


def plan(
    subscription: Subscription,
    now: datetime,
    *,
    told: Sequence[datetime] = (),
    waiting: datetime | None = None,
    snoozed_until: datetime | None = None,
) -> Plan:
    """When a firing of `now` is told.

    told: when the subscription's messages of the last day were due, oldest first; waiting: when what is held back
    already will be told.
    """
    if snoozed_until is not None and now < snoozed_until:
        return Plan("snoozed", now)
    if subscription.dry_run:
        return Plan("dry_run", now)
    if subscription.schedule != ("immediate",):
        due = min(next_digest(name, subscription, now) for name in subscription.schedule)
        return Plan("digest", after_quiet(subscription, due))
    if waiting is not None and waiting > now:
        return Plan("held", waiting)
    outcome, due = _spaced(subscription, now, told)
    later = after_quiet(subscription, due)
    return Plan("held" if later > due else outcome, later)


def _spaced(subscription: Subscription, now: datetime, told: Sequence[datetime]) -> tuple[str, datetime]:
    outcome, due = "send", now
    if subscription.cooldown and told:
        free = told[-1] + timedelta(seconds=seconds(subscription.cooldown))
        if free > due:
            outcome, due = "cooldown", free
    for most, length in ((subscription.per_hour, HOUR), (subscription.per_day, DAY)):
        recent = [at for at in told if at > now - length]
        if most and len(recent) >= most and recent[-most] + length > due:
            outcome, due = "limited", recent[-most] + length
    return outcome, due


def after_quiet(subscription: Subscription, moment: datetime) -> datetime:
    """The moment, or the end of the quiet hours that it falls into."""
    if not subscription.quiet:
        return moment
    start, end = (time.fromisoformat(part) for part in subscription.quiet.split("-"))
    local = moment.astimezone(subscription.zone)
    clock = local.time().replace(second=0, microsecond=0)
    inside = start <= clock < end if start < end else clock >= start or clock < end
    if not inside or start == end:
        return moment
    day = local.date() if clock < end else local.date() + DAY
    return datetime.combine(day, end, subscription.zone).astimezone(moment.tzinfo)


def next_digest(name: str, subscription: Subscription, now: datetime) -> datetime:
    """The first digest time after `now`; those named after sessions are on trading days."""
    if name == "hourly":
        return now.replace(minute=0, second=0, microsecond=0) + HOUR
    if name in AT_TRADING:
        local = now.astimezone(SHANGHAI)
        at = datetime.combine(local.date(), AT_TRADING[name], SHANGHAI)
        while at <= local or not is_trading_day(at.date()):
            at += DAY
        return at.astimezone(now.tzinfo)
    local = now.astimezone(subscription.zone)
    at = datetime.combine(local.date(), time.fromisoformat(subscription.digest_at), subscription.zone)
    while at <= local or (name == "weekly" and at.weekday() != 4):  # Friday
        at += DAY
    return at.astimezone(now.tzinfo)
