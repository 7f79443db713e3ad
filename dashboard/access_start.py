"""The start of the dashboard behind what the settings say about access; refuses what would leave it open."""

from __future__ import annotations

import time
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.middleware import Middleware

from dashboard.access_gate import Desk, Gate
from dashboard.access_sessions import Sessions
from dashboard.access_users import AccessError, Book
from deploy.settings import Settings, load, secret


def problem(settings: Settings, host: str) -> str:
    """What is wrong with the access settings for a dashboard on `host`, and the remedy; nothing where all is well."""
    chosen = settings.dashboard
    if chosen.access == "open" and not is_loopback(host):
        return (
            f"the dashboard would be open to everybody who reaches {host}: add a reader with fengxiang users add NAME"
            " --role editor and set FENGXIANG_DASHBOARD__ACCESS=password (or oidc), or listen on 127.0.0.1"
        )
    if chosen.access == "password":
        try:
            if not Book(path := settings.dashboard_users).users():
                return f"nobody could sign in, {path} has nobody in it: fengxiang users add NAME --role editor"
        except AccessError as error:
            return str(error)
    if chosen.access == "oidc":
        needed = ("oidc_url", "oidc_client_id", "oidc_client_secret")
        missing = [f"FENGXIANG_DASHBOARD__{key.upper()}" for key in needed if not getattr(chosen, key)]
        if not chosen.oidc_editors and not chosen.oidc_viewers:
            missing.append("FENGXIANG_DASHBOARD__OIDC_EDITORS or FENGXIANG_DASHBOARD__OIDC_VIEWERS")
        if missing:
            return f"dashboard.access is oidc, which needs {', '.join(missing)}: docs/operations.md describes them"
    return ""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def application(script: str, settings: Settings) -> Any:
    """The dashboard's ASGI application, a `streamlit.App`, behind what the settings ask for."""
    if settings.dashboard.access == "password":
        desk = Desk(sessions())
        return st.App(script, routes=desk.routes(), middleware=[Middleware(Gate, sessions=sessions())])
    if settings.dashboard.access == "oidc":
        auth: dict[str, Any] = {
            "redirect_uri": f"{settings.dashboard_url}/oauth2callback",
            "cookie_secret": secret(settings.data_dir, "dashboard-cookie"),
            "client_id": settings.dashboard.oidc_client_id,
            "client_secret": settings.dashboard.oidc_client_secret,
            "server_metadata_url": settings.dashboard.oidc_url,
        }
        return st.App(script, secrets={"auth": auth})
    return st.App(script)


def hosts(settings: Settings, host: str) -> list[str]:
    """Names by which browsers may ask for an open dashboard: a page elsewhere could have its own name lead here."""
    if settings.dashboard.access != "open":
        return []
    return ["localhost", "127.0.0.1", "::1", host, *filter(None, [urlsplit(settings.dashboard_url).hostname])]


@cache
def sessions() -> Sessions:
    """The process's sessions, which the gate and the pages share."""
    settings = load()
    path = settings.data_dir / "secrets" / "dashboard-sessions.json"
    return Sessions(Book(settings.dashboard_users), path, settings.dashboard.session_hours, time.time)
