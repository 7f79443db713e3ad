"""One-click corrections on a page, and notes removed from it: the buttons, and what a press does.

A button carries its mark as JSON; `panel` hands it to `take`, which checks it as it checks any input. Where nothing may
be edited (no editor in the settings, or the reader is a viewer) there are no buttons.
"""

from __future__ import annotations

import json

import streamlit as st
from markupsafe import Markup

from dashboard import client, editing, feedback, notes
from dashboard.safe import html, join, label
from dashboard.text import say

TONES = (("positive", "▲"), ("neutral", "■"), ("negative", "▼"))


def take(text: str) -> None:
    """Do what a button says, and show the page anew."""
    try:
        with client.explained():
            parts = json.loads(text)
            if not (isinstance(parts, list) and all(isinstance(part, str) for part in parts)):
                return
            store = editing.store()
            if store is None:
                return
            if parts[0] == "undo" and len(parts) == 2:
                feedback.undo(client.client(), store, parts[1], editing.reader())
                st.toast(say("undone"), icon=":material/undo:")
            elif parts[0] == "unnote" and len(parts) == 2:
                notes.remove(client.client(), store, parts[1], editing.reader())
                st.toast(say("note_removed"), icon=":material/delete:")
            elif len(parts) == 4:
                kind, document, shown, correction = parts
                feedback.save(
                    client.client(), store, feedback.Mark(document, kind, shown, correction), editing.reader()
                )
                st.toast(say("corrected_toast"), icon=":material/check:")
    except (feedback.FeedbackError, notes.NoteError) as error:
        st.toast(label(error, 200), icon=":material/error:")
        return
    client.forget()
    st.rerun()


def _button(name: str, title: str, *mark: str, css: str = "", pressed: bool = False) -> Markup:
    return html(
        '<button class="fx-mark {css}" data-mark="{mark}" title="{title}" aria-label="{title}"{on}>{name}</button>',
        css=css,
        mark=json.dumps(mark, ensure_ascii=False),
        title=title,
        name=name,
        on=Markup(' aria-pressed="true" disabled') if pressed else "",
    )


def wrong_link(document: str, code: str) -> Markup:
    """✕: the name doesn't mean this company here."""
    return (
        _button(f"✕ {say('wrong_link')}", say("wrong_link_help"), "link", document, code, "") if _on() else Markup("")
    )


def wrong_theme(document: str, theme: str) -> Markup:
    """✕: the document isn't about this theme."""
    help_ = say("wrong_theme_help")
    return _button(f"✕ {say('wrong_theme')}", help_, "theme", document, theme, "") if _on() else Markup("")


def tone(document: str, code: str, now: str) -> Markup:
    """▲ ■ ▼: the right tone, toward the company or (no code) of the document."""
    if not _on():
        return Markup("")
    buttons = (
        _button(shape, say("right_tone", tone=say(name)), "tone", document, code, name, css=name, pressed=name == now)
        for name, shape in TONES
    )
    return html('<span class="fx-tones">{buttons}</span>', buttons=join(buttons))


def undo(id_: str) -> Markup:
    return _button(f"↶ {say('undo')}", say("undo"), "undo", id_) if _on() else Markup("")


def unnote(id_: str) -> Markup:
    return _button(f"✕ {say('remove')}", say("note_remove"), "unnote", id_) if _on() else Markup("")


def chip(corrected: object) -> Markup:
    """Says that a reader corrected something here."""
    return html('<span class="fx-chip fixed">✎ {t}</span>', t=say("corrected")) if corrected else Markup("")


def _on() -> bool:
    return editing.store() is not None
