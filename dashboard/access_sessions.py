"""Who is signed in with a password: sessions that end, and guessing that gets slower and slower.

The cookie holds a random token; the file holds only its hash, so that sessions outlive a restart of the dashboard and
a stolen file signs nobody in. A session ends with its time, with its user, and with the user's password.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from dashboard.access_users import AccessError, Book, User, write_private

Clock = Callable[[], float]
FREE, FREE_ADDRESS = 5, 30  # failures of a name, and from an address, before the first wait
FIRST_WAIT, LONGEST_WAIT = 15.0, 900.0  # seconds; doubles with every failure
FORGET = 3600.0  # seconds after which a failure no longer counts
MOST = 10_000  # names and addresses that are remembered


class Attempts:
    """Failures by name, or by address: after `free` of them, each makes the next wait longer."""

    def __init__(self, free: int, clock: Clock) -> None:
        self._free, self._clock = free, clock
        self._failures: dict[str, tuple[int, float]] = {}  # key -> how many, when the last

    def wait(self, key: str) -> float:
        """Seconds until the next attempt is allowed; 0: now."""
        now = self._clock()
        count, last = self._failures.get(key, (0, now))
        if count < self._free or now - last >= FORGET:
            return 0.0
        pause = min(FIRST_WAIT * 2.0 ** min(count - self._free, 20), LONGEST_WAIT)
        return max(last + pause - now, 0.0)

    def failed(self, key: str) -> None:
        now = self._clock()
        count, last = self._failures.pop(key, (0, now))
        self._failures[key] = (count + 1 if now - last < FORGET else 1, now)
        while len(self._failures) > MOST:  # the oldest first
            del self._failures[next(iter(self._failures))]

    def succeeded(self, key: str) -> None:
        self._failures.pop(key, None)


class Sessions:
    """Signed-in users by token, kept in a file of mode 600."""

    def __init__(self, book: Book, path: Path, hours: float, clock: Clock) -> None:
        self.book, self._path, self._seconds, self._clock = book, path, hours * 3600, clock
        self._lock = threading.Lock()
        self._sessions: dict[str, tuple[str, str, float]] = self._read()  # hash -> name, proof, end

    def start(self, user: User) -> str:
        """The token of a new session."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_digest(token)] = (user.name, _digest(user.password), self._clock() + self._seconds)
            self._write()
        return token

    def end(self, token: str) -> None:
        with self._lock:
            if self._sessions.pop(_digest(token), None):
                self._write()

    def user(self, token: str) -> User | None:
        """Whose token it is, while the session lasts; nobody's where the password file can't be read."""
        name, proof, end = self._sessions.get(_digest(token), ("", "", 0.0)) if token else ("", "", 0.0)
        if self._clock() >= end:
            return None
        try:
            user = self.book.find(name)
        except AccessError:
            return None
        return user if user and secrets.compare_digest(_digest(user.password), proof) else None

    def _read(self) -> dict[str, tuple[str, str, float]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(key): (str(name), str(proof), float(end)) for key, (name, proof, end) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # everybody signs in once more

    def _write(self) -> None:
        now = self._clock()
        self._sessions = {key: session for key, session in self._sessions.items() if session[2] > now}
        write_private(self._path, json.dumps(self._sessions))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
