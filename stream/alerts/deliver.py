"""Delivers messages: each channel in a lane of its own, so that a dead one waits alone.

A lane that fails is tried again after growing pauses, with one message at a time; a message is given up after a day,
or at once where trying again is of no use. `Postman` stores each outcome at once, in a thread of its own: what was
sent and its outcome not yet stored when the process is killed is all that can be sent twice.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from stream.alerts.channels import Channel, missing, resolve
from stream.alerts.ledger import Attempt
from stream.alerts.message import Message
from stream.alerts.send import NotDelivered

log = logging.getLogger(__name__)

WORKERS = 24
AT_ONCE = 4  # messages under way in a lane that works
MOST_UNSTORED = 100  # outcomes that wait for the store, beyond which nothing new is sent
LONGEST_PAUSE = 600.0
GIVE_UP = timedelta(hours=24)


@dataclass
class Target:
    """A message for a channel. `name` is what the ledger calls the channel."""

    message: Message
    name: str
    due_at: datetime
    attempts: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.message.id, self.name


@dataclass
class _Lane:
    channel: Channel | None  # None: it was removed
    waiting: deque[Target] = field(default_factory=deque)
    under_way: int = 0
    failures: int = 0
    retry_at: datetime | None = None

    def turn_to(self, channel: Channel | None) -> None:
        """Its channel now: what failed may work with another address, and without a channel need not wait."""
        if channel != self.channel:
            self.channel, self.failures, self.retry_at = channel, 0, None


class Lanes:
    """`submit`, then `pump` often; `results` gives what happened. All from one thread; sending is done by others.

    send: raises `NotDelivered`; clock: aware datetimes.
    """

    def __init__(
        self, send: Callable[[Channel, Message], None], clock: Callable[[], datetime], *, workers: int = WORKERS
    ) -> None:
        self._send, self._clock = send, clock
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="deliver")
        self._lanes: dict[tuple[str, str], _Lane] = {}  # by owner and name of the channel
        self._finished: queue.SimpleQueue[tuple[_Lane, Target, NotDelivered | None]] = queue.SimpleQueue()

    def submit(self, target: Target, channel: Channel) -> None:
        """Take a message."""
        lane = self._lanes.setdefault((channel.owner, channel.name), _Lane(channel))
        lane.turn_to(channel)
        lane.waiting.append(target)

    def follow(self, channels: Mapping[tuple[str, str], Channel]) -> None:
        """From now on these; what waits for one that was removed, and that no common one stands for, is given up."""
        for (owner, name), lane in self._lanes.items():
            lane.turn_to(resolve(owner, name, channels))

    def pump(self) -> None:
        """Start what can be started."""
        now = self._clock()
        for lane in self._lanes.values():
            most = 1 if lane.failures else AT_ONCE
            while lane.waiting and lane.under_way < most and (lane.retry_at is None or lane.retry_at <= now):
                lane.under_way += 1
                self._pool.submit(self._attempt, lane, lane.waiting.popleft())

    def results(self, wait: float = 0.0) -> list[Attempt]:
        """What was finished; waits up to so many seconds for the first."""
        found = []
        try:
            found.append(self._settle(*self._finished.get(timeout=wait) if wait else self._finished.get_nowait()))
            while True:
                found.append(self._settle(*self._finished.get_nowait()))
        except queue.Empty:
            return found

    def waiting(self) -> dict[tuple[str, str], int]:
        """(owner, name) of a channel -> messages that wait or are under way."""
        return {key: len(lane.waiting) + lane.under_way for key, lane in self._lanes.items()}

    def close(self) -> None:
        """Wait for what is under way; what waits stays in the ledger."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    # ------------------------------------------------------------------

    def _attempt(self, lane: _Lane, target: Target) -> None:
        channel = lane.channel
        try:
            if channel is None:
                raise NotDelivered(missing(target.name), final=True)
            self._send(channel, target.message)
        except NotDelivered as error:
            self._finished.put((lane, target, error))
        except Exception as error:  # noqa: BLE001 - it concerns one message
            log.error("sending through %s raised %s", channel, type(error).__name__)
            self._finished.put((lane, target, NotDelivered(type(error).__name__)))
        else:
            self._finished.put((lane, target, None))

    def _settle(self, lane: _Lane, target: Target, error: NotDelivered | None) -> Attempt:
        now = self._clock()
        lane.under_way -= 1
        target.attempts += 1
        state, next_at = "sent", None
        if error is None:
            lane.failures, lane.retry_at = 0, None
        elif error.final or now - target.due_at > GIVE_UP:
            state = "gave_up"
        else:
            state = "failed"
            lane.failures += 1
            next_at = lane.retry_at = now + timedelta(seconds=min(LONGEST_PAUSE, 2.0 ** min(lane.failures, 12)))
            lane.waiting.append(target)  # to the end: one message that is never taken holds up nobody
        if error is not None:
            log.warning("%s: %s (%s)", lane.channel or target.name, error, state)
        return Attempt(
            message_id=target.message.id,
            subscription_id=target.message.subscription_id,
            channel=target.name,
            attempt=target.attempts,
            state=state,
            at=now,
            next_at=next_at,
            detail=str(error) if error else "",
        )


class Postman(threading.Thread):
    """Runs lanes. `submit`, `follow`, `has` and `settled` belong to one thread, that of the ledger.

    store: keeps attempts, or raises; it is tried again until it does. Meanwhile others are sent, but only so many, as
    their outcomes are known here alone.
    """

    def __init__(self, lanes: Lanes, store: Callable[[Sequence[Attempt]], None]) -> None:
        super().__init__(name="postman", daemon=True)
        self._lanes, self._store = lanes, store
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()  # what the lanes are to do
        self._unstored: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()  # None: no more will come
        self._stored: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._taken: set[tuple[str, str]] = set()
        self._ended = threading.Event()
        self._clerk = threading.Thread(target=self._keep_all, name="outcomes", daemon=True)

    def submit(self, target: Target, channel: Channel) -> None:
        """Take a message. One that was taken, and of which `settled` hasn't told the end, must not be given again."""
        self._taken.add(target.key)
        self._inbox.put(partial(self._lanes.submit, target, channel))

    def follow(self, channels: Mapping[tuple[str, str], Channel]) -> None:
        """From now on the channels are these, for what waits as well."""
        self._inbox.put(partial(self._lanes.follow, channels))

    def has(self, message: str, name: str) -> bool:
        return (message, name) in self._taken

    def settled(self) -> list[Attempt]:
        """Attempts that have been stored since the last call."""
        found = []
        while not self._stored.empty():
            attempt = self._stored.get()
            found.append(attempt)
            if attempt.state != "failed":
                self._taken.discard((attempt.message_id, attempt.channel))
        return found

    def stop(self) -> None:
        """Start nothing more; returns when what was under way is stored, or can't be."""
        self._ended.set()
        self.join(40)

    def run(self) -> None:
        self._clerk.start()
        while not self._ended.is_set():
            while not self._inbox.empty():
                self._inbox.get()()
            if self._unstored.qsize() < MOST_UNSTORED:
                self._lanes.pump()
            self._hand_over(self._lanes.results(wait=0.02))
        self._lanes.close()
        self._hand_over(self._lanes.results())
        self._unstored.put(None)
        self._clerk.join(20)

    def _hand_over(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self._unstored.put(attempt)

    def _keep_all(self) -> None:
        more = True
        while more:
            batch = [self._unstored.get()]
            while not self._unstored.empty():
                batch.append(self._unstored.get())
            attempts = [attempt for attempt in batch if attempt is not None]
            more = len(attempts) == len(batch)
            self._keep(attempts)

    def _keep(self, attempts: list[Attempt]) -> None:
        while attempts:
            try:
                self._store(attempts)
                break
            except Exception as error:  # noqa: BLE001 - whatever it is: what was sent is known here alone
                log.warning("outcomes can't be stored yet: %s", " ".join(str(error).split())[:200])
                if self._ended.wait(1.0):
                    return
        for attempt in attempts:
            self._stored.put(attempt)
