"""Real receivers on loopback: a webhook that notes what it gets and can be told to misbehave, and a mail server."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Received:
    """One request."""

    path: str
    key: str  # Idempotency-Key
    body: Any
    headers: dict[str, str]
    at: float


@dataclass
class Webhook:
    """`/hook…` takes everything, `/fail` answers 500 until `heal`, `/slow` takes a second, `/redirect` redirects."""

    received: list[Received] = field(default_factory=list)
    broken: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path.startswith("/slow"):
                    time.sleep(1.0)
                status = 500 if self.path.startswith("/fail") and hook.broken else 200
                status = 307 if self.path.startswith("/redirect") else status
                status = int(self.path[1:4]) if self.path[1:4].isdigit() else status
                if status == 200:
                    try:
                        value = json.loads(body)
                    except ValueError:
                        value = body.decode()
                    key = self.headers.get("Idempotency-Key", "")
                    with hook.lock:
                        hook.received.append(Received(self.path, key, value, dict(self.headers), time.time()))
                self.send_response(status)
                if status == 307:
                    self.send_header("Location", f"http://127.0.0.1:{hook.port}/hook")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        with self.lock:
            return [r for r in self.received if r.path == path]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _AnyPort(Controller):
    """Listens on a port chosen by the system; the controller's own first call then goes there."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Mail:
    """A mail server. `messages` are parsed."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.times: list[float] = []
        self._controller = _AnyPort(self, hostname="127.0.0.1", port=0)
        self._controller.start()
        self.port = self._controller.port

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.times.append(time.time())
        self.messages.append(message)
        return "250 taken"

    @property
    def url(self) -> str:
        return (
            f"mailto://127.0.0.1:{self.port}?from=fengxiang@example.com&to=ann@example.com&smtp=127.0.0.1&mode=insecure"
        )

    def close(self) -> None:
        self._controller.stop()
