"""What stands before the pages where readers sign in with a password: nothing reaches Streamlit without a session.

`Gate` lets through the sign-in form and the health check; the session's token is in a cookie that scripts can't read.
The form works without scripts, takes posts from its own origin only, and answers guessing by longer and longer waits.
"""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.access_sessions import FREE, FREE_ADDRESS, Attempts, Clock, Sessions
from dashboard.access_users import AccessError
from dashboard.safe import html

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "fengxiang_session"
SIGN_IN, SIGN_OUT, HEALTH = "/sign-in", "/sign-out", "/_stcore/health"
QUEUE = 20  # sign-ins that may wait for their turn
LONGEST_FORM = 10_000  # bytes
GRACE = 60.0  # seconds in which a page that is open can say that the session ended, before it is cut off
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
WRONG = "用户名或密码不对 Wrong name or password"
STYLE = (Path(__file__).parent / "access.css").read_text(encoding="utf-8")
PAGE = """<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>风向 Fengxiang</title>
<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><style>{style}</style></head>
<body><form method="post" action="{action}"><h1>风向 Fengxiang</h1>
<label>用户名 Name<input name="name" value="{name}" autocomplete="username" autocapitalize="none" required></label>
<label>密码 Password<input name="password" type="password" autocomplete="current-password" required></label>
<p role="alert">{problem}</p><button>登录 Sign in</button></form></body></html>"""


class Desk:
    """Signs readers in and out. Hashing takes its time and memory, so it is done for one at a time."""

    def __init__(self, sessions: Sessions, clock: Clock = time.monotonic) -> None:
        self.sessions = sessions
        self.names, self.addresses = Attempts(FREE, clock), Attempts(FREE_ADDRESS, clock)
        self._turn, self._waiting = asyncio.Lock(), 0

    def routes(self) -> list[Route]:
        return [
            Route(SIGN_IN, self.form, methods=["GET"]),
            Route(SIGN_IN, self.sign_in, methods=["POST"]),
            Route(SIGN_OUT, self.sign_out, methods=["POST"]),
        ]

    async def form(self, request: Request) -> Response:
        """The empty form; whoever is signed in already goes on."""
        if self.sessions.user(request.cookies.get(COOKIE, "")):
            return RedirectResponse(_next(request), status_code=303)
        return _page(request)

    async def sign_in(self, request: Request) -> Response:
        if not _same_origin(request):
            return PlainTextResponse("the form must be sent from this site", status_code=403)
        fields = await _fields(request)
        name, password = fields.get("name", "")[:100], fields.get("password", "")
        address = request.client.host if request.client else ""
        if self._waiting >= QUEUE:
            return _page(request, name, "请稍后再试 Busy, please try again", 503)
        self._waiting += 1
        try:
            async with self._turn:
                if wait := max(self.names.wait(name), self.addresses.wait(address)):
                    seconds = math.ceil(wait)
                    text = f"失败次数过多，请 {seconds} 秒后再试 Too many failures: wait {seconds} s"
                    return _page(request, name, text, 429, {"Retry-After": str(seconds)})
                user = await run_in_threadpool(self.sessions.book.check, name, password)
                if user is None:
                    self.names.failed(name)
                    self.addresses.failed(address)
                    return _page(request, name, WRONG, 401)
                self.names.succeeded(name)  # not the address: who has one password may try others'
        except AccessError:
            return _page(request, name, "密码文件读不了，见日志 The password file can't be read", 503)
        finally:
            self._waiting -= 1
        response = RedirectResponse(_next(request), status_code=303, headers={"Cache-Control": "no-store"})
        token = self.sessions.start(user)
        response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=request.url.scheme == "https")
        return response

    async def sign_out(self, request: Request) -> Response:
        if not _same_origin(request):
            return PlainTextResponse("the form must be sent from this site", status_code=403)
        self.sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse(SIGN_IN, status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response


class Gate:
    """ASGI middleware: requests and sockets of those who are signed in, and nobody else's."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app, self._sessions = app, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in (SIGN_IN, SIGN_OUT, HEALTH):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        token = connection.cookies.get(COOKIE, "")
        if self._sessions.user(token):
            listen = self._while_signed_in(token, receive) if scope["type"] == "websocket" else receive
            await self._app(scope, listen, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["method"] == "GET" and "text/html" in connection.headers.get("accept", ""):
            wanted = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
            await RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", status_code=303)(scope, receive, send)
        else:
            await PlainTextResponse("sign in first", status_code=401)(scope, receive, send)

    def _while_signed_in(self, token: str, receive: Receive) -> Receive:
        """`receive`, which hangs up when the session has been over for `GRACE` seconds."""
        pending: asyncio.Future[Message] | None = None
        valid = time.monotonic()

        async def listen() -> Message:
            nonlocal pending, valid
            pending = pending or asyncio.ensure_future(receive())
            while True:
                done, _ = await asyncio.wait({pending}, timeout=GRACE / 4)
                if self._sessions.user(token):
                    valid = time.monotonic()
                elif time.monotonic() - valid > GRACE:
                    pending.cancel()
                    return {"type": "websocket.disconnect", "code": 1008}
                if done:
                    message, pending = pending.result(), None
                    return message

        return listen


async def _fields(request: Request) -> dict[str, str]:
    """A posted form's fields; none of one that is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            return {}
    return {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _same_origin(request: Request) -> bool:
    """Whether the browser says that one of our pages sent this; programs that say nothing are no danger."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _next(request: Request) -> str:
    """The page that was asked for, always one of ours."""
    wanted = request.query_params.get("next", "/")
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable() else "/"


def _page(
    request: Request, name: str = "", problem: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    text = html(
        PAGE,
        action=f"{SIGN_IN}?next={quote(_next(request), safe='')}",
        name=name,
        problem=problem,
        style=Markup(STYLE),
    )
    return HTMLResponse(str(text), status_code=status, headers={**HEADERS, **(headers or {})})
