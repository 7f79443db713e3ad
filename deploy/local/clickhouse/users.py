"""Who may come in, and within which limits.

A user's limits are starting values of settings, and the most that the user may set them to: the engine itself
enforces them (a settings profile with constraints, see `config`). 0, which means no limit, is then refused.

A user who reads only may be let to fill a few tables all the same: `inserts` names them. Then an INSERT of data into
one of them runs on a handle that is not readonly, and nothing else does (`session`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.settings import EDITED_TABLES, EDITOR, Settings, secret

from .errors import ChError

DATABASE = "fengxiang"
PROFILE_SUFFIX = secrets.token_hex(8)
USER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class UsersError(ValueError):
    """A users file that can't be used; the text names the file, the user and the remedy."""


@dataclass(frozen=True)
class User:
    """One user. `readonly` as in ClickHouse: 1 reads, 2 reads and may change settings other than `readonly`."""

    name: str
    sha256: str  # of the password
    readonly: int = 0
    database: str = "default"
    limits: Mapping[str, int] = field(default_factory=dict)
    inserts: frozenset[str] = frozenset()  # tables that a readonly user may fill

    @property
    def profile(self) -> str:
        """The engine's settings profile with this user's constraints; no other user can guess and choose it."""
        return f"{self.name}_{PROFILE_SUFFIX}"


def digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def local_users(settings: Settings) -> dict[str, User]:
    """The local stack's: `fengxiang`, who writes; `reader`, for people and the dashboard; `editor`, the dashboard's
    user for what its readers may change."""
    memory = int(settings.local.memory_gb * 1e9)
    writer = User(
        "fengxiang",
        digest(secret(settings.data_dir, "clickhouse-writer")),
        database=DATABASE,
        limits={"max_memory_usage": int(memory * 0.8)},
    )
    reader = User(
        "reader",
        digest(settings.local.reader_password),
        readonly=2,
        database=DATABASE,
        limits={
            "max_execution_time": 30,
            "max_memory_usage": int(memory * 0.5),
            "max_result_rows": 10_000_000,
            "max_rows_to_read": 2_000_000_000,
        },
    )
    editor = replace(
        reader, name=EDITOR, sha256=digest(secret(settings.data_dir, "clickhouse-editor")), inserts=EDITED_TABLES
    )
    return {user.name: user for user in (writer, reader, editor)}


def read_users(path: Path) -> dict[str, User]:
    """Users from a JSON file: `{name: {"password" or "sha256", "readonly", "database", "limits": {setting: number},
    "inserts": [table]}}`.

    A user with neither password nor sha256 has the empty password. Raises `UsersError`.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsersError(f"users file {path} can't be read: {error}") from error
    if not isinstance(table, dict) or not table:
        raise UsersError(f'users file {path} must be an object such as {{"default": {{"password": ""}}}}')
    return {name: _user(path, name, entry) for name, entry in table.items()}


def _user(path: Path, name: str, entry: Any) -> User:
    known = {"password", "sha256", "readonly", "database", "limits", "inserts"}
    if not USER_NAME.fullmatch(name) or not isinstance(entry, dict) or entry.keys() - known:
        raise UsersError(
            f"users file {path}: user {name!r} must be a name with an object of {', '.join(sorted(known))}"
        )
    limits = entry.get("limits", {})
    valid = isinstance(limits, dict) and all(type(n) is int and n > 0 and k.isidentifier() for k, n in limits.items())
    if entry.get("readonly", 0) not in (0, 1, 2) or not valid:
        raise UsersError(
            f"users file {path}: user {name!r}: readonly is 0, 1 or 2; limits are settings with numbers above 0"
        )
    inserts = entry.get("inserts", [])
    if not isinstance(inserts, list) or not all(isinstance(table, str) and table.isidentifier() for table in inserts):
        raise UsersError(f"users file {path}: user {name!r}: inserts is a list of tables' names")
    return User(
        name,
        entry.get("sha256") or digest(entry.get("password", "")),
        entry.get("readonly", 0),
        entry.get("database", "default"),
        limits,
        frozenset(inserts),
    )


def authenticate(users: Mapping[str, User], name: str, password: str) -> User:
    """The user. Raises `ChError` 516, with the same words whether name or password is wrong."""
    user = users.get(name)
    if not hmac.compare_digest(digest(password), user.sha256 if user else "") or user is None:
        reason = f"{name}: Authentication failed: password is incorrect, or there is no user with such name"
        raise ChError(516, reason, "AUTHENTICATION_FAILED")
    return user
