"""The feeds in `fengxiang.toml`, added and removed as text: comments and all else stay as they are.

A feed is an `[[ingest.feeds]]` table. One is added at the end of the file, where a table can always stand; one is
removed from its head to the next head. Whether that was right is not guessed: the new text is read again, and must say
what the old one said, with the one feed more or less. Otherwise nothing is written.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from deploy.sections import FeedSettings
from deploy.settings import SettingsError, checked

_HEAD = re.compile(r"^[ \t]*\[\[[ \t]*ingest[ \t]*\.[ \t]*feeds[ \t]*\]\]")
_ANY_HEAD = re.compile(r"^[ \t]*\[")
_ASIDE = re.compile(r"^[ \t]*(#.*)?$")  # what may stand above the next head, and belongs to it


def with_feed(text: str, feed: FeedSettings, origin: str) -> str:
    """The settings file's text with one feed more. Raises `SettingsError`, which names the file (`origin`)."""
    values = feed.model_dump(exclude_defaults=True) | {"type": feed.type}
    lines = [
        "[[ingest.feeds]]",
        *(f"{key} = {_toml(values[key])}" for key in FeedSettings.model_fields if key in values),
    ]
    end = "\r\n" if "\r\n" in text else "\n"
    before = text if not text or text.endswith("\n") else text + end
    new = before + (end if before.strip() else "") + end.join(lines) + end
    return _sure(text, new, origin, [*_feeds(parsed(text, origin)), json.loads(json.dumps(values))])


def without_feed(text: str, name: str, origin: str) -> str:
    """The text without the feed of that name. Raises `SettingsError` where there is none."""
    feeds = _feeds(parsed(text, origin))
    names = [str(feed.get("name") or feed.get("type")) for feed in feeds]
    if name not in names:
        raise SettingsError(f"no feed {name!r} in {origin}; there are: {', '.join(names) or 'none'}")
    number = names.index(name)
    lines = text.splitlines(keepends=True)
    heads = [n for n, line in enumerate(lines) if _HEAD.match(line)]
    if number >= len(heads):
        raise _by_hand(origin)
    start = heads[number]
    end = next((n for n in range(start + 1, len(lines)) if _ANY_HEAD.match(lines[n])), len(lines))
    if end < len(lines):
        while end > start + 1 and _ASIDE.match(lines[end - 1].rstrip("\r\n")):
            end -= 1
    new = "".join(lines[:start] + lines[end:])
    return _sure(text, new, origin, feeds[:number] + feeds[number + 1 :])


def _sure(old: str, new: str, origin: str, feeds: list[Any]) -> str:
    was = parsed(old, origin)
    try:
        now = tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        raise _by_hand(origin) from None
    rest = [{**values, "ingest": {**values.get("ingest", {}), "feeds": None}} for values in (was, now)]
    if _feeds(now) != feeds or rest[0] != rest[1]:
        raise _by_hand(origin)
    checked(now, origin)
    return new


def _by_hand(origin: str) -> SettingsError:
    return SettingsError(
        f"the feeds in {origin} are not all [[ingest.feeds]] tables, each under a head of its own: change them by hand"
    )


def parsed(text: str, origin: str) -> dict[str, Any]:
    """The values of a settings file's text. Raises `SettingsError`, which names the file (`origin`)."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{origin} is not valid TOML: {error}") from error


def _feeds(values: dict[str, Any]) -> list[Any]:
    return list(values.get("ingest", {}).get("feeds", []))


def _toml(value: object) -> str:
    """A value as TOML writes it: of these kinds JSON's way, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
