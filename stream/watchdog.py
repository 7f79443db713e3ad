"""Ends a worker that can't go on by itself, so that its supervisor starts a fresh one.

Faust's consumer can stop fetching after a broker's outage, without an error. A broker that lost its topics counts
offsets from 0 again, which a running consumer doesn't notice. And a group whose leader left while another worker joined
may wait for that leader for ever: the embedded broker's does. Nothing is lost by a restart: what was not committed is
read again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field

from stream.log import Log, LogAway, PartitionState

log = logging.getLogger(__name__)

STALL_SECONDS = 60.0  # messages are waiting, and none was taken
HANG_SECONDS = 900.0  # a batch was taken, and neither finished nor tried again
JOIN_SECONDS = 60.0  # the workers have not agreed on who reads what


@dataclass
class Pulse:
    """What an agent is doing, as its thread of control tells it."""

    topic: str
    clock: Callable[[], float] = time.monotonic
    patience: float = HANG_SECONDS
    busy: bool = False
    beat: float = field(init=False)
    handled: int = 0

    def __post_init__(self) -> None:
        self.beat = self.clock()

    def begin(self) -> None:
        """A batch was taken."""
        self.busy, self.beat = True, self.clock()

    def alive(self) -> None:
        """Still at the same batch, on purpose (a retry)."""
        self.beat = self.clock()

    def end(self, handled: int) -> None:
        """The batch is finished."""
        self.busy, self.beat = False, self.clock()
        self.handled += handled


def judge(pulse: Pulse, waiting: int, now: float) -> str | None:
    """Why the worker must be restarted, or None. `waiting`: messages of our partitions that are not committed."""
    quiet = now - pulse.beat
    if pulse.busy and quiet > pulse.patience:
        return f"a batch of {pulse.topic} has hung for {quiet:.0f} s"
    if not pulse.busy and waiting and quiet > STALL_SECONDS:
        return f"{waiting} messages of {pulse.topic} are waiting and none was taken for {quiet:.0f} s"
    return None


class Watchdog(threading.Thread):
    """Looks every `interval` seconds; `end(reason)` is called, once, from this thread.

    assigned: our (topic, partition) pairs now; joining: whether we wait for the group to give out its partitions;
    observe: receives the state of every partition, for the metrics; beat: called at every look.
    """

    def __init__(
        self,
        *,
        servers: Sequence[str],
        epochs: dict[str, str],
        pulses: Sequence[Pulse],
        assigned: Callable[[], Set[tuple[str, int]]],
        end: Callable[[str], None],
        joining: Callable[[], bool] = lambda: False,
        observe: Callable[[Sequence[PartitionState]], None] = lambda _: None,
        beat: Callable[[], None] = lambda: None,
        interval: float = 5.0,
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._servers, self._epochs = servers, epochs
        self._pulses, self._assigned, self._end, self._observe = pulses, assigned, end, observe
        self._joining, self._joined = joining, time.monotonic()
        self._beat, self._interval = beat, interval
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def run(self) -> None:
        reader: Log | None = None
        while not self._stopped.wait(self._interval):
            self._beat()
            states: list[PartitionState] = []
            try:
                reader = reader or Log(self._servers)
                if reason := self._made_anew(reader):
                    return self._end(reason)
                states = reader.partitions(self._epochs)
                self._observe(states)
                if reason := self._outside():
                    return self._end(reason)
            except LogAway as error:
                self._joined = time.monotonic()  # nobody joins a group without a broker
                log.warning("%s", error)
                if reader:
                    with suppress(Exception):
                        reader.close()
                reader = None
            if reason := self._verdict(states):
                return self._end(reason)

    def _made_anew(self, reader: Log) -> str | None:
        now = reader.epochs(self._epochs)
        changed = [topic for topic, epoch in self._epochs.items() if now.get(topic, epoch) != epoch]
        return f"the broker has made {', '.join(changed)} anew, so its offsets start again" if changed else None

    def _outside(self) -> str | None:
        now = time.monotonic()
        if not self._joining():
            self._joined = now
        waited = now - self._joined
        return f"the group has not given out its partitions for {waited:.0f} s" if waited > JOIN_SECONDS else None

    def _verdict(self, states: Sequence[PartitionState]) -> str | None:
        ours = self._assigned()
        for pulse in self._pulses:
            waiting = sum(s.lag for s in states if s.topic == pulse.topic and (s.topic, s.partition) in ours)
            if reason := judge(pulse, waiting, pulse.clock()):
                return reason
            if not waiting and not pulse.busy:
                pulse.alive()  # nothing to do: what comes next has waited since then, not since the last batch
        return None
