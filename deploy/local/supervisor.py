"""Keeps a set of processes running: starts them in order, restarts what dies, stops them in reverse.

A service that others depend on takes them along: the embedded broker forgets everything when it restarts, so the
worker and the ingestors that talk to it are restarted too, after the topics have been made again. Otherwise services
come back each on its own: one that is slow to start, or doesn't, holds up no other.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.local.process import Child

STABLE_SECONDS = 60.0  # after that long a service's failures are forgotten
MAX_BACKOFF = 30.0
STOP_PATIENCE = 10.0  # for a revival that is under way when all is stopped


class StartError(RuntimeError):
    """A service that won't start; the text holds its last words."""


@dataclass(frozen=True)
class Service:
    """What to run. `prepare` runs once `ready` says yes, at every start; `dependents` restart with it."""

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool]
    prepare: Callable[[], None] = lambda: None
    dependents: tuple[str, ...] = ()
    start_seconds: float = 60.0
    stop_seconds: float = 15.0


class Revival(threading.Thread):
    """Brings one service back, in a thread of its own. `cancelled`: leave off."""

    def __init__(self, name: str, run: Callable[[Revival], None]) -> None:
        super().__init__(name=f"revive-{name}", daemon=True)
        self.cancelled = threading.Event()
        self._run = run

    def run(self) -> None:
        self._run(self)


@dataclass
class _State:
    child: Child | None = None
    started: float = 0.0
    failures: int = 0
    restarts: int = 0
    retry_at: float = 0.0
    revival: Revival | None = None


class Supervisor:
    """Runs services until `stop`: call `start`, then `tick` a few times a second, from one thread.

    A service's state is its revival's alone while there is one, and so are those of the services that depend on it.
    """

    def __init__(
        self,
        services: Sequence[Service],
        folder: Path,
        echo: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.services = {service.name: service for service in services}
        self._states = {service.name: _State() for service in services}
        self._needs = {
            name: [service.name for service in services if name in service.dependents] for name in self.services
        }
        self._folder, self._echo, self._clock, self._sleep = folder, echo, clock, sleep
        self._file = threading.Lock()
        self.stopping = False

    def start(self) -> None:
        """Start every service in order, each when the one before it is ready. Raises `StartError`."""
        for service in self.services.values():
            if self.stopping:
                return
            self._spawn(service)
            self._await_ready(service, lambda: self.stopping)
        self._write_state()

    def tick(self) -> None:
        """Restart what has died, with growing pauses."""
        now = self._clock()
        for name, state in self._states.items():
            if self._reviving(name) or any(self._reviving(needed) for needed in self._needs[name]):
                continue
            if state.child is not None and state.child.poll() is not None:
                self._note_death(name, state, now)
            elif state.child is None and now >= state.retry_at and not self.stopping:
                if all(self._states[needed].child is not None for needed in self._needs[name]):
                    state.revival = Revival(name, partial(self._revive, self.services[name]))
                    state.revival.start()
            elif state.failures and now - state.started > STABLE_SECONDS:
                state.failures = 0

    def stop(self) -> None:
        """Stop all, last started first."""
        self.stopping = True
        for state in self._states.values():
            self._cancel(state, STOP_PATIENCE)
        for service in reversed(self.services.values()):
            self._halt(service)
        self._write_state()

    def pids(self) -> dict[str, int]:
        """Name -> process id of what runs."""
        return {name: child.pid for name, state in self._states.items() if (child := state.child)}

    # ------------------------------------------------------------------

    def _spawn(self, service: Service) -> None:
        state = self._states[service.name]
        state.child = Child(service.name, service.argv, self._folder / "logs", self._echo)
        state.started = self._clock()

    def _await_ready(self, service: Service, cancelled: Callable[[], bool]) -> None:
        state = self._states[service.name]
        child = state.child
        assert child is not None
        while not service.ready():
            if cancelled():
                return
            status = child.poll()
            if status is not None:
                self._sleep(0.2)  # let the log catch up
                raise StartError(f"{service.name} ended with status {status} while starting: {last_words(child)}")
            if self._clock() - state.started > service.start_seconds:
                raise StartError(
                    f"{service.name} was not ready after {service.start_seconds:.0f} s: {last_words(child)}"
                )
            self._sleep(0.05)
        service.prepare()

    def _note_death(self, name: str, state: _State, now: float) -> None:
        assert state.child is not None
        status = state.child.poll()
        state.child.stop(0.1)
        state.child = None
        if self.stopping:
            return
        state.failures += 1
        state.restarts += 1
        pause = 0.0 if state.failures == 1 else min(MAX_BACKOFF, 2.0 ** (state.failures - 2))
        state.retry_at = now + pause
        self._echo("up", f"{name} ended with status {status}; restarting {'now' if not pause else f'in {pause:.0f} s'}")
        self._write_state()

    def _reviving(self, name: str) -> bool:
        revival = self._states[name].revival
        return revival is not None and revival.is_alive()

    def _cancel(self, state: _State, patience: float | None) -> None:
        if state.revival is not None:
            state.revival.cancelled.set()
            state.revival.join(patience)

    def _revive(self, service: Service, revival: Revival) -> None:
        for name in service.dependents:
            self._cancel(self._states[name], None)  # it waits for this one, in vain
            self._halt(self.services[name])
        try:
            self._spawn(service)
            self._await_ready(service, revival.cancelled.is_set)
            for name in service.dependents:
                if not revival.cancelled.is_set():
                    self._spawn(self.services[name])
        except Exception as error:  # noqa: BLE001 - whatever it is, supervision goes on and says so
            state = self._states[service.name]
            self._halt(service)
            if revival.cancelled.is_set():
                return
            state.failures += 1
            state.retry_at = self._clock() + min(MAX_BACKOFF, 2.0**state.failures)
            self._echo("up", f"{service.name} did not come back: {error}; trying again")
        self._write_state()

    def _halt(self, service: Service) -> None:
        state = self._states[service.name]
        if state.child is not None:
            state.child.stop(service.stop_seconds)
            state.child = None

    def _write_state(self) -> None:
        path = self._folder / "run" / "processes.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = {
            name: {"pid": child.pid if (child := state.child) else None, "restarts": state.restarts}
            for name, state in self._states.items()
        }
        unfinished = path.with_suffix(".tmp")
        with self._file:
            try:
                unfinished.write_text(json.dumps(rows))
                unfinished.replace(path)
            except OSError as error:
                self._echo("up", f"can't write {path}: {error.strerror}")


def last_words(child: Child) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in child.last_lines if line.strip()]
    return lines[-1] if lines else "it said nothing"
