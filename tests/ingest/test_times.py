from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.times import parse_time
from models.trading import SHANGHAI

NINE = datetime(2026, 6, 18, 9, 5, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    "value",
    [
        "2026-06-18T09:05:00+08:00",
        "2026-06-18T01:05:00Z",
        "2026-06-18 09:05",
        "2026-06-18 09:05:00",
        "2026-06-18 09:05:00:000",
        "2026-06-18 09:05:00.000",
        "2026/6/18 9:05",
        "2026.06.18 09:05",
        "2026年6月18日 9时5分",
        "2026年06月18日 09:05",
        "2026年6月18日9点05分",
        "202606180905",
        "20260618090500",
        "Thu, 18 Jun 2026 01:05:00 GMT",
        "Thu, 18 Jun 2026 01:05:00 -0000",
        "Thu, 18 Jun 2026 01:05:00 -0000 (UTC)",
        "Thu, 18 Jun 2026 09:05:00 +0800",
        "Thu, 18 Jun 2026 09:05:00 CST",
        "Thu Jun 18 09:05:00 CST 2026",
        "2026-06-18 09:05:00 CST",
        1781744700,
        1781744700.0,
        "1781744700",
        1781744700000,
        "1781744700000000",
        NINE.replace(tzinfo=None),
        NINE.astimezone(UTC),
    ],
)
def test_known_writings(value: object) -> None:
    assert parse_time(value) == NINE


@pytest.mark.parametrize("value", ["2026-06-18", "2026年6月18日", "20260618", "2026/06/18", date(2026, 6, 18)])
def test_a_bare_date_is_midnight_in_beijing(value: object) -> None:
    assert parse_time(value) == datetime(2026, 6, 18, tzinfo=SHANGHAI)


ABROAD = "Mon, 01 Jun 2026 09:05:00 MET"  # no zone that RFC 2822 knows, and not Beijing's
HUGE = ["1 Jan 99999999999999999999 00:00:00", "Thu, 18 Jun 2026 01:05:00 +99999999999999999999"]


@pytest.mark.parametrize(
    "value", ["", "昨天", "2026-13-40", "12345", True, None, [], float("nan"), "0001-01-01", 99, ABROAD, *HUGE]
)
def test_anything_else_is_refused_by_name(value: object) -> None:
    with pytest.raises(ValueError, match="time"):
        parse_time(value)


@given(st.text() | st.floats() | st.integers() | st.none())
def test_never_fails_otherwise(value: object) -> None:
    with suppress(ValueError):
        assert parse_time(value).tzinfo is not None
