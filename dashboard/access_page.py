"""What readers see of signing in: the way in before any page, and who they are among the settings."""

from __future__ import annotations

import streamlit as st

from dashboard import access
from dashboard.access_gate import SIGN_IN, SIGN_OUT
from dashboard.blocks import empty
from dashboard.panel import panel
from dashboard.safe import html, label
from dashboard.text import say
from deploy.settings import load

LOOK_AGAIN = 20  # seconds between looks at whether an open page's reader is still signed in


def admitted() -> bool:
    """Whether the reader is signed in, looked at again while the page is open; a way to sign in where not."""
    if load().dashboard.access == "open":
        return True
    if access.signed_in() is None:
        _sign_in()
        return False
    _look_again()
    return True


def account() -> None:
    """Who is signed in and the way out, for the settings; nothing where nobody signs in."""
    way = load().dashboard.access
    who = access.signed_in()
    if way == "open" or who is None:
        return
    st.markdown(f"**{label(who.name)}** · {say(f'role_of_{who.role}')}")
    if way == "oidc":
        st.button(say("sign_out"), icon=":material/logout:", on_click=st.logout)
    else:
        button = html(
            '<form method="post" action="{to}"><button class="fx-mark">{text}</button></form>',
            to=SIGN_OUT,
            text=say("sign_out"),
        )
        panel(button, "sign-out")


def _sign_in() -> None:
    if load().dashboard.access == "password":
        link = html('<a href="{to}" target="_self">{text}</a>', to=SIGN_IN, text=say("sign_in"))
        panel(html("{state}{link}", state=empty("lock", say("signed_out"), ""), link=link), "sign-in")
    elif st.user.is_logged_in:
        address = str(st.user.to_dict().get("email", ""))
        panel(empty("lock", say("not_listed"), say("not_listed_hint"), address), "sign-in")
        st.button(say("sign_in"), on_click=st.login, type="primary")
    else:
        panel(empty("lock", say("sign_in_first"), ""), "sign-in")
        st.button(say("sign_in"), on_click=st.login, type="primary")


@st.fragment(run_every=LOOK_AGAIN)
def _look_again() -> None:
    if access.signed_in() is None:
        st.rerun(scope="app")
