"""Every word of the pages, in Chinese and English. `say(key)` gives it in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import streamlit as st
import yaml

from dashboard.catalogue import WORDS
from deploy.settings import load
from models.trading import SHANGHAI

LANGUAGES = {"zh": "中文", "en": "English"}
THEMES_FILE = Path(__file__).parent.parent / "models" / "themes.yaml"
_spoken: ContextVar[str] = ContextVar("spoken", default="")


def language() -> str:
    """The reader's language: zh or en."""
    return _spoken.get() or str(st.session_state.get("lang") or load().dashboard.language)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Words in `language` meanwhile, whatever the reader's is: needed where there is no reader."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def say(key: str, **values: object) -> str:
    """The text of `key`; `values` fill its braces. The result is plain text."""
    zh, en = WORDS[key]
    text = en if language() == "en" else zh
    return text.format(**values) if values else text


@lru_cache(maxsize=1)
def _themes() -> dict[str, tuple[str, str]]:
    names: dict[str, tuple[str, str]] = {}
    for path in (THEMES_FILE, load().user_themes):
        if not path.is_file():
            continue
        for theme in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("themes") or []:
            name = str(theme.get("name", theme["id"]))
            names[str(theme["id"])] = (name, str(theme.get("english", name)))
    return names


def theme_ids() -> list[str]:
    """The themes of the taxonomy, in its order."""
    return list(_themes())


def theme_name(theme: str) -> str:
    """A theme's name in the reader's language; its identifier when the taxonomy no longer has it."""
    zh, en = _themes().get(theme, (theme, theme))
    return en if language() == "en" else zh


def number(value: float) -> str:
    """A count with thousands separators; in Chinese 12.3万 from a hundred thousand on."""
    if language() == "zh" and value >= 100_000:
        return f"{value / 10_000:.1f}万"
    return f"{value:,.0f}"


def mean(value: float) -> str:
    """A usual count: with one decimal where it is small."""
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else number(value)


def percent(ratio: float) -> str:
    """A relative change: +50%, −20%, or 3.2× from three times on."""
    if ratio >= 2:
        return f"{ratio + 1:.1f}×"
    return f"{ratio:+.0%}".replace("-", "−")


def score(value: float) -> str:
    """A tone score with its sign; what rounds to zero has a plus, whichever side it came from."""
    return f"{value:+z.2f}".replace("-", "−")


def moment(at: datetime, now: datetime) -> str:
    """A time as short as it stays clear beside `now`: 14:05, 11-20 14:05, 11-20 (midnight: a day only), 2025-11-20."""
    at, now = at.astimezone(SHANGHAI), now.astimezone(SHANGHAI)
    if (at.hour, at.minute, at.second) == (0, 0, 0):
        return at.strftime("%m-%d" if abs(now - at) < timedelta(days=200) else "%Y-%m-%d")
    if at.date() == now.date():
        return at.strftime("%H:%M")
    return at.strftime("%m-%d %H:%M" if abs(now - at) < timedelta(days=200) else "%Y-%m-%d")


def ago(at: datetime, now: datetime) -> str:
    """How long before `now`."""
    seconds = max((now - at).total_seconds(), 0)
    for limit, size, key in ((90, 1, "seconds_ago"), (5400, 60, "minutes_ago"), (129600, 3600, "hours_ago")):
        if seconds < limit:
            return say(key, n=round(seconds / size))
    return say("days_ago", n=round(seconds / 86400))
