"""The taxonomy of themes: what they are, and where a text holds their cues.

A theme is data (`models/themes.yaml`, or a user's file of the same shape). A cue makes a theme a candidate, a trap
(a longer phrase that holds a cue without meaning the theme) cancels the cue inside it, and the model decides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import daachorse
import msgspec
import yaml

from models.reading import plain
from models.records import Field, Span

BUILT_IN = Path(__file__).with_name("themes.yaml")
_ID = re.compile(r"[a-z][a-z0-9_]{1,39}")
_SECURITY = re.compile(r"[0-9A-Z.]{1,8}\.(?:SZ|SH|BJ|HK|US)")


class ThemeError(ValueError):
    """A theme, or a file of themes, that can't be used; the text names it and the remedy."""


class Theme(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One theme. `threshold` belongs to themes added by a user: similarity from which the theme is given."""

    id: str
    name: str
    english: str = ""
    description: str = ""
    cues: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()
    basket: tuple[str, ...] = ()


class ThemeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of themes holds."""

    themes: tuple[Theme, ...] | None = ()  # None where a user has emptied it by hand


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice, of which YAML would take the last and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for i, key in enumerate(keys):
            if key.value in (k.value for k in keys[:i]):
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Cue:
    """A cue found in a text."""

    theme: int  # index into the taxonomy
    start: int
    end: int


def check(theme: Theme, taken: Iterable[str] = ()) -> Theme:
    """The theme, or a `ThemeError` that says what is wrong with it."""
    if not _ID.fullmatch(theme.id):
        raise ThemeError(f"theme id {theme.id!r}: use 2 to 40 small letters, digits and _, beginning with a letter")
    if theme.id in set(taken):
        raise ThemeError(f"theme {theme.id!r} exists already: choose another id, or remove it first")
    if not theme.name.strip():
        raise ThemeError(f"theme {theme.id!r} has no name: give it one")
    for kind, texts in (("cue", theme.cues), ("trap", theme.traps), ("example", theme.examples)):
        for text in texts:
            if not text.strip() or len(text) > (2000 if kind == "example" else 40):
                raise ThemeError(f"theme {theme.id!r}: {kind} {text[:40]!r} is empty or too long")
    for code in theme.basket:
        if not _SECURITY.fullmatch(code):
            raise ThemeError(f"theme {theme.id!r}: {code!r} is not a security code like 300413.SZ or 00700.HK")
    return theme


def read_themes(path: Path) -> tuple[Theme, ...]:
    """Themes of a YAML file. Raises `ThemeError`, naming the file."""
    try:
        raw: Any = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        themes = msgspec.convert(raw or {}, ThemeFile, strict=False).themes or ()
    except FileNotFoundError:
        raise ThemeError(f"themes file {path} does not exist: create it with `fengxiang themes add`") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ThemeError(f"themes file {path} can't be read: {' '.join(str(error).split())}") from error
    for i, theme in enumerate(themes):
        try:
            check(theme, (t.id for t in themes[:i]))
        except ThemeError as error:
            raise ThemeError(f"themes file {path}: {error}") from None
    return themes


class Taxonomy:
    """Themes in order, with their cues compiled: as written, and as `plain` text has them. `find` is thread-safe."""

    def __init__(self, themes: Sequence[Theme]) -> None:
        self.themes = tuple(themes)
        self.ids = tuple(theme.id for theme in self.themes)
        owners: dict[str, set[int]] = {}
        for index, theme in enumerate(self.themes):
            for cue in theme.cues:
                for form in _forms(cue):
                    owners.setdefault(form, set()).add(index)
        for index, theme in enumerate(self.themes):
            for trap in theme.traps:
                for form in _forms(trap):
                    owners.setdefault(form, set()).add(-index - 1)
        self._patterns = list(owners)
        self._owners = [tuple(owners[p]) for p in self._patterns]
        self._automaton = daachorse.CharwiseDoubleArrayAhoCorasick(self._patterns) if self._patterns else None

    @cached_property
    def version(self) -> str:
        """Eight hex digits that change with any theme."""
        return hashlib.blake2b(msgspec.json.encode(self.themes), digest_size=4).hexdigest()

    def find(self, text: str) -> list[Cue]:
        """Cues in a text, longest first where they overlap within a theme, without those inside traps."""
        if self._automaton is None:
            return []
        lowered = lower(text)
        found: list[Cue] = []
        traps: list[Cue] = []
        for start, end, pattern in self._automaton.find_overlapping(lowered):
            if _inside_word(lowered, start, end):
                continue
            for owner in self._owners[pattern]:
                (traps if owner < 0 else found).append(Cue(owner if owner >= 0 else -owner - 1, start, end))
        kept: list[Cue] = []
        for cue in sorted(found, key=lambda c: (c.theme, c.start, -c.end)):
            inside = any(t.theme == cue.theme and t.start <= cue.start and cue.end <= t.end for t in traps)
            again = kept and kept[-1].theme == cue.theme and cue.end <= kept[-1].end
            if not inside and not again:
                kept.append(cue)
        return sorted(kept, key=lambda c: (c.start, c.theme))


def lower(text: str) -> str:
    """Lower case of the same length (a few letters would grow)."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _forms(pattern: str) -> set[str]:
    return {lower(pattern), lower(plain(pattern))}


def _inside_word(text: str, start: int, end: int) -> bool:
    """A Latin pattern that is only part of a longer Latin word, or a number that is part of a longer one."""
    return (start > 0 and _joined(text[start - 1], text[start])) or (
        end < len(text) and _joined(text[end - 1], text[end])
    )


def _joined(a: str, b: str) -> bool:
    return a.isascii() and b.isascii() and ((a.isalpha() and b.isalpha()) or (a.isdigit() and b.isdigit()))


def spans(cues: Iterable[Cue], field: Field) -> list[Span]:
    """Cues as spans of a field."""
    return [Span(field, cue.start, cue.end) for cue in cues]


@lru_cache(maxsize=1)
def built_in() -> Taxonomy:
    """The shipped taxonomy."""
    return Taxonomy(read_themes(BUILT_IN))
