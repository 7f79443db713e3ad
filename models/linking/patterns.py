"""Every string that may name a security, in one automaton.

A surface form may belong to several securities (a name since reused, a parent and its listing): its `Pattern` holds
all candidates, today's owner first. Decoys are patterns without candidates.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

import daachorse

from models.linking.normalise import normal_name
from models.securities import SecuritiesTable, Security

DATA = Path(__file__).with_name("data")
Level = Literal["safe", "brand", "word", "never"]
NameKind = Literal["name", "former", "alias", "brand", "code", "marked"]

_MARK = re.compile(r"^(?:s?\*?st|pt)(?=[^\x00-\x7f]|tcl)|^退市|退市?$")
_SHARE_CLASS = re.compile(r"(?<=[^\x00-\x7f])[ab]$|-(?:s|w|sw|u|uw|b|p)$")


class Candidate(NamedTuple):
    """A security that a surface form may mean."""

    security: Security
    kind: NameKind
    start: date | None = None
    end: date | None = None


class Pattern(NamedTuple):
    """A surface form in matching form."""

    text: str
    level: Level
    candidates: tuple[Candidate, ...]

    @property
    def is_code(self) -> bool:
        return bool(self.candidates) and self.candidates[0].kind == "code"


class Patterns:
    """The automaton with its patterns, by index."""

    def __init__(self, table: SecuritiesTable) -> None:
        forms: dict[str, list[Candidate]] = {}
        for security in table:
            for text, candidate in _forms(security):
                if all(c.security is not security for c in forms.setdefault(text, [])):
                    forms[text].append(candidate)
        levels = {normal_name(row["name"]): row["level"] for row in rows("ambiguous.csv")}
        self.items = [
            Pattern(text, _level(text, candidates, levels), tuple(sorted(candidates, key=_rank)))
            for text, candidates in forms.items()
        ]
        decoys = {normal_name(row["text"]) for row in rows("decoys.csv")} - forms.keys()
        self.items += [Pattern(text, "never", ()) for text in sorted(decoys)]
        self.find = daachorse.CharwiseDoubleArrayAhoCorasick([p.text for p in self.items]).find_overlapping


def rows(file: str) -> Iterator[dict[str, str]]:
    """Rows of one of the linker's own data files."""
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    yield from csv.DictReader(line for line in lines if line and not line.startswith("#"))


def _rank(candidate: Candidate) -> tuple[bool, bool, bool]:
    """Today's name before former ones, mainland before abroad, living before delisted."""
    security = candidate.security
    return candidate.kind == "former", security.delisted is not None, security.exchange in ("HK", "US")


def _level(text: str, candidates: list[Candidate], levels: dict[str, str]) -> Level:
    known = levels.get(text)
    if known:
        return known  # type: ignore[return-value]
    if candidates[0].kind in ("code", "marked"):
        return "safe"
    if len(text) < 3 or (text.isascii() and len(text) < 4):
        return "word" if candidates[0].kind in ("brand", "alias") else "brand"
    return "safe"


def _forms(security: Security) -> Iterator[tuple[str, Candidate]]:
    """Surface forms of one security with what each is."""
    name = normal_name(security.name)
    plain = _SHARE_CLASS.sub("", _MARK.sub("", name))
    if name != plain and _MARK.search(name):
        yield name.replace("*", ""), Candidate(security, "marked")
        if len(plain) > 2:  # shorter ones are stumps (*ST发展), mere words
            yield plain, Candidate(security, "alias")
    else:
        yield name, Candidate(security, "name")
        if plain != name and len(plain) > 1:
            yield plain, Candidate(security, "name")
    for former in security.names:
        yield normal_name(former.name), Candidate(security, "former", former.start, former.end)
    for alias in security.aliases:
        yield normal_name(alias), Candidate(security, "alias")
    for brand in security.brands:
        yield normal_name(brand), Candidate(security, "brand")
    if len(security.full_name) > 4:
        yield normal_name(security.full_name), Candidate(security, "alias")
    for code in (security.code, *security.also):
        for text in _code_forms(code):
            yield text, Candidate(security, "code")


def _code_forms(code: str) -> Iterator[str]:
    symbol, _, market = code.lower().rpartition(".")
    if market == "us":
        yield f"{symbol}.us"
        if symbol.isalpha():
            yield from (f"{symbol}.o", f"{symbol}.n", f"nasdaq:{symbol}", f"nyse:{symbol}", f"({symbol})")
    elif market == "hk":
        short = symbol.lstrip("0").zfill(4)
        yield from {f"{symbol}.hk", f"{short}.hk", f"({symbol})", f"hk{symbol}", f"{symbol.lstrip('0')}.hk"}
    else:
        yield symbol
