"""A web page's article: title, text, date, author and site, by trafilatura; the rest of the page is dropped."""

from __future__ import annotations

from typing import Any

import trafilatura
from lxml.etree import LxmlError  # type: ignore[import-untyped]

from ingest.fields import RowError

MAX_CHARACTERS = 5_000_000
MAX_TAGS = 30_000  # a news page has some thousands; the extractor's time grows faster than their number


def article(page: str, *, url: str) -> dict[str, Any]:
    """Fields of the article in an HTML page, as `ingest.fields` names them. Raises `RowError` when there is none."""
    if len(page) > MAX_CHARACTERS:
        raise RowError(f"the page has more than {MAX_CHARACTERS:,} characters: save the article itself")
    if page.count("<") > 2 * MAX_TAGS:
        raise RowError(f"the page has more than {MAX_TAGS:,} elements: save the article itself")
    try:
        found = trafilatura.bare_extraction(page, url=url or None, with_metadata=True, include_comments=False)
    except (LxmlError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise RowError(f"the HTML can't be read: {error}") from error
    if found is None or not found.text:
        raise RowError("no article text in the HTML (drawn by scripts, or a list of links): save the article itself")
    fields = {
        "title": found.title,
        "body": found.text,
        "published_at": found.date,
        "author": found.author,
        "publisher": found.sitename or found.hostname,
        "url": url or found.url,
    }
    return {name: value for name, value in fields.items() if value}
