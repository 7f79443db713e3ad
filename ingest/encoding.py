"""Bytes of unknown encoding to text: a byte order mark or a declared charset first, then UTF-8, then GB18030."""

from __future__ import annotations

import codecs
import re

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_-]{3,20})""", re.IGNORECASE)
_CHINESE = frozenset({"gb2312", "gbk", "gb_2312-80", "gb18030", "hz-gb-2312"})


def encoding_of(head: bytes, declared: str = "") -> str:
    """The encoding of a text that begins with `head`; `declared`: what a header said, believed if it decodes."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    found = _DECLARED.search(head[:4096])
    for name in filter(None, (declared, found[1].decode() if found else "", "utf-8")):
        name = "gb18030" if name.lower() in _CHINESE else name
        if _decodes(head, name):
            return name
    return "gb18030" if _decodes(head, "gb18030") else "utf-8"


def decode(data: bytes, declared: str = "") -> str:
    """The text; what no encoding explains becomes U+FFFD."""
    return data.decode(encoding_of(data, declared), "replace")


def _decodes(head: bytes, name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(head)  # incremental: the head may end inside a character
    except (LookupError, UnicodeError, ValueError):
        return False
    return True
