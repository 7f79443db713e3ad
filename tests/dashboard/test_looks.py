"""Words, numbers and layout that need no browser."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import dashboard
from dashboard import network, state, weekly
from dashboard.catalogue import WORDS
from dashboard.text import moment, percent, score
from dashboard.views.overview import source_state
from models.trading import SHANGHAI

SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in Path(dashboard.__file__).parent.rglob("*.py"))


def test_every_word_that_is_said_is_in_both_languages() -> None:
    said = set(re.findall(r'\bsay\(\s*"(\w+)"', SOURCES))
    assert said <= set(WORDS), said - set(WORDS)
    for key, (zh, en) in WORDS.items():
        assert zh and en, key
        assert set(re.findall(r"{(\w+)}", zh)) == set(re.findall(r"{(\w+)}", en)), key


def test_no_key_is_given_two_meanings() -> None:
    pages = sorted(Path(dashboard.__file__).parent.glob("catalogue*.py"))
    keys = [key for page in pages for key in re.findall(r'^    "(\w+)": \(', page.read_text("utf-8"), re.MULTILINE)]
    assert set(keys) == set(WORDS)
    assert [key for key, times in Counter(keys).items() if times > 1] == []


def test_no_word_is_left_unsaid() -> None:
    mentioned = set(
        re.findall(r"\w+", SOURCES.replace((Path(dashboard.__file__).parent / "catalogue.py").read_text("utf-8"), ""))
    )
    made_up = (
        "away_",
        "unready_",
        "limited_",
        "refused_",
        "page_",
        "window_",
        "basis_",
        "colours_",
        "kind_",
        "last_",
        "tone_",
        "source_",
        "order_",
        "section_",
        "role_",
        "why_",
        "reports_",
        "stage_",
        "column_",
    )
    unsaid = [key for key in WORDS if key not in mentioned and not key.startswith(made_up)]
    assert not unsaid


def test_numbers() -> None:
    assert (percent(0.5), percent(-0.2), percent(2.2)) == ("+50%", "−20%", "3.2×")
    assert (score(0.21), score(-0.3), score(-0.004)) == ("+0.21", "−0.30", "+0.00")


def test_moments_are_as_short_as_is_clear() -> None:
    now = datetime(2026, 11, 20, 14, 30, tzinfo=SHANGHAI)
    assert moment(now - timedelta(hours=1), now) == "13:30"
    assert moment(now - timedelta(days=1), now) == "11-19 14:30"
    assert moment(now - timedelta(days=400), now) == "2025-10-16"


@pytest.mark.parametrize(
    ("gap", "age", "state"),
    [
        (1, 600, "ok"),  # seconds: a busy source has ten minutes, and an hour
        (1, 601, "late"),
        (1, 3600, "late"),
        (1, 3601, "silent"),
        (7200, 5 * 7200, "ok"),
        (7200, 5 * 7200 + 1, "late"),
        (7200, 20 * 7200, "late"),
        (7200, 20 * 7200 + 1, "silent"),
    ],
)
def test_a_source_is_late_by_its_own_gaps(gap: int, age: int, state: str) -> None:
    now = datetime(2026, 11, 20, 14, 30, tzinfo=SHANGHAI)
    row = {"newest": now - timedelta(seconds=age), "usual_gap": gap}
    assert source_state(row, now) == state


@pytest.mark.parametrize(
    ("value", "default", "options"),
    [
        ("game", None, ("game",)),
        (True, False, ()),
        (["a", "b"], [], ("a", "b", "c")),
        ((date(2026, 1, 2), date(2026, 1, 9)), (date(2026, 1, 1),), ()),
    ],
)
def test_url_values_come_back(value: object, default: object, options: tuple[str, ...]) -> None:
    assert state.decode(state.encode(value), default, options) == value


def test_wrong_url_values_become_the_default() -> None:
    assert state.decode("no", "raw", ("raw",)) == "raw"
    assert state.decode("a,x", [], ("a",)) == ["a"]
    assert state.decode("yesterday", (date(2026, 1, 1),)) == (date(2026, 1, 1),)


def test_layout_is_the_same_each_time_and_spreads_out() -> None:
    weights = np.ones((8, 8)) - np.eye(8)
    place = network.layout(weights)
    assert np.array_equal(place, network.layout(weights))
    gaps = np.linalg.norm(place[:, None] - place[None], axis=2)[~np.eye(8, dtype=bool)]
    assert gaps.min() > 0.2 and np.abs(place).max() <= 1
    assert network.layout(np.zeros((1, 1))).shape == (1, 2)


def test_weeks() -> None:
    start, end = weekly.bounds("2026-W45")
    assert start == datetime(2026, 11, 2, tzinfo=SHANGHAI) and end - start == timedelta(weeks=1)
    assert weekly.week_of(start) == "2026-W45" == weekly.week_of(end - timedelta(seconds=1))
    assert weekly.weeks(start + timedelta(days=3), end + timedelta(days=1)) == ["2026-W46", "2026-W45"]
    with pytest.raises(ValueError, match="week"):
        weekly.bounds("2026-W60")
