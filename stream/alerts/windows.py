"""Whether a watch speaks, and how strongly. Pure: the same code decides live and looking back.

A watch is asked at the moments when something arrived, as nothing else can raise it (`silent` apart), and speaks of
one key again only after a rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.alerts.frames import Frame
from stream.alerts.rules import Burst, Count, First, Rule, Silent, ToneTurn, seconds
from stream.alerts.seasons import Calendar, Floats, usual

MIN_REST = 4 * 3600
SIGMA = 3.0
KNOWN_FOR = 14 * 86400  # a source silent for longer is no longer expected


@dataclass(frozen=True)
class Signal:
    """A watch that spoke: `value` in the window, what is usual, and `strength`, which the threshold bounds."""

    key: str
    at: float
    value: float
    usual: float
    strength: float
    ids: tuple[str, ...] = ()  # the latest documents, newest first
    note: str = ""  # what else is known, for people


def decide(
    rule: Rule, frames: Mapping[str, Frame], since: float, low: float, high: float, *, came: float = -np.inf
) -> list[Signal]:
    """What the rule's watch says from `low` to `high`, without rests, in the order of time.

    since: when the records begin; came: only documents that came since then raise anything. The frames must hold
    `history(rule)` seconds before `low`.
    """
    found: list[Signal] = []
    calendar = _calendar(rule, frames, low, high)
    for key, frame in frames.items():
        asked = (frame.times >= low) & (frame.times < high) & (frame.came >= came)
        moments = frame.times[asked]
        if rule.burst and len(moments):
            found += _burst(rule.burst, key, frame, moments, since, calendar)
        elif rule.count and len(moments):
            found += _count(rule.count, key, frame, moments)
        elif rule.tone_turn and len(moments):
            found += _tone_turn(rule.tone_turn, key, frame, moments)
        elif first := rule.first_mention or rule.new_pair:
            found += _first(first, key, frame, since, asked)
        elif rule.silent:
            found += _silent(rule.silent, key, frame, low, high, calendar)
    return sorted(found, key=lambda signal: (signal.at, signal.key))


def thin(signals: Iterable[Signal], rest: float) -> list[Signal]:
    """Of each key's signals, those that follow the last kept one by more than the rest."""
    last: dict[str, float] = {}
    kept = []
    for signal in signals:
        if signal.at - last.get(signal.key, -np.inf) > rest:
            last[signal.key] = signal.at
            kept.append(signal)
    return kept


def with_documents(signal: Signal, frame: Frame, window: float, limit: int = 5) -> Signal:
    """The signal with the latest stories of its window."""
    inside = (frame.times > signal.at - window) & (frame.times <= signal.at)
    chosen = frame.ids[inside & frame.first] if (inside & frame.first).any() else frame.ids[inside]
    return replace(signal, ids=tuple(str(id_) for id_ in chosen[::-1][:limit]))


def window_of(rule: Rule) -> int:
    """Seconds of documents that a signal is about."""
    if rule.first_mention or rule.new_pair:
        return 1
    watch = next(iter(rule.watches.values()))
    return seconds(watch.after if isinstance(watch, Silent) else watch.window)


def history(rule: Rule) -> int:
    """Seconds before the first moment that the decision needs."""
    if rule.burst:
        return rule.burst.days * 86400 + seconds(rule.burst.window) + 86400
    if rule.tone_turn:
        return seconds(rule.tone_turn.window) + seconds(rule.tone_turn.against)
    if first := rule.first_mention or rule.new_pair:
        return first.days * 86400
    return KNOWN_FOR if rule.silent else window_of(rule)


def rest(rule: Rule) -> float:
    """Seconds for which a watch says nothing more of a key."""
    return 0.0 if rule.first_mention or rule.new_pair or rule.silent else max(MIN_REST, window_of(rule))


def tunable(rule: Rule) -> tuple[str, str] | None:
    """(watch, field) of the threshold that `Signal.strength` is compared with."""
    return {"burst": ("burst", "times"), "count": ("count", "at_least"), "tone_turn": ("tone_turn", "change")}.get(
        rule.kind
    )


def tuned(rule: Rule, threshold: float) -> Rule:
    """The rule with another threshold."""
    known = tunable(rule)
    if known is None:
        return rule
    watch = getattr(rule, known[0])
    value = int(threshold) if known[1] == "at_least" else threshold
    return msgspec.structs.replace(rule, **{known[0]: msgspec.structs.replace(watch, **{known[1]: value})})


# ---------------------------------------------------------------------- the watches


def _within(times: Floats, moments: Floats, window: float) -> NDArray[np.int64]:
    """How many times lie in (moment - window, moment], for each moment."""
    upto = np.searchsorted(times, moments, side="right")
    return (upto - np.searchsorted(times, moments - window, side="right")).astype(np.int64)


def _calendar(rule: Rule, frames: Mapping[str, Frame], low: float, high: float) -> Calendar:
    """The half-hours that the rule looks at; one for all keys."""
    first = min((frame.times[0] for frame in frames.values()), default=low)
    return Calendar(min(first, low - rule.burst.days * 86400) if rule.burst else first, high)


def _burst(watch: Burst, key: str, frame: Frame, moments: Floats, since: float, calendar: Calendar) -> list[Signal]:
    window = seconds(watch.window)
    stories = frame.times[frame.first]
    n = _within(stories, moments, window).astype(float)
    if n.max() < watch.at_least:
        return []
    rates = usual(calendar, calendar.counts(stories), since, watch.days)
    expected = calendar.between(calendar.integral(np.nan_to_num(rates)), moments - window, moments)
    days = ((moments - calendar.edges[0]) // 86400).astype(int)
    known = ~np.isnan(rates[days, 0])
    times = n / np.maximum(expected, 1 / 3)
    surprise = (n - expected) / np.sqrt(np.maximum(expected, 0.25))
    hit = known & (n >= watch.at_least) & (times >= watch.times) & (surprise >= SIGMA)
    return [Signal(key, moments[i], n[i], float(expected[i]), float(times[i])) for i in np.flatnonzero(hit)]


def _count(watch: Count, key: str, frame: Frame, moments: Floats) -> list[Signal]:
    window = seconds(watch.window)
    n = _within(frame.times[frame.first] if watch.count == "stories" else frame.times, moments, window)
    if watch.count == "publishers":
        start = np.searchsorted(frame.times, moments - window, side="right")
        end = np.searchsorted(frame.times, moments, side="right")
        for i in np.flatnonzero(n >= watch.at_least):
            n[i] = len(set(frame.publishers[start[i] : end[i]]))
    hit = np.flatnonzero(n >= watch.at_least)
    return [Signal(key, moments[i], float(n[i]), float("nan"), float(n[i])) for i in hit]


def _tone_turn(watch: ToneTurn, key: str, frame: Frame, moments: Floats) -> list[Signal]:
    times, total = frame.times[frame.first], np.concatenate([[0.0], np.cumsum(frame.tones[frame.first])])
    middle = moments - seconds(watch.window)
    places = [np.searchsorted(times, at, side="right") for at in (middle - seconds(watch.against), middle, moments)]
    n_before, n_now = places[1] - places[0], places[2] - places[1]
    before = (total[places[1]] - total[places[0]]) / np.maximum(n_before, 1)
    now = (total[places[2]] - total[places[1]]) / np.maximum(n_now, 1)
    change = now - before
    strength = {"up": change, "down": -change, "any": np.abs(change)}[watch.direction]
    hit = (n_now >= watch.at_least) & (n_before >= watch.at_least) & (strength >= watch.change)
    return [Signal(key, moments[i], float(now[i]), float(before[i]), float(strength[i])) for i in np.flatnonzero(hit)]


def _first(watch: First, key: str, frame: Frame, since: float, asked: NDArray[np.bool_]) -> list[Signal]:
    gaps = np.diff(frame.times, prepend=-np.inf)
    known = frame.times - since >= watch.days * 86400  # before that nobody can say that it is the first
    hit = (gaps > watch.days * 86400) & known & asked
    quiet = np.minimum(gaps, frame.times - since) / 86400
    return [
        Signal(key, frame.times[i], 1.0, float(quiet[i]), float(quiet[i]), (str(frame.ids[i]),))
        for i in np.flatnonzero(hit)
    ]


def _silent(watch: Silent, key: str, frame: Frame, low: float, high: float, calendar: Calendar) -> list[Signal]:
    passed = calendar.integral(calendar.active(watch.during))
    due = calendar.between(passed, calendar.edges[0], frame.times) + seconds(watch.after) / 1800
    speaks = np.interp(due, passed, calendar.edges, right=np.inf)  # when so much of the sessions has passed
    speaks = np.where(due > passed[-1], np.inf, speaks)
    until = np.append(frame.times[1:], high)
    hit = (speaks < until) & (speaks >= low) & (speaks < high) & (speaks - frame.times < KNOWN_FOR)
    return [
        Signal(
            key,
            float(speaks[i]),
            float(speaks[i] - frame.times[i]),
            float(seconds(watch.after)),
            1.0,
            (str(frame.ids[i]),),
        )
        for i in np.flatnonzero(hit)
    ]
