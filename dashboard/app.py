"""The dashboard's entry: look, language, who the reader is, navigation; then the page that the URL names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from dashboard import access_page, frame, look, panel, state
from dashboard.text import say
from dashboard.views import alerts, document, overview, reports, search, security, sql, stories, system, theme

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 118 32" width="118" height="32">
<g fill="none" stroke="#2f6fed" stroke-width="3.2" stroke-linecap="round"><path d="M3 11h15a4.5 4.5 0 1 0-4.5-4.5"/>
<path d="M3 17h22a4.5 4.5 0 1 1-4.5 4.5"/><path d="M3 23h9a3.5 3.5 0 1 1-3.5 3.5"/></g>
<text x="38" y="23.5" font-size="21"
 font-weight="700" font-family="PingFang SC,Microsoft YaHei,Noto Sans CJK SC,sans-serif"
 fill="#2f6fed">风向</text></svg>"""


PAGES: dict[str, tuple[Callable[[], None], str, Literal["visible", "hidden"]]] = {
    "overview": (overview.page, "dashboard", "visible"),
    "theme": (theme.page, "category", "visible"),
    "security": (security.page, "monitoring", "visible"),
    "stories": (stories.page, "hub", "visible"),
    "reports": (reports.page, "description", "visible"),
    "search": (search.page, "search", "visible"),
    "alerts": (alerts.page, "notifications", "visible"),
    "sql": (sql.page, "terminal", "visible"),
    "system": (system.page, "speed", "visible"),
    "document": (document.page, "article", "hidden"),
}


def main() -> None:
    st.set_page_config(page_title="风向 Fengxiang", page_icon="🌬️", layout="wide", initial_sidebar_state="collapsed")
    with st.container(horizontal=True, horizontal_alignment="right", key="corner"):
        state.language_switch()
        with st.popover("", icon=":material/palette:", type="tertiary", help=say("settings")):
            state.colour_switch()
            st.caption(say("settings_note"))
            access_page.account()
    look.inject()
    st.logo(LOGO, size="medium")
    if not access_page.admitted():
        return
    pages = {
        name: st.Page(
            page,
            title=say(f"page_{name}"),
            icon=f":material/{icon}:",
            url_path=name,
            default=name == "overview",
            visibility=shown,
        )
        for name, (page, icon, shown) in PAGES.items()
    }
    panel.PAGES.update(pages)
    current = st.navigation(list(pages.values()), position="top")
    frame.guarded(current.run)


main()
