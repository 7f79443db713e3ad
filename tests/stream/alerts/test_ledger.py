"""What fired, kept in the store: how long things wait, what has been told, and what a restart still knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from stream.alerts.facts import Fact
from stream.alerts.ledger import Attempt, Firing, Ledger, note
from stream.alerts.rules import Condition, Count
from stream.alerts.subscriptions import Escalation, Stored, Subscription

START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def subscribed(**changes: object) -> Stored:
    values: dict[str, object] = {"id": "s1", "name": "s", "when": Condition(theme=("game",)), "channels": ("hook",)}
    return Stored(subscription=Subscription(**{**values, **changes}), version=1)  # type: ignore[arg-type]


def fire(
    ledger: Ledger,
    whose: Stored,
    what: str,
    at: datetime,
    group: str = "",
    rest: float | None = None,
    of: datetime | None = None,
) -> str:
    """The outcome of a firing that is stored; empty where there is none. of: the moment that a watch speaks of."""
    fact = Fact(title=what, published_at=of)
    firing = ledger.fire(whose, fact, group=group or what, what=what, now=at, rest=rest)
    ledger.write([firing] if firing else [])
    return firing.outcome if firing else ""


@pytest.mark.parametrize("restart", [False, True])
def test_a_cooldown_of_days_lasts_days(stored: Client, restart: bool) -> None:
    whose, ledger = subscribed(cooldown="3d"), Ledger(stored)
    assert fire(ledger, whose, "a", START) == "send"
    if restart:
        ledger = Ledger.restored(stored, START + 2 * DAY)
    assert fire(ledger, whose, "b", START + 2 * DAY) == "cooldown"
    assert [at for _, _, at, _ in ledger.due(START + 3 * DAY)][-1] == START + 3 * DAY


@pytest.mark.parametrize("restart", [False, True])
def test_messages_of_one_moment_count_each(stored: Client, restart: bool) -> None:
    whose, ledger = subscribed(per_hour=2), Ledger(stored)
    assert [fire(ledger, whose, what, START) for what in "ab"] == ["send", "send"]
    if restart:
        ledger = Ledger.restored(stored, START)
    assert [fire(ledger, whose, what, START) for what in "cd"] == ["limited", "held"]
    assert len(ledger.due(START)) == 2 and len(ledger.due(START + HOUR)) == 3


@pytest.mark.parametrize("restart", [False, True])
def test_held_messages_for_other_channels_count_each(stored: Client, restart: bool) -> None:
    whose, ledger = subscribed(per_hour=2), Ledger(stored)
    assert [fire(ledger, whose, what, START) for what in "abc"] == ["send", "send", "limited"]
    assert fire(ledger, subscribed(per_hour=2, channels=("mail",)), "d", START) == "held"
    if restart:
        ledger = Ledger.restored(stored, START + HOUR)
    assert len(ledger.due(START + HOUR)) == 4
    assert fire(ledger, whose, "e", START + HOUR + timedelta(minutes=1)) == "limited"


@pytest.mark.parametrize("restart", [False, True])
def test_a_watch_rests_for_its_window_however_long(stored: Client, restart: bool) -> None:
    whose, ledger = subscribed(count=Count(window="7d", at_least=3)), Ledger(stored)
    assert fire(ledger, whose, "1", START, "count all", rest=7 * 86400) == "send"
    ledger.forget(START + 5 * DAY)
    if restart:
        ledger = Ledger.restored(stored, START + 5 * DAY)
    assert fire(ledger, whose, "2", START + 5 * DAY, "count all", rest=7 * 86400) == ""
    assert fire(ledger, whose, "3", START + 8 * DAY, "count all", rest=7 * 86400) == "send"


@pytest.mark.parametrize("restart", [False, True])
def test_a_watch_does_not_speak_again_of_what_was_before_it_spoke(stored: Client, restart: bool) -> None:
    whose, ledger = subscribed(count=Count(window="1h", at_least=3)), Ledger(stored)
    midnight, morning, rest = START, START + 9 * HOUR, 4 * 3600
    assert fire(ledger, whose, "1", morning, "count all", rest, of=midnight) == "send"
    if restart:
        ledger = Ledger.restored(stored, morning)
    late = [midnight, midnight + HOUR, morning]
    assert [fire(ledger, whose, "2", morning + 5 * HOUR, "count all", rest, of=moment) for moment in late] == [""] * 3
    assert fire(ledger, whose, "3", morning + 5 * HOUR, "count all", rest, of=morning + 5 * HOUR) == "send"


@pytest.mark.parametrize("restart", [False, True])
def test_what_is_told_together_goes_to_the_channels_of_its_time(stored: Client, restart: bool) -> None:
    ledger, due = Ledger(stored), START.replace(hour=10, minute=0, second=0) + DAY  # 18:00 in Shanghai
    boss = Escalation(after="1h", channels=("boss",))
    edited = [{"channels": ("hook", "mail")}, {"channels": ("mail", "hook")}, {"channels": ("mail",), "escalate": boss}]
    for n, changes in enumerate([*edited, edited[2]]):
        assert fire(ledger, subscribed(schedule=("daily",), **changes), str(n), due - HOUR + n * HOUR / 9) == "digest"
    if restart:
        ledger = Ledger.restored(stored, due)
    found = {(channel, tuple(f.title for f in firings)) for _, channel, _, firings in ledger.due(due + 2 * HOUR)}
    assert found == {("hook", ("0", "1")), ("mail", ("0", "1")), ("mail", ("2", "3")), ("boss", ("2", "3"))}


def test_a_dry_run_counts_a_story_once_and_tells_nobody_of_it(stored: Client) -> None:
    ledger = Ledger(stored)
    copies = [fire(ledger, subscribed(dry_run=True), f"d{n}", START + n * HOUR, "story") for n in range(3)]
    assert copies == ["dry_run", "grouped", "grouped"] and ledger.due(START + DAY) == []
    live = Ledger.restored(stored, START + 4 * HOUR)
    assert fire(live, subscribed(), "d4", START + 4 * HOUR, "story") == "send", "nobody has heard of it yet"


def test_an_acknowledgement_and_an_escalation_may_be_days_apart(stored: Client) -> None:
    whose, ledger = subscribed(escalate=Escalation(after="5d", channels=("boss",))), Ledger(stored)
    taken, left = (ledger.fire(whose, Fact(title=t), group=t, what=t, now=START) for t in "ab")
    assert isinstance(taken, Firing) and isinstance(left, Firing)
    ledger.write([taken, left])
    known = {"subscription_id": "s1", "attempt": 1, "at": START + HOUR}
    outcomes = [
        Attempt(message_id=f.message_id, channel="hook", state="sent", **known)  # type: ignore[arg-type]
        for f in (taken, left)
    ]
    acknowledged = Attempt(message_id=taken.message_id, channel="", state="acknowledged", **known)  # type: ignore[arg-type]
    note(stored, [*outcomes, acknowledged])
    later = START + 5 * DAY
    again = Ledger.restored(stored, later)
    assert again.due(later - HOUR) == []
    assert again.due(later) == [(left.message_id, "boss", later, [left])], "and it has its own day of tries"
