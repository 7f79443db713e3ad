"""One form for matching: half-width, lower case, simplified characters, no blanks inside names.

`normalise` is vectorised; every character of its result knows its place in the original text. Line breaks stay, for
a name doesn't run over the end of a paragraph.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_TRADITIONAL = Path(__file__).with_name("data") / "traditional.txt"
_BLANKS = " \t\r\x0b\x0c\xa0\u3000\u200b\u200c\u200d\u2060\ufeff\u2002\u2003\u2009\u00ad"
_SIZE = 0x10000
_BLANK = 0x20


class Normalised(NamedTuple):
    """`text` in the matching form; `places[i]` is the original offset of character i (None: the same)."""

    text: str
    places: NDArray[np.intp] | None

    def place(self, index: int) -> int:
        """Original offset of the character at `index`."""
        return index if self.places is None else int(self.places[index])


@lru_cache(maxsize=1)
def _table() -> NDArray[np.uint32]:
    """What each character of the basic plane becomes; blanks become a space."""
    table = np.arange(_SIZE, dtype=np.uint32)
    _, traditional, simplified = _TRADITIONAL.read_text(encoding="utf-8").splitlines()
    for before, after in zip(traditional, simplified, strict=True):
        table[ord(before)] = ord(after)
    table[0xFF01:0xFF5F] = np.arange(0x21, 0x7F)
    table[0x41:0x5B] = np.arange(0x61, 0x7B)
    table[0xFF21:0xFF3B] = np.arange(0x61, 0x7B)
    for mark in "–—−‐‑":
        table[ord(mark)] = ord("-")
    for mark in "·•・‧":
        table[ord(mark)] = ord("·")
    table[[ord(blank) for blank in _BLANKS]] = _BLANK
    table[0xD800:0xE000] = 0xFFFD  # lone surrogates can't be encoded again
    return table


def normalise(text: str) -> Normalised:
    """The matching form of any string."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    table = _table()
    if points.size and int(points.max()) >= _SIZE:
        points = np.where(points < _SIZE, points, 0xFFFD)  # emoji and rare ideographs: in no name
    points = table[points]
    kept = points != _BLANK
    if kept.all():
        return Normalised(points.tobytes().decode("utf-32-le"), None)
    return Normalised(points[kept].tobytes().decode("utf-32-le"), np.flatnonzero(kept))


def normal_name(name: str) -> str:
    """The matching form of a name."""
    return normalise(name).text
