"""The one place where text from outside becomes something a page may show.

Pages build HTML only with `html`, whose template is ours and whose values are escaped unless they are `Markup` already;
`panel` refuses anything else. Streamlit labels are Markdown, so text that must stand in one goes through `label`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from markupsafe import Markup, escape

# Control characters, and the direction and invisible marks that let a title rewrite the line it stands in.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def html(template: str, **values: object) -> Markup:
    """Our `template` with `values` filled in by `str.format`, each escaped unless it is `Markup`."""
    return Markup(template).format(**values)


def join(parts: Iterable[Markup]) -> Markup:
    """Pieces of HTML one after the other."""
    return Markup("").join(parts)


def plain(text: object, limit: int = 0) -> str:
    """Text on one line without unseen characters, cut to `limit` characters (0: uncut)."""
    line = " ".join(_UNSEEN.sub("", str(text)).split())
    return line if not limit or len(line) <= limit else line[: limit - 1] + "…"


def label(text: object, limit: int = 80) -> str:
    """Text for a Streamlit label, with everything that Markdown, LaTeX or emoji codes would act on escaped."""
    return _MARKDOWN.sub(r"\\\1", plain(text, limit))


def web_address(url: str) -> str:
    """The URL when it is a plain web address, otherwise nothing: no javascript:, data: or file: links."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    return url.strip() if parts.scheme in ("http", "https") and parts.hostname else ""


def marked(text: str, spans: Iterable[tuple[int, int, str]]) -> Markup:
    """`text` escaped, with each span (start, end in code points, CSS class) in a <mark>; overlaps: the first wins."""
    parts: list[Markup] = []
    position = 0
    for start, end, css in sorted(spans):
        start, end = max(start, 0), min(end, len(text))
        if start < position or end <= start:
            continue
        parts.append(escape(text[position:start]))
        parts.append(html('<mark class="{css}">{text}</mark>', css=css, text=text[start:end]))
        position = end
    parts.append(escape(text[position:]))
    return join(parts)
