"""One document being read: judge its hits, then report them in terms of the original text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from models.linking import evidence
from models.linking.hits import Hit
from models.linking.patterns import Candidate, NameKind
from models.linking.records import Abstention, Evidence, Link, LinkResult
from models.linking.roles import Layout, Roles, relevance_of
from models.records import Field
from models.securities import Security

JOINT = "\x01"  # between title and body; in no name
WINDOW = 60  # characters on each side of an abstention
DEBUT_DAYS = 15  # calendar days in which a newly listed name carries N or C
_OPEN_REASON = {"noun": "common_word", "word": "common_word", "brand": "brand_or_place", "never": "common_word"}
_EVIDENCE: dict[NameKind, Evidence] = {"brand": "brand", "alias": "alias", "full_name": "full_name"}
# Characters beside a plain name that may say more: a code, brackets, a legal form, an exchange's mark, a school.
_TELLING_AFTER = frozenset('([-"”】ab集股控有学大中小博协职技科')
_TELLING_BEFORE = frozenset("【tdr市")
_FINAL = frozenset(("conflicting_code", "other_meaning", "part_of_a_name", "out_of_date", "not_listed"))


class Accepted(NamedTuple):
    """A hit that is a company. `end` may lie beyond the hit's own: 股份有限公司 belongs to the name."""

    start: int
    end: int
    security: Security
    evidence: Evidence
    confidence: float


class Reading:
    """A document: `text` is title, joint and body, `form` its matching form, `places` the way back."""

    def __init__(self, text: str, joint: int, form: str, places: Sequence[int], kind: str, day: date | None) -> None:
        self.text, self.joint, self.form, self.places, self.day = text, joint, form, places, day
        self.layout = Layout.of(text, joint, kind)
        self.roles = Roles(form)

    # ------------------------------------------------------------------ judging

    def judge(self, hits: list[Hit]) -> tuple[list[Accepted], list[tuple[Hit, str]]]:
        """The hits that are companies, in order, and those left open with the reason."""
        accepted: list[Accepted] = []
        waiting: list[tuple[Hit, str]] = []
        told = -1  # end of the code that has told the company before it
        body, borrowed = self.form, evidence.borrows_names(self.form)
        size = len(body)
        for hit in hits:
            start, end, pattern = hit
            if (
                pattern.plain
                and not borrowed
                and (end == size or body[end] not in _TELLING_AFTER)
                and (start == 0 or body[start - 1] not in _TELLING_BEFORE)
                and (self.day is None or pattern.candidates[0].security.on_market(self.day))
            ):
                owner = pattern.candidates[0]
                accepted.append(
                    Accepted(start, end, owner.security, "alias" if owner.kind == "alias" else "name", 0.95)
                )
                continue
            if not pattern.candidates or (pattern.is_code and start < told):
                continue
            if pattern.text[:2] == "st" and body[start - 1 : start] == "*":
                hit = Hit(start - 1, end, pattern)
            verdict = self._alone(hit)
            if isinstance(verdict, str):
                waiting.append((hit, verdict))
                continue
            accepted.append(verdict)
            if verdict.evidence == "code":
                told = evidence.code_after(body, end)[1]
        left: list[tuple[Hit, str]] = []
        if waiting:
            strong = {a.security.code for a in accepted}
            edges = {edge for a in accepted for edge in (a.start, a.end)}
            limit = evidence.at_limit(body, hits)
            for _ in range(2):  # a name settled late may settle its neighbour on the left
                still: list[tuple[Hit, str]] = []
                for hit, reason in waiting:
                    found = None if reason in _FINAL else self._together(hit, reason, strong, edges, limit)
                    if found:
                        accepted.append(found)
                        edges |= {found.start, found.end}
                    else:
                        still.append((hit, reason))
                if not still or len(still) == len(waiting):
                    break
                waiting = still
            left = [(hit, reason) for hit, reason in still if hit.pattern.level != "never"]
            accepted.sort(key=lambda a: a.start)
        return accepted, left

    def _alone(self, hit: Hit) -> Accepted | str:
        """A verdict from the hit and the words beside it, or the reason to wait."""
        body, (start, end, pattern) = self.form, hit
        if pattern.is_code:
            security = pattern.candidates[0].security
            if pattern.text.isdigit() and not evidence.bare_code(body, start, end, security.exchange):
                return "bare_number"
            return Accepted(start, end, security, "code", 0.96)
        code, _ = evidence.code_after(body, end)
        if code:
            for candidate in pattern.candidates:
                if evidence.carries(candidate.security, code):
                    return Accepted(start, end, candidate.security, "code", 0.99)
            if evidence.is_mainland(code):
                return "conflicting_code"
        owner = self._owner(pattern.candidates)
        if self.day is not None and not owner.security.on_market(self.day):
            return "not_listed"
        if owner.kind in ("marked", "stem", "debut"):
            return self._marked(hit, owner)
        if evidence.marked(body, start):
            return Accepted(start, end, owner.security, "name", 0.98)
        if evidence.bracketed(body, start, end):
            return Accepted(start, end, owner.security, "bracket", 0.97)
        barred = evidence.barred(body, start, end, pattern)
        if barred:
            return barred
        legal_end = evidence.incorporated(body, start, end, pattern)
        if legal_end > end:
            if evidence.namesake(body, start, end, legal_end):
                return "namesake"
            return Accepted(start, legal_end, owner.security, "full_name", 0.96)
        if pattern.level == "safe":
            kind = _EVIDENCE.get(owner.kind, "name")
            return Accepted(start, end, owner.security, kind, 0.85 if kind == "brand" else 0.95)
        if pattern.level == "never" or owner.kind == "brand":
            return "product" if owner.kind == "brand" else "common_word"
        support = evidence.headline(body, start, end, pattern) or evidence.beside(body, start, end, pattern)
        support = support or evidence.in_sentence(body, start, end, pattern)
        return Accepted(start, end, owner.security, "context", support) if support else _OPEN_REASON[pattern.level]

    def _together(self, hit: Hit, reason: str, strong: set[str], edges: set[int], limit: set[int]) -> Accepted | None:
        """A verdict from the rest of the document: the company is named elsewhere, or stands in a list of companies."""
        start, end, pattern = hit
        owner = self._owner(pattern.candidates)
        if owner.kind == "brand":  # a product stands for its company only where the company is named too
            known = owner.security.code in strong
            return Accepted(start, end, owner.security, "brand", 0.7) if known else None
        if pattern.is_code:
            known = owner.security.code in strong
            return Accepted(start, end, owner.security, "code", 0.9) if known else None
        if pattern.level == "never":
            return None
        if pattern.level in ("brand", "word") or reason in ("namesake", "several_companies"):
            for candidate in pattern.candidates:
                if candidate.security.code in strong:
                    return Accepted(start, end, candidate.security, "context", 0.85)
        if reason == "several_companies":  # a list says that it is a company, not which
            return None
        support = evidence.in_list(self.form, start, end, edges, pattern)
        support = support or (0.85 if start in limit else 0.0)
        return Accepted(start, end, owner.security, "context", support) if support else None

    def _marked(self, hit: Hit, owner: Candidate) -> Accepted | str:
        """A name with the exchange's own mark on it: ST, ex dividend, first days, delisting."""
        body, (start, end, pattern) = self.form, hit
        if owner.kind != "marked" and len({c.security.code for c in pattern.candidates}) > 1:
            return "several_companies"
        if pattern.text.endswith("退") and not evidence.ends_word(body, end):
            return "other_meaning"
        if owner.kind == "debut":
            listed = owner.security.listed
            if listed and self.day and not -1 <= (self.day - listed).days <= DEBUT_DAYS:
                return "out_of_date"
            if not self.text[self.places[start]].isupper() and self.text[self.places[start]] not in "ＮＣ":
                return "common_word"
        return Accepted(start, end, owner.security, "name", 0.97)

    def _owner(self, candidates: tuple[Candidate, ...]) -> Candidate:
        """Whose name it was on the document's day."""
        if self.day is None or len(candidates) == 1:
            return candidates[0]
        for candidate in candidates:
            begun = candidate.start is None or candidate.start <= self.day
            if (
                begun
                and candidate.security.on_market(self.day)
                and (candidate.end is None or self.day <= candidate.end)
            ):
                return candidate
        return candidates[0]

    # ------------------------------------------------------------------ reporting

    def report(self, accepted: list[Accepted], left: list[tuple[Hit, str]]) -> LinkResult:
        """Links and abstentions with offsets in the original fields."""
        counts: dict[str, int] = {}
        for item in accepted:
            code = item.security.code
            counts[code] = counts.get(code, 0) + 1
        companies = len(counts)
        links = []
        for first, last, security, kind, confidence in accepted:
            field, start, end, surface = self._span(first, last)
            section = self.layout.section(field, start)
            role = self.roles.role(first, last, section, security)
            code = security.code
            relevance = relevance_of(section, role, counts[code], companies)
            links.append(
                Link(code, security.name, surface, field, start, end, confidence, kind, relevance, role, section)
            )
        return LinkResult(tuple(links), tuple(self._abstention(hit, reason) for hit, reason in left))

    def _abstention(self, hit: Hit, reason: str) -> Abstention:
        field, start, end, surface = self._span(hit.start, hit.end)
        size = self.joint if field == "title" else len(self.text) - self.joint - 1
        return Abstention(
            codes=tuple(c.security.code for c in hit.pattern.candidates),
            surface=surface,
            field=field,
            start=start,
            end=end,
            reason=reason,
            window=(max(0, start - WINDOW), min(size, end + WINDOW)),
        )

    def _span(self, start: int, end: int) -> tuple[Field, int, int, str]:
        """Field, offsets and text of [start, end) of the matching form."""
        start, end = self.places[start], self.places[end - 1] + 1
        surface = self.text[start:end]
        if start < self.joint:
            return "title", start, end, surface
        shift = self.joint + 1
        return "body", start - shift, end - shift, surface
