"""Handles prepared for requests, and the sessions that keep one between requests.

A request's database and settings hold for that request only; what SET, USE and CREATE TEMPORARY TABLE do holds for
the session. Since a session's requests share one handle, each request first puts back what the previous one changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .engine import Handle
from .errors import ChError
from .request import Request
from .sql import Statement, check, identifier, quote, read
from .users import User

LONGEST_SESSION = 3600.0  # seconds


@dataclass
class Session:
    """A user's handle, opened at first use. `tag` is the `log_comment` by which its running query can be killed."""

    user: User
    open_handle: Callable[[], Handle]
    tag: str = ""
    busy: bool = False
    timeout: float = 60.0  # seconds that it is kept after a request
    deadline: float = 0.0
    kept: bool = False  # has a session id, so it lives on after the request
    _handle: Handle | None = None
    _ready: bool = False
    _home: str | None = None  # the session's own database, while a request's stands in for it
    _lent: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # setting -> request's value, own value

    @property
    def handle(self) -> Handle:
        if self._handle is None:
            self._handle = self.open_handle()
        return self._handle

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def prepare(self, request: Request) -> None:
        """Makes the handle ready for the request: limits, database, settings, tables, and readonly last."""
        if not self._ready:
            self._enter()
        self._use(request.database)
        settings = dict(request.settings)
        # a kept handle stays readonly, and a GET changes nothing
        fills = not self.kept and not request.is_get and request.statement.fills in self.user.inserts
        readonly = settings.pop("readonly", None)
        if self.user.readonly == 1:
            if settings:  # as on a server
                reason = f"Cannot modify '{next(iter(settings))}' setting in readonly mode"
                raise ChError(164, reason, "READONLY")
            if not self._ready:
                self._tag(request.query_id)
        else:
            self._tag(settings.pop("log_comment", request.query_id))
            self._lend(settings)
        for table in request.tables:
            name = identifier(table.name)
            creation = f"CREATE TEMPORARY TABLE {name} ({table.structure}) ENGINE = Memory"
            read(creation.encode("utf-8", "surrogateescape"))  # the structure is the client's: one statement, no more
            self.handle.query(f"DROP TEMPORARY TABLE IF EXISTS {name}")
            self.handle.query(creation)
            if table.format == "Values":
                check(table.data)
            if table.data:
                self.handle.insert(f"INSERT INTO {name}", table.format, memoryview(table.data))
        if not self._ready and self.user.readonly and not fills:
            self.handle.set(readonly=self.user.readonly)
        if readonly is not None:
            self.handle.set(readonly=readonly)
        elif request.is_get and not self.kept and not self.user.readonly:
            self.handle.set(readonly=2)
        self._ready = True

    def after(self, statement: Statement) -> None:
        """A statement of the session's own has run: what SET or USE chose must not be put back."""
        if statement.verb == b"SET":
            self._lent = {name: lent for name, lent in self._lent.items() if name.encode() not in statement.sql}
        elif statement.verb == b"USE":
            self._home = None

    def _enter(self) -> None:
        self.handle.set(**self.user.limits)
        self.handle.set(profile=self.user.profile)
        if self.user.database != "default":
            self.handle.query(f"USE {identifier(self.user.database)}")

    def _use(self, database: str | None) -> None:
        if database:
            if self._home is None and self.kept:
                self._home = self.handle.value("SELECT currentDatabase()")
            self.handle.query(f"USE {identifier(database)}")
        elif self._home is not None:
            home, self._home = self._home, None
            try:
                self.handle.query(f"USE {identifier(home)}")
            except ChError:  # dropped meanwhile
                self.handle.query("USE default")

    def _tag(self, tag: str) -> None:
        self.handle.set(log_comment=tag)
        self.tag = tag

    def _lend(self, settings: Mapping[str, str]) -> None:
        stale = {name: own for name, (_, own) in self._lent.items() if name not in settings}
        if stale:
            values = (f"{name} = {'DEFAULT' if own is None else quote(own)}" for name, own in stale.items())
            self.handle.query("SET " + ", ".join(values))
            for name in stale:
                del self._lent[name]
        fresh = {name: value for name, value in settings.items() if self._lent.get(name, (None,))[0] != value}
        if not fresh:
            return
        own = self._current([name for name in fresh if name not in self._lent]) if self.kept else {}
        self.handle.set(**fresh)
        for name, value in fresh.items():
            self._lent[name] = (value, self._lent[name][1] if name in self._lent else own.get(name))

    def _current(self, names: list[str]) -> dict[str, str]:
        """The session's own values of settings; one that stands at its default is left out."""
        if not names:
            return {}
        chosen = ", ".join(map(quote, names))
        table = self.handle.query(
            f"SELECT name, value FROM system.settings WHERE changed AND name IN ({chosen})", "TSVRaw"
        )
        lines = (table.bytes() or b"").decode().splitlines()
        return {name: value for name, _, value in (line.partition("\t") for line in lines)}


class Sessions:
    """The sessions with an id, by user and id. Only the event loop calls it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[tuple[str, str], Session] = {}

    def claim(self, user: User, name: str, arguments: Mapping[str, str], open_handle: Callable[[], Handle]) -> Session:
        """The user's session of that name, new where there is none, and busy until `release`.

        Raises `ChError` 372 (asked for an existing one, and there is none), 373 (busy), 374 (bad timeout).
        """
        timeout = _timeout(arguments)
        session = self._sessions.get((user.name, name))
        if session is None:
            if arguments.get("session_check") == "1":
                raise ChError(372, f"Session {name} not found", "SESSION_NOT_FOUND")
            session = self._sessions[user.name, name] = Session(user, open_handle, kept=True)
        elif session.busy:
            raise ChError(373, f"Session {name} is locked by a concurrent client", "SESSION_IS_LOCKED")
        session.busy, session.timeout = True, timeout
        return session

    def release(self, session: Session) -> None:
        session.busy, session.deadline = False, self._clock() + session.timeout

    def expired(self) -> list[Session]:
        """Takes out the idle sessions whose time is over, for closing."""
        now = self._clock()
        over = [key for key, session in self._sessions.items() if not session.busy and session.deadline < now]
        return [self._sessions.pop(key) for key in over]

    def idle(self) -> list[Session]:
        return [session for session in self._sessions.values() if not session.busy]


def _timeout(arguments: Mapping[str, str]) -> float:
    try:
        timeout = float(arguments.get("session_timeout", 60))
    except ValueError:
        timeout = -1.0
    if not 0 < timeout <= LONGEST_SESSION:
        reason = f"session_timeout must be above 0 and at most {LONGEST_SESSION:.0f} seconds"
        raise ChError(374, reason, "INVALID_SESSION_TIMEOUT")
    return timeout
