"""What stands beside a company's name where several are named: its price, a trade in it, or by it, a suit.

There the model follows the mood of the whole wire; the words beside the name say what holds of this company.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from models.records import Tone
from models.sentiment_rules import Rule

CHAIN = 40  # names in a row that are looked over: a list is rarely longer
BEFORE = 14  # characters before a name that are looked at

_BRACKET = r"(?:-(?:SW|[ASWUBP]))?(?:[（(][^（）()]{1,24}[)）])?"
_SUM = r"(?:[约近超逾]?\d[\d.]{0,9}[万亿]{0,2}(?:股|(?:[港美欧日韩])?元)?)?"
_AND = r"(?:、|和|与|及|以及)"
_AFTER = re.compile(_BRACKET)
_NEXT = re.compile(_BRACKET + _AND)
_PREVIOUS = re.compile(_BRACKET + _SUM + _AND)
# 等10余股 belongs to a list; 概念股 doesn't: its price is another. 分别涨3%、跌2% says not which fell.
_LIST_END = re.compile(
    _BRACKET
    + r"(?:等(?:[\d一-龥]{0,4}股)?|[两多]股)?"
    + r"(?:均|双双|分别(?!(?=[^，,；;。]{0,30}[涨升])[^，,；;。]{0,30}[跌挫]))?"
)
_WHEN = (
    r"(?:[今昨]日|盘[前中后初]|开盘|[早午尾]盘|午后|早间|夜盘|竞价|[美港AH]股|股价|一度|现|续|再度|双双|均|逆[市势]|直线|快速"
    r"|持续|短线|震荡|绩后|集体|纷纷|触及|大幅|也|同步|则|一字|20cm){0,6}"
)
_BY = r"(?:超|逾|近|约|至|幅(?:扩大至?|达|超)?)?\s?\d"
_DONE = r"(?<![不未非])(?<!没有|不会|不再|否认|停止|终止|取消|暂停|拒绝|无意)"
# 一度涨5%后转跌: the figure is past.
_STAYS = r"(?![^，,；;。]{0,12}[后但](?:转[涨跌]|翻[红绿]|回落|跳水|反弹|拉升|涨停|跌停))"
_HELD = r"(?!潮|板块|价|板?打开|后)"


def _rule(name: str, tone: Tone, pattern: str) -> Rule:
    return Rule(name, tone, re.compile(pattern), strength=0.85)


# After the name, or after the list that it stands in.
_PRICE = (
    _rule(
        "price_up", "positive",
        rf"{_WHEN}(?:涨停{_HELD}|封板|\d+连板|[上大收领飙暴]?涨{_BY}|[大收领飙暴]涨|飙?升{_BY}|走高(?!端)|走强|拉升|翻红|红盘){_STAYS}",
    ),
    _rule(
        "price_down", "negative",
        rf"{_WHEN}(?:跌停{_HELD}|[下大收领暴重]?[跌挫]{_BY}|[大收领暴重][跌挫]|下挫|跳水|走低(?![价空碳])|走弱|翻绿){_STAYS}",
    ),
)  # fmt: skip
# Before the name, or before the list that it stands in.
_DONE_TO = (
    _rule("bought", "positive", rf"{_DONE}(?:增持|加仓|净买入|建仓|抄底|新进)了?\Z"),
    _rule("sold", "negative", rf"{_DONE}(?:减持|减仓|清仓|净卖出|抛售|做空)了?\Z"),
    _rule("sued", "negative", r"(?<![不未])(?<!免于|放弃|撤回|撤销|驳回)(?:起诉|状告)了?\Z"),
)
_SUES = _rule("sues", "neutral", _BRACKET + r"(?:已|正式|再次)?(?:起诉|状告)(?![状书])")
_SELLS = _rule("sells", "neutral", _BRACKET + r"[:：]?(?:拟|计划|再次|累计)?(?:减持|清仓|抛售)(?:所持|持有的?)?")


def beside_rule(text: str, place: tuple[int, int], names: Sequence[tuple[int, int]]) -> Rule | None:
    """The rule that decides a company by the words beside its name, or None.

    `names` are the places of all companies that the text names, in order.
    """
    start, end = place
    alone, listed = _match_end(_AFTER, text, end), _match_end(_LIST_END, text, _last_of_list(text, end, names))
    first = _first_of_list(text, start, names)
    before = text[max(0, first - BEFORE) : first]
    for rule in _PRICE:
        if rule.pattern.match(text, alone) or rule.pattern.match(text, listed):
            return rule
    for rule in _DONE_TO:
        if rule.pattern.search(before):
            return rule
    if _SUES.pattern.match(text, end):
        return _SUES
    sells = _SELLS.pattern.match(text, end)
    if sells and _named_at(names, sells.end()):
        return _SELLS
    return None


def _match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _named_at(names: Sequence[tuple[int, int]], at: int) -> tuple[int, int] | None:
    """The name that begins there."""
    i = bisect_left(names, (at, 0))
    return names[i] if i < len(names) and names[i][0] == at else None


def _last_of_list(text: str, end: int, names: Sequence[tuple[int, int]]) -> int:
    """Where the last name ends of the list (甲、乙和丙) that one stands in."""
    for _ in range(CHAIN):
        found = _NEXT.match(text, end)
        following = _named_at(names, found.end()) if found else None
        if following is None:
            break
        end = following[1]
    return end


def _first_of_list(text: str, start: int, names: Sequence[tuple[int, int]]) -> int:
    """Where the first name begins of the list (甲3亿元、乙2亿元) that one stands in."""
    for _ in range(CHAIN):
        i = bisect_left(names, (start, 0)) - 1
        if i < 0 or not _PREVIOUS.fullmatch(text, names[i][1], start):
            break
        start = names[i][0]
    return start
