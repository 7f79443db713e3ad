"""Delivers messages: each channel in a lane of its own, so that a dead one waits alone.

A lane that fails is tried again after growing pauses, with one message at a time; a message is given up after a day,
or at once where trying again is of no use. Outcomes are collected for the caller, who stores them.
"""

from __future__ import annotations

import logging
import queue
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stream.alerts.channels import Channel
from stream.alerts.ledger import Attempt
from stream.alerts.message import Message
from stream.alerts.send import NotDelivered

log = logging.getLogger(__name__)

WORKERS = 24
AT_ONCE = 4  # messages under way in a lane that works
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 600.0
GIVE_UP = timedelta(hours=24)


@dataclass
class Target:
    """A message for a channel. `name` is what the ledger calls the channel."""

    message: Message
    name: str
    due_at: datetime
    attempts: int = 0


@dataclass
class _Lane:
    channel: Channel
    waiting: deque[Target] = field(default_factory=deque)
    under_way: int = 0
    failures: int = 0
    retry_at: datetime | None = None


class Deliverer:
    """`submit`, then `pump` often; `results` gives what happened. All from one thread; sending is done by others.

    send: raises `NotDelivered`; clock: aware datetimes.
    """

    def __init__(
        self,
        send: Callable[[Channel, Message], None],
        clock: Callable[[], datetime],
        *,
        workers: int = WORKERS,
    ) -> None:
        self._send, self._clock = send, clock
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="deliver")
        self._lanes: dict[str, _Lane] = {}
        self._finished: queue.SimpleQueue[tuple[_Lane, Target, NotDelivered | None]] = queue.SimpleQueue()
        self._known: set[tuple[str, str]] = set()  # under way or waiting here

    def submit(self, target: Target, channel: Channel) -> None:
        """Take a message; one that is here already is left alone."""
        key = (target.message.id, target.name)
        if key in self._known:
            return
        self._known.add(key)
        lane = self._lanes.setdefault(channel.key, _Lane(channel))
        if lane.channel != channel:  # its address was changed: what failed may work now
            lane.channel, lane.failures, lane.retry_at = channel, 0, None
        lane.waiting.append(target)

    def has(self, message: str, name: str) -> bool:
        return (message, name) in self._known

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

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return any(lane.under_way for lane in self._lanes.values())

    def state(self) -> dict[str, tuple[int, int]]:
        """Channel -> (messages waiting, failures in a row)."""
        return {key: (len(lane.waiting) + lane.under_way, lane.failures) for key, lane in self._lanes.items()}

    def close(self) -> None:
        """Wait for what is under way; what waits stays in the ledger."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    # ------------------------------------------------------------------

    def _attempt(self, lane: _Lane, target: Target) -> None:
        try:
            self._send(lane.channel, target.message)
        except NotDelivered as error:
            self._finished.put((lane, target, error))
        except Exception as error:  # noqa: BLE001 - it concerns one message
            log.error("sending through %s raised %s", lane.channel, type(error).__name__)
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
            pause = min(LONGEST_PAUSE, FIRST_PAUSE ** min(lane.failures, 12))
            next_at = lane.retry_at = now + timedelta(seconds=pause)
            lane.waiting.append(target)  # to the end: one message that is never taken holds up nobody
        if state != "failed":
            self._known.discard((target.message.id, target.name))
        if error is not None:
            log.warning("%s: %s (%s)", lane.channel, error, state)
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
