"""Watches on made-up days: what is usual, what is a burst, a turn, a first time, a silence. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from models.trading import SHANGHAI
from stream.alerts.facts import of_signal
from stream.alerts.frames import Frame, split
from stream.alerts.rules import Burst, Condition, Count, First, Rule, Silent, ToneTurn
from stream.alerts.seasons import Calendar, usual
from stream.alerts.subscriptions import Subscription
from stream.alerts.windows import Signal, decide, history, rest, thin, tuned, with_documents

START = datetime(2026, 5, 11, tzinfo=SHANGHAI)  # a Monday; no holiday until the 19th of June
DAY = 86400.0


def at(day: float, clock: str = "00:00") -> float:
    hours, minutes = clock.split(":")
    return (START + timedelta(days=day, hours=int(hours), minutes=int(minutes))).timestamp()


def frame(
    times: list[float], tones: list[float] | None = None, publishers: list[str] | None = None, **changes: object
) -> Frame:
    order = np.argsort(times)
    n = len(times)
    values: dict[str, object] = {
        "times": np.array(times)[order],
        "first": np.ones(n, bool),
        "publishers": np.array(publishers or ["甲"] * n, dtype=object)[order],
        "tones": np.array(tones or [0.0] * n)[order],
        "ids": np.array([f"d{i}" for i in order], dtype=object),
        "came": np.array(times)[order],
    }
    return Frame(**{**values, **changes})  # type: ignore[arg-type]


def routine(days: int) -> list[float]:
    """Four an hour from 9:30 to 15:00 on weekdays, one an hour on weekends."""
    times = []
    for day in range(days):
        step = 15 if day % 7 < 5 else 60
        times += [at(day, "09:30") + 60 * minute for minute in range(0, 330, step)]
    return times


def test_what_is_usual_knows_the_hour_and_the_kind_of_day() -> None:
    calendar = Calendar(at(0), at(28))
    rates = usual(calendar, calendar.counts(np.array(routine(28))), since=at(-1), days=28)
    monday, saturday = 21, 26
    assert rates[monday][20] == pytest.approx(2.0, abs=0.05)  # 10:00 to 10:30: two of four an hour
    assert rates[monday][4] == 0 and rates[saturday][21] == pytest.approx(0.9, abs=0.3)
    assert np.isnan(rates[2]).all() and np.isnan(rates[5]).all(), "the first days know nothing"


def test_unknown_days_are_not_quiet_days() -> None:
    calendar = Calendar(at(0), at(28))
    counts = calendar.counts(np.array([t for t in routine(28) if t > at(14)]))
    assert usual(calendar, counts, since=at(14), days=28)[25][20] == pytest.approx(2.0, abs=0.1)


def test_a_burst_is_against_the_usual_of_the_hour() -> None:
    rule = Rule(burst=Burst(window="1h", times=3, at_least=5))
    burst = [at(21, "20:00") + 60 * n for n in range(8)]  # in the evening, when there is nothing
    usual_hour = [at(21, "10:00") + 600 * n for n in range(5)]  # nine within an hour where there are four
    (signal,) = thin(decide(rule, {"all": frame(routine(28) + burst + usual_hour)}, at(-1), at(20), at(28)), rest(rule))
    assert signal.at == burst[4] and signal.value == 5 and signal.usual < 0.5


def test_copies_do_not_make_a_burst_and_backfill_raises_none() -> None:
    rule = Rule(burst=Burst(window="1h", times=3, at_least=5))
    times = routine(28) + [at(21, "20:00") + 60 * n for n in range(8)]
    evening = np.sort(times) >= at(21, "20:00")
    copies = frame(times, first=~(evening & (np.sort(times) < at(21, "21:00"))))
    assert decide(rule, {"all": copies}, at(-1), at(20), at(28)) == []
    history_only = frame(times, came=np.full(len(times), -np.inf))
    assert decide(rule, {"all": history_only}, at(-1), at(20), at(28), came=at(-1)) == []
    assert decide(rule, {"all": history_only}, at(-1), at(20), at(28)) != []


def test_what_came_lately_is_told_of_its_own_time() -> None:
    rule = Rule(count=Count(window="1h", at_least=3))
    midnight = [at(1) + n for n in range(5)]
    by_day = frame([*midnight, at(1, "08:30")], came=np.array([at(1), at(1), *[at(1, "09:00")] * 4]))
    found = decide(rule, {"all": by_day}, at(0), at(0), at(2), came=at(1, "08:00"))
    assert [(signal.at, signal.value) for signal in found] == [(moment, n) for n, moment in enumerate(midnight, 1)][2:]
    assert decide(rule, {"all": by_day}, at(0), at(0), at(2), came=at(1, "09:01")) == []


def test_records_that_begin_today_say_nothing_of_bursts() -> None:
    rule = Rule(burst=Burst(window="1h", times=3, at_least=5))
    assert decide(rule, {"all": frame([at(1) + n for n in range(50)])}, at(0), at(0), at(2)) == []


def test_so_many_publishers_within_the_window() -> None:
    rule = Rule(count=Count(window="1h", at_least=3, count="publishers"))
    times, names = [at(1) + 60 * n for n in range(6)], ["甲", "甲", "乙", "甲", "丙", "甲"]
    assert decide(rule, {"all": frame(times, publishers=names)}, at(0), at(0), at(2))[0].at == times[4]
    assert decide(tuned(rule, 4), {"all": frame(times, publishers=names)}, at(0), at(0), at(2)) == []


@pytest.mark.parametrize(("direction", "speaks"), [("any", True), ("down", True), ("up", False)])
def test_a_tone_that_turns(direction: str, speaks: bool) -> None:
    rule = Rule(tone_turn=ToneTurn(window="1d", against="14d", change=0.5, at_least=3, direction=direction))  # type: ignore[arg-type]
    times = [at(n / 2) for n in range(24)] + [at(13) + 600 * n for n in range(4)]
    tones = [0.3] * 24 + [-0.4] * 4
    found = decide(rule, {"all": frame(times, tones)}, at(-1), at(12.5), at(20))
    assert bool(found) is speaks
    if found:
        assert found[0].usual == pytest.approx(0.3) and found[0].strength >= 0.5


def test_the_first_mention_in_so_many_days() -> None:
    rule = Rule(first_mention=First(days=10))
    frames = {"A": frame([at(0), at(3), at(20), at(21)]), "B": frame([at(25)]), "C": frame([at(2)])}
    found = decide(rule, frames, since=at(-1), low=at(0), high=at(30))
    assert [(s.key, s.at) for s in found] == [("A", at(20)), ("B", at(25))], "C came before 10 days were known"
    assert thin(found, rest(rule)) == found and found[0].ids == ("d2",)


def test_a_silent_source_counts_the_sessions_only() -> None:
    rule = Rule(silent=Silent(after="2h", during=("morning", "afternoon")))
    friday_close = at(4, "14:30")
    frames = {"cls": frame([at(4, "09:35"), at(4, "11:00"), friday_close, at(8, "09:35")])}
    signals = decide(rule, frames, at(-1), at(0), at(7, "11:01"))
    # half an hour on Friday, then Monday from 9:30 to 11:00: midday counts for nothing
    assert [s.at for s in signals] == [at(7, "11:00")]
    assert decide(rule, frames, at(-1), at(0), at(7, "10:59")) == []


def test_a_signal_names_its_latest_stories() -> None:
    made = with_documents(Signal("all", at(1), 3, 1, 3), frame([at(1) - 60 * n for n in range(9)]), window=3600)
    assert made.ids == ("d0", "d1", "d2", "d3", "d4")


def test_rows_are_split_by_key() -> None:
    frames = split(
        [[1.0, 2.0, 3.0], ["b", "a", "b"], [1, 1, 0], ["x", "y", "z"], [0.1, 0.2, 0.3], ["i", "j", "k"], [1, 1, 1]]
    )
    assert list(frames) == ["a", "b"] and frames["b"].ids.tolist() == ["i", "k"] and frames["a"].times.tolist() == [2.0]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "watch",
    [{"burst": Burst()}, {"count": Count(at_least=3)}, {"tone_turn": ToneTurn()}, {"first_mention": First()},
     {"new_pair": First()}, {"silent": Silent()}],
)  # fmt: skip
def test_what_a_watch_says(watch: dict[str, object], language: str) -> None:
    subscription = Subscription(name="s", when=Condition(theme=("game",)), language=language, **watch)  # type: ignore[arg-type]
    fact = of_signal(subscription, Signal("600001.SH", at(1), 6, 2, 3), (), {"600001.SH": "邯郸钢铁"})
    assert "邯郸钢铁 600001.SH" in fact.title and fact.why
    assert (language == "zh") is any("\u4e00" <= letter <= "\u9fff" for letter in fact.why)
    assert history(subscription) > 0
