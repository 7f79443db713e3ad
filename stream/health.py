"""`/healthz`, `/readyz` and `/metrics` of a worker, served from a thread so that they answer when the loop is stuck."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = logging.getLogger(__name__)

Check = Callable[[], str]  # "" when well, else what is the matter


def serve(port: int, *, healthy: Check, ready: Check, tries: int = 20) -> ThreadingHTTPServer:
    """Serve on loopback at `port`, or at the next one that is free when another worker has it; 0: any."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/metrics"):
                return self._reply(200, generate_latest(), CONTENT_TYPE_LATEST)
            check = {"/healthz": healthy, "/readyz": ready}.get(self.path.split("?")[0].rstrip("/"))
            if check is None:
                return self._reply(404, b"not here: /healthz, /readyz, /metrics\n")
            trouble = check()
            self._reply(503 if trouble else 200, (trouble or "ok").encode() + b"\n")

        def _reply(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            log.debug(format, *args)

    for candidate in range(port, port + tries if port else 1):
        try:
            server = ThreadingHTTPServer(("127.0.0.1", candidate), Handler)
            break
        except OSError:
            continue
    else:
        log.warning("ports %d to %d are taken: using any free one", port, port + tries - 1)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
