"""Short names that a text introduces for itself: 芒果超媒股份有限公司(以下简称"芒果").

Once introduced after a company that is already linked, every later occurrence is that company.
"""

from __future__ import annotations

import re

from models.linking.reading import Accepted

_INTRODUCED = re.compile(r"(?:以下简称|下称|简称)(?:为|:)?[\"“'‘「《]?([\u4e00-\u9fffa-z0-9]{2,8})[\"”'’」》),，]")
_LEGAL = re.compile(r"(?:[^。;,、与和\n\x01]{0,16}?有限(?:责任)?公司)?(?:\([^)]{0,30}\))?[(,]?(?:[^()。与和]{0,20},)?")
_GENERIC = re.compile(
    r"公司|本行|集团|发行人|上市|基金|甲方|乙方|标的|协议|办法|证监会|交易所|议案|计划|项目|债|转债|方案|通知|规则|本次|股东"
)
_BACK = 60  # characters before the introduction in which the company's full name must end


def introduced(text: str, accepted: list[Accepted]) -> list[Accepted]:
    """`accepted` with the occurrences of the abbreviations that `text` introduces for linked companies."""
    added: list[Accepted] = []
    covered = {place for item in accepted for place in range(item.start, item.end)}
    for match in _INTRODUCED.finditer(text):
        short = match[1]
        if _GENERIC.search(short):
            continue
        owner = _owner(text, match.start(), accepted)
        if owner is None:
            continue
        at = text.find(short, match.start(1))
        while at >= 0:
            end = at + len(short)
            if covered.isdisjoint(range(at, end)):
                added.append(Accepted(at, end, owner.security, "abbreviation", 0.85))
                covered.update(range(at, end))
            at = text.find(short, end)
    return sorted([*accepted, *added], key=lambda a: a.start) if added else accepted


def _owner(text: str, at: int, accepted: list[Accepted]) -> Accepted | None:
    """The company whose full name stands before the introduction at `at`."""
    for item in reversed(accepted):
        if item.end <= at and at - item.end <= _BACK:
            between = text[item.end : at]
            named = item.evidence == "full_name" or "公司" in between
            return item if named and _LEGAL.fullmatch(between) else None
    return None
