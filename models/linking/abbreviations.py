"""Short names that a text introduces for a company: 芒果超媒股份有限公司(以下简称"芒果").

Once introduced right after the full name of a linked company, every later occurrence is that company.
"""

from __future__ import annotations

import re

from models.linking.reading import Accepted

_INTRODUCED = re.compile(
    r"\((?:[^()。;]{0,20},)?(?:以下简称|下称|简称)(?:为|:)?[\"“'‘「《]?([\u4e00-\u9fffa-z0-9]{2,8})[\"”'’」》),，]"
)


def introduced(text: str, accepted: list[Accepted]) -> list[Accepted]:
    """`accepted` with the occurrences of the abbreviations that `text` introduces for companies in it."""
    by_end = {item.end: item for item in accepted if item.evidence == "full_name"}
    covered = {place for item in accepted for place in range(item.start, item.end)}
    added: list[Accepted] = []
    known: set[str] = set()  # the first introduction covers what follows it
    for match in _INTRODUCED.finditer(text) if by_end else ():
        short, owner = match[1], by_end.get(match.start())
        if owner is None or short in known or not _shortens(short, text[owner.start : owner.end]):
            continue
        known.add(short)
        at = text.find(short, match.start(1))
        while at >= 0:
            end = at + len(short)
            if covered.isdisjoint(range(at, end)):
                added.append(Accepted(at, end, owner.security, "abbreviation", 0.85))
                covered.update(range(at, end))
            at = text.find(short, end)
    return sorted([*accepted, *added], key=lambda item: item.start) if added else accepted


def _shortens(short: str, full: str) -> bool:
    """Whether `short` is made of the characters of `full` in their order, and says more than 公司 or 集团."""
    rest = iter(full)
    return short not in ("公司", "集团", "股份", "本公司") and all(character in rest for character in short)
