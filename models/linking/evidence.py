"""Rules that tell a company from the word, brand or place of the same name.

All work on the matching form around one hit. Each either gives a confidence or nothing; the linker abstains where
none speaks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from models.linking.patterns import Level, Pattern
from models.securities import Security, normal_code

if TYPE_CHECKING:
    from models.linking.linker import Accepted, Hit, _Reading

_CODE_AFTER = re.compile(
    r"(?:-(?:sw?|w|uw?|b|p)|[ab]股?)?[(\[](?:(?:股票|证券)?代码[:：]?|sh|sz|bj|hk|a股[:：]?|h股[:：]?)?"
    r"[:：]?(\d{4,6})(?:[.](sh|ss|sz|bj|hk))?(?=[)\],，、;；/])"
    r"|[(\[](?:nasdaq|nyse|纳斯达克|纽交所)?[:：]?([a-z]{1,5})(?:[.](?:us|o|n))?[)\]]"
)
_MARK_BEFORE = re.compile(r"(?:(?:^|[^a-z])(?:s?\*?st|xd|xr|dr)|退市)$")
_FINANCE_AFTER = re.compile(
    r"(?:股份|公司|集团|控股)?(?:\(.{1,12}\))?(?:今日|昨日|早盘|午后|盘中|尾盘|晚间?|近日|日前|\d+月\d+日晚?间?)?"
    r"(?:股价|涨停|跌停|封板|涨超|跌超|涨逾|跌逾|大涨|大跌|收涨|收跌|高开|低开|公告|披露|发布公告|一季度|上半年|前三季度|净利|营收|"
    r"业绩|市值|董事|股东|拟\d|拟以|拟向|拟收购|回购|中标|复牌|停牌|获.{0,8}增持|遭.{0,8}减持|a股|h股|港股|[\+\-]\d)"
)
_STRONG_AFTER = re.compile(
    r"(?:股价|股票|涨停(?!潮|板)|跌停|公告|晚间公告|披露|封板|涨超\d|跌超\d|涨逾\d|跌逾\d|[(]?\d{6})"
)
_CUE = re.compile(
    r"股|涨|跌|净利|营收|公告|市值|证券|财报|董事|募资|ipo|上市|亿元|亿美元|收购|投资|ceo|首席|分析师|评级|公司|季度|订单|业绩"
)
_WORK = ("《", "》")


def code_after(text: str, end: int) -> str | None:
    """The code printed in brackets right after `end`, as digits with its market where printed."""
    if end >= len(text) or text[end] not in "([-ab":
        return None
    match = _CODE_AFTER.match(text, end)
    if not match:
        return None
    if match[3]:
        return f"{match[3].upper()}.US"
    return f"{match[1]}.{match[2].upper()}" if match[2] else match[1]


def carries(security: Security, code: str) -> bool:
    """Whether `code`, as printed, is one of the security's."""
    full = normal_code(code)
    return full == security.code or full in security.also


def is_mainland(code: str) -> bool:
    return len(code.partition(".")[0]) == 6 and code[0].isdigit()


def marked(text: str, start: int) -> bool:
    """Whether ST, *ST, XD, XR or DR stands right before `start`."""
    before = text[max(0, start - 4) : start]
    return bool(before) and before[-1] in "tdr市" and _MARK_BEFORE.search(before) is not None


def bracketed(text: str, start: int, end: int) -> bool:
    """Whether the name fills 【】."""
    return start > 0 and end < len(text) and text[start - 1] == "【" and text[end] == "】"


def of_code(reading: _Reading, hit: Hit) -> Accepted | str:
    """A code that stands by itself."""
    from models.linking.linker import Accepted

    text = reading.form.text
    candidate = hit.pattern.candidates[0]
    before, after = text[max(0, hit.start - 6) : hit.start], text[hit.end : hit.end + 3]
    code = hit.pattern.text
    if "." in code or code[0] == "(" or not code.isdigit():
        return Accepted(hit, candidate, "code", 0.97)
    market = candidate.security.exchange.lower()
    if after in (f".{market}", ".ss") or before.endswith((market, market + ".")) or before.endswith(("代码:", "代码")):
        return Accepted(hit, candidate, "code", 0.97)
    if (
        before.endswith("(")
        and after.startswith(")")
        and not re.search(r"基金|etf|混合|债|lof|指数|联接", text[max(0, hit.start - 16) : hit.start])
    ):
        return Accepted(hit, candidate, "code", 0.9)
    return "bare_number"


def beside(text: str, start: int, end: int, level: Level) -> float:
    """Confidence from the words right beside an ambiguous name; 0 where they say nothing."""
    after = text[end : end + 24]
    before = text[max(0, start - 8) : start]
    if before.endswith("《"):
        return 0.0
    if level == "brand" and (_FINANCE_AFTER.match(after)):
        return 0.9
    if level == "word" and _STRONG_AFTER.match(after):
        return 0.85
    opening = not before or before[-1] in "\x01【\n"
    if opening and after[:1] == ":" and (level == "brand" or _CUE.search(after)):
        return 0.92
    if level == "brand":
        sentence = (
            re.split(r"[。！？!?\n\x01]", text[max(0, start - 40) : start])[-1]
            + re.split(r"[。！？!?\n\x01]", text[end : end + 40])[0]
        )
        if _CUE.search(sentence) and not re.match(r"业|冠军|大赛|节|杯|队|市场|行(?!情)|协会|大学", after):
            return 0.8
    return 0.0


def from_document(
    text: str, start: int, end: int, pattern: Pattern, sure: set[str], places: set[int], reason: str
) -> float:
    """Confidence from the rest of the document: the company is named elsewhere, or its neighbours in a list are."""
    if reason in ("conflicting_code", "bare_number"):
        return 0.0
    if pattern.level != "word" and any(c.security.code in sure for c in pattern.candidates):
        return 0.85
    left = start > 1 and text[start - 1] == "、" and start - 1 in places
    right = end + 1 < len(text) and text[end] == "、" and end + 1 in places
    return 0.85 if left or right else 0.0
