"""The loop of `fengxiang alerts run`: stored documents and watches in, messages out.

A firing is stored before anything is sent, a document is noted after its firings are stored, an outcome is stored
after it is known. So a kill at any moment loses nothing; what was sent, and its outcome not yet stored, is sent once
more under the same idempotency key. When the store goes away, everything is read back from it afterwards.
"""

from __future__ import annotations

import fcntl
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clickhouse_connect.driver.client import Client

from deploy import guard
from deploy.settings import Settings, secret
from stream.alerts import windows
from stream.alerts.channels import Channel, ChannelBook, Safe, missing, resolve
from stream.alerts.deliver import Lanes, Postman, Target
from stream.alerts.facts import of_document, of_signal
from stream.alerts.intake import Intake
from stream.alerts.items import Item
from stream.alerts.ledger import Attempt, Firing, Ledger, acknowledged, note
from stream.alerts.match import Matcher
from stream.alerts.message import Links, Message, compose
from stream.alerts.rules import load_baskets
from stream.alerts.send import Sender
from stream.alerts.subscriptions import Book, Stored
from stream.alerts.text import RuleError
from stream.alerts.watch import Spoken, Watcher
from stream.store import StoreAway, connect, first_line

log = logging.getLogger(__name__)

RELOAD_SECONDS = 2.0
FORGET_SECONDS = 3600.0
ACKNOWLEDGED_WITHIN = timedelta(hours=1)  # older ones are known; clocks may differ by so much


def clock() -> datetime:
    """Now, to the millisecond, as the store keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Agent:
    """One run over a connection: `step` does what is to be done now. Raises whatever the store raises."""

    def __init__(self, client: Client, settings: Settings, postman: Postman, watcher: Watcher) -> None:
        self._client, self._postman, self._watcher = client, postman, watcher
        self._links = links(settings)
        self._book = Book(client)
        self._channel_book = ChannelBook(client, Safe.of(settings.data_dir))
        self._intake = Intake(client, max_age(settings))
        self._ledger = Ledger.restored(client, clock())
        self._stored: dict[str, Stored] = {}
        self._channels: dict[tuple[str, str], Channel] = {}
        self._themes = settings.user_themes
        self._state: tuple[tuple[int, int], tuple[int, int]] | None = None
        self._matcher = Matcher({})
        self._next_reload = 0.0
        self._next_forget = time.monotonic() + FORGET_SECONDS  # not at once: what was stored unfinished is needed first

    def step(self) -> bool:
        """Everything that is due now; whether there may be more at once."""
        self._reload()
        self._deliver()
        items = self._intake.take(clock())
        self._ledger.write(self._of_documents(items))
        self._deliver()
        self._intake.done(items)
        self._ledger.write(self._of_watches())
        return bool(items)

    # ------------------------------------------------------------------

    def _of_documents(self, items: list[Item]) -> list[Firing]:
        now, firings = clock(), []
        for item in items:
            for id_ in self._matcher.match(item):
                stored = self._stored[id_]
                fact = of_document(stored.subscription, item, self._ledger.lately(id_, now))
                firing = self._ledger.fire(stored, fact, group=item.story, what=item.id, now=now)
                firings += [firing] if firing else []
        return firings

    def _of_watches(self) -> list[Firing]:
        firings = []
        with suppress(queue.Empty):
            while True:
                firing = self._of_watch(self._watcher.spoken.get_nowait())
                firings += [firing] if firing else []
        return firings

    def _of_watch(self, spoken: Spoken) -> Firing | None:
        subscription, signal = spoken.stored.subscription, spoken.signal
        stored = self._stored.get(subscription.id)
        if stored is None:
            return None
        codes = {code for code in signal.key.split(" ") if "." in code} | set(subscription.when.security)
        fact = of_signal(subscription, signal, spoken.documents, security_names(codes))
        group = f"{subscription.kind} {signal.key}"
        if subscription.silent:  # the next silence of a source is another, however soon
            group += f" {signal.ids[0]}"
        rest = windows.rest(subscription)
        return self._ledger.fire(stored, fact, group=group, what=str(round(signal.at)), now=clock(), rest=rest)

    def _deliver(self) -> None:
        self._ledger.settle(self._postman.settled())
        for id_, name, due_at, firings in self._ledger.due(clock()):
            if self._postman.has(id_, name):
                continue
            first = firings[0]
            channel = resolve(first.owner, name, self._channels)
            if channel is None:
                given_up = _given_up(first, name, missing(name))
                note(self._client, [given_up])
                self._ledger.settle([given_up])
                continue
            target = Target(self._message(id_, firings), name, due_at, self._ledger.tries.get((id_, name), 0))
            self._postman.submit(target, channel)

    def _message(self, id_: str, firings: list[Firing]) -> Message:
        stored = self._stored.get(firings[0].subscription_id)
        if stored is None:
            return compose(id_, firings, self._links)
        subscription = stored.subscription
        return compose(id_, firings, self._links, language=subscription.language, time_zone=subscription.time_zone)

    def _reload(self) -> None:
        if time.monotonic() < self._next_reload:
            return
        self._next_reload = time.monotonic() + RELOAD_SECONDS
        self._ledger.acknowledge(acknowledged(self._client, clock() - ACKNOWLEDGED_WITHIN))
        if time.monotonic() > self._next_forget:
            self._next_forget = time.monotonic() + FORGET_SECONDS
            self._ledger.forget(clock())
        state = (self._book.state(), _stamp(self._themes))  # in this order: a basket is there before its rule
        if state == self._state:
            return
        try:
            load_baskets(self._themes)
        except RuleError as error:
            log.error("baskets stay as they were: %s", error)
        self._stored = {s.subscription.id: s for s in self._book.all() if s.subscription.enabled}
        self._channels, problems = self._channel_book.all()
        for problem in problems:
            log.error("channel %s", problem)
        self._matcher = Matcher({id_: stored.subscription for id_, stored in self._stored.items()})
        self._watcher.follow(list(self._stored.values()))
        self._postman.follow(self._channels)
        self._state = state
        log.info("%d subscriptions, %d channels", len(self._stored), len(self._channels))


def run(settings: Settings, ended: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Work until `ended` is set. Raises `AlreadyRunning` where another process does it on this data folder."""
    with alone(settings.data_dir):
        sender = Sender(guard.networks(settings.alerts.allow_networks), settings.alerts.timeout_seconds)
        postman = Postman(Lanes(sender.send, clock), Notes(lambda: connect(settings, writer=True)))
        every = settings.alerts.window_seconds
        watcher = Watcher(lambda: connect(settings, writer=False), clock, every, max_age(settings))
        watcher.start()
        postman.start()
        try:
            while not ended.is_set():
                _run_once(settings, postman, watcher, ended, ready)
        finally:
            watcher.stop()
            postman.stop()
            sender.close()


def _run_once(
    settings: Settings, postman: Postman, watcher: Watcher, ended: threading.Event, ready: Callable[[], None]
) -> None:
    """One connection's life; returns when the store went away, after a pause."""
    client: Client | None = None
    try:
        client = connect(settings, writer=True)
        agent = Agent(client, settings, postman, watcher)
        ready()
        while not ended.is_set():
            if not agent.step():
                ended.wait(settings.alerts.poll_seconds)
    except StoreAway as error:
        log.warning("%s; trying again", error)
        ended.wait(1.0)
    except Exception as error:
        log.exception("starting again from what is stored: %s", first_line(error))
        ended.wait(1.0)
    finally:
        if client is not None:
            with suppress(Exception):
                client.close()


class Notes:
    """Stores attempts with a client of its own, made anew after an error. For one thread."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Client | None = None
        with suppress(StoreAway):  # now, not between the first message and its outcome
            self._client = connect()

    def __call__(self, attempts: Sequence[Attempt]) -> None:
        self._client = self._client or self._connect()
        try:
            note(self._client, attempts)
        except Exception:
            self._client = None
            raise


def max_age(settings: Settings) -> timedelta:
    """What was published longer ago is not news."""
    return timedelta(hours=settings.alerts.max_age_hours)


def links(settings: Settings) -> Links:
    """Addresses in messages, and the key of those that act."""
    alerts = settings.alerts
    pages = alerts.public_url or f"http://127.0.0.1:{alerts.web_port}"
    return Links(settings.dashboard_url, pages.rstrip("/"), secret(settings.data_dir, "alert-links"))


def security_names(codes: set[str]) -> dict[str, str]:
    """Code -> today's name, of those that the securities table knows."""
    if not codes:
        return {}
    from models.securities.table import load

    table = load()
    return {code: security.name for code in codes if (security := table.by_code(code)) is not None}


class AlreadyRunning(RuntimeError):
    """Another process delivers the alerts of this data folder."""


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Holds the lock of the data folder; a killed process releases it. Raises `AlreadyRunning`."""
    path = data_dir / "run" / "alerts.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(f"alerts are running already here (lock {path}); one process is enough") from None
        yield


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever the file does, which need not exist."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _given_up(firing: Firing, channel: str, reason: str) -> Attempt:
    return Attempt(
        message_id=firing.message_id,
        subscription_id=firing.subscription_id,
        channel=channel,
        attempt=0,
        state="gave_up",
        at=clock(),
        detail=reason,
    )
