"""What the reader has chosen, kept in the URL so that every view is a link.

`bound` ties a widget to a URL parameter by the value's own name (never by its label, which changes with the language).
The URL wins when it differs from what was last seen in it (a link was followed); otherwise the widget wins and the URL
follows. Values at their default stay out of the URL, unless the default itself comes from the data (`always`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from typing import Any

import streamlit as st

from dashboard import safe, scope
from dashboard.text import LANGUAGES, say
from deploy.settings import load
from models.trading import SHANGHAI

PALETTES = ("red_up", "green_up", "blue_orange")
SHARED = ("w", "days", "by", "lang", "colours")  # what every link of the app carries


def bound(
    widget: Callable[..., Any],
    label: str,
    key: str,
    default: Any,
    *args: Any,
    options: Collection[Any] = (),
    always: bool = False,
    fit: Callable[[Any], Any] = lambda value: value,
    tell: bool = False,
    **more: Any,
) -> Any:
    """The value of `widget(label, [options], key=key, ...)`, tied to the URL parameter `key`.

    `default` also says the type: text (or None), bool, a list of texts, or a tuple of dates. `fit` makes of any value
    of that type one that the widget takes. `tell`: say so where a link asks for what isn't among the options.
    """
    seen: dict[str, str] = st.session_state.setdefault("seen", {})
    kept: dict[str, Any] = st.session_state.setdefault("kept", {})
    text = st.query_params.get(key)
    if tell and text and options and text not in options:
        st.info(say("unknown_here", value=safe.label(text, 40)), icon=":material/link_off:")
    if text is not None and text != seen.get(key):
        st.session_state[key] = decode(text, default, options)
    elif key not in st.session_state:
        st.session_state[key] = kept.get(key, default)
    if options and not isinstance(default, list) and st.session_state[key] not in options:
        st.session_state[key] = default
    st.session_state[key] = fit(st.session_state[key])  # ours, not the last page's widget's: that goes with the page
    value = widget(label, *([list(options)] if options else []), *args, key=key, **more)
    kept[key] = value
    written = "" if value == default and not always else encode(value)
    if written:
        st.query_params[key] = written
    elif key in st.query_params:
        del st.query_params[key]
    seen[key] = written
    return value


def encode(value: Any) -> str:
    """A value as it stands in the URL; nothing for an empty one."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list | tuple):
        return ",".join(encode(part) for part in value)
    return value.isoformat() if isinstance(value, date) else str(value or "")


def decode(text: str, default: Any, options: Collection[Any] = ()) -> Any:
    """A value from the URL, of the type of `default`; `default` where the text is not such a value."""
    if isinstance(default, bool):
        return text == "1"
    if isinstance(default, list):
        return [part for part in text.split(",") if part in options]
    if isinstance(default, tuple):
        try:
            return tuple(date.fromisoformat(part) for part in text.split(",")[:2])
        except ValueError:
            return default
    return text if not options or text in options else default


def shared() -> dict[str, str]:
    """URL parameters that every link of the app carries."""
    seen: dict[str, str] = st.session_state.get("seen", {})
    return {key: seen[key] for key in SHARED if seen.get(key)}


def segments(
    label: str, key: str, options: Collection[str], default: str, names: Callable[[str], str], always: bool = False
) -> str:
    """One of a few values, always one."""
    value = bound(
        st.segmented_control,
        label,
        key,
        default,
        options=options,
        format_func=names,
        required=True,
        label_visibility="collapsed",
        always=always,
    )
    return str(value or default)


def language_switch() -> None:
    """中文 or English."""
    segments(
        "语言 Language", "lang", list(LANGUAGES), load().dashboard.language, lambda code: {"zh": "中", "en": "EN"}[code]
    )


def window_controls(first: datetime, newest: datetime, busy: str) -> scope.Scope:
    """The window and counting controls; `busy` is the preset to start with."""
    busy = str(st.session_state.setdefault("default_window", busy))
    preset = segments(say("window"), "w", scope.PRESETS, busy, lambda key: say(f"window_{key}"), always=True)
    custom: tuple[date, date] | None = None
    if preset == "custom":
        earliest, last = first.astimezone(SHANGHAI).date(), newest.astimezone(SHANGHAI).date()
        default = (max(last - timedelta(days=6), earliest), last)

        def within(days: tuple[date, ...]) -> tuple[date, ...]:
            return tuple(sorted(min(max(day, earliest), last) for day in days))

        chosen = bound(
            st.date_input,
            say("window_custom_help"),
            "days",
            default,
            fit=within,
            min_value=earliest,
            max_value=last,
            format="YYYY-MM-DD",
            label_visibility="collapsed",
            width=250,
        )
        custom = (chosen[0], chosen[-1]) if chosen else default
    basis = segments(say("count_by"), "by", scope.BASES, "raw", lambda key: say(f"basis_{key}"))
    return scope.window(preset, newest, basis, custom)


def colour_switch() -> None:
    """Which colour means up."""
    bound(
        st.radio, say("colours"), "colours", "red_up", options=PALETTES, format_func=lambda key: say(f"colours_{key}")
    )


def palette() -> str:
    """red_up, green_up or blue_orange."""
    return str(st.session_state.get("colours") or st.query_params.get("colours") or "red_up")
