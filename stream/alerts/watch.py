"""Asks the watches of all subscriptions, on a timer and in a thread of its own, so that documents don't wait for it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from stream.alerts import frames, windows
from stream.alerts.items import Item, load
from stream.alerts.rules import Rule, Trouble, seconds, to_json
from stream.alerts.subscriptions import Stored
from stream.alerts.windows import Signal
from stream.store import StoreAway

log = logging.getLogger(__name__)

# Of each source polled lately: its latest state, whether it was well in the window, its last gap there, the message.
SOURCES = """
SELECT source, argMax(state, checked_at) AS latest,
    countIf(state IN ('ok', 'gap') AND checked_at > {since:DateTime64(3, 'UTC')}) > 0 AS well,
    argMaxIf(message, checked_at, state = 'gap' AND checked_at > {since:DateTime64(3, 'UTC')}) AS gap,
    argMax(message, checked_at) AS said
FROM source_health
WHERE checked_at > least({since:DateTime64(3, 'UTC')}, {oldest:DateTime64(3, 'UTC')})
    AND checked_at <= {now:DateTime64(3, 'UTC')}
GROUP BY source ORDER BY source
"""


@dataclass(frozen=True)
class Spoken:
    """A signal with its subscription and the documents to show."""

    stored: Stored
    signal: Signal
    documents: tuple[Item, ...]


class Watcher(threading.Thread):
    """connect: a client of its own, or `StoreAway`; `spoken` receives what the watches say."""

    def __init__(
        self, connect: Callable[[], Client], clock: Callable[[], datetime], interval: float, max_age: timedelta
    ) -> None:
        super().__init__(name="watcher", daemon=True)
        self._connect, self._clock, self._interval, self._max_age = connect, clock, interval, max_age
        self._subscriptions: Sequence[Stored] = ()
        self._ended = threading.Event()
        self.spoken: queue.SimpleQueue[Spoken] = queue.SimpleQueue()

    def follow(self, subscriptions: Sequence[Stored]) -> None:
        """From now on these."""
        self._subscriptions = [s for s in subscriptions if s.subscription.enabled and s.subscription.kind != "document"]

    def stop(self) -> None:
        self._ended.set()

    def run(self) -> None:
        client: Client | None = None
        while not self._ended.is_set():
            if self._subscriptions:
                try:
                    client = client or self._connect()
                    self._ask_all(client)
                except StoreAway as error:
                    log.warning("%s", error)
            self._ended.wait(self._interval)
        if client is not None:
            client.close()

    def _ask_all(self, client: Client) -> None:
        now = self._clock()
        answers: dict[str, list[tuple[Signal, tuple[Item, ...]]]] = {}  # equal rules are asked once
        for stored in self._subscriptions:
            if self._ended.is_set():
                return
            rule = stored.subscription
            name = to_json(bare(rule))
            try:
                if name not in answers:
                    answers[name] = [(s, documents(client, s)) for s in ask(client, rule, now, self._max_age)]
            except Exception as error:  # noqa: BLE001 - one rule that can't be asked must not silence the others
                log.error("the watch of «%s» can't be asked: %s", rule.name, " ".join(str(error).split())[:300])
                continue
            for signal, items in answers[name]:
                self.spoken.put(Spoken(stored, signal, items))


def ask(client: Client, rule: Rule, now: datetime, max_age: timedelta) -> list[Signal]:
    """What a rule's watch says now, at most one signal a key; of documents published longer ago than `max_age` nothing.

    A document may come long after its time: a report is dated by the day, a source or the worker was away.
    """
    if rule.trouble:
        return trouble(client, rule, now)
    high = now.timestamp()
    came = high - frames.LOOK_BACK
    low = came if rule.silent else high - max_age.total_seconds()  # a silence that has ended is not told late
    start = datetime.fromtimestamp(low - windows.history(rule), UTC)
    known = frames.read(client, rule, start, now)
    signals = windows.decide(rule, known.frames, known.since, low, high, came=came)
    latest = {signal.key: signal for signal in signals}  # the latest of each key tells most
    span = windows.window_of(rule)
    return [s if s.ids else windows.with_documents(s, known.frames[s.key], span) for s in latest.values()]


def trouble(client: Client, rule: Rule, now: datetime) -> list[Signal]:
    """Whether documents are late, too many can't be read, none are stored, or a source fails, is silent, has a gap."""
    watch = rule.trouble
    assert watch is not None
    since = now - timedelta(seconds=seconds(watch.window))
    values = {"since": since, "oldest": now - timedelta(days=3)}
    late, stored = client.query(
        "SELECT quantileExact(0.5)(dateDiff('millisecond', fetched_at, stored_at)) / 1000, count() FROM documents"
        " WHERE published_at > {oldest:DateTime64(3, 'UTC')} AND stored_at > {since:DateTime64(3, 'UTC')}"
        " AND NOT backfill",
        parameters=values,
    ).result_rows[0]
    dead = client.query(
        "SELECT count() FROM dead_letters FINAL WHERE failed_at > {since:DateTime64(3, 'UTC')}", parameters=values
    ).result_rows[0][0]
    at, found = now.timestamp(), []
    if stored and late > seconds(watch.behind):
        found.append(Signal("late", at, float(late), float(seconds(watch.behind)), float(late)))
    if dead >= 5 and dead / (dead + stored) > watch.dead_share:
        found.append(Signal("dead", at, dead / (dead + stored), watch.dead_share, dead / (dead + stored)))
    if not stored and not dead and (fetched := _not_stored(client, watch, since, now)):
        found.append(Signal("stuck", at, fetched, 0.0, fetched))
    return found + _sources(client, watch, since, now) if watch.sources else found


def _not_stored(client: Client, watch: Trouble, since: datetime, now: datetime) -> float:
    """How many new documents the sources brought in the window, and `behind` ago or earlier, if none came out."""
    behind = timedelta(seconds=seconds(watch.behind))
    values = {"since": since - behind, "until": now - behind}
    fetched = client.query(
        "SELECT sum(new) FROM source_health WHERE checked_at > {since:DateTime64(3, 'UTC')}"
        " AND checked_at <= {until:DateTime64(3, 'UTC')}",
        parameters=values,
    ).result_rows[0][0]
    if not fetched:
        return 0.0
    came = (
        "SELECT (SELECT count() FROM documents WHERE stored_at > {since:DateTime64(3, 'UTC')})"  # history, too
        " + (SELECT count() FROM dead_letters FINAL WHERE failed_at > {since:DateTime64(3, 'UTC')})"
    )
    return 0.0 if client.query(came, parameters=values).result_rows[0][0] else float(fetched)


def _sources(client: Client, watch: Trouble, since: datetime, now: datetime) -> list[Signal]:
    at, found = now.timestamp(), []
    values = {"since": since, "oldest": now - timedelta(hours=1), "now": now}
    for source, state, well, gap, message in client.query(SOURCES, parameters=values).result_rows:
        if state in watch.sources and (state == "silent" or (state == "failing" and not well)):
            found.append(Signal(f"{state} {source}", at, 1.0, 0.0, 1.0, note=message))
        elif gap and "gap" in watch.sources:
            found.append(Signal(f"gap {source}", at, 1.0, 0.0, 1.0, note=gap))
    return found


def documents(client: Client, signal: Signal) -> tuple[Item, ...]:
    """The documents that a signal names, newest first."""
    if not signal.ids:
        return ()
    around = [datetime.fromtimestamp(signal.at + days * 86400, UTC) for days in (-40, 1)]
    found = {item.id: item for item in load(client, signal.ids, around[0], around[1])}
    return tuple(found[id_] for id_ in signal.ids if id_ in found)


def bare(rule: Rule) -> Rule:
    """The rule without the manners of its subscription."""
    return Rule(**{name: getattr(rule, name) for name in Rule.__struct_fields__})
