"""What the reader has chosen. Streamlit binds these widgets to the URL, so that every view is a link."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import streamlit as st

from dashboard import scope
from dashboard.query import SHANGHAI
from dashboard.text import LANGUAGES, say
from deploy.settings import load

PALETTES = ("red_up", "green_up", "blue_orange")
_DEFAULTS = {"w": "", "by": "raw", "lang": "", "colours": "red_up"}


def shared() -> dict[str, str]:
    """URL parameters that every link of the app carries."""
    values = {k: str(st.session_state.get(k) or "") for k in _DEFAULTS}
    chosen = {k: v for k, v in values.items() if v and v != _default(k)}
    span = st.session_state.get("days")
    if values["w"] == "custom" and isinstance(span, tuple) and len(span) == 2:
        chosen["days"] = ",".join(f"{d:%Y-%m-%d}" for d in span)
    return chosen


def _default(key: str) -> str:
    if key == "lang":
        return load().dashboard.language
    if key == "w":
        return str(st.session_state.get("default_window", "5d"))
    return _DEFAULTS[key]


def language_switch() -> None:
    """中文 or English."""
    st.segmented_control(
        "语言 Language",
        list(LANGUAGES),
        default=load().dashboard.language,
        format_func=lambda code: {"zh": "中", "en": "EN"}[code],
        key="lang",
        required=True,
        label_visibility="collapsed",
        bind="query-params",
    )


def window_controls(first: datetime, newest: datetime, busy: str) -> scope.Scope:
    """The window and counting controls; `busy` is the preset to start with."""
    st.session_state.setdefault("default_window", busy)
    preset = st.segmented_control(
        say("window"),
        scope.PRESETS,
        default=st.session_state["default_window"],
        format_func=lambda key: say(f"window_{key}"),
        key="w",
        required=True,
        label_visibility="collapsed",
        bind="query-params",
    )
    custom: tuple[date, date] | None = None
    if preset == "custom":
        last = newest.astimezone(SHANGHAI).date()
        chosen = st.date_input(
            say("window_custom"),
            value=(last - timedelta(days=6), last),
            min_value=first.astimezone(SHANGHAI).date(),
            max_value=last,
            key="days",
            format="YYYY-MM-DD",
            label_visibility="collapsed",
            bind="query-params",
        )
        custom = (chosen[0], chosen[-1]) if chosen else None
    basis = st.segmented_control(
        say("count_by"),
        scope.BASES,
        default="raw",
        format_func=lambda key: say(f"basis_{key}"),
        key="by",
        required=True,
        help=None,
        label_visibility="collapsed",
        bind="query-params",
    )
    return scope.window(preset or busy, newest, basis or "raw", custom)


def colour_switch() -> None:
    """Which colour means up."""
    st.radio(
        say("colours"),
        PALETTES,
        format_func=lambda key: say(f"colours_{key}"),
        key="colours",
        bind="query-params",
    )


def palette() -> str:
    return str(st.session_state.get("colours") or "red_up")


def chosen(name: str, default: str = "") -> str:
    """A parameter of the page's own from the URL."""
    return str(st.query_params.get(name, default))
