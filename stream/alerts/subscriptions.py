"""Subscriptions: a rule, whose it is, where its messages go and with what manners. Every version is kept."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from clickhouse_connect.driver.client import Client
from msgspec import Meta, Struct

from stream.alerts.rules import LISTS, Rule, Span, Text, check, seconds
from stream.alerts.text import RuleError, Source, convert, dump

log = logging.getLogger(__name__)

Digest = Literal["immediate", "hourly", "pre_open", "midday", "after_close", "daily", "weekly"]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
Quiet = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
MAX_FILE_SUBSCRIPTIONS = 5000
SNOOZES = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}  # that pages offer
LONGEST_WAIT = 7 * 86400  # seconds that a message may be held back; the ledger reads back as much as that needs


class Escalation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told as well when nobody has acknowledged an alert for so long."""

    after: Span = "15m"
    channels: tuple[Text, ...]


class Subscription(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule with its manners; the YAML form has just these keys."""

    name: Text
    id: Annotated[str, Meta(pattern=r"^[a-z0-9]{0,32}$")] = ""
    owner: Annotated[str, Meta(max_length=100)] = ""
    shared: bool = False  # others may read it and its feed
    channels: tuple[Text, ...] = ()  # names of the owner's channels; the feed is always there
    language: Literal["zh", "en"] = "zh"
    time_zone: str = "Asia/Shanghai"
    schedule: tuple[Digest, ...] = ("immediate",)
    digest_at: Clock = "18:00"  # of daily and weekly, in the time zone
    quiet: Quiet | None = None  # 22:00-07:30, in the time zone
    cooldown: Span | None = None
    per_hour: Annotated[int, Meta(ge=1)] | None = None
    per_day: Annotated[int, Meta(ge=1)] | None = None
    escalate: Escalation | None = None
    dry_run: bool = False
    enabled: bool = True

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Stored(Struct, frozen=True, kw_only=True):
    """A subscription with what the store adds."""

    subscription: Subscription
    version: int
    snoozed_until: datetime | None = None
    changed_by: str = ""
    changed_at: datetime | None = None
    removed: bool = False


def read(text: str, name: str = "") -> list[Subscription]:
    """The subscriptions of a YAML text: one, or a list, or `subscriptions:` with a list. Raises `RuleError`."""
    source = Source(text, name)
    value, root = source.value, "$"
    if isinstance(value, dict) and set(value) == {"subscriptions"}:
        value, root = value["subscriptions"], "$.subscriptions"
    if isinstance(value, dict):
        return [_read_one(source, value, root)]
    if not isinstance(value, list) or not value:
        raise source.error("$", "a subscription has at least `name:` and `when:`; docs/alerts.md shows examples")
    if len(value) > MAX_FILE_SUBSCRIPTIONS:
        raise source.error(root, f"{len(value)} subscriptions; at most {MAX_FILE_SUBSCRIPTIONS} in one file")
    found = [_read_one(source, item, f"{root}[{number}]") for number, item in enumerate(value)]
    _apart(source, found, root)
    return found


def _read_one(source: Source, value: Any, root: str) -> Subscription:
    relocated = _Relocated(source, root)
    subscription = convert(relocated, value, Subscription, LISTS)
    check(subscription, value, relocated)
    try:
        ZoneInfo(subscription.time_zone)
    except (KeyError, ValueError, OSError):
        problem = f"{subscription.time_zone!r} is no time zone; write one as Asia/Shanghai or Europe/London"
        raise relocated.error("$.time_zone", problem) from None
    if not NAME.fullmatch(subscription.name):
        raise relocated.error("$.name", "a name is one line of at most 100 characters")
    waits = {"cooldown": subscription.cooldown, "escalate.after": subscription.escalate and subscription.escalate.after}
    for key, span in waits.items():
        if span and seconds(span) > LONGEST_WAIT:
            raise relocated.error(f"$.{key}", f"{span} is too long; at most 7d")
    if len(subscription.schedule) > 1 and "immediate" in subscription.schedule:
        raise relocated.error("$.schedule", "immediate stands alone; name digests, or immediate")
    if not subscription.schedule:
        raise relocated.error("$.schedule", "empty; leave it out for immediate")
    return subscription


def _apart(source: Source, found: list[Subscription], root: str) -> None:
    """Raises `RuleError` where the store would take two of one file for versions of one."""
    ids: set[str] = set()
    doubled = _doubled(found)
    for number, one in enumerate(found):
        if one.id in ids:
            raise source.error(f"{root}[{number}].id", f"{one.id} stands in this file twice: leave one `id` out")
        if number in doubled:
            problem = f"{one.name!r} stands in this file twice: give one another name, or leave it out"
            raise source.error(f"{root}[{number}].name", problem)
        ids |= {one.id} - {""}


def _doubled(found: Sequence[Subscription]) -> list[int]:
    """Places of those with the owner and name of an earlier one, but for such as both have an id to tell them apart."""
    places = []
    names: dict[tuple[str, str], bool] = {}  # whether those of the owner and name have ids
    for number, one in enumerate(found):
        owned = one.owner, one.name
        if owned in names and not (one.id and names[owned]):
            places.append(number)
        names[owned] = bool(one.id)
    return places


class _Relocated(Source):
    """The same text, for paths that start inside it."""

    def __init__(self, source: Source, root: str) -> None:
        self._inner, self._root = source, root

    def error(self, path: str, problem: str) -> RuleError:
        return self._inner.error(self._root + path.removeprefix("$"), problem)


def write(subscriptions: list[Subscription]) -> str:
    """YAML that `read` reads."""
    return dump({"subscriptions": [msgspec.to_builtins(subscription) for subscription in subscriptions]})


def new_id(subscription: Subscription, now: datetime) -> str:
    """An id for a new subscription."""
    return hashlib.blake2b(f"{subscription.owner}\0{subscription.name}\0{now}".encode(), digest_size=6).hexdigest()


def _named(wanted: str, found: list[Stored]) -> Stored:
    for hits in (
        [s for s in found if s.subscription.id == wanted],
        [s for s in found if s.subscription.name == wanted],
        [s for s in found if len(wanted) >= 4 and s.subscription.id.startswith(wanted)],
    ):
        if len(hits) == 1:
            return hits[0]
        if hits:
            ids = ", ".join(stored.subscription.id for stored in hits)
            raise RuleError(f"{wanted!r} names several subscriptions ({ids}): give an id")
    raise RuleError(f"no subscription {wanted!r}: `fengxiang alerts list` shows them")


class Book:
    """The subscriptions in the store. clock: aware datetimes."""

    def __init__(self, client: Client, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client, self._clock = client, clock

    def all(self) -> list[Stored]:
        """The current version of each, by owner and name."""
        return self._read("SELECT * FROM alert_subscription ORDER BY owner, name, id", {})

    def latest(self) -> list[Stored]:
        """The latest version of each, removed ones included."""
        return self._read("SELECT * FROM alert_subscriptions ORDER BY id, version DESC LIMIT 1 BY id", {})

    def find(self, wanted: str, owner: str | None = None, *, removed: bool = False, to_change: bool = False) -> Stored:
        """The one with this id, name, or beginning of an id. Raises `RuleError` for none or several.

        owner: his, and shared ones unless it is to be changed; removed: a removed one, where there is no other.
        """

        def meant(stored: Stored) -> bool:
            subscription = stored.subscription
            return owner is None or subscription.owner == owner or (subscription.shared and not to_change)

        try:
            return _named(wanted, [stored for stored in self.all() if meant(stored)])
        except RuleError:
            if not removed:
                raise
        return _named(wanted, [stored for stored in self.latest() if meant(stored)])

    def versions(self, id_: str) -> list[Stored]:
        """All versions, the latest first."""
        sql = "SELECT * FROM alert_subscriptions FINAL WHERE id = {id:String} ORDER BY version DESC"
        return self._read(sql, {"id": id_})

    def save(self, subscriptions: list[Subscription], by: str = "") -> list[Stored]:
        """Store new ones, or new versions of known ones (by id, or by owner and name, each once); a snooze stays.

        Raises `RuleError` where two of one name don't both have an id to tell them apart.
        """
        if doubled := _doubled(subscriptions):
            owner, name = subscriptions[doubled[0]].owner, subscriptions[doubled[0]].name
            count = sum((other.owner, other.name) == (owner, name) for other in subscriptions)
            whose = f"of {owner!r}" if owner else "without an owner"
            raise RuleError(f"{name!r} {whose} is given {count} times: give one another name, or leave it out")
        known = self.all()
        by_id = {stored.subscription.id: stored for stored in known}
        given = {subscription.id for subscription in subscriptions}
        by_name = {
            (stored.subscription.owner, stored.subscription.name): stored
            for stored in known
            if stored.subscription.id not in given
        }
        saved = []
        for subscription in subscriptions:
            named = by_name.pop((subscription.owner, subscription.name), None)
            before = by_id.get(subscription.id) or named
            id_ = before.subscription.id if before else subscription.id or new_id(subscription, self._clock())
            current = msgspec.structs.replace(subscription, id=id_)
            version = self._version(before)
            snoozed = before.snoozed_until if before else None
            saved.append(Stored(subscription=current, version=version, snoozed_until=snoozed, changed_by=by))
        self._insert(saved)
        return saved

    def restore(self, version: Stored, by: str = "") -> Stored:
        """An earlier version, or a removed subscription, once more. Raises `RuleError` where its name is taken."""
        mine = version.subscription
        for other in (stored.subscription for stored in self.all()):
            if (other.owner, other.name) == (mine.owner, mine.name) and other.id != mine.id:
                raise RuleError(f"{mine.name!r} is the name of another subscription now ({other.id}): rename that one")
        return self.save([mine], by)[0]

    def remove(self, stored: Stored, by: str = "") -> None:
        """Take it away; its versions stay readable."""
        self._insert([msgspec.structs.replace(stored, version=self._version(stored), changed_by=by)], deleted=1)

    def snooze(self, stored: Stored, until: datetime | None, by: str = "") -> None:
        """Say nothing until then; None ends a snooze."""
        changed = msgspec.structs.replace(stored, version=self._version(stored), snoozed_until=until, changed_by=by)
        self._insert([changed])

    def state(self) -> tuple[int, int]:
        """Changes whenever a subscription or a channel does."""
        row = self._client.query(
            "SELECT (SELECT max(version) FROM alert_subscriptions), (SELECT max(version) FROM alert_channels)"
        ).result_rows[0]
        return int(row[0]), int(row[1])

    # ------------------------------------------------------------------

    def _version(self, before: Stored | None) -> int:
        now = int(self._clock().timestamp() * 1e6)
        return max(now, before.version + 1) if before else now

    def _read(self, sql: str, parameters: dict[str, Any]) -> list[Stored]:
        found = []
        for row in self._client.query(sql, parameters=parameters).named_results():
            try:
                subscription = msgspec.json.decode(row["definition"], type=Subscription)
            except msgspec.MsgspecError as error:  # of another version of the program: it must not hide the others
                log.error("subscription %s %r can't be read, and is left out: %s", row["id"], row["name"], error)
                continue
            found.append(
                Stored(
                    subscription=subscription,
                    version=row["version"],
                    snoozed_until=row["snoozed_until"],
                    changed_by=row["changed_by"],
                    changed_at=row["changed_at"],
                    removed=bool(row["is_deleted"]),
                )
            )
        return found

    def _insert(self, rows: list[Stored], deleted: int = 0) -> None:
        names = ["id", "version", "owner", "name", "definition", "snoozed_until", "changed_by", "is_deleted"]
        values = [
            [
                stored.subscription.id,
                stored.version,
                stored.subscription.owner,
                stored.subscription.name,
                msgspec.json.encode(stored.subscription).decode(),
                stored.snoozed_until,
                stored.changed_by,
                deleted,
            ]
            for stored in rows
        ]
        if values:
            self._client.insert("alert_subscriptions", values, column_names=names)
