"""Colours and marks of tone and change, for our HTML and for the charts alike. A shape always goes with a colour."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.state import palette

# (light, dark) of each hue, legible as text on the page's background.
_HUES = {
    "red": ("#c9252d", "#ff7b72"),
    "green": ("#14783d", "#4cc46b"),
    "blue": ("#0b62c4", "#6cb6ff"),
    "orange": ("#b35309", "#f0994a"),
    "grey": ("#8b949e", "#7d8590"),
    "ink": ("#1f2937", "#e6edf3"),
}
_PALETTES = {"red_up": ("red", "green"), "green_up": ("green", "red"), "blue_orange": ("blue", "orange")}
NEUTRAL_BAND = 0.05  # scores nearer to zero than this are shown as neutral


def dark() -> bool:
    return st.context.theme.type == "dark"


def colours() -> tuple[str, str, str]:
    """Hex colours of up (positive), neutral and down (negative)."""
    up, down = _PALETTES[palette()]
    return _HUES[up][dark()], _HUES["grey"][dark()], _HUES[down][dark()]


def hue(name: str) -> str:
    return _HUES[name][dark()]


def mark(value: float | None) -> tuple[str, str]:
    """(CSS class, shape) of a change or a score."""
    if value is None or abs(value) < NEUTRAL_BAND or value != value:
        return "fx-flat", "■"
    return ("fx-up", "▲") if value > 0 else ("fx-down", "▼")


def mark_of(sentiment: str) -> tuple[str, str]:
    """(CSS class, shape) of positive, neutral or negative."""
    return {"positive": ("fx-up", "▲"), "negative": ("fx-down", "▼")}.get(sentiment, ("fx-flat", "■"))


def tone_of(score: float) -> str:
    """positive, neutral or negative, for a mean score."""
    return "neutral" if abs(score) < NEUTRAL_BAND else "positive" if score > 0 else "negative"


def inject() -> None:
    """Put the style sheet and the palette into the page."""
    up, _, down = colours()
    variables = f":root {{ --fx-up: {up}; --fx-down: {down}; --fx-hot: {_HUES['orange'][dark()]}; }}"
    st.html(f"<style>{variables}\n{(Path(__file__).parent / 'style.css').read_text(encoding='utf-8')}</style>")
