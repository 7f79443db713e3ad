"""The trading calendar around sessions, weekends and holidays."""

from datetime import UTC, date, datetime, timedelta

import pytest

from models.trading import SHANGHAI, is_known, is_trading_day, next_trading_day, session_of, trading_day_of


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("moment", "session", "day"),
    [
        ("2026-11-23T08:00", "pre_open", "2026-11-23"),
        ("2026-11-23T09:30", "morning", "2026-11-23"),
        ("2026-11-23T12:00", "midday", "2026-11-23"),
        ("2026-11-23T14:59", "afternoon", "2026-11-23"),
        ("2026-11-23T15:00", "after_close", "2026-11-24"),
        ("2026-11-20T20:00", "after_close", "2026-11-23"),  # Friday evening
        ("2026-11-21T10:00", "closed", "2026-11-23"),  # Saturday
        ("2026-10-01T10:00", "closed", "2026-10-08"),  # National Day week
        ("2026-10-10T10:00", "closed", "2026-10-12"),  # a working Saturday without trading
    ],
)
def test_sessions_and_the_day_that_can_react(moment, session, day):
    assert session_of(at(moment)) == session
    assert trading_day_of(at(moment)) == date.fromisoformat(day)


def test_other_zones_are_converted():
    assert session_of(datetime(2026, 11, 23, 1, 45, tzinfo=UTC)) == "morning"


def test_a_naive_moment_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        session_of(datetime(2026, 11, 23, 9, 0))


def test_beyond_the_known_years_weekdays_trade():
    friday = date(2050, 1, 7)
    assert not is_known(friday) and is_trading_day(friday)
    assert next_trading_day(friday) == friday + timedelta(days=3)


def test_every_day_has_a_next_one():
    day = date(2026, 1, 1)
    while day < date(2027, 3, 1):
        following = next_trading_day(day)
        assert following > day and is_trading_day(following)
        day += timedelta(days=1)
