"""A vendor on loopback: answers by path, remembers what it was asked, and can be told to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]
    body: bytes = b""


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promise: int | None = None  # a Content-Length that is not kept


Answer = Callable[[Asked], Reply]


@dataclass
class Vendor:
    url: str
    answer: Answer
    asked: list[Asked]

    def paths(self) -> list[str]:
        return [request.path for request in self.asked if request.path != "/robots.txt"]


@contextmanager
def vendor(answer: Answer, *, host: str = "127.0.0.1") -> Iterator[Vendor]:
    """Serve until the block ends. /robots.txt is 404 unless `answer` gives it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: no delayed acknowledgements

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            form = (
                parse_qs(body.decode()) if self.headers.get("Content-Type", "").startswith("application/x-www") else {}
            )
            query = parse_qs(parts.query, keep_blank_values=True)
            flat = {name: values[0] for name, values in query.items()}
            asked = Asked(
                parts.path, flat, dict(self.headers), {name: values[0] for name, values in form.items()}, body
            )
            made.asked.append(asked)
            reply = made.answer(asked)
            if parts.path == "/robots.txt" and not reply.headers.get("robots"):
                reply = Reply(status=404)
            self.send_response(reply.status)
            length = len(reply.body) if reply.promise is None else reply.promise
            for name, value in {"Content-Length": str(length), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection = reply.promise is not None

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    made = Vendor(f"http://{host}:{server.server_port}", answer, [])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
