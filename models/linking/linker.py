"""Find the companies of a document.

One pass of the automaton over title and body together, then Python on the candidates alone: the longest sensible
span wins, an unambiguous name is a link, an ambiguous one needs evidence (`evidence`), else the linker abstains and
says why. `link` is pure and safe to call from several threads.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from models.linking import evidence
from models.linking.normalise import Normalised, normalise
from models.linking.patterns import Candidate, Pattern, Patterns
from models.linking.records import Abstention, Evidence, Link, LinkResult
from models.linking.roles import Layout, relevance_of, role_of
from models.records import Field
from models.securities import SecuritiesTable, load

JOINT = "\x01"  # between title and body; in no name
CODE_REACH = 16  # characters after a name in which its code stands
WINDOW = 60  # characters on each side of an abstention
_EMPTY = LinkResult()


class Hit(NamedTuple):
    """A pattern found at [start, end) of the matching form."""

    start: int
    end: int
    pattern: Pattern


class Accepted(NamedTuple):
    """A hit that is a company."""

    hit: Hit
    candidate: Candidate
    evidence: Evidence
    confidence: float


class Linker:
    """The linker over one securities table."""

    def __init__(self, table: SecuritiesTable) -> None:
        self.version = table.version
        self._patterns = Patterns(table)

    @classmethod
    def load(cls) -> Linker:
        """The linker over the table in use."""
        return cls(load())

    def link(self, title: str, body: str, *, kind: str = "wire", published_at: datetime | None = None) -> LinkResult:
        """Every occurrence of a listed company, and every open one. Never raises for any string."""
        text = f"{title}{JOINT}{body}"
        form = normalise(text)
        items = self._patterns.items
        found = [Hit(start, end, items[index]) for start, end, index in self._patterns.find(form.text)]
        if not found:
            return _EMPTY
        hits = longest([hit for hit in found if whole(hit, form, text)])
        day = published_at.date() if published_at else None
        return _Reading(title, text, form, hits, kind, day).result()


def whole(hit: Hit, form: Normalised, text: str) -> bool:
    """Whether the hit stands for itself: no Latin word or number runs over its ends, no odd blank lies inside."""
    start, end, pattern = hit
    body = form.text
    first, last = pattern.text[0], pattern.text[-1]
    if first.isascii() and first.isalnum() and start and _joins(body[start - 1], first):
        before = form.place(start) - form.place(start - 1) == 1
        if before:
            return False
    if last.isascii() and last.isalnum() and end < len(body) and _joins(last, body[end]):
        after = form.place(end) - form.place(end - 1) == 1
        if after:
            return False
    if form.places is None:
        return True
    gap = form.place(end - 1) - form.place(start) - (end - 1 - start)
    return gap == 0 or _even_gaps(form, start, end)


def _joins(left: str, right: str) -> bool:
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def _even_gaps(form: Normalised, start: int, end: int) -> bool:
    """Whether blanks stand between all characters (新 华 都) or only beside Latin letters (SK 海力士)."""
    assert form.places is not None
    steps = form.places[start + 1 : end] - form.places[start : end - 1]
    word = form.text[start:end]
    beside = [word[i].isascii() or word[i + 1].isascii() for i in range(len(word) - 1)]
    chinese = [int(step) > 1 for step, latin in zip(steps, beside, strict=True) if not latin]
    return all(chinese) or not any(chinese)


def longest(hits: list[Hit]) -> list[Hit]:
    """Hits without overlaps: the longer wins, then the earlier."""
    if len(hits) < 2:
        return hits
    chosen: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start - h.end, h.start)):
        if all(hit.end <= other.start or hit.start >= other.end for other in chosen):
            chosen.append(hit)
    return sorted(chosen, key=lambda h: h.start)


class _Reading:
    """One document being read."""

    def __init__(self, title: str, text: str, form: Normalised, hits: list[Hit], kind: str, day: date | None) -> None:
        self.text, self.form, self.hits, self.day = text, form, hits, day
        self.joint = len(title)
        self.layout = Layout.of(text, self.joint, kind)

    def result(self) -> LinkResult:
        accepted: list[Accepted] = []
        open_: list[tuple[Hit, str]] = []
        told = -1  # end of the brackets whose code has told the company before them
        for hit in self.hits:
            if not hit.pattern.candidates or (hit.pattern.is_code and hit.start < told):
                continue
            verdict = self._judge(hit)
            if isinstance(verdict, str):
                open_.append((hit, verdict))
            else:
                accepted.append(verdict)
                if verdict.evidence == "code":
                    told = max(told, hit.end + CODE_REACH)
        # what the rest of the document says of the open ones
        sure = {a.candidate.security.code for a in accepted}
        places = {a.hit.start for a in accepted} | {a.hit.end for a in accepted}
        abstained: list[tuple[Hit, str]] = []
        for hit, reason in open_:
            support = evidence.from_document(self.form.text, hit.start, hit.end, hit.pattern, sure, places, reason)
            if support:
                accepted.append(Accepted(hit, self._owner(hit), "context", support))
            else:
                abstained.append((hit, reason))
        return self._report(sorted(accepted, key=lambda a: a.hit.start), abstained)

    def _owner(self, hit: Hit) -> Candidate:
        """Whose name it was on the document's day."""
        candidates = hit.pattern.candidates
        if self.day is None or len(candidates) == 1:
            return candidates[0]
        for candidate in candidates:
            if (
                (candidate.start is None or candidate.start <= self.day)
                and (candidate.end is None or self.day <= candidate.end)
                and (candidate.security.listed is None or candidate.security.listed <= self.day)
            ):
                return candidate
        return candidates[0]

    def _judge(self, hit: Hit) -> Accepted | str:
        body, pattern = self.form.text, hit.pattern
        if pattern.is_code:
            return evidence.of_code(self, hit)
        code = evidence.code_after(body, hit.end)
        if code:
            for candidate in pattern.candidates:
                if evidence.carries(candidate.security, code):
                    return Accepted(hit, candidate, "code", 0.99)
            if evidence.is_mainland(code):
                return "conflicting_code"
        owner = self._owner(hit)
        if owner.kind == "marked" or evidence.marked(body, hit.start):
            return Accepted(hit, owner, "name", 0.98)
        if evidence.bracketed(body, hit.start, hit.end):
            return Accepted(hit, owner, "bracket", 0.97)
        if owner.kind == "brand":
            return "brand_or_place"
        if pattern.level == "safe":
            return Accepted(hit, owner, "alias" if owner.kind == "alias" else "name", 0.95)
        if pattern.level == "never":
            return "common_word"
        support = evidence.beside(body, hit.start, hit.end, pattern.level)
        if support:
            return Accepted(hit, owner, "context", support)
        return "common_word" if pattern.level == "word" else "brand_or_place"

    def _report(self, accepted: list[Accepted], abstained: list[tuple[Hit, str]]) -> LinkResult:
        counts: dict[str, int] = {}
        for item in accepted:
            counts[item.candidate.security.code] = counts.get(item.candidate.security.code, 0) + 1
        links = []
        for item in accepted:
            security = item.candidate.security
            field, start, end = self._span(item.hit)
            section = self.layout.section(field, start)
            role = role_of(self.form.text, item.hit.start, item.hit.end, section, security.name)
            links.append(
                Link(
                    code=security.code,
                    name=security.name,
                    surface=self._surface(field, start, end),
                    field=field,
                    start=start,
                    end=end,
                    confidence=item.confidence,
                    evidence=item.evidence,
                    relevance=relevance_of(section, role, counts[security.code], len(counts)),
                    role=role,
                    section=section,
                )
            )
        opens = []
        for hit, reason in abstained:
            field, start, end = self._span(hit)
            size = self.joint if field == "title" else len(self.text) - self.joint - 1
            opens.append(
                Abstention(
                    codes=tuple(c.security.code for c in hit.pattern.candidates),
                    surface=self._surface(field, start, end),
                    field=field,
                    start=start,
                    end=end,
                    reason=reason,
                    window=(max(0, start - WINDOW), min(size, end + WINDOW)),
                )
            )
        return LinkResult(tuple(links), tuple(opens))

    def _span(self, hit: Hit) -> tuple[Field, int, int]:
        start, end = self.form.place(hit.start), self.form.place(hit.end - 1) + 1
        if start < self.joint:
            return "title", start, end
        return "body", start - self.joint - 1, end - self.joint - 1

    def _surface(self, field: Field, start: int, end: int) -> str:
        shift = 0 if field == "title" else self.joint + 1
        return self.text[start + shift : end + shift]
