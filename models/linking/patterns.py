"""Every string that may name a security, in one automaton.

A surface form may belong to several securities (a name since reused, a company's two listings): its `Pattern` holds
all candidates, the likeliest first. A decoy is a longer word that is something else (新华都市报): it wins the match
and, having no candidates, gives no link; with an `inner` name it stands for that company (京东方面: 京东).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple, cast

import daachorse

from models.linking.normalise import normal_name
from models.securities import SecuritiesTable, Security

DATA = Path(__file__).with_name("data")
Level = Literal["safe", "brand", "word", "noun", "never"]
NameKind = Literal["name", "full_name", "former", "alias", "brand", "code", "marked", "stem", "debut"]

_MARK = re.compile(r"^(?:s?\*?st|pt)(?=[^\x00-\x7f]|tcl)|^退市|退市?$")
_SHARE_CLASS = re.compile(r"(?<=[^\x00-\x7f])[ab]$|-(?:s|w|sw|u|uw|b|p)$")
_RECENT = date(2023, 1, 1)  # companies listed since may still be met with their first days' mark


class Candidate(NamedTuple):
    """A security that a surface form may mean, and the days on which the form was its name."""

    security: Security
    kind: NameKind
    start: date | None = None
    end: date | None = None


class Pattern(NamedTuple):
    """A surface form in matching form."""

    text: str
    level: Level = "never"
    candidates: tuple[Candidate, ...] = ()
    cue: re.Pattern[str] | None = None  # words nearby that make an ambiguous name the company
    bar: re.Pattern[str] | None = None  # words right beside it that make it something else
    rival: re.Pattern[str] | None = None  # words in its sentence that make it something else
    inner: str = ""
    is_code: bool = False
    latin: bool = False  # begins or ends with a Latin letter or a digit
    plain: bool = False  # one company's name and nothing else: needs no rule unless something telling stands beside it


class Patterns:
    """The automaton with its patterns, by index."""

    def __init__(self, table: SecuritiesTable) -> None:
        forms: dict[str, list[Candidate]] = {}
        for security in table:
            for text, candidate in _forms(security):
                if all(c.security is not security for c in forms.setdefault(text, [])):
                    forms[text].append(candidate)
        for security in table:  # generic marked forms give way to every real name
            for text, candidate in _marked_forms(security):
                if text not in forms:
                    forms[text] = [candidate]
                elif forms[text][0].kind in ("stem", "debut"):
                    forms[text].append(candidate)
        notes = {normal_name(row["name"]): row for row in rows("ambiguous.csv")}
        self.items = [_pattern(text, candidates, notes.get(text, {})) for text, candidates in forms.items()]
        by_text = {pattern.text: pattern for pattern in self.items}
        for row in rows("decoys.csv"):
            text, inner = normal_name(row["text"]), normal_name(row["inner"])
            if text not in by_text:
                owner = by_text.get(inner, Pattern(text))
                self.items.append(owner._replace(text=text, inner=inner if inner in text else "", plain=False))
        self.find = daachorse.CharwiseDoubleArrayAhoCorasick([p.text for p in self.items]).find_overlapping


def base_name(name: str) -> str:
    """`name` in matching form without ST marks and share classes."""
    return _SHARE_CLASS.sub("", _MARK.sub("", normal_name(name)))


def rows(file: str) -> Iterator[dict[str, str]]:
    """Rows of one of the linker's own data files."""
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    yield from csv.DictReader(line for line in lines if line and not line.startswith("#"))


def _pattern(text: str, candidates: list[Candidate], note: dict[str, str]) -> Pattern:
    level = cast(Level, note.get("level")) or _level(text, candidates[0])
    cue, bar, rival = (re.compile(note[key]) if note.get(key) else None for key in ("cue", "not", "with"))
    kind = candidates[0].kind
    return Pattern(
        text,
        level,
        tuple(sorted(candidates, key=_rank)),
        cue,
        bar,
        rival,
        is_code=kind == "code",
        latin=text[0].isascii() or text[-1].isascii(),
        plain=level == "safe" and len(candidates) == 1 and not (bar or rival) and kind in ("name", "former", "alias"),
    )


def _rank(candidate: Candidate) -> tuple[bool, bool, bool, bool]:
    """Today's name before former ones, living before delisted, mainland before abroad."""
    security = candidate.security
    return (
        candidate.kind == "former",
        security.delisted is not None,
        security.exchange in ("HK", "US"),
        security.name[-2:] in ("-W", "-S", "SW"),
    )


def _level(text: str, candidate: Candidate) -> Level:
    """How far a form that no list knows may be trusted: very short ones not without evidence."""
    if candidate.kind in ("code", "marked", "stem", "debut"):
        return "safe"
    if candidate.kind == "brand":
        security = candidate.security
        own = (base_name(name) for name in (security.name, *security.aliases))
        return "safe" if any(len(name) > 1 and name in text for name in own) else "brand"  # 京东外卖 says whose it is
    if len(text) < 3:
        return "brand" if candidate.security.exchange in ("HK", "US") else "never"
    return "brand" if text.isascii() and len(text) < 4 else "safe"


def _forms(security: Security) -> Iterator[tuple[str, Candidate]]:
    """Names and codes of one security with what each is."""
    name, plain = normal_name(security.name), base_name(security.name)
    since = max((former.end for former in security.names if former.end), default=None)  # today's name is no older
    if _MARK.search(name):
        yield name.replace("*", ""), Candidate(security, "marked")
        if len(plain) > 2:  # shorter ones are stumps (*ST发展), mere words
            yield plain, Candidate(security, "alias")
    else:
        yield name, Candidate(security, "name", since)
        if plain != name and len(plain) > 1:
            yield plain, Candidate(security, "name", since)
    for former in security.names:
        text = normal_name(former.name)
        if _MARK.search(text):
            yield text.replace("*", ""), Candidate(security, "marked")
        else:
            yield text, Candidate(security, "former", former.start, former.end)
            yield base_name(former.name), Candidate(security, "former", former.start, former.end)
    for alias in security.aliases:
        yield normal_name(alias), Candidate(security, "alias")
    for brand in security.brands:
        yield normal_name(brand), Candidate(security, "brand")
    if " " in security.english_name and security.exchange in ("HK", "US"):  # a single word may be anything
        yield normal_name(security.english_name), Candidate(security, "alias")
    if security.full_name:
        yield normal_name(security.full_name), Candidate(security, "full_name")
    for code in (security.code, *security.also):
        for text in _code_forms(code):
            yield text, Candidate(security, "code")


def _marked_forms(security: Security) -> Iterator[tuple[str, Candidate]]:
    """ST, delisting, ex-dividend and first-day forms that the exchange may give a mainland name any day."""
    if security.exchange in ("HK", "US"):
        return
    plain = base_name(security.name)
    marked = Candidate(security, "stem")
    stem = plain[:2]
    yield from ((text, marked) for text in (f"st{stem}", f"退市{stem}", f"{stem}退"))
    if len(plain) > 3:
        for mark in ("xd", "xr", "dr"):
            yield mark + plain[:3], marked
    if security.listed is None or security.listed >= _RECENT:
        debut = Candidate(security, "debut")
        for size in (2, 3, 4):
            yield from ((mark + plain[:size], debut) for mark in "nc")


def _code_forms(code: str) -> Iterator[str]:
    symbol, _, market = code.lower().rpartition(".")
    if market == "us":
        yield f"{symbol}.us"
        if symbol.isalpha() and len(symbol) < 5:
            yield from (f"{symbol}.o", f"{symbol}.n", f"nasdaq:{symbol}", f"nyse:{symbol}")
        if symbol.isalpha() and len(symbol) > 1:  # $t$ is a formula
            yield f"${symbol}"
    elif market == "hk":
        short = symbol.lstrip("0")
        yield from sorted({f"{symbol}.hk", f"{short.zfill(4)}.hk", f"{short}.hk", f"({symbol})"})
        yield from (f"hk{symbol}", f"hk.{symbol}", f"hk:{symbol}")
    else:
        yield from (symbol, f"{market}{symbol}")  # in sh600519 no digits stand for themselves
