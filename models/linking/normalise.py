"""One form for matching: half-width, lower case, simplified characters, no blanks inside names.

`normalise` is vectorised; every character of its result knows its place in the original text. Line breaks stay, for
a name doesn't run over the end of a paragraph, except those that only wrap a long line.
"""

from __future__ import annotations

from codecs import utf_16_le_decode, utf_16_le_encode
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_TRADITIONAL = Path(__file__).with_name("data") / "traditional.txt"
WRAPPED = 20  # characters of a line that may be wrapped; shorter ones end where they end
_BLANK = ord(" ")
_BLANKS = " \t\r\x0b\x0c\xa0\u3000\u200b\u200c\u200d\u2060\ufeff\u2002\u2003\u2009\u00ad"


class Normalised(NamedTuple):
    """A text in the matching form, with the way back."""

    text: str
    points: NDArray[np.uint16] | None  # the form with the blanks that `text` lacks; None: it lacks none

    def places(self) -> Sequence[int]:
        """Original offset of each character of `text`. Costs as much as `normalise`: ask once, and only when needed."""
        return range(len(self.text)) if self.points is None else np.flatnonzero(self.points != _BLANK).tolist()


@lru_cache(maxsize=1)
def _table() -> NDArray[np.uint16]:
    """What each character of the basic plane becomes; blanks become a space."""
    table = np.arange(0x10000, dtype=np.uint16)
    _, traditional, simplified = _TRADITIONAL.read_text(encoding="utf-8").splitlines()
    for before, after in zip(traditional, simplified, strict=True):
        table[ord(before)] = ord(after)
    table[0xFF01:0xFF5F] = np.arange(0x21, 0x7F)
    table[0x41:0x5B] = np.arange(0x61, 0x7B)
    table[0xFF21:0xFF3B] = np.arange(0x61, 0x7B)
    for marks, mark in (("–—−‐‑", "-"), ("•・‧", "·")):
        table[[ord(other) for other in marks]] = ord(mark)
    table[[ord(blank) for blank in _BLANKS]] = _BLANK
    table[0xD800:0xE000] = 0xFFFD  # lone surrogates can't be encoded again
    return table


def normalise(text: str) -> Normalised:
    """The matching form of any string."""
    points = np.frombuffer(utf_16_le_encode(text, "surrogatepass")[0], dtype=np.uint16)
    if len(points) != len(text):  # emoji and rare ideographs, which stand in no name, take two units
        wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        points = np.where(wide < 0x10000, wide, 0xFFFD).astype(np.uint16)
    points = _table().take(points)
    if "\n" in text:
        points[_wraps(points)] = _BLANK
    form = utf_16_le_decode(points.tobytes())[0]
    if " " not in form:
        return Normalised(form, None)
    return Normalised(form.replace(" ", ""), points)


def _wraps(points: NDArray[np.uint16]) -> NDArray[np.intp]:
    """Places of the line breaks that only wrap a line: full of text before, an ideograph on either side."""
    breaks = np.flatnonzero(points == ord("\n"))
    lengths = np.diff(breaks, prepend=-1) - 1
    inner = (lengths >= WRAPPED) & (breaks > 0) & (breaks < len(points) - 1)
    breaks = breaks[inner]
    beside = np.stack([points[breaks - 1], points[breaks + 1]])
    return breaks[((beside >= 0x4E00) & (beside <= 0x9FFF)).all(axis=0)]


def normal_name(name: str) -> str:
    """The matching form of a name."""
    return normalise(name).text
