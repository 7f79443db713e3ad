"""The sentence around a mention."""

from __future__ import annotations

import re

LIMIT = 300  # characters
_END = re.compile(r"[。！？!?；;\n]|(?<=[^0-9A-Za-z])\.(?=\s|$)")


def sentence_at(text: str, start: int, end: int) -> tuple[int, int]:
    """Offsets of the sentence that holds [start, end), at most `LIMIT` characters (more only for a longer mention)."""
    room = max(0, LIMIT - (end - start))
    low, high = max(0, start - room), min(len(text), end + room)
    first = low
    for match in _END.finditer(text, low, start):
        first = match.end()
    stop = _END.search(text, end, high)
    last = stop.end() if stop else high
    if last - first > LIMIT:  # keep the mention, share what is left between its sides
        first = max(first, start - room // 2)
        last = min(last, first + max(LIMIT, end - first))
    while first < start and text[first].isspace():
        first += 1
    while last > end and text[last - 1].isspace():
        last -= 1
    return first, last
