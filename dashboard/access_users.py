"""The password file: who may sign in to the dashboard, and as what. `fengxiang users` writes it.

It is JSON, mode 600, written whole and read again whenever it changes. Passwords are kept as scrypt hashes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path

ROLES = ("viewer", "editor")
COST = (15, 8, 3)  # log2(N), r, p: 32 MB and a fifth of a second
SHORTEST, LONGEST = 10, 1000  # characters of a password
_NAME = re.compile(r"[\w.@+-]{1,64}")


class AccessError(ValueError):
    """A wrong name, role, password or file; the text says what to do."""


@dataclass(frozen=True)
class User:
    """A person who may sign in; `password` is its hash."""

    name: str
    role: str
    password: str


class Book:
    """The password file as it is now. A file that isn't there has nobody in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._users: dict[str, User] = {}

    def users(self) -> dict[str, User]:
        """Everybody by name. Raises `AccessError` where the file can't be read."""
        try:
            state = self.path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise AccessError(f"{self.path} can't be read: {error.strerror}") from error
        with self._lock:
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
            if seen != self._seen:
                self._users, self._seen = _parse(self.path), seen
            return dict(self._users)

    def find(self, name: str) -> User | None:
        return self.users().get(_normal(name))

    def put(self, name: str, role: str, password: str) -> None:
        """Add a user, or change one. Raises `AccessError`."""
        name = _normal(name)
        if not _NAME.fullmatch(name):
            raise AccessError(f"{name!r} can't be a name: use up to 64 letters, digits and . @ + - _")
        if not SHORTEST <= len(password) <= LONGEST or _normal(password).casefold() == name.casefold():
            raise AccessError(f"choose a password of {SHORTEST} characters or more that is not the name")
        self._write({**self.users(), name: User(name, _role(role), hashed(password))})

    def remove(self, name: str) -> None:
        """Forget a user. Raises `AccessError` where there is none of that name."""
        gone = self.known(name)
        self._write({key: user for key, user in self.users().items() if user != gone})

    def set_role(self, name: str, role: str) -> None:
        """Raises `AccessError` where there is no such user or role."""
        user = self.known(name)
        self._write({**self.users(), user.name: User(user.name, _role(role), user.password)})

    def known(self, name: str) -> User:
        """The user of that name. Raises `AccessError` where there is none."""
        user = self.find(name)
        if user is None:
            names = ", ".join(sorted(self.users())) or "nobody yet"
            raise AccessError(f"no user {name!r} in {self.path}: there is {names}")
        return user

    def check(self, name: str, password: str) -> User | None:
        """The user whose password this is. Takes as long for a name that nobody has."""
        user = self.find(name)
        right = matches(password, user.password if user else _NOBODY)
        return user if user and right else None

    def _write(self, users: dict[str, User]) -> None:
        rows = [asdict(user) for _, user in sorted(users.items())]
        try:
            write_private(self.path, json.dumps({"users": rows}, ensure_ascii=False, indent=1) + "\n")
        except OSError as error:
            raise AccessError(f"{self.path} can't be written: {error.strerror}") from error


def hashed(password: str) -> str:
    """scrypt$log2(N)$r$p$salt$hash, the last two in base64."""
    salt = secrets.token_bytes(16)
    return "$".join(["scrypt", *map(str, COST), _text(salt), _text(_scrypt(password, salt, *COST))])


def matches(password: str, stored: str) -> bool:
    """Whether `stored` is the hash of the password, in constant time."""
    _, log_n, r, p, salt, digest = stored.split("$")
    if len(password) > LONGEST:
        return False
    found = _scrypt(password, base64.b64decode(salt), int(log_n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(digest))


def write_private(path: Path, text: str) -> None:
    """Put a file in place at once, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    secret = _normal(password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=1 << log_n, r=r, p=p, maxmem=256_000_000, dklen=32)


def _role(role: str) -> str:
    if role not in ROLES:
        raise AccessError(f"{role!r} is no role: there are {' and '.join(ROLES)}")
    return role


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _parse(path: Path) -> dict[str, User]:
    try:
        users = [User(**row) for row in json.loads(path.read_text(encoding="utf-8"))["users"]]
        for user in users:
            kind, *cost, salt, digest = user.password.split("$")
            known = kind == "scrypt" and len(cost) == 3 and all(0 < int(c) < 33 for c in cost)
            if not known or user.role not in ROLES:
                raise ValueError(f"{user.name!r} has an unknown role or hash")
            for part in (salt, digest):
                base64.b64decode(part, validate=True)
    except OSError as error:
        raise AccessError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AccessError(
            f"{path} is no password file ({error}): make it anew with fengxiang users add NAME"
        ) from error
    return {user.name: user for user in users}


_NOBODY = "$".join(["scrypt", *map(str, COST), _text(bytes(16)), _text(bytes(32))])
