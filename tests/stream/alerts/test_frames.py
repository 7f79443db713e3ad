"""The rows that a watch looks at, read from the store: all of a time that is known, or the latest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from stream.alerts.frames import read
from stream.alerts.rules import Condition, Count, First
from stream.alerts.subscriptions import Subscription
from stream.alerts.watch import ask
from tests.stream.alerts.make import Store, analysed


def test_what_was_not_read_is_not_said_to_be_absent(stored: Client, store: Store) -> None:
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    store.add([analysed(f"d{day}", now - timedelta(days=day), backfill=True) for day in range(1, 100)])
    named = {"codes": {"600002.SH": 0.0}, "title": "很久以前提到过"}
    store.add([analysed("old", now - timedelta(days=60, hours=1), backfill=True, **named)])  # type: ignore[arg-type]
    store.add([analysed("new", now, codes={"600002.SH": 0.0}, title="今天又提到了")])
    first = Subscription(name="s", first_mention=First(days=10))
    (signal,) = ask(stored, first, now + timedelta(seconds=1), timedelta(days=1))
    assert 10 <= signal.usual < 12, "sixty days ago it was mentioned, further back than was read"


def test_documents_raise_their_watch_when_they_come_whenever_they_are_dated(stored: Client, store: Store) -> None:
    now = datetime.now(UTC)
    by_day = [analysed(n, now - timedelta(hours=9), themes={"game": 0.9}, title=f"第{n}份{n * 7}") for n in range(8)]
    store.add([*by_day, analysed("ahead", now + timedelta(hours=9), themes={"ip": 0.9})])
    count = Subscription(name="s", when=Condition(theme=("game",)), count=Count(window="1d", at_least=3))
    ahead = Subscription(name="s", when=Condition(theme=("ip",)), count=Count(window="1d", at_least=1))

    def said(rule: Subscription, hours: float, max_age: float = 24) -> list[float]:
        return [s.value for s in ask(stored, rule, now + timedelta(hours=hours), timedelta(hours=max_age))]

    assert said(count, 0.1) == [8.0], "dated by the day, they came just now"
    assert said(count, 2) == [], "they came two hours ago"
    assert said(count, 0.1, max_age=6) == [], "what was published so long ago is not news"
    assert said(ahead, 0.1) == [] and said(ahead, 9.1) == [1.0], "dated ahead, it comes with its time"


def test_a_document_that_is_stored_anew_raises_no_watch_again(stored: Client, store: Store) -> None:
    now = datetime.now(UTC)
    known = [analysed(n, now - timedelta(hours=9), themes={"game": 0.9}, title=f"第{n}份{n * 7}") for n in range(3)]
    seen = [(message.document.id, now - timedelta(hours=8), now - timedelta(hours=8)) for message in known]
    stored.insert("alert_seen", seen, column_names=["document_id", "stored_at", "seen_at"])
    store.add(known)  # corrected, or replayed
    count = Subscription(name="s", when=Condition(theme=("game",)), count=Count(window="1d", at_least=3))
    soon = now + timedelta(minutes=1)
    assert ask(stored, count, soon, timedelta(days=1)) == []
    store.add([analysed("new", now - timedelta(hours=9), themes={"game": 0.9}, title="新来的一份")])
    (signal,) = ask(stored, count, soon, timedelta(days=1))
    assert signal.value == 4


def test_of_too_many_rows_the_latest_are_read(stored: Client, store: Store) -> None:
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    store.add([analysed(n, now - timedelta(hours=n), themes={"game": 0.9}) for n in range(10)])
    rule = Subscription(name="s", when=Condition(theme=("game",)), count=Count(at_least=2))
    start, end = now - timedelta(days=2), now + timedelta(seconds=1)
    cut, whole = read(stored, rule, start, end, 4), read(stored, rule, start, end)
    assert list(cut.frames["all"].times) == [(now - timedelta(hours=n)).timestamp() for n in (3, 2, 1, 0)]
    assert cut.cut and cut.since == (now - timedelta(hours=3)).timestamp()
    assert len(whole.frames["all"].times) == 10 and not whole.cut
    assert whole.since == (now - timedelta(hours=9)).timestamp(), "the records begin there"
