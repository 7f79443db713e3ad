"""Readers' notes on the trend charts of a theme or a security: what happened when, in a line of text.

A note is known by what it says, of what and when, so that writing it again doesn't double it. Nothing is ever deleted:
a note that is removed gets a newer row that says so, and by whom (`stream/schema/0009_notes.sql`).
"""

from __future__ import annotations

import hashlib
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from dashboard.query import clock as shanghai
from dashboard.safe import plain
from dashboard.scope import DAY, Scope
from dashboard.text import moment, say
from models.trading import SHANGHAI
from stream.alerts.rules import SECURITY

KEYS = {"theme": re.compile(r"[a-z][a-z0-9_]{0,39}"), "security": SECURITY}
YEARS = range(1990, 2100)
LONGEST = 200  # characters
BRIEF = 40  # of them on the chart; the list has them all
COLUMNS = ["id", "version", "dimension", "key", "moment", "text", "by", "removed"]


class NoteError(ValueError):
    """A note that can't be kept, or that there is not; the text is for the reader."""


class Note(Struct, frozen=True):
    """What a reader notes on a `dimension` (theme, security) and `key`; a `moment` at midnight means the day."""

    dimension: str
    key: str
    moment: datetime
    text: str

    @property
    def id(self) -> str:
        said = "\n".join((self.dimension, self.key, shanghai(self.moment), self.text))
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def write(editor: Client, note: Note, by: str, clock: Callable[[], int] = time.time_ns) -> None:
    """Store a note, its text on one line without unseen characters. Raises `NoteError`."""
    note = Note(note.dimension, note.key, note.moment, plain(note.text))
    if note.dimension not in KEYS or not KEYS[note.dimension].fullmatch(note.key):
        raise NoteError(say("note_on_nothing", what=f"{note.dimension} {note.key}"))
    if not note.text:
        raise NoteError(say("note_empty"))
    if len(note.text) > LONGEST:
        raise NoteError(say("note_too_long", most=LONGEST, n=len(note.text)))
    if note.moment.year not in YEARS:
        raise NoteError(say("note_out_of_time", first=YEARS[0], last=YEARS[-1], year=note.moment.year))
    row = [note.id, clock() // 1000, note.dimension, note.key, note.moment, note.text, by, False]
    editor.insert("notes", [row], column_names=COLUMNS)


def remove(reader: Client, editor: Client, id_: str, by: str, clock: Callable[[], int] = time.time_ns) -> None:
    """Remove a note for every reader. Raises `NoteError` where there is none of that id."""
    kept = "SELECT dimension, key, moment, text FROM notes_now WHERE id = {id:String}"
    rows = reader.query(kept, parameters={"id": id_}).result_rows
    if not rows:
        raise NoteError(say("note_gone"))
    editor.insert("notes", [[id_, clock() // 1000, *rows[0], by, True]], column_names=COLUMNS)


def within(at: datetime, scope: Scope) -> bool:
    """Whether a note's moment, or a part of its day, lies in the window."""
    at = at.astimezone(SHANGHAI)
    whole_day = (at.hour, at.minute) == (0, 0)
    return scope.start <= at < scope.end or (whole_day and at < scope.start < at + DAY)


def by_step(rows: Iterable[Mapping[str, Any]], scope: Scope) -> dict[str, str]:
    """Start of each step of the scope's trend that something was noted of -> the notes, the earliest first.

    Rows: moment, text. A note on a day that had begun before the window stands on the first step.
    """
    ticks = scope.ticks()
    said: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: row["moment"]):
        at = row["moment"].astimezone(SHANGHAI)
        if within(at, scope):
            tick = ticks[max(bisect_right(ticks, at.strftime("%Y-%m-%dT%H:%M:%S")) - 1, 0)]
            line = f"{moment(at, scope.end)} {plain(row['text'], BRIEF)}"
            said[tick] = f"{said[tick]}；{line}" if tick in said else line
    return said
