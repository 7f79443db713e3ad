"""Who the reader is and what they may do: `reader`, wherever a page needs to know.

Three ways, by the setting dashboard.access: open (everybody who reaches the dashboard edits; loopback only), password
(the file that `fengxiang users` writes; `access_gate` has let nobody else through), oidc (a provider signs readers in
through Streamlit, and lists of addresses say what they may do).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.access_gate import COOKIE
from dashboard.access_start import sessions
from deploy.settings import Settings, load


@dataclass(frozen=True)
class Reader:
    """Who looks at the page; without a name where nobody signs in."""

    name: str
    role: str  # viewer or editor

    def can_edit(self) -> bool:
        return self.role == "editor"


NOBODY = Reader("", "viewer")


def reader() -> Reader:
    """The reader of this page now; one who isn't signed in (any more) may edit nothing."""
    return signed_in() or NOBODY


def signed_in() -> Reader | None:
    """The reader, or None where somebody has to sign in first."""
    settings = load()
    if settings.dashboard.access == "open":
        return Reader("", "editor")
    if settings.dashboard.access == "oidc":
        return role_of(st.user.to_dict(), settings, time.time()) if st.user.is_logged_in else None
    user = sessions().user(st.context.cookies.get(COOKIE, ""))
    return Reader(user.name, user.role) if user else None


def role_of(claims: dict[str, Any], settings: Settings, now: float) -> Reader | None:
    """The reader that a provider's claims name; None where they are too old, or on neither list."""
    chosen = settings.dashboard
    address = str(claims.get("email") or "").strip().casefold()
    if now - float(claims.get("iat") or 0) > chosen.session_hours * 3600 or claims.get("email_verified") is False:
        return None
    domain = f"@{address.rpartition('@')[2]}" if "@" in address else ""
    for role, listed in (("editor", chosen.oidc_editors), ("viewer", chosen.oidc_viewers)):
        known = {entry.strip().casefold() for entry in listed.split(",")} - {""}
        if known & {"*", address, domain}:
            return Reader(address or str(claims.get("name") or claims.get("sub") or ""), role)
    return None
