"""Channels: where messages go. Their addresses hold tokens and passwords, so the store has them encrypted only.

A channel is an address: `https://…` (a JSON webhook of our own), or an Apprise address (dingtalk://, feishu://,
wecombot://, bark://, schan://, tgram://, mailto://, ntfy:// …). The key lies in `data_dir/secrets/alert-channels`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from clickhouse_connect.driver.client import Client
from cryptography.fernet import Fernet, InvalidToken
from msgspec import Struct

from deploy.settings import secret
from stream.alerts.text import RuleError

SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,30})://", re.IGNORECASE)
# These act on the machine itself, read its files, or run programs.
REFUSED = frozenset(
    ["dbus", "kde", "qt", "glib", "gnome", "macosx", "windows", "syslog", "rsyslog", "vapid", "fcm", "deltachat"]
)
FILES = frozenset(["template", "attach", "file", "cert", "key", "keyfile", "pgp", "pgpkey", "subfile", "prv"])
WEBHOOKS = ("http", "https")


class Channel(Struct, frozen=True, kw_only=True):
    """A channel of one owner. `address` is a secret: it has no place in a log or a message."""

    owner: str
    name: str
    address: str
    version: int = 0

    @property
    def kind(self) -> str:
        return scheme(self.address)

    @property
    def key(self) -> str:
        """Names it in logs and deliveries."""
        return f"{self.owner}/{self.name}" if self.owner else self.name

    def __repr__(self) -> str:
        return f"Channel({self.key}, {self.kind})"

    __str__ = __repr__


def scheme(address: str) -> str:
    """`https`, `dingtalk` …; empty for what is no address."""
    match = SCHEME.match(address)
    return match[1].lower() if match else ""


def check(address: str) -> str:
    """The address, if it can be a channel. Raises `RuleError`, whose text doesn't hold the address."""
    kind = scheme(address)
    if not kind or any(ord(letter) < 33 for letter in address):
        raise RuleError("a channel's address looks like https://…, dingtalk://…, mailto://…; docs/alerts.md lists them")
    if kind in REFUSED:
        raise RuleError(f"{kind}:// would act on this machine and is refused; choose another channel")
    try:
        parts = urlsplit(address)
    except ValueError:
        problem = "its host can't be read: write a name, a number, or an IPv6 address in brackets as in https://[::1]/…"
        raise RuleError(f"this is no {kind}:// address, as {problem}") from None
    if kind in WEBHOOKS:
        if not parts.hostname:
            raise RuleError(f"the {kind} address names no host")
        return address
    options = {name.lower().lstrip("+-:") for name in parse_qs(parts.query, keep_blank_values=True)}
    if named := sorted(options & FILES):
        raise RuleError(f"the option {named[0]} would read a file of this machine and is refused; leave it out")
    from apprise import Apprise

    try:
        plugin = Apprise.instantiate(address, suppress_exceptions=False)
    except (TypeError, ValueError, AttributeError, KeyError):
        plugin = None
    if plugin is None:
        raise RuleError(f"this {kind}:// address can't be read: compare it with Apprise's page on {kind}")
    return address


class Safe:
    """Encrypts and decrypts addresses with the installation's own key."""

    def __init__(self, key: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))

    @classmethod
    def of(cls, data_dir: Path) -> Safe:
        """With the key in the data folder, made at first use."""
        return cls(secret(data_dir, "alert-channels"))

    def lock(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, token: str) -> str:
        """Raises `RuleError` where the key is another one."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken:
            raise RuleError(
                "a channel was encrypted with another key: restore secrets/alert-channels, or add the channel again"
            ) from None


class ChannelBook:
    """The channels in the store."""

    def __init__(self, client: Client, safe: Safe, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client, self._safe, self._clock = client, safe, clock

    def names(self, owner: str | None = None) -> list[tuple[str, str, str]]:
        """(owner, name, kind), without any address."""
        rows = self._client.query("SELECT owner, name, kind FROM alert_channels FINAL ORDER BY owner, name").result_rows
        return [(str(o), str(n), str(k)) for o, n, k in rows if owner is None or o in ("", owner)]

    def all(self) -> tuple[dict[tuple[str, str], Channel], list[str]]:
        """The channels by (owner, name), and what is wrong with those that can't be opened."""
        found, problems = {}, []
        for owner, name, locked, version in self._client.query(
            "SELECT owner, name, secret, version FROM alert_channels FINAL"
        ).result_rows:
            try:
                address = self._safe.open(locked)
            except RuleError as error:
                problems.append(f"{owner}/{name}: {error}")
                continue
            found[owner, name] = Channel(owner=owner, name=name, address=address, version=version)
        return found, problems

    def save(self, channel: Channel) -> None:
        """Add it, or change its address. Raises `RuleError`."""
        check(channel.address)
        if not re.fullmatch(r"[\w.@ -]{1,60}", channel.name):
            raise RuleError(f"{channel.name!r} names no channel: letters, digits, . _ - @ and spaces, at most 60")
        self._insert(channel, self._safe.lock(channel.address), 0)

    def remove(self, owner: str, name: str) -> None:
        """Raises `RuleError` where there is none."""
        if (owner, name) not in {(o, n) for o, n, _ in self.names()}:
            raise RuleError(f"no channel {name!r}: `fengxiang alerts channels` shows them")
        self._insert(Channel(owner=owner, name=name, address=""), "", 1)

    def _insert(self, channel: Channel, locked: str, deleted: int) -> None:
        version = int(self._clock().timestamp() * 1e6)
        names = ["owner", "name", "kind", "secret", "version", "is_deleted"]
        values = [[channel.owner, channel.name, channel.kind, locked, version, deleted]]
        self._client.insert("alert_channels", values, column_names=names)


def resolve(owner: str, name: str, channels: Mapping[tuple[str, str], Channel]) -> Channel | None:
    """The owner's channel of that name, or the common one."""
    return channels.get((owner, name)) or channels.get(("", name))


def missing(name: str) -> str:
    """What is said of a message whose channel `resolve` doesn't find."""
    return f"there is no channel {name!r}: `fengxiang alerts channels add` makes it"
