"""文档: one document whole, with every company and theme marked where it was found, and what produced the analysis."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard import blocks, editing, frame, lists, marks
from dashboard.client import ahead, read, rows
from dashboard.panel import link, panel
from dashboard.queries import documents as sql
from dashboard.queries import feedback
from dashboard.query import clock
from dashboard.safe import html, join, marked, plain
from dashboard.text import number, say, theme_ids, theme_name


def page() -> None:
    id_ = str(st.query_params.get("id", ""))
    scope = frame.place(id_, "id")
    if scope:
        ahead(sql.mentions_of(scope, id_), sql.themes_of(scope, id_))
    found = rows(read(sql.whole(scope, id_))) if scope else []
    if not scope or not found:
        panel(blocks.empty("description", say("no_document"), say("no_document_hint"), id_), "none")
        return
    document, names = found[0], frame.names()
    mentions, themes = rows(read(sql.mentions_of(scope, id_))), rows(read(sql.themes_of(scope, id_)))
    left, right = st.columns([2, 1], gap="large")
    with left:
        panel(_text(document, mentions, themes), "text")
    with right:
        panel(_analysis(document, mentions, themes), "analysis")
        if fixed := rows(read(feedback.of_document(id_))):
            lists.corrections(fixed, document["published_at"], "corrections", titles=False)
            _instead(fixed, names)
        _copies(document, names)


def _spans(field: str, mentions: list[dict[str, Any]], themes: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    """Companies first; a theme's evidence shows where no company stands."""
    spans = [(int(m["start"]), int(m["end"]), str(m["sentiment"])) for m in mentions if m["field"] == field]
    for theme in themes:
        for where, start, end in zip(theme["fields"], theme["starts"], theme["ends"], strict=True):
            if where == field and all(end <= s or start >= e for s, e, _ in spans):
                spans.append((int(start), int(end), "theme"))
    return spans


def _text(document: dict[str, Any], mentions: list[dict[str, Any]], themes: list[dict[str, Any]]) -> Markup:
    facts = [
        plain(document["publisher"] or document["source"], 40),
        blocks.kind_name(document["kind"]),
        clock(document["published_at"])[:16],
        "、".join(plain(a, 20) for a in document["authors"]),
    ]
    return html(
        '<div class="fx-soft">{facts} {source}</div><div class="fx-title">{title}</div><div class="fx-body">{body}'
        "</div>{cut}",
        facts=" · ".join(f for f in facts if f),
        source=blocks.source_link(document["url"]),
        title=marked(document["title"], _spans("title", mentions, themes)),
        body=marked(document["body"], _spans("body", mentions, themes)),
        cut=_cut(document),
    )


def _cut(document: dict[str, Any]) -> Markup:
    """Says that this is an excerpt only, where the time of the whole text is over (stream.retention)."""
    length = int(document["text_length"])
    return html('<p class="fx-soft">✂ {t}</p>', t=say("text_cut", n=number(length))) if length else Markup("")


def _analysis(document: dict[str, Any], mentions: list[dict[str, Any]], themes: list[dict[str, Any]]) -> Markup:
    shares = [float(document[f"p_{k}"]) for k in ("positive", "neutral", "negative")]
    tone = html(
        "<div class='fx-line'><span>{tone} {label} {chip}</span>{marks}</div>{split}<small class='fx-soft'>{p}</small>",
        tone=blocks.tone(float(document["sentiment_score"])),
        label=say(document["sentiment"] or "neutral"),
        chip=marks.chip(document["corrected"]),
        marks=marks.tone(document["id"], "", str(document["sentiment"])),
        split=blocks.split(*(round(100 * s) for s in shares)),
        p=" · ".join(f"{say(k)} {s:.0%}" for k, s in zip(("positive", "neutral", "negative"), shares, strict=True)),
    )
    theme_lines = [
        html(
            "<div class='fx-line'><span>{chip} <b>{s}</b></span>{mark}</div>",
            chip=blocks.theme_chip(t["theme"]),
            s=f"{float(t['score']):.0%}",
            mark=marks.wrong_theme(document["id"], str(t["theme"])),
        )
        for t in themes
    ]
    by_code: dict[str, list[dict[str, Any]]] = {}
    for mention in mentions:
        by_code.setdefault(mention["code"], []).append(mention)
    mention_lines = [
        html(
            "<tr><td>{name} <small>{code}</small> {chip}<br><small>{why}</small></td><td class='r'>×{n}</td><td"
            " class='r'>{tone}<div class='fx-line'>{tones}{wrong}</div></td></tr>",
            name=link("security", plain(of_code[0]["name"], 20), code=code),
            code=code,
            why=_why(of_code[0]),
            n=len(of_code),
            chip=marks.chip(of_code[0]["corrected"]),
            tones=marks.tone(document["id"], code, _only(str(m["sentiment"]) for m in of_code)),
            wrong=marks.wrong_link(document["id"], code),
            tone=blocks.tone(sum(float(m["sentiment_score"]) for m in of_code) / len(of_code)),
        )
        for code, of_code in by_code.items()
    ]
    made = [
        ("model_version", "model"),
        ("taxonomy_version", "taxonomy"),
        ("securities_version", "securities"),
        ("code_version", "code"),
    ]
    origin = f"{document['topic']} / {document['partition']} / {document['offset']}"
    return html(
        '<div class="fx-box"><div class="fx-h"><b>{t0}</b></div>{tone}</div><div style="height:10px"></div>'
        '<div class="fx-box"><div class="fx-h"><b>{t1}</b></div>{themes}</div><div style="height:10px"></div>'
        '<div class="fx-box fx-wrap"><div class="fx-h"><b>{t2}</b></div>{mentions}</div>'
        '<div style="height:10px"></div><div class="fx-box fx-soft"><small>{made}<br>{origin}</small></div>',
        t0=say("tone"),
        tone=tone,
        t1=say("themes"),
        themes=join(theme_lines) or say("no_theme"),
        t2=say("mentions"),
        mentions=blocks.table(mention_lines or [html("<tr><td>{t}</td></tr>", t=say("no_mentions"))]),
        made=" · ".join(f"{label} {document[column] or '—'}" for column, label in made),
        origin=origin,
    )


def _only(values: Iterable[str]) -> str:
    """The value that all share; nothing where they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else ""


def _instead(fixed: list[dict[str, Any]], names: dict[str, str]) -> None:
    """What is right in the place of a company or a theme that was marked as wrong."""
    wrong = {row["subject"]: row for row in fixed if row["kind"] != "tone"}
    if not wrong or editing.store() is None:
        return
    with st.popover(say("instead"), icon=":material/edit:"), st.form("instead", border=False):
        subject = st.selectbox(
            say("instead_of"), list(wrong), format_func=lambda s: plain(lists.said(wrong[s], wrong[s]["said"]), 40)
        )
        if len({row["kind"] for row in wrong.values()}) > 1:
            st.caption(say("instead_kind"))
        themes = any(row["kind"] == "theme" for row in wrong.values())
        companies = any(row["kind"] == "link" for row in wrong.values())
        options = ([*theme_ids()] if themes else []) + (sorted(names) if companies else [])
        right = st.selectbox(
            say("instead_is"),
            options,
            index=None,
            placeholder=say("instead_placeholder"),
            accept_new_options=True,
            format_func=lambda o: f"{plain(names[o], 16)} {o}" if o in names else theme_name(str(o)),
        )
        if st.form_submit_button(say("save"), type="primary") and right:
            row = wrong[subject]
            marks.take(json.dumps([row["kind"], row["document_id"], subject, str(right).strip()]))


def _why(mention: dict[str, Any]) -> str:
    why = mention["evidence"]
    reason = say(f"why_{why}") if why in lists.WHYS else plain(why, 20)
    return (
        say("linked_by", why=reason)
        + " · "
        + say("sure", p=f"{float(mention['confidence']):.0%}", r=f"{float(mention['relevance']):.0%}")
    )


def _copies(document: dict[str, Any], names: dict[str, str]) -> None:
    """The same story elsewhere."""
    story = document["story_id"]
    scope = frame.place(story, "story_id")
    others = [r for r in rows(read(sql.copies(scope, story))) if r["id"] != document["id"]] if scope else []
    if others:
        items = join(blocks.item(row, names, document["published_at"]) for row in others[:8])
        title = link("stories", say("same_story", n=len(others)), story=story)
        panel(html('<div class="fx-box"><div class="fx-h"><b>{t}</b></div>{i}</div>', t=title, i=items), "same")
