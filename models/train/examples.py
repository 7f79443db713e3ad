"""Training examples from the label sets, each with only the labels that its set really gives.

A tone label is a pair of bit sets over (negative 1, neutral 2, positive 4): the classes it allows, and the classes
it chooses among. "Negative or not" allows {negative} or {neutral, positive} among all three; a set of posts without
a neutral class chooses among negative and positive only. So every set trains the same three-class heads.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.records import Field
from models.themes import built_in

NEGATIVE, NEUTRAL, POSITIVE, ALL = 1, 2, 4, 7
POST, NEWS = 0, 1
OWN = ("silver", "written")  # sources labelled by us
TONES = {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}


@dataclass(frozen=True)
class Label:
    """The classes a label allows, among those it chooses from."""

    allowed: int
    among: int = ALL


@dataclass(frozen=True)
class Target:
    """A company in the text with the tone toward it; all its places."""

    spans: tuple[tuple[Field, int, int], ...]
    tone: Label | None
    is_company: bool | None = None


@dataclass(frozen=True)
class Example:
    """One text with what is known of it. `themes`: theme index -> 1 or 0, or between where guessed; absent: unknown."""

    source: str
    key: str
    title: str
    body: str
    style: int
    tone: Label | None = None
    targets: tuple[Target, ...] = ()
    themes: Mapping[int, float] = field(default_factory=dict)
    weight: float = 1.0
    embed: bool = False


def jsonl(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _wires(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def all_wires(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Wires of every file of the data folder, each after what labels call it (`ref`)."""
    for path in sorted((data / "wires").glob("*.jsonl.gz")):
        for wire in _wires(path):
            yield f"wires:{wire['source']}:{wire['id']}", wire


def places(name: str, title: str, body: str) -> tuple[tuple[Field, int, int], ...]:
    """Every place of a name."""
    found: list[tuple[Field, int, int]] = []
    texts: tuple[tuple[Field, str], ...] = (("title", title), ("body", body))
    for where, text in texts:
        found += [(where, m.start(), m.end()) for m in re.finditer(re.escape(name), text)] if name else []
    return tuple(found)


def squeeze(text: str) -> str:
    """What two copies of a text share."""
    return re.sub(r"\s+", "", text)


def without_cues(example: Example, filler: str) -> Example:
    """The example with every cue of the built-in themes overwritten with `filler`, one character; length kept."""

    def cover(text: str) -> str:
        chars = list(text)
        for cue in built_in().find(text):
            chars[cue.start : cue.end] = filler * (cue.end - cue.start)
        return "".join(chars)

    return replace(example, title=cover(example.title), body=cover(example.body))
