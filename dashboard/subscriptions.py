"""Subscriptions as the pages show and change them: whose they are, in a line, and as the fields of a form.

A form knows the common keys of a subscription and leaves the others as they are, so that what was written in YAML
survives it. What it gives becomes YAML again, which `stream.alerts` reads and checks as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from stream.alerts.rules import COUNTED, WATCHES
from stream.alerts.subscriptions import Stored, Subscription, read
from stream.alerts.text import RuleError, dump

CONDITIONS = ("theme", "security", "keyword", "tone", "mention_tone", "kind", "source", "relevance", "novelty")
MANNERS = ("schedule", "channels", "quiet", "cooldown", "language", "shared", "dry_run")
START = "name: \nwhen:\n  theme: game\n  tone: negative\n"


def sees(subscription: Subscription, me: str) -> bool:
    """Whether a reader of that name may see it; where nobody signs in, everybody sees all."""
    return not me or subscription.shared or subscription.owner in ("", me)


def owns(subscription: Subscription, me: str) -> bool:
    """Whether a reader of that name may change it."""
    return not me or subscription.owner in ("", me)


def state(stored: Stored, now: datetime) -> str:
    """on, off, dry_run or snoozed."""
    if stored.snoozed_until and stored.snoozed_until > now:
        return "snoozed"
    subscription = stored.subscription
    return "off" if not subscription.enabled else "dry_run" if subscription.dry_run else "on"


def own(subscriptions: list[Subscription], known: list[Stored], me: str) -> list[Subscription]:
    """The same as one's own; `known` are all that there are. Raises `RuleError` for a version of somebody else's."""
    by_id = {stored.subscription.id: stored.subscription for stored in known}
    found = []
    for subscription in subscriptions:
        before = by_id.get(subscription.id) if subscription.id else None
        if before is not None and not owns(before, me):
            raise RuleError(f"{subscription.name!r} has the id of a subscription of {before.owner!r}: leave `id` out")
        owner = before.owner if before is not None else me or subscription.owner
        found.append(msgspec.structs.replace(subscription, owner=owner))
    return found


def one(text: str) -> Subscription:
    """The only subscription of a YAML text. Raises `RuleError`."""
    found = read(text)
    if len(found) != 1:
        raise RuleError(f"{len(found)} subscriptions stand here: one is changed at a time; the others can be imported")
    return found[0]


def text_of(subscription: Subscription) -> str:
    """Its YAML, without what the store knows."""
    values = msgspec.to_builtins(subscription)
    name = {"name": values.pop("name")}
    return dump(name | {key: value for key, value in values.items() if key not in ("id", "owner")})


def fields(subscription: Subscription | None) -> dict[str, Any]:
    """The values of the form's fields: rule, the condition's, the watch's (under `watch`), and the manners'."""
    if subscription is None:
        return {"name": "", "rule": "document", "per": "all", "watch": {}, "language": "zh", "schedule": ["immediate"]}
    values: dict[str, Any] = {"name": subscription.name, "rule": subscription.kind, "per": subscription.per}
    values |= {key: getattr(subscription.when, key) for key in CONDITIONS}
    values |= {key: getattr(subscription, key) for key in MANNERS}
    values["watch"] = msgspec.to_builtins(subscription.watches.get(subscription.kind)) or {}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def filled(base: Subscription | None, values: Mapping[str, Any]) -> Subscription:
    """The subscription that a form's values make of `base`. Raises `RuleError`."""
    made: dict[str, Any] = msgspec.to_builtins(base) if base else {}
    made["name"] = str(values["name"]).strip()
    when = made.get("when", {})
    made["when"] = _merged(when, values, CONDITIONS)
    for watch in WATCHES:
        made.pop(watch, None)
    made.pop("per", None)
    if values["rule"] != "document":
        made[values["rule"]] = dict(values["watch"])
    if values["rule"] in COUNTED and values["per"] != "all":
        made["per"] = values["per"]
    return one(dump(_merged(made, values, MANNERS)))


def _merged(base: Mapping[str, Any], values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """`base` with the form's values of these keys; empty ones are left out, and so stand at their defaults."""
    kept = {key: value for key, value in base.items() if key not in keys}
    return kept | {key: values[key] for key in keys if values.get(key)}


def beyond_form(subscription: Subscription) -> list[str]:
    """The keys of a subscription that the form neither shows nor changes."""
    values = msgspec.to_builtins(subscription)
    when = [key for key in values.get("when", {}) if key not in CONDITIONS]
    known = {"id", "owner", "name", "when", "per", "enabled", *WATCHES, *MANNERS}
    return [*when, *(key for key in values if key not in known)]


def with_threshold(subscription: Subscription, threshold: str, value: float) -> Subscription:
    """With the value that a look back suggests: `mention_below`, or `burst.times`. Raises `RuleError`."""
    made: dict[str, Any] = msgspec.to_builtins(subscription)
    first, _, second = threshold.partition(".")
    if second:
        whole = isinstance(made[first].get(second), int)
        made[first][second] = max(round(value), 1) if whole else value
    else:
        made["when"][first] = value
    return one(dump(made))
