"""Our own HTML on a page: cards, lists, the feed. See panel.js for how it updates.

`panel` takes only `Markup` from `safe.html`, so text from outside is always escaped. `link` makes addresses that also
work when they are opened in a new tab; a plain click moves within the app and keeps the session.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit as st
from markupsafe import Markup

from dashboard import marks, state
from dashboard.safe import html

PAGES: dict[str, Any] = {}  # url path -> st.Page, filled by the app


@cache
def _component() -> Any:
    return st.components.v2.component(
        "fengxiang_panel",
        html='<div class="fx-panel"></div>',
        js=(Path(__file__).parent / "panel.js").read_text(encoding="utf-8"),
        isolate_styles=False,
    )


def panel(content: Markup, key: str) -> None:
    """Show `content`; a click on one of its links opens that page, on one of its marks corrects what is shown."""
    if not isinstance(content, Markup):
        raise TypeError("a panel shows only Markup that safe.html built")
    result = _component()(
        data={"html": str(content)}, key=f"panel-{key}", on_go_change=lambda: None, on_mark_change=lambda: None
    )
    if result.go:
        go(result.go)
    if result.mark:
        marks.take(result.mark)


def go(address: str) -> None:
    """Open a page by an address from `href`."""
    parts = urlsplit(address)
    page = PAGES.get(parts.path.strip("/"))
    if page is not None:
        st.switch_page(page, query_params=dict(parse_qsl(parts.query)))


def href(page: str, **query: str) -> str:
    """Address of a page with the reader's window, counting and language carried along."""
    values = urlencode({k: v for k, v in {**state.shared(), **query}.items() if v})
    return f"{page}?{values}" if values else page


def link(page: str, content: object, css: str = "", **query: str) -> Markup:
    """A link to a page of the app."""
    return html(
        '<a data-page class="{css}" href="{href}">{content}</a>', css=css, href=href(page, **query), content=content
    )
