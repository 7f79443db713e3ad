"""Readers' corrections: a wrong link, theme or tone, what is right instead, and training examples made of them.

The views `documents_now`, `mentions_now`, `document_themes_now` and `companies_now` apply what this writes. A
correction is known by its document, its kind and its subject (the code, the theme; of a tone: the code it is toward, or
nothing for the whole document), so that marking the same thing again replaces what was said before.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from models.securities import load

THEME = re.compile(r"[a-z][a-z0-9_]{0,39}")
KINDS = ("link", "theme", "tone")
TONES = ("positive", "neutral", "negative")
COLUMNS = ["document_id", "published_at", "kind", "subject", "said", "correction", "name", "by", "undone", "version"]


class FeedbackError(ValueError):
    """A correction of something that the document doesn't say, or by something that there is not."""


class Mark(Struct, frozen=True):
    """What a reader marks: `shown` (a code, a theme; of a tone: a code, or nothing) is wrong, `correction` is right.

    An empty correction of a link or a theme: there is none.
    """

    document_id: str
    kind: str
    shown: str
    correction: str = ""


_SAID = "SELECT published_at, themes, codes, sentiment FROM documents FINAL WHERE id = {id:String} LIMIT 1"
_SHOWN = "SELECT themes, codes FROM documents_now WHERE id = {id:String} LIMIT 1"
_NAME = "SELECT any(name) FROM mentions FINAL WHERE document_id = {id:String} AND code = {code:String}"
_TONE = "SELECT topK(1)(sentiment)[1] FROM mentions_now WHERE document_id = {id:String} AND code = {code:String}"
_REPLACED = """
SELECT subject, said FROM feedback FINAL
WHERE document_id = {id:String} AND kind = {kind:String} AND correction = {shown:String} AND NOT undone LIMIT 1"""


def save(reader: Client, editor: Client, mark: Mark, by: str, clock: Callable[[], int] = time.time_ns) -> None:
    """Store a mark. Raises `FeedbackError`."""
    id_ = mark.document_id
    document = _first(reader, _SAID, id=id_)
    if document is None:
        raise FeedbackError(f"there is no document {id_!r}")
    published_at, themes_first, codes_first, tone = document
    shown: tuple[list[str], list[str]] = _first(reader, _SHOWN, id=id_) or ([], [])
    themes, codes = shown
    subject = said = mark.shown
    name = ""
    if mark.kind == "tone":
        if mark.correction not in TONES:
            raise FeedbackError(f"{mark.correction!r} is no tone: {', '.join(TONES)}")
        if mark.shown:
            if mark.shown not in codes:
                raise FeedbackError(f"the document names no {mark.shown}")
            (tone,) = _first(reader, _TONE, id=id_, code=mark.shown)
        said = tone
    elif mark.kind in ("link", "theme"):
        now, first = (codes, codes_first) if mark.kind == "link" else (themes, themes_first)
        if mark.shown not in now and mark.shown not in first:
            raise FeedbackError(f"the document has no {mark.kind} {mark.shown!r}")
        if mark.shown not in first:  # itself a correction: it is corrected where it came from
            subject, said = _first(reader, _REPLACED, id=id_, kind=mark.kind, shown=mark.shown) or (subject, said)
        elif mark.kind == "link":
            (said,) = _first(reader, _NAME, id=id_, code=mark.shown)
        name = _name(mark)
    else:
        raise FeedbackError(f"{mark.kind!r} can't be corrected: {', '.join(KINDS)}")
    row = [id_, published_at, mark.kind, subject, said, mark.correction, name, by, False, clock() // 1000]
    editor.insert("feedback", [row], column_names=COLUMNS)


def _first(client: Client, sql: str, **parameters: str) -> Any:
    """The first row, or None."""
    return next(iter(client.query(sql, parameters=parameters).result_rows), None)


def _name(mark: Mark) -> str:
    """The name of the company that is right. Raises `FeedbackError` where there is no such company or theme."""
    if not mark.correction:
        return ""
    if mark.kind == "theme":
        if not THEME.fullmatch(mark.correction):
            raise FeedbackError(f"{mark.correction!r} is no theme")
        return ""
    security = load().by_code(mark.correction)
    if security is None or security.code != mark.correction:
        raise FeedbackError(f"{mark.correction!r} is no security's code with its market, such as 300413.SZ")
    return security.name


def undo(reader: Client, editor: Client, id_: str, by: str, clock: Callable[[], int] = time.time_ns) -> None:
    """Take a correction back. Raises `FeedbackError` where there is none of that id."""
    names = ", ".join(f"`{name}`" for name in COLUMNS)
    rows = reader.query(
        f"SELECT {names} FROM feedback FINAL WHERE id = {{id:String}} AND NOT undone", parameters={"id": id_}
    ).result_rows
    if not rows:
        raise FeedbackError(f"no correction {id_!r} is in force: `fengxiang feedback list` shows them")
    row = dict(zip(COLUMNS, rows[0], strict=True)) | {"by": by, "undone": True, "version": clock() // 1000}
    editor.insert("feedback", [list(row.values())], column_names=COLUMNS)


# ---------------------------------------------------------------------- training examples

_DOCUMENTS = """
SELECT d.id, d.themes, d.sentiment, d.title, d.body, ifNull(d.text_length, 0) > 0,
       arraySort(arrayConcat(arrayMap(x -> concat('link:', x), mapKeys(f.links)),
           arrayMap(x -> concat('theme:', x), mapKeys(f.topics)), arrayMap(x -> concat('tone:', x), mapKeys(f.tones))))
FROM documents_now AS d INNER JOIN feedback_now AS f ON f.document_id = d.id AND f.published_at = d.published_at
WHERE d.published_at IN (SELECT published_at FROM feedback_now)
ORDER BY d.published_at, d.id"""
# One entry a company, at its first place in the title, else in the body; what is no company after all has the code "-".
_MENTIONS = """
SELECT m.document_id, m.surface, m.field, m.start,
       if(mapContains(f.links, toString(m.code)), f.links[toString(m.code)], toString(m.code)) AS right,
       if(mapContains(f.tones, right), f.tones[right], toString(m.sentiment)), m.role = 'source_credit'
FROM (SELECT * FROM mentions FINAL WHERE published_at IN (SELECT published_at FROM feedback_now)) AS m
INNER JOIN feedback_now AS f ON f.document_id = m.document_id AND f.published_at = m.published_at
ORDER BY m.document_id, m.field DESC, m.start LIMIT 1 BY m.document_id, m.code"""


def examples(client: Client, *, texts: bool = False) -> Iterator[dict[str, Any]]:
    """Corrected documents as label rows (models/train/labels/GUIDELINES.md): ref, themes, tone, mentions.

    `corrected` names what a reader said of the document; all else is what the models said. With texts, documents of
    which only an excerpt is left are left out: their labels speak of the whole.
    """
    mentions: dict[str, list[dict[str, Any]]] = {}
    for id_, surface, field, start, code, tone, credit in client.query(_MENTIONS).result_rows:
        mentions.setdefault(id_, []).append(
            {
                "surface": surface,
                "field": field,
                "start": start,
                "code": code or "-",
                "tone": tone,
                "credit": bool(credit),
            }
        )
    for id_, themes, tone, title, body, cut, corrected in client.query(_DOCUMENTS).result_rows:
        if texts and cut:
            continue
        row = {
            "ref": f"document:{id_}",
            "themes": sorted(themes),
            "tone": tone,
            "mentions": mentions.get(id_, []),
            "corrected": list(corrected),
        }
        yield row | ({"title": title, "body": body} if texts else {})
