"""A linear model on character n-grams: the wide part beside the transformer.

A word seen once in training is worth more to it than to a network, and it costs a fraction of a millisecond. Features
are n-grams of one to three characters, hashed, those of the title a second time apart; values are 1 + log(count),
weighted by idf, scaled to unit length.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

BITS = 17
SIZE = 1 << BITS
LONGEST = 3

Sparse = tuple[np.ndarray, np.ndarray]  # bucket numbers (n,), values (n,)
NO_GRAMS: Sparse = (np.zeros(0, np.int64), np.zeros(0, np.float32))


def features(text: str, title: str = "", idf: np.ndarray | None = None) -> Sparse:
    """Hashed n-grams of a text, and of its title apart, by bucket. Without `idf` every n-gram weighs the same."""
    found: list[int] = []
    for mark, source in ((b"", text.lower()), (b"^", title.lower())):
        characters = [character.encode("utf-8", "replace") for character in source]
        hashes = [crc32(mark)] * len(characters)
        for n in range(LONGEST):  # each n-gram's hash goes on from that of the one a character shorter
            hashes = list(map(crc32, characters[n:], hashes))
            found += hashes
    at, counts = np.unique(np.array(found, np.int64) & (SIZE - 1), return_counts=True)
    values = 1 + np.log(counts.astype(np.float32))
    if idf is not None:
        values = values * idf[at]
    return at, values / max(float(np.linalg.norm(values)), 1e-9)


def around(text: str, places: Sequence[tuple[int, int]], reach: int = 40) -> tuple[str, str]:
    """What stands around a company's places, its name overwritten: (near, close)."""
    near, close = [], []
    for start, end in places[:4]:
        before, after = text[max(0, start - reach) : start], text[end : end + reach]
        near.append(f"{before}§{after}")
        close.append(f"{before[-8:]}§{after[:16]}")
    return " ".join(near), " ".join(close)


class Ngrams:
    """The fitted linear heads: `themes` (K), `news` (3), `post` (3), `toward` (3); and what is usual in news.

    `mean` and `spread` (SIZE; the standard deviation) are of each n-gram's value over wires.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self._idf, self.mean, self.spread = (stored[n].astype(np.float32) for n in ("idf", "mean", "spread"))
            self._heads = {
                name: (stored[f"{name}.weight"].astype(np.float32), stored[f"{name}.bias"].astype(np.float32))
                for name in ("themes", "news", "post", "toward")
            }

    def read(self, text: str, title: str) -> Sparse:
        """The n-grams of a text and its title."""
        return features(text, title, self._idf)

    def score(self, grams: Sparse, heads: Sequence[str]) -> dict[str, np.ndarray]:
        """Logits of some heads for a text's n-grams."""
        at, values = grams
        return {name: np.asarray(values @ self._heads[name][0][at] + self._heads[name][1]) for name in heads}
