"""The dashboard's entry: look, navigation, language; then the page that the URL names."""

from __future__ import annotations

import streamlit as st

from dashboard import frame, look, panel, state
from dashboard.pages import overview
from dashboard.text import say

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 118 32" width="118" height="32">
<g fill="none" stroke="#2f6fed" stroke-width="3.2" stroke-linecap="round"><path d="M3 11h15a4.5 4.5 0 1 0-4.5-4.5"/>
<path d="M3 17h22a4.5 4.5 0 1 1-4.5 4.5"/><path d="M3 23h9a3.5 3.5 0 1 1-3.5 3.5"/></g>
<text x="38" y="23.5" font-size="21" font-weight="700" font-family="PingFang SC,Microsoft YaHei,Noto Sans CJK SC,sans-serif"
 fill="#2f6fed">风向</text></svg>"""


def main() -> None:
    st.set_page_config(page_title="风向 Fengxiang", page_icon="🌬️", layout="wide", initial_sidebar_state="collapsed")
    look.inject()
    st.logo(LOGO, size="medium")
    pages = {
        "overview": st.Page(
            overview.page, title=say("page_overview"), icon=":material/dashboard:", url_path="overview", default=True
        ),
    }
    panel.PAGES.update(pages)
    current = st.navigation(list(pages.values()), position="top")
    with st.container(horizontal=True, horizontal_alignment="right", key="corner"):
        state.language_switch()
        with st.popover("", icon=":material/palette:", type="tertiary", help=say("settings")):
            state.colour_switch()
            st.caption(say("settings_note"))
    frame.guarded(current.run)


main()
