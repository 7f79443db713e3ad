"""The parts of a broker report: opening, summary, recommendation, risk, rating definitions, disclaimer, body.

A part begins at its heading, alone on a line (bullets and numbers aside) or before a colon, and runs to the next
heading. A heading with its text on the same line holds that paragraph only, and the part before it goes on. What
follows the analysts' declaration is boilerplate to the end.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Name = Literal["opening", "summary", "recommendation", "risk", "rating_definition", "disclaimer", "body"]


class Section(NamedTuple):
    """Part of a text: `text[start:end]`."""

    name: Name
    start: int
    end: int


_HEADINGS: dict[Name, str] = {
    "summary": "(?:本周|核心|主要|本期)?(?:观点|逻辑)|(?:投资|报告|研究|内容)(?:要点|摘要|提要)|报告导读|核心结论|摘要",
    "recommendation": "(?:盈利预测)?[、与和及]?(?:估值[、与和及])?投资(?:建议|策略|评级)"
    "(?:[、与和及](?:估值|评级|重点标的|盈利预测))?|建议关注|推荐标的|重点推荐|投资组合|受益标的",
    "risk": "(?:主要|投资)?风险(?:提示|因素|分析|警示)",
    "rating_definition": "(?:股票|行业|公司)?(?:投资)?评级(?:体系|说明|定义|标准|系统)(?:[与和及、].{2,8})?"
    "|相关证券市场基准指数说明",
    "disclaimer": "分析师(?:声明|承诺|简介|介绍)(?:及.{2,10})?|(?:免责|法律|重要|特别|一般)(?:声明|条款|提示)"
    "|公司业务资格说明|信息披露|特别风险提示",
}
_NUMERAL = "[一二三四五六七八九十]{1,3}"
_MARK = (
    r"(?:[■●◆▌▍•➢➤▶*#□◼]\s*)?"
    rf"(?:(?:{_NUMERAL}|\d{{1,2}}(?:\.\d{{1,2}})*)[、.．\s]\s*|[（(](?:{_NUMERAL}|\d{{1,2}})[)）]\s*)?"
)
_HEADING = re.compile(
    rf"^{_MARK}(?:"
    + "|".join(f"(?P<{name}>{names})" for name, names in _HEADINGS.items())
    + r")(?=[ \t]*(?:[:：]|$))[ \t]*[:：]?[ \t]*(?P<rest>.*)$",
    re.MULTILINE,
)
_CHAPTER = re.compile(
    r"^(?:[一二三四五六七八九十]{1,3}、|\d{1,2}(?:\.\d{1,2})*[.、．]?\s+|第[一二三四五六七八九十]章)\s*\S{2,30}$",
    re.MULTILINE,
)
_BOILERPLATE: frozenset[Name] = frozenset({"rating_definition", "disclaimer"})


def split(text: str) -> list[Section]:
    """The text's sections in order; together they cover it."""
    marks: list[tuple[int, Name, int]] = []  # start, name, end of a one-paragraph section or 0
    for found in _HEADING.finditer(text):
        name = _name(found)
        inline = bool(found["rest"]) and name not in _BOILERPLATE
        marks.append((found.start(), name, found.end() + 1 if inline else 0))
    boilerplate = next(
        (start for start, name, _ in marks if name in _BOILERPLATE and start > len(text) * 0.3), len(text)
    )
    marks += [
        (m.start(), "body", 0) for m in _CHAPTER.finditer(text, 0, boilerplate) if not _HEADING.match(text, m.start())
    ]
    return _cover(sorted(marks), boilerplate, len(text))


def _name(found: re.Match[str]) -> Name:
    return next(name for name in _HEADINGS if found[name] is not None)


def _cover(marks: list[tuple[int, Name, int]], boilerplate: int, length: int) -> list[Section]:
    sections: list[Section] = []
    current: Name = "opening"
    at = 0

    def close(end: int) -> None:
        if end > at:
            sections.append(Section(current, at, end))

    for start, name, inline_end in marks:
        if start >= boilerplate and name not in _BOILERPLATE:
            continue
        if start < at:
            continue
        close(start)
        at = start
        if inline_end:
            sections.append(Section(name, start, min(inline_end, length)))
            at = min(inline_end, length)
        else:
            current = name
    close(length)
    return sections


def text_of(text: str, name: Name) -> str:
    """All of one part's text."""
    return "\n".join(text[s.start : s.end].strip() for s in split(text) if s.name == name)
