"""Fingerprints of Chinese text for near-duplicate search: shingles of five characters, one-permutation MinHash.

The text is reduced to what copies keep: no white space or punctuation, no agency's date line, one form of each
character width. All arrays are numpy; nothing here keeps state.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt

SHINGLE: Final = 5
WIDTH: Final = 128  # values in a signature
MAX_TEXT: Final = 20_000  # characters that count
ROWS: Final = 4  # values in a band: 32 bands find pairs from a Jaccard similarity of about 0.4 on

Hashes = npt.NDArray[np.uint64]
Signature = npt.NDArray[np.uint32]

# 财联社5月14日电，  |  新华社北京5月14日电  |  格隆汇5月14日丨  |  智通财经APP获悉，  |  据……报道，
_DATE_LINE = re.compile(
    r"(?:[一-鿿A-Za-z]{2,10})?\d{1,2}月\d{1,2}日(?:电|讯|消息|[丨|｜])|智通财经APP获悉|\(.{0,12}(?:记者|编辑).{0,30}?\)|（.{0,12}(?:记者|编辑).{0,30}?）"
)
_KEPT = re.compile(r"[0-9a-z一-鿿㐀-䶿]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_POWERS = np.array([pow(1_000_003, k, 1 << 64) for k in range(SHINGLE)], dtype=np.uint64)
_EMPTY = np.uint32(0xFFFFFFFF)


def reduce(text: str) -> str:
    """What copies of a text have in common: letters, digits and characters, without date lines."""
    text = unicodedata.normalize("NFKC", text[:MAX_TEXT]).lower()
    return "".join(_KEPT.findall(_DATE_LINE.sub("", text)))


def numbers(text: str) -> frozenset[str]:
    """The figures in a text; wires that differ only in these tell different news."""
    text = unicodedata.normalize("NFKC", text[:MAX_TEXT])
    return frozenset(_NUMBER.findall(_DATE_LINE.sub("", text)))


def shingles(reduced: str) -> Hashes:
    """Sorted distinct 64-bit hashes of the text's five-character pieces; empty for shorter texts."""
    codes = np.frombuffer(reduced.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    count = len(codes) - SHINGLE + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    mixed = np.zeros(count, dtype=np.uint64)
    for k in range(SHINGLE):
        mixed += codes[k : k + count] * _POWERS[k]
    for shift, factor in ((29, 0xBF58476D1CE4E5B9), (32, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.unique(mixed)


def signature(hashes: Hashes) -> Signature:
    """One-permutation MinHash: `WIDTH` bins, empty bins filled from the next full one."""
    out = np.full(WIDTH, _EMPTY, dtype=np.uint32)
    if not len(hashes):
        return out
    bins = (hashes >> np.uint64(57)).astype(np.intp)
    starts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])  # sorted hashes: the first of a bin is its minimum
    out[bins[starts]] = (hashes[starts] >> np.uint64(16)).astype(np.uint32)
    empty = np.flatnonzero(out == _EMPTY)
    if len(empty):
        full = np.flatnonzero(out != _EMPTY)
        donor = full[np.searchsorted(full, empty) % len(full)]
        out[empty] = out[donor] + np.uint32(7919) * ((empty - donor) % WIDTH).astype(np.uint32)
    return out


def bands(sig: Signature) -> list[bytes]:
    """Keys under which a document is filed: two documents that share one are candidates."""
    raw, step = sig.tobytes(), ROWS * 4
    return [bytes([i]) + raw[i * step : (i + 1) * step] for i in range(WIDTH // ROWS)]


def overlap(a: Hashes, b: Hashes) -> tuple[float, float]:
    """Jaccard similarity, and containment of the smaller text in the larger."""
    if not len(a) or not len(b):
        return 0.0, 0.0
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common), common / min(len(a), len(b))
