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

# 财联社5月14日电，  |  新华社北京5月14日电  |  格隆汇5月14日丨  |  智通财经APP获悉，  |  （记者 …）
# The agency before the date is looked for once a date is found: an expression for both would try at every character.
_DATE = re.compile(r"\d{1,2}月\d{1,2}日(?:电|讯|消息|[丨|｜])")
_AGENCY = re.compile(r"[一-鿿a-z]{2,10}\Z")
_REPORTER = re.compile(r"\(.{0,12}(?:记者|编辑).{0,30}?\)|（.{0,12}(?:记者|编辑).{0,30}?）")
_KEPT = re.compile(r"[0-9a-z一-鿿㐀-䶿]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_POWERS = np.array([pow(1_000_003, k, 1 << 64) for k in range(SHINGLE)], dtype=np.uint64)
_EMPTY = np.uint32(0xFFFFFFFF)
_BAND = np.repeat(np.arange(WIDTH // ROWS, dtype=np.uint32) * np.uint32(0x9E3779B1), ROWS)  # keeps bands' keys apart


def plain(text: str) -> str:
    """The text in one form of each character, in small letters, without agencies' date lines."""
    text = unicodedata.normalize("NFKC", text[:MAX_TEXT]).lower()
    if "记者" in text or "编辑" in text:
        text = _REPORTER.sub("", text)
    if "智通财经app获悉" in text:
        text = text.replace("智通财经app获悉", "")
    end, kept = 0, ""
    for date in _DATE.finditer(text):
        before = text[end : date.start()]
        agency = _AGENCY.search(before, max(0, len(before) - 10))
        kept += before[: agency.start()] if agency else before
        end = date.end()
    return kept + text[end:] if end else text


def reduce(text: str) -> str:
    """What copies of a `plain` text have in common: letters, digits and characters."""
    return "".join(_KEPT.findall(text))


def numbers(text: str) -> frozenset[str]:
    """The figures in a `plain` text; wires that differ only in these tell different news."""
    return frozenset(_NUMBER.findall(text))


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
    mixed.sort()
    new = np.empty(count, dtype=bool)
    new[0] = True
    np.not_equal(mixed[1:], mixed[:-1], out=new[1:])
    return mixed[new]


def signature(hashes: Hashes) -> Signature:
    """One-permutation MinHash: `WIDTH` bins, empty bins filled from the next full one."""
    out = np.full(WIDTH, _EMPTY, dtype=np.uint32)
    if not len(hashes):
        return out
    bins = (hashes >> np.uint64(57)).astype(np.intp)
    lowest = (hashes >> np.uint64(16)).astype(np.uint32)
    out[bins[::-1]] = lowest[::-1]  # sorted hashes: the first of a bin is its minimum, and is written last
    empty = (out == _EMPTY).nonzero()[0]
    if len(empty):
        full = (out != _EMPTY).nonzero()[0]
        donor = full[np.searchsorted(full, empty) % len(full)]
        out[empty] = out[donor] + np.uint32(7919) * ((empty - donor) % WIDTH).astype(np.uint32)
    return out


def bands(sig: Signature) -> list[bytes]:
    """Keys under which a document is filed: two documents that share one are candidates."""
    keys: list[bytes] = (sig ^ _BAND).view(f"V{ROWS * 4}").tolist()
    return keys


def overlap(a: Hashes, b: Hashes) -> tuple[float, float]:
    """Jaccard similarity, and containment of the smaller text in the larger."""
    if not len(a) or not len(b):
        return 0.0, 0.0
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common), common / min(len(a), len(b))
