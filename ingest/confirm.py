"""Which sent messages has the store got, and which must be sent again?

**Confirming.** Sent messages are looked up by id, oldest first, page by page. The pipeline is nearly first in, first
out, so a page with nothing found ends the look-up, and a backlog of 50,000 costs one query a step; once every
`patience` seconds the look-up goes to the end, so messages behind a lost page are found too.

**Sending again.** Age alone says nothing: a worker that is behind, or down, still has its messages in Kafka, and
sending them again only makes it later. Three things do say that a message is lost:

1. *The log is gone*: the topic's identity (Kafka's topic id) is not the one that the message was sent to: the
   embedded broker restarted, or the topic was made anew. Everything unconfirmed that was sent there goes again.
2. *Overtaken*: a message of the same partition with a later offset was confirmed at least `patience` seconds ago.
   One partition is read in order, however far behind it is, so this holds for any backlog. Partitions are not
   compared with each other: one may wait for its worker while the others go on. Of a message sent twice only the
   first offset counts as confirmed, since that copy may be the one that was stored.
3. *A silent tail*: nothing comes after the last message of a quiet partition to overtake it. `patience` seconds after
   a look that found something open there, without any confirmation since, the newest unconfirmed message of that
   partition goes again as a probe, and then each time twice as long after. Its confirmation exposes whatever was lost
   before it by rule 2; a pipeline that is merely stopped gets one small repeat a partition, not a flood.

Sending again is harmless: results are keyed by document id.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.entries import Sent, State
from ingest.outbox import Outbox
from stream.records import DOCUMENTS

log = logging.getLogger(__name__)

PAGE = 2000  # ids in a query
MAX_DOUBLINGS = 7  # a stopped pipeline is probed every patience * 128 at most: about an hour

# (SQL with %(name)s, parameters) -> rows
Query = Callable[[str, dict[str, Any]], Sequence[Sequence[Any]]]
Partition = tuple[str, int]

# `published_at` leads the sorting key: its bounds keep the look-up to the days concerned.
_STORED = """
SELECT id, toUnixTimestamp64Milli(max(fetched_at)) FROM documents
WHERE id IN %(ids)s
  AND published_at BETWEEN fromUnixTimestamp64Milli(%(low)s) AND fromUnixTimestamp64Milli(%(high)s)
GROUP BY id
"""
_DEAD = """
SELECT document_id, toUnixTimestamp64Milli(max(failed_at)) FROM dead_letters
WHERE document_id IN %(ids)s GROUP BY document_id
"""
CLOCK_SLACK = 60.0  # seconds that the worker's clock, which stamps dead letters, may be behind ours


def look_up(query: Query, entries: Sequence[Sent]) -> dict[str, State]:
    """What the store says of these ids; one that it doesn't know, or knows in an older edition only, is absent."""
    found: dict[str, State] = {}
    by_id = {entry.id: entry for entry in entries}
    dead = query(_DEAD, {"ids": tuple(by_id)})
    for id_, failed_ms in dead:
        if failed_ms / 1000 >= by_id[id_].fetched_at - CLOCK_SLACK:
            found[id_] = State.DEAD
    documents = [entry for entry in entries if entry.topic == DOCUMENTS]
    if documents:
        times = [entry.published_at for entry in documents]
        bounds = {"low": int(min(times) * 1000) - 1, "high": int(max(times) * 1000) + 1}
        for id_, fetched_ms in query(_STORED, {"ids": tuple(entry.id for entry in documents), **bounds}):
            if fetched_ms >= int(by_id[id_].fetched_at * 1000) - 1:
                found[id_] = State.STORED
    return found


@dataclass
class _Progress:
    """What was confirmed of one partition."""

    offset: int = -1  # the highest confirmed
    history: deque[tuple[float, int]] = field(default_factory=deque)  # (when, highest offset confirmed by then)
    quiet_since: float | None = None  # the look since which something is open and nothing was confirmed
    probes: int = 0

    def confirmed(self, offset: int, now: float) -> None:
        if offset > self.offset:
            self.offset = offset
            self.history.append((now, offset))
        self.quiet_since, self.probes = None, 0

    def overtaken_below(self, before: float) -> int:
        """The highest offset that was confirmed at or before the time `before`; -1: none."""
        while len(self.history) > 1 and self.history[1][0] <= before:
            self.history.popleft()
        return self.history[0][1] if self.history and self.history[0][0] <= before else -1


class Confirmer:
    """Moves an outbox's messages from sent to stored, dead, or pending again. One per outbox.

    query: runs SQL on the store as the writer; clock: any rising seconds; patience: `ingest.confirm_after_seconds`.
    """

    def __init__(
        self,
        outbox: Outbox,
        query: Query,
        *,
        patience: float,
        clock: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._query = query
        self._logs: dict[str, str] = {}
        self._patience = patience
        self._clock = clock
        self._partitions: dict[Partition, _Progress] = {}
        self._whole_at = float("-inf")

    def step(self) -> int:
        """Look once; how many messages were confirmed. What the store raises goes to the caller."""
        whole = self._due()
        overdue: list[Sent] = []
        newest: dict[Partition, Sent] = {}
        confirmed = after = 0
        while page := self._outbox.sent(PAGE, after):
            after = page[-1].seq
            missing = self._confirm(page)
            confirmed += len(page) - len(missing)
            for entry in missing:
                if entry.offset < self._floor(entry):
                    overdue.append(entry)
                if entry.offset > newest.setdefault(entry.place, entry).offset:
                    newest[entry.place] = entry
            if len(missing) == len(page) and not whole:
                break
        if whole:
            self._whole_at = self._clock()
            self._send_again(overdue)
            self._probe(newest)
            self._outbox.forget()
        return confirmed

    def follow(self, logs: dict[str, str]) -> int:
        """Rule 1: take note of the topics' identities, set pending what was sent to others; how many.

        Looks again before each whole step, since a publisher may note an acknowledgement of the old log late.
        """
        if logs != self._logs:
            self._logs = logs
            self._partitions.clear()  # offsets of another log say nothing here
        elif not self._due():
            return 0
        again = sum(self._outbox.send_lost_again(topic, identity) for topic, identity in logs.items())
        if again:
            log.warning("Kafka's log was made anew: sending %d unconfirmed messages again", again)
        return again

    # ------------------------------------------------------------------ steps

    def _due(self) -> bool:
        return self._clock() - self._whole_at >= self._patience

    def _confirm(self, page: Sequence[Sent]) -> list[Sent]:
        """Settle what the store has; return the rest."""
        found = look_up(self._query, page)
        for state in (State.STORED, State.DEAD):
            self._outbox.confirm((entry for entry in page if found.get(entry.id) == state), state)
        now = self._clock()
        for entry in page:
            progress = self._partitions.setdefault(entry.place, _Progress())
            if entry.id in found:
                progress.confirmed(entry.first_offset, now)
        return [entry for entry in page if entry.id not in found]

    def _floor(self, entry: Sent) -> int:
        return self._partitions[entry.place].overtaken_below(self._clock() - self._patience)

    def _send_again(self, overdue: Sequence[Sent]) -> None:
        if overdue:
            log.warning("%d messages were overtaken and are not in the store: sending them again", len(overdue))
            self._outbox.send_again(overdue)

    def _probe(self, newest: dict[Partition, Sent]) -> None:
        now = self._clock()
        for place, progress in self._partitions.items():
            if (entry := newest.get(place)) is None:
                progress.quiet_since = None
                continue
            if progress.quiet_since is None:  # the quiet before says nothing of what is open now
                progress.quiet_since = now
            if now - progress.quiet_since >= self._patience * 2**progress.probes:
                words = "no confirmation from %s[%d] for a while: sending %s again as a probe"
                log.info(words, *place, entry.id, extra={"document_id": entry.id})
                self._outbox.send_again([entry])
                progress.quiet_since, progress.probes = now, min(progress.probes + 1, MAX_DOUBLINGS)
