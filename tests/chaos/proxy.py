"""A TCP proxy on loopback that makes a server slow, or loses its replies."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress

# What the sink writes. The counts that are made of it are a matter of their own, and of another log line.
TRUTH = re.compile(rb"INSERT INTO [\w.`]*?\b(documents|mentions|document_themes|reports|analysis_history)\b")


class Proxy:
    """Forwards to `port` of loopback. `delay`: seconds before each part of a reply; `lose`: how many replies to
    the sink's inserts to lose.

    A reply is lost after the server has done what it was asked: the connection breaks, and the client can't know.
    """

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.lose = 0
        self.lost = 0
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                inserting = threading.Event()
                threading.Thread(target=self._pump, args=(client, server, inserting, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, inserting, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, inserting: threading.Event, reply: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if reply:
                    time.sleep(self.delay)
                    if self.lose and inserting.is_set() and data.startswith(b"HTTP/1.1 200"):
                        self.lose -= 1
                        self.lost += 1
                        break
                else:  # head and body may come apart
                    if data.startswith((b"POST ", b"GET ")):
                        inserting.clear()
                    if TRUTH.search(data):
                        inserting.set()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
