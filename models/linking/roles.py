"""Where in a document a mention stands, what part the company plays there, and how much the document is about it."""

from __future__ import annotations

import re
from typing import NamedTuple

from models.linking.records import Role, Section
from models.records import Field

LEAD = 120  # characters of the body that count as its lead
_HEADINGS: dict[Section, str] = {
    "boilerplate": r"分析师(?:声明|承诺)|免责声明|法律声明|评级(?:说明|体系|标准)|投资评级|重要声明|公司业务资格",
    "risk": r"(?:\d[.、]\s*)?风险(?:提示|因素)",
    "recommendation": r"(?:[一二三四五六七八九十\d]+[.、])?(?:投资建议|重点推荐|建议关注|推荐标的|相关标的|受益标的)",
}
_HEADING = {section: re.compile(rf"^\W{{0,4}}(?:{text})", re.MULTILINE) for section, text in _HEADINGS.items()}
_RECOMMENDED = re.compile(r"建议关注|重点关注|推荐|受益标的|相关标的|首选|看好")
_CREDIT_BEFORE = re.compile(r"(?:据|来源[:：]?|\()$")
_CREDIT_AFTER = re.compile(r"\)|(?:消息|讯|报道|数据|choice|ifind|记者|援引|网讯)")
_CREDITORS = frozenset(("新华网", "人民网", "东方财富", "同花顺", "指南针", "大智慧", "财富趋势"))
_WEIGHTS = {"title": 0.9, "lead": 0.6, "body": 0.4, "recommendation": 0.5, "risk": 0.2, "boilerplate": 0.02}


class Layout(NamedTuple):
    """Section starts of a body, in order."""

    lead_end: int
    title_end: int  # end of a 【headline】 that opens the body
    starts: tuple[tuple[int, Section], ...]

    @classmethod
    def of(cls, text: str, joint: int, kind: str) -> Layout:
        first = joint + 1
        title_end = 0
        if text.startswith("【", first):
            title_end = max(0, text.find("】", first, first + 120) - first)
        starts: list[tuple[int, Section]] = []
        if kind in ("report", "news") and len(text) - first > 400:
            for section, heading in _HEADING.items():
                starts += [(match.start() - first, section) for match in heading.finditer(text, first)]
        return cls(title_end + LEAD, title_end, tuple(sorted(starts)))

    def section(self, field: Field, start: int) -> Section:
        """The section of a mention at `start` of `field`."""
        if field == "title" or start < self.title_end:
            return "title"
        current: Section = "lead" if start < self.lead_end else "body"
        for begin, section in self.starts:
            if begin > start:
                break
            current = section
        return current


def role_of(text: str, start: int, end: int, section: Section, name: str) -> Role:
    """The part of the company mentioned at [start, end) of the matching form."""
    if section == "risk":
        return "risk"
    if name in _CREDITORS and _CREDIT_BEFORE.search(text[max(0, start - 4) : start]) and _CREDIT_AFTER.match(text, end):
        return "source_credit"
    if section == "boilerplate":
        return "source_credit"
    if section == "recommendation":
        return "recommended"
    low = max(
        text.rfind("。", max(0, start - 120), start), text.rfind("\n", max(0, start - 120), start), start - 120, 0
    )
    if _RECOMMENDED.search(text, low, start):
        return "recommended"
    return "subject"


def relevance_of(section: Section, role: Role, count: int, companies: int) -> float:
    """0..1: high in a title and with repetition, low in long lists, next to nothing as a source credit."""
    if role == "source_credit":
        return 0.02
    weight = _WEIGHTS[section] + 0.1 * min(count - 1, 3)
    if companies > 3:
        weight *= max(0.35, 3 / companies) if section != "title" else 1.0
    return round(min(1.0, weight), 3)
