"""Bytes of unknown encoding to text: a byte order mark, a header's charset, UTF-8, the text's own charset, GB18030.

A text declares its charset itself, so only names that are encodings of texts are believed.
"""

from __future__ import annotations

import codecs
import os
import re

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_-]{3,20})""", re.IGNORECASE)
_CHINESE = frozenset({"gb2312", "gbk", "gb_2312-80", "gb18030", "hz-gb-2312"})
# Python's own notations, one of which takes time by the square of the length, and UTF-7, which browsers refuse too.
_NO_CHARSETS = frozenset({"punycode", "raw-unicode-escape", "unicode-escape", "utf-7"})


def encoding_of(head: bytes, declared: str = "") -> str:
    """The encoding of a text that begins with `head`; `declared`: what a header said, believed if it decodes."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    found = _DECLARED.search(head[:4096])
    inside = found[1].decode() if found else ""
    # What reads as UTF-8 is UTF-8: a document inside it may speak of the charset of the page that it comes from.
    guesses = (declared, inside, "utf-8") if head.isascii() else (declared, "utf-8", inside)
    for name in filter(None, guesses):
        name = "gb18030" if name.lower() in _CHINESE else name
        if _decodes(head, name):
            return name
    return "gb18030" if _decodes(head, "gb18030") else "utf-8"


def decode(data: bytes, declared: str = "") -> str:
    """The text; what no encoding explains becomes U+FFFD."""
    return data.decode(encoding_of(data, declared), "replace")


def readable(path: str) -> str:
    """A path, or a part of one, as text that can be stored: names made elsewhere may be bytes in GB18030."""
    return "/".join(decode(os.fsencode(part)) for part in path.split("/"))


def _decodes(head: bytes, name: str) -> bool:
    try:
        if codecs.lookup(name).name in _NO_CHARSETS:
            return False
        b" ".decode(name, "replace")  # refuses what Python has beside encodings of texts: rot13, base64, zlib
        codecs.getincrementaldecoder(name)().decode(head)  # incremental: the head may end inside a character
    except (LookupError, UnicodeError, ValueError):
        return False
    return True
