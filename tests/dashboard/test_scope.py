"""Windows, what they are compared with, and when a count is unusual."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pandas as pd
import pytest

from dashboard import baseline
from dashboard.query import query
from dashboard.scope import Change, window
from models.trading import SHANGHAI

NEWEST = datetime(2026, 11, 20, 14, 30, 5, 400_000, SHANGHAI)  # a Friday


def test_windows_end_just_after_the_newest_document() -> None:
    for preset in ("1h", "today", "5d", "30d"):
        scope = window(preset, NEWEST)
        assert scope.start < NEWEST < scope.end <= NEWEST + timedelta(seconds=1)
    assert window("today", NEWEST).start == datetime(2026, 11, 20, tzinfo=SHANGHAI)
    assert window("1h", NEWEST).length == timedelta(hours=1)
    assert window("no such preset", NEWEST).length == timedelta(days=5)


def test_custom_window_holds_both_days_whole() -> None:
    scope = window("custom", NEWEST, custom=(date(2026, 11, 3), date(2026, 11, 1)))
    assert (scope.start, scope.end) == (
        datetime(2026, 11, 1, tzinfo=SHANGHAI),
        datetime(2026, 11, 4, tzinfo=SHANGHAI),
    )


def test_a_window_knows_whether_it_was_corrected() -> None:
    scope = window("today", NEWEST)
    assert scope.amended() and scope.amended(history=True)  # nothing is known

    def hours(*moments: datetime) -> frozenset[int]:
        return frozenset(int(moment.timestamp()) // 3600 * 3600 for moment in moments)

    before, after = NEWEST - timedelta(days=1), NEWEST + timedelta(hours=1)
    long_before = scope.start - scope.history * scope.period - timedelta(hours=1)
    assert not replace(scope, corrected=hours(before, after)).amended()
    assert replace(scope, corrected=hours(before)).amended(history=True)
    assert not replace(scope, corrected=hours(long_before)).amended(history=True)
    for inside in (scope.start, scope.start + timedelta(minutes=59), NEWEST):
        assert replace(scope, corrected=hours(inside)).amended()


def test_a_long_window_is_compared_with_fewer_earlier_ones() -> None:
    assert [window(preset, NEWEST).history for preset in ("1h", "today", "5d", "30d")] == [20, 20, 4, 2]


def test_today_is_compared_with_trading_days_only() -> None:
    first = NEWEST - timedelta(days=14)
    days = window("today", NEWEST).usual_windows(first)
    assert 1 in days and 7 in days  # Thursday, and the Friday before
    assert not {5, 6} & set(days)  # Sunday and Saturday
    assert max(days) <= 14


def test_longer_windows_are_compared_with_the_same_weekdays() -> None:
    scope = window("5d", NEWEST)
    assert scope.period == timedelta(weeks=1)
    assert scope.usual_windows(NEWEST - timedelta(days=20)) == [1, 2]
    assert scope.usual_windows(NEWEST - timedelta(days=3)) == []


@pytest.mark.parametrize(
    ("count", "usual", "burst"), [(5, 0.0, True), (4, 0.0, False), (12, 9.0, False), (19, 9.0, True), (50, None, False)]
)
def test_burst_needs_three_deviations_and_five_documents(count: int, usual: float | None, burst: bool) -> None:
    assert Change(count, usual).burst is burst


def test_change_without_history_has_no_ratio() -> None:
    assert Change(3, None).ratio is None and Change(3, 0.0).ratio is None
    assert Change(3, 2.0).ratio == pytest.approx(0.5)


def test_absent_windows_count_as_zero() -> None:
    frame = pd.DataFrame({"back": [0, 2], "n": [8, 4], "tone": [0.1, 0.3], "documents": [8, 4]})
    assert baseline.compare(frame, [1, 2]) == Change(8, 2.0)
    assert baseline.usual_tone(frame, [1, 2]) == pytest.approx(0.3)
    assert baseline.usual_tone(frame, [1]) is None


def test_movers_put_surprise_before_size() -> None:
    told = pd.DataFrame({"code": ["A", "B"], "n": [50, 9], "tone": [0.0, 0.5]})
    before = pd.DataFrame({"code": ["A", "A"], "back": [1, 2], "n": [50, 10]})
    found = baseline.movers(told, before, [1])
    assert list(found["code"]) == ["B", "A"] and list(found["usual"]) == [0, 50]


def test_literal_statement_holds_its_values_quoted() -> None:
    made = query("SELECT {a:String}, {b:Array(String)}, {c:UInt32}", a="it's \\ {c:UInt32}", b=["x'y"], c=3)
    assert made.literal() == "SELECT 'it\\'s \\\\ {c:UInt32}', ['x\\'y'], 3"
    at = query("SELECT {t:DateTime64(3, 'Asia/Shanghai')}", t=NEWEST).literal()
    assert at == "SELECT CAST('2026-11-20 14:30:05.400' AS DateTime64(3, 'Asia/Shanghai'))"
