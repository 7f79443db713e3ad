"""What fired and what became of it. ClickHouse has the truth; this remembers what the next decision needs.

A firing is stored before anything of it is sent, with the message that carries it and the channels it is for. The
state of cooldowns, limits, stories told and messages under way is read back from those rows, so a restart changes
nothing. One process at a time uses it, from one thread.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client
from msgspec import Struct

from stream.alerts.facts import Fact
from stream.alerts.rules import seconds
from stream.alerts.schedule import plan
from stream.alerts.subscriptions import Stored

STORY_DAYS = 3  # as long as a story goes on
# A weekly digest waits that long, its escalation for seven days more, and retries for one; a watch rests that long.
PENDING_DAYS = 16
CARRIED = ("send", "digest", "held", "cooldown", "limited")
DONE = ("sent", "gave_up")
DAY = timedelta(days=1)


class Firing(Struct, frozen=True, kw_only=True):
    """A rule that fired: a row of `alerts`."""

    id: str
    subscription_id: str
    subscription_version: int
    owner: str
    name: str
    kind: str
    group_key: str
    document_id: str
    title: str
    fired_at: datetime
    outcome: str
    due_at: datetime
    message_id: str
    channels: tuple[str, ...] = ()
    escalate_to: tuple[str, ...] = ()
    escalate_at: datetime | None = None
    facts: str = ""


class Attempt(Struct, frozen=True, kw_only=True):
    """What became of a message at a channel: a row of `alert_deliveries`."""

    message_id: str
    subscription_id: str
    channel: str
    attempt: int
    state: str  # sent, failed, gave_up, acknowledged
    at: datetime
    next_at: datetime | None = None
    detail: str = ""


class Ledger:
    """The firings of all subscriptions."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._told_groups: dict[tuple[str, str], datetime] = {}  # when a group last got a message, or a place in one
        self._due: defaultdict[str, deque[tuple[datetime, str]]] = defaultdict(deque)  # the last day's messages
        self._recent: set[str] = set()  # ids that a killed process may have stored without finishing its batch
        self.open: dict[str, list[Firing]] = {}  # message -> its firings, until all its channels are done
        self.done: set[tuple[str, str]] = set()  # (message, channel)
        self.tries: dict[tuple[str, str], int] = {}

    @classmethod
    def restored(cls, client: Client, now: datetime) -> Ledger:
        """As the store has it."""
        ledger = cls(client)
        ledger._restore(now)
        return ledger

    def lately(self, subscription: str, now: datetime) -> list[datetime]:
        """When messages of a subscription were due within the last day."""
        return [at for at, _ in self._due[subscription] if now - DAY < at <= now]

    def _restore(self, now: datetime) -> None:
        values = {"since": now - timedelta(days=PENDING_DAYS), "carried": list(CARRIED)}
        sql = (
            "SELECT message_id, channel, max(attempt), countIf(state IN ('sent', 'gave_up')) FROM alert_deliveries"
            " WHERE at > {since:DateTime64(3, 'UTC')} AND state != 'acknowledged' GROUP BY message_id, channel"
        )
        for message, channel, attempt, finished in self._client.query(sql, parameters=values).result_rows:
            self.tries[message, channel] = int(attempt)
            if finished:
                self.done.add((message, channel))
        sql = (
            "SELECT subscription_id, group_key, max(fired_at) FROM alerts WHERE fired_at > {since:DateTime64(3, 'UTC')}"
            " AND outcome != 'snoozed' GROUP BY subscription_id, group_key"
        )
        for subscription, group, at in self._client.query(sql, parameters=values).result_rows:
            self._told_groups[subscription, group] = at
        sql = (
            "SELECT subscription_id, due_at, message_id FROM alerts WHERE fired_at > {since:DateTime64(3, 'UTC')}"
            " AND outcome IN ('send', 'held', 'cooldown', 'limited') GROUP BY subscription_id, due_at, message_id"
            " ORDER BY due_at"
        )
        for subscription, due, message in self._client.query(sql, parameters=values).result_rows:
            self._due[subscription].append((due, message))
        names = ", ".join(Firing.__struct_fields__)
        sql = (
            f"SELECT {names} FROM alerts FINAL WHERE fired_at > {{since:DateTime64(3, 'UTC')}}"
            " AND outcome IN {carried:Array(String)} ORDER BY fired_at, id"
        )
        with self._client.query_row_block_stream(sql, parameters=values) as blocks:
            for block in blocks:
                for row in block:
                    self._open(_firing(row))
        sql = (
            "SELECT id FROM alerts WHERE fired_at >= (SELECT max(seen_at) FROM alert_seen) - INTERVAL 10 MINUTE"
            " AND fired_at > {since:DateTime64(3, 'UTC')}"
        )
        self._recent = {str(row[0]) for row in self._client.query(sql, parameters=values).result_rows}
        self.acknowledge(acknowledged(self._client, now - timedelta(days=PENDING_DAYS)))

    def fire(
        self,
        stored: Stored,
        fact: Fact,
        *,
        group: str,
        what: str,
        now: datetime,
        rest: float | None = None,
    ) -> Firing | None:
        """The firing of a subscription, or None where it has been stored.

        group: the story, or the watch's key; what: that which fires just once, a document or a moment. rest: seconds
        for which a watch says no more of a key; of what was before it spoke, and came later, it says nothing ever.
        """
        subscription = stored.subscription
        if subscription.dry_run:  # what was only noted has not been told when it goes live
            group = f"dry_run {group}"
        id_ = digest(subscription.id, group, what)
        if id_ in self._recent:
            return None
        told = self._told_groups.get((subscription.id, group))
        if rest is not None and told is not None:
            moment = fact.published_at or now
            if moment <= told or (now - told).total_seconds() <= rest:
                return None
        due = self._due[subscription.id]
        kept = max(DAY, timedelta(seconds=seconds(subscription.cooldown or "1d")))
        while due and due[0][0] <= now - kept:
            due.popleft()
        waiting = due[-1][0] if due and due[-1][0] > now else None
        told_at = [at for at, _ in due if at <= now]
        chosen = plan(subscription, now, told=told_at, waiting=waiting, snoozed_until=stored.snoozed_until)
        outcome = chosen.outcome
        going_on = rest is None and told is not None and now - told <= timedelta(days=STORY_DAYS)
        if going_on and outcome in (*CARRIED, "dry_run"):
            outcome = "grouped"
        carried = outcome in CARRIED
        channels = subscription.channels if carried else ()
        escalation = subscription.escalate if carried else None
        escalate_to = escalation.channels if escalation else ()
        due_at = str(round(chosen.due_at.timestamp() * 1000))
        together = (due_at, *sorted(channels), "", *sorted(escalate_to))  # all in one message are for the same channels
        message = digest(subscription.id, *((group, what) if outcome == "send" else together))
        firing = Firing(
            id=id_,
            subscription_id=subscription.id,
            subscription_version=stored.version,
            owner=subscription.owner,
            name=subscription.name,
            kind=subscription.kind,
            group_key=group,
            document_id=fact.document_id,
            title=fact.title,
            fired_at=now,
            outcome=outcome,
            due_at=chosen.due_at if carried else now,
            message_id=message if carried else "",
            channels=channels,
            escalate_to=escalate_to,
            escalate_at=chosen.due_at + timedelta(seconds=seconds(escalation.after)) if escalation else None,
            facts=msgspec.json.encode(fact).decode(),
        )
        if outcome != "snoozed":
            self._told_groups[subscription.id, group] = now
        if carried and outcome != "digest" and all(message != known for _, known in due):
            due.append((firing.due_at, message))
        return firing

    def write(self, firings: Sequence[Firing]) -> None:
        """Store firings; from then on their messages are due."""
        if not firings:
            return
        names = list(Firing.__struct_fields__)
        rows = [[getattr(firing, name) for name in names] for firing in firings]
        for row in rows:
            row[names.index("channels")] = list(row[names.index("channels")])
            row[names.index("escalate_to")] = list(row[names.index("escalate_to")])
        self._client.insert("alerts", rows, column_names=names)
        for firing in firings:
            self._open(firing)

    def settle(self, attempts: Sequence[Attempt]) -> None:
        """Take in what became of messages, which `note` has stored."""
        for attempt in attempts:
            key = (attempt.message_id, attempt.channel)
            self.tries[key] = attempt.attempt
            if attempt.state in DONE:
                self.done.add(key)
        for message in {attempt.message_id for attempt in attempts}:
            self._close_if_done(message)

    def acknowledge(self, messages: Iterable[str]) -> None:
        """Somebody has taken care of these: nobody else needs to be told."""
        for message in messages:
            for firing in self.open.get(message, ()):
                self.done.update((message, channel) for channel in firing.escalate_to if channel not in firing.channels)
            self._close_if_done(message)

    def forget(self, now: datetime) -> None:
        """Drop what no decision needs any more."""
        old, older = now - timedelta(days=STORY_DAYS), now - timedelta(days=PENDING_DAYS)  # a watch may rest longer
        self._told_groups = {key: at for key, at in self._told_groups.items() if at > (older if " " in key[1] else old)}
        self._recent.clear()

    def due(self, now: datetime) -> list[tuple[str, str, datetime, list[Firing]]]:
        """(message, channel, since when, firings) of all that is to be delivered by now."""
        found = []
        for message, firings in self.open.items():
            first = firings[0]
            if first.due_at > now:
                continue
            for channel, at in targets(first):
                if at <= now and (message, channel) not in self.done:
                    found.append((message, channel, at, firings))
        return found

    # ------------------------------------------------------------------

    def _open(self, firing: Firing) -> None:
        if firing.outcome in CARRIED and any((firing.message_id, c) not in self.done for c, _ in targets(firing)):
            self.open.setdefault(firing.message_id, []).append(firing)

    def _close_if_done(self, message: str) -> None:
        firings = self.open.get(message)
        if firings and all((message, channel) in self.done for channel, _ in targets(firings[0])):
            del self.open[message]
            for channel, _ in targets(firings[0]):
                self.done.discard((message, channel))
                self.tries.pop((message, channel), None)


def note(client: Client, attempts: Sequence[Attempt]) -> None:
    """Store what became of messages."""
    names = list(Attempt.__struct_fields__)
    rows = [[getattr(attempt, name) for name in names] for attempt in attempts]
    client.insert("alert_deliveries", rows, column_names=names)


def acknowledged(client: Client, since: datetime) -> list[str]:
    """The messages of which somebody has said since then that they take care of them."""
    sql = "SELECT message_id FROM alert_deliveries WHERE state = 'acknowledged' AND at > {since:DateTime64(3, 'UTC')}"
    return [str(row[0]) for row in client.query(sql, parameters={"since": since}).result_rows]


def targets(firing: Firing) -> list[tuple[str, datetime]]:
    """Channels of a firing's message, and when each is told."""
    found = [(channel, firing.due_at) for channel in firing.channels]
    if firing.escalate_at is not None:
        found += [(channel, firing.escalate_at) for channel in firing.escalate_to if channel not in firing.channels]
    return found


def digest(*parts: str) -> str:
    """A short name for these parts: the same ones give the same, in every process."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _firing(row: Sequence[Any]) -> Firing:
    values = dict(zip(Firing.__struct_fields__, row, strict=True))
    for name in ("channels", "escalate_to"):
        values[name] = tuple(values[name])
    return Firing(**values)
