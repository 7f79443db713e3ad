"""Lists that several pages show: documents, stories, mentions with their sentence highlighted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard import blocks, look, marks
from dashboard.client import read, rows
from dashboard.panel import link, panel
from dashboard.queries import documents as sql
from dashboard.safe import html, join, marked, plain
from dashboard.scope import Scope
from dashboard.text import moment, number, say, theme_name

PAGE = 30


def more(key: str, step: int = PAGE, most: int = 600) -> int:
    """How many to show: one step, and another for each press of the button that `more_button` draws."""
    return min(step * (1 + int(st.session_state.get(f"more-{key}", 0))), most)


def more_button(key: str, shown: int, limit: int) -> None:
    """A button for the next rows, where there may be any."""

    def press() -> None:
        st.session_state[f"more-{key}"] = int(st.session_state.get(f"more-{key}", 0)) + 1

    if shown >= limit:
        st.button(say("show_more"), key=f"press-{key}", on_click=press, width="stretch")


def documents(
    scope: Scope, filter_: sql.Filter, key: str, names: Mapping[str, str], order: str = "newest", theme: str = ""
) -> None:
    """Documents that pass the filter, with the passage that was searched for; `theme`: whose list this is."""
    limit = more(key)
    found = rows(read(sql.listed(scope, filter_, order, limit)))
    if not found:
        panel(blocks.empty("search_off", say("nothing"), say("nothing_hint")), f"{key}-none")
        return
    words = filter_.text.split()
    items = [
        blocks.item(row, names, scope.end, found_in(plain(row.get("passage") or row["lead"], 140), words), theme)
        for row in found
    ]
    panel(html('<div class="fx-box">{items}</div>', items=join(items)), key)
    more_button(key, len(found), limit)


def found_in(text: str, words: list[str]) -> Markup:
    """`text` with every occurrence of the words marked, letter case aside."""
    low = text.lower()
    spans = []
    if len(low) == len(text):
        for word in words:
            start = low.find(word.lower())
            while start >= 0:
                spans.append((start, start + len(word), "theme"))
                start = low.find(word.lower(), start + len(word))
    return marked(text, spans)


def stories(found: list[dict[str, Any]], names: Mapping[str, str], now: datetime, key: str) -> None:
    """Stories, one line each: copies folded into how far and how fast they spread."""
    items = [
        html(
            '<div class="fx-item" data-key="{key}"><span class="g">{n}</span><div><div class="t">{title}</div>'
            '<div class="meta"><span>{at}</span><span>{first}</span><span>{spread}</span>{tone}{themes}{codes}'
            "</div></div></div>",
            key=row["story"],
            n=html('<b class="fx-count">{n}</b>', n=number(row["copies"])),
            title=link("stories", plain(row["first_title"], 120) or "—", story=str(row["story"])),
            at=moment(row["first_at"], now),
            first=say("first_by", who=plain(row["first_publisher"], 20)),
            spread=say("spread", n=row["publishers"], t=duration(float(row["minutes"])))
            if row["copies"] > 1
            else say("single"),
            tone=blocks.tone(float(row["tone"])),
            themes=join(blocks.theme_chip(str(t)) for t in list(row["of_themes"])[:3]),
            codes=join(blocks.security_chip(str(c), names) for c in list(row["of_codes"])[:5]),
        )
        for row in found
    ]
    panel(html('<div class="fx-box fx-stories">{items}</div>', items=join(items)), key)


def duration(minutes: float) -> str:
    if minutes < 1:
        return say("under_a_minute")
    return say("n_minutes", n=round(minutes)) if minutes < 90 else say("n_hours", n=f"{minutes / 60:.1f}")


def mentions(found: list[dict[str, Any]], now: datetime, key: str) -> None:
    """Mentions with the name marked in its sentence, how it was linked, and the way to the document."""
    items = []
    for row in found:
        css, shape = look.mark_of(row["sentiment"])
        start = int(row["start"]) - int(row["sentence_start"])
        document, code = str(row["document_id"]), str(row["code"])
        facts = [
            moment(row["published_at"], now),
            plain(row["publisher"] or row["source"], 20),
            say("page_of", n=row["page"]) if row["page"] else "",
            say(f"section_{row['section']}") if row["section"] in SECTIONS else plain(row["section"], 20),
            say(f"role_{row['role']}") if row["role"] in ROLES else "",
            say(
                "linked_by",
                why=say(f"why_{row['evidence']}") if row["evidence"] in WHYS else plain(row["evidence"], 20),
            ),
            say("sure", p=f"{float(row['confidence']):.0%}", r=f"{float(row['relevance']):.0%}"),
        ]
        items.append(
            html(
                '<div class="fx-item" data-key="{key}"><span class="g {css}">{shape}</span><div><div'
                ' class="q">{sentence}</div>'
                '<div class="s">{title}</div><div class="meta">{facts}{source}{marks}</div></div></div>',
                key=f"{row['document_id']}-{row['field']}-{row['start']}",
                css=css,
                shape=shape,
                sentence=marked(
                    str(row["sentence"]), [(start, start + len(str(row["surface"])), str(row["sentiment"]))]
                ),
                title=link("document", plain(row["title"] or row["document_id"], 100), id=str(row["document_id"])),
                facts=join(html("<span>{f}</span>", f=f) for f in facts if f),
                source=blocks.source_link(str(row["url"] or "")),
                marks=join(
                    [
                        marks.chip(row["corrected"]),
                        marks.tone(document, code, str(row["sentiment"])),
                        marks.wrong_link(document, code),
                    ]
                ),
            )
        )
    panel(html('<div class="fx-box">{items}</div>', items=join(items)), key)


def corrections(found: list[dict[str, Any]], now: datetime, key: str, titles: bool = True) -> None:
    """What readers corrected: what was said, what is right, who says so and when, and the way back."""
    items = [
        html(
            '<div class="fx-item" data-key="{key}"><span class="g">✎</span><div><div class="t">{kind} <del>{said}</del>'
            ' → {right}</div>{title}<div class="meta"><span>{by}</span><span>{at}</span>{undo}</div></div></div>',
            key=row["id"],
            kind=say(f"correction_{row['kind']}"),
            said=said(row, str(row["said"])),
            right=said(row, str(row["correction"])) if row["correction"] else say("correction_nothing"),
            title=html(
                '<div class="s">{t}</div>',
                t=link("document", plain(row["title"] or row["document_id"], 100), id=str(row["document_id"])),
            )
            if titles
            else "",
            by=plain(row["by"] or say("somebody"), 30),
            at=moment(row["at"], now),
            undo=html("<span>{t}</span>", t=say("correction_undone")) if row["undone"] else marks.undo(str(row["id"])),
        )
        for row in found
    ]
    panel(
        html(
            '<div class="fx-box">{head}{items}</div>',
            head=blocks.heading(say("corrections"), say("corrections_note")),
            items=join(items) or say("corrections_none"),
        ),
        key,
    )


def said(row: Mapping[str, Any], value: str) -> str:
    """A correction's side in words."""
    if row["kind"] == "theme":
        return theme_name(value)
    if row["kind"] == "tone":
        return f"{plain(row['subject'], 12)} {say(value) if value in TONES else plain(value, 12)}".strip()
    return f"{plain(row['name'], 20)} {plain(value, 12)}" if value == row["correction"] else plain(value, 20)


TONES = ("positive", "neutral", "negative")
SECTIONS = ("title", "lead", "body", "recommendation", "risk", "boilerplate")
ROLES = ("subject", "peer", "recommended", "risk", "source_credit")
WHYS = ("code", "bracket", "name", "alias", "full_name", "brand", "context", "model")
