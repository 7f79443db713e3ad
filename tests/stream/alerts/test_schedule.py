"""When a firing is told. Times are Shanghai's; Monday 2 November 2026 is a trading day, the 7th and 8th a weekend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.trading import SHANGHAI
from stream.alerts.rules import Condition
from stream.alerts.schedule import after_quiet, next_digest, plan
from stream.alerts.subscriptions import Subscription


def at(day: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day:02} {clock}").replace(tzinfo=SHANGHAI).astimezone(UTC)


def subscription(**changes: object) -> Subscription:
    return Subscription(**{"name": "s", "when": Condition(theme=("game",)), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        ("hourly", at(2, "10:20"), at(2, "11:00")),
        ("pre_open", at(2, "09:00"), at(2, "09:15")),
        ("pre_open", at(2, "09:15"), at(3, "09:15")),
        ("after_close", at(6, "16:00"), at(9, "15:30")),  # over the weekend
        ("midday", at(7, "10:00"), at(9, "11:40")),
        ("daily", at(2, "17:00"), at(2, "18:00")),
        ("daily", at(7, "18:00"), at(8, "18:00")),
        ("weekly", at(2, "10:00"), at(6, "18:00")),
    ],
)
def test_a_digest_s_time(schedule: str, now: datetime, due: datetime) -> None:
    assert next_digest(schedule, subscription(), now) == due


def test_the_first_of_several_digests_takes_it() -> None:
    both = subscription(schedule=("pre_open", "after_close"))
    assert plan(both, at(2, "10:00")).due_at == at(2, "15:30")
    assert plan(both, at(2, "16:00")).due_at == at(3, "09:15")


def test_the_reader_s_own_time_zone() -> None:
    london = subscription(schedule=("daily",), time_zone="Europe/London", digest_at="07:30")
    assert plan(london, at(2, "10:00")).due_at == datetime(2026, 11, 2, 7, 30, tzinfo=ZoneInfo("Europe/London"))


@pytest.mark.parametrize(
    ("quiet", "now", "due"),
    [
        ("22:00-07:30", at(2, "23:00"), at(3, "07:30")),
        ("22:00-07:30", at(3, "03:00"), at(3, "07:30")),
        ("22:00-07:30", at(3, "07:30"), at(3, "07:30")),
        ("12:00-13:00", at(3, "12:30"), at(3, "13:00")),
        ("12:00-12:00", at(3, "12:00"), at(3, "12:00")),
    ],
)
def test_quiet_hours_hold_until_they_end(quiet: str, now: datetime, due: datetime) -> None:
    chosen = plan(subscription(quiet=quiet), now)
    assert chosen.due_at == due and (chosen.outcome == "send") is (due == now)


def test_a_digest_that_falls_into_quiet_hours_waits_too() -> None:
    assert plan(subscription(schedule=("hourly",), quiet="22:00-07:30"), at(2, "22:10")).due_at == at(3, "07:30")


def test_a_cooldown_holds_what_comes_and_tells_it_together() -> None:
    cool = subscription(cooldown="30m")
    told = [at(2, "10:00")]
    first = plan(cool, at(2, "10:10"), told=told)
    assert (first.outcome, first.due_at) == ("cooldown", at(2, "10:30"))
    second = plan(cool, at(2, "10:20"), told=told, waiting=first.due_at)
    assert second.due_at == first.due_at
    assert plan(cool, at(2, "10:31"), told=told).outcome == "send"


def test_limits_a_hour_and_a_day() -> None:
    limited = subscription(per_hour=2, per_day=3)
    told = [at(2, "10:00"), at(2, "10:05")]
    assert plan(limited, at(2, "10:10"), told=told).due_at == at(2, "11:00")
    told.append(at(2, "11:30"))
    assert plan(limited, at(2, "13:00"), told=told).due_at == at(3, "10:00")


def test_a_snooze_and_a_dry_run_tell_nothing() -> None:
    now = at(2, "10:00")
    assert plan(subscription(), now, snoozed_until=now + timedelta(hours=1)).outcome == "snoozed"
    assert plan(subscription(), now, snoozed_until=now).outcome == "send"
    assert plan(subscription(dry_run=True), now).outcome == "dry_run"


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC)),
    st.sampled_from(["Asia/Shanghai", "Europe/London", "America/New_York"]),
    st.sampled_from(["22:00-07:30", "00:30-02:30", "09:00-17:00"]),
    st.lists(st.sampled_from(["hourly", "pre_open", "daily", "weekly"]), max_size=2, unique=True),
)
def test_nothing_is_due_in_the_past_or_in_quiet_hours(
    now: datetime, zone: str, quiet: str, schedule: list[str]
) -> None:
    reader = subscription(time_zone=zone, quiet=quiet, schedule=tuple(schedule) or ("immediate",))
    due = plan(reader, now).due_at
    assert now <= due <= now + timedelta(days=20)
    assert after_quiet(reader, due) == due
