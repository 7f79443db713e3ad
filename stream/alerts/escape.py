"""Text of others inside our messages: it can't be markup, mention anybody, or end a header. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal
from urllib.parse import quote, urlsplit

Format = Literal["text", "markdown", "html"]

# Characters that look the same and do nothing: full-width forms.
_MENTIONS = str.maketrans({"@": "＠", "<": "＜", ">": "＞"})
_MARKUP = str.maketrans({letter: chr(ord(letter) + 0xFEE0) for letter in "*_[]`#~|!\\"})
_SPACES = re.compile(r"\s+")
_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
MAX_URL = 2000


def line(text: str, limit: int = 300) -> str:
    """One line without control or direction characters: fit for a title or a header."""
    return _shorten(_SPACES.sub(" ", _visible(_BREAKS.sub(" ", text))).strip(), limit)


def quiet(text: str, form: Format, limit: int = 300) -> str:
    """`line` for a body: no mentions; in Markdown and HTML no markup either."""
    safe = line(text, limit).translate(_MENTIONS)
    return safe.translate(_MARKUP) if form != "text" else safe


def address(url: str) -> str:
    """An http(s) address that no format reads as anything else; empty for what is none."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host or len(url) > MAX_URL or parts.username is not None:
        return ""
    port = f":{parts.port}" if _port(url) else ""
    try:
        host = f"[{host}]" if ":" in host else host.encode("idna").decode()
    except UnicodeError:
        return ""
    if not re.fullmatch(r"[a-z0-9.\-\[\]:]+", host):
        return ""
    path, query = (_encode(part, extra) for part, extra in ((parts.path, "/:"), (parts.query, "/:=&+")))
    return f"{parts.scheme}://{host}{port}{path}" + (f"?{query}" if query else "")


def _encode(text: str, safe: str) -> str:
    # `quote` leaves _ and ~ alone, which Markdown reads as emphasis and strike-through
    return quote(text, safe=safe + "%").replace("_", "%5F").replace("~", "%7E")


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _visible(text: str) -> str:
    """Without control, format (direction, zero-width), private and half characters; tabs become spaces."""
    return "".join(" " if c == "\t" else c for c in text if c == "\t" or unicodedata.category(c) not in _HIDDEN)


_HIDDEN = frozenset(["Cc", "Cf", "Cs", "Co", "Cn"])


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
