"""Real receivers on loopback: a webhook that notes what it gets and can be told to misbehave, and a mail server."""

from __future__ import annotations

import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat


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
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:  # the sender died in the middle: nothing was received
                    self.close_connection = True
                    return
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


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(start).not_valid_after(start + timedelta(days=1))
    signed = made.sign(key, hashes.SHA256())
    pem = signed.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context


class Mail:
    """A mail server. `messages` are parsed; `refused` are recipients that it doesn't know.

    With `tls` it takes nothing without encryption and the login ann/s3cr3t. mode: `insecure`, `starttls` or `ssl`.
    """

    def __init__(self, mode: str = "insecure", tls: ssl.SSLContext | None = None) -> None:
        self.messages: list[EmailMessage] = []
        self.times: list[float] = []
        self.refused: set[str] = set()
        self.lines: list[Any] = []  # the transports of all connections
        self.mode = mode
        options: dict[str, Any] = {}
        if tls is not None:
            options = {"authenticator": self._login, "auth_required": True, "auth_require_tls": mode == "starttls"}
            options |= {"ssl_context": tls} if mode == "ssl" else {"tls_context": tls, "require_starttls": True}
        self._controller = _AnyPort(self, hostname="127.0.0.1", port=0, **options)
        self._controller.start()
        self.port = self._controller.port

    @staticmethod
    def _login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"ann", b"s3cr3t"), handled=False)

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, name: str, replies: list[str]) -> list[str]:
        session.host_name = name
        self.lines.append(server.transport)
        return replies

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.times.append(time.time())
        self.messages.append(message)
        return "250 taken"

    @property
    def url(self) -> str:
        login = "" if self.mode == "insecure" else "ann:s3cr3t@"
        options = f"from=fengxiang@example.com&to=ann@example.com&smtp=127.0.0.1&mode={self.mode}&verify=no"
        return f"mailto{'s' if login else ''}://{login}127.0.0.1:{self.port}?{options}"

    def hang_up(self) -> None:
        """Close all connections from this side."""
        for line in self.lines:
            self._controller.loop.call_soon_threadsafe(line.close)

    def close(self) -> None:
        self._controller.stop()
