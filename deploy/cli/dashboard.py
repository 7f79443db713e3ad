"""`fengxiang dashboard`: serve the pages until interrupted."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from deploy.cli import UserError
from deploy.local.preflight import try_port
from deploy.logs import configure
from deploy.settings import http_address, load

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
FONT = "Inter, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'WenQuanYi Micro Hei', system-ui, sans-serif"
LOOK = {
    "theme.font": FONT,
    "theme.baseRadius": "10px",
    "theme.baseFontSize": 15,
    "theme.light.primaryColor": "#2563eb",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f6f8fb",
    "theme.light.textColor": "#1b2430",
    "theme.light.borderColor": "#e3e8ef",
    "theme.dark.primaryColor": "#5b9dff",
    "theme.dark.backgroundColor": "#0e131b",
    "theme.dark.secondaryBackgroundColor": "#161d28",
    "theme.dark.textColor": "#e4e9f1",
    "theme.dark.borderColor": "#2a3341",
}


def options(host: str, port: int, allowed: Sequence[str] = ()) -> dict[str, Any]:
    """Streamlit's configuration: no telemetry, no developer's toolbar, our look; the site's names, if any is not."""
    return {
        "server.address": host,
        "server.port": port,
        "server.allowedHosts": list(allowed),
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "runner.magicEnabled": False,
        "runner.postScriptGC": False,  # after every run, the feed's alone too: a sixth of a second for all readers
        "logger.level": "warning",
        "logger.hideWelcomeMessage": True,
        **LOOK,
    }


def check_free(host: str, port: int) -> None:
    """Raise `UserError` where the address can't be served on."""
    try:
        try_port(port, host)
    except OSError as error:
        raise UserError(
            f"the dashboard can't listen on {host}:{port} ({error.strerror}): stop what uses it, or choose another"
            " with --port or FENGXIANG_DASHBOARD__PORT"
        ) from error


def send_at_once() -> None:
    """Have every answer leave when it is written. asyncio sees to that where a socket says that it is TCP, and the one
    that Streamlit listens on doesn't say: each small message then waits up to 40 ms for the browser to have taken the
    one before. The setting passes from the listening socket to its connections.
    """
    from streamlit.web.server.starlette import starlette_server

    bind = starlette_server._bind_socket

    def bound(address: str, port: int, backlog: int) -> socket.socket:
        made = bind(address, port, backlog)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    starlette_server._bind_socket = bound


def command(
    host: str = typer.Option("", help="Address to listen on; the setting dashboard.host by default. 监听地址"),
    port: int = typer.Option(0, min=0, max=65535, help="Port; the setting dashboard.port by default. 端口"),
) -> None:
    """Run the dashboard. 看板"""
    settings = load()
    configure(settings, "dashboard")
    host, port = host or settings.dashboard.host, port or settings.dashboard.port
    from dashboard import access_start as access

    if wrong := access.problem(settings, host):
        raise UserError(wrong)
    check_free(host, port)
    typer.echo(f"dashboard 看板: {http_address(host, port)}")
    send_at_once()
    sys.argv = [str(APP)]  # what Streamlit takes for its own command line
    access.application(str(APP), settings).run(config=options(host, port, access.hosts(settings, host)))
