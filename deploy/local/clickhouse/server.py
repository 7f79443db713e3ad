"""ClickHouse's HTTP interface: who asks, what for, and every error in ClickHouse's own form."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping

from aiohttp import web

from .compress import decompress
from .engine import Engine
from .errors import ChError, from_engine
from .job import Job, Pools, off_loop
from .reply import send
from .request import Request, assemble, credentials, form, query_id
from .session import Session, Sessions
from .users import User, authenticate

log = logging.getLogger("clickhouse")

WORKERS = 32  # queries at once
BODY_LIMIT = 1 << 30  # bytes, compressed and decompressed
LONG_TEXT = 1 << 16  # bytes; a longer one is read in a thread, so that other requests don't wait
LAST_PATIENCE = 3.0  # seconds that running queries get to end after they were killed at shutdown


class Gateway:
    """Answers requests. One per process; `close` ends what runs."""

    def __init__(self, engine: Engine, users: Mapping[str, User], workers: int = WORKERS) -> None:
        self._engine = engine
        self._users = users
        self._limit = workers
        self._pools = Pools(workers)
        self._sessions = Sessions()
        self._running: dict[str, Job] = {}  # by query id
        self._hostname = os.uname().nodename

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_get("/ping", self._ping)
        app.router.add_get("/replicas_status", self._ping)
        for path in ("/", "/query"):
            app.router.add_route("*", path, self.answer)
        app.router.add_route("*", "/{other:.*}", self._nowhere)
        return app

    async def close(self) -> bool:
        """Kills the running queries and closes every idle session. False when a query would not end."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LAST_PATIENCE
        for job in list(self._running.values()):
            await job.kill()
        while self._running and loop.time() < deadline:
            await asyncio.sleep(0.02)
        for session in self._sessions.idle():
            session.close()
        self._pools.shutdown()
        return not self._running

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def _nowhere(self, http: web.Request) -> web.Response:
        return web.Response(status=404, text=f"There is no handle {http.path}\n\nUse / or /ping for health checks.\n")

    async def answer(self, http: web.Request) -> web.StreamResponse:
        """One request, from credentials to the last byte."""
        identity, name = query_id(http), "?"
        headers = {
            "X-ClickHouse-Query-Id": identity,
            "X-ClickHouse-Server-Display-Name": self._hostname,
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        try:
            name, password = credentials(http)
            user = authenticate(self._users, name, password)
            request = await self._read(http, identity)
            if request is None:
                return web.Response(text="Ok.\n", headers=headers)
            return await self._run(http, request, user, headers)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as problem:  # noqa: BLE001 - a request must never take the server down
            error = from_engine(problem)
            text = self._report(identity, name, error) + "\n"
            code = {"X-ClickHouse-Exception-Code": str(error.code)}
            return web.Response(status=error.status, text=text, headers={**headers, **code})

    async def _read(self, http: web.Request, identity: str) -> Request | None:
        """The request; None for a GET without a query, by which clients ask whether the server is there."""
        arguments = dict(http.query)
        files: dict[str, bytes] = {}
        is_get = http.method in ("GET", "HEAD")
        if http.content_type.startswith("multipart/"):
            fields, files = await form(http, BODY_LIMIT)
            arguments, body = arguments | fields, b""
        else:
            body = await self._body(http)
        if is_get and not arguments.get("query", "").strip() and not body.strip():
            return None
        if len(body) < LONG_TEXT:
            return assemble(arguments, http.headers, body, files, identity, is_get)
        return await off_loop(self._pools.helpers, assemble, arguments, http.headers, body, files, identity, is_get)

    async def _body(self, http: web.Request) -> bytes:
        """The body without its encoding. Raises `ChError`."""
        buffer = bytearray()
        async for piece in http.content.iter_any():
            buffer += piece
            if len(buffer) > BODY_LIMIT:
                raise ChError(412, f"Request body is larger than {BODY_LIMIT} bytes", "QUERY_IS_TOO_LARGE")
        encoding = http.headers.get("Content-Encoding", "identity").lower()
        if encoding == "identity" or not buffer:
            return bytes(buffer)
        return await off_loop(self._pools.helpers, decompress, bytes(buffer), encoding, BODY_LIMIT)

    async def _run(
        self, http: web.Request, request: Request, user: User, headers: dict[str, str]
    ) -> web.StreamResponse:
        if request.is_get and not request.statement.reads_only and not user.readonly:
            reason = "Cannot execute query in readonly mode: an HTTP GET is readonly; use POST to change data"
            raise ChError(164, reason, "READONLY")
        if request.query_id in self._running:
            reason = f"Query with id = {request.query_id} is already running"
            raise ChError(216, reason, "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING")
        if len(self._running) >= self._limit:
            reason = f"Too many simultaneous queries. Maximum: {self._limit}"
            raise ChError(202, reason, "TOO_MANY_SIMULTANEOUS_QUERIES")
        session = self._session(user, request)
        job = Job(request, session, self._engine, self._pools, lambda: self._ended(request.query_id, session))
        self._running[request.query_id] = job
        try:
            answer = await job.execute()
            return await send(
                http, job, answer, headers, self._pools, lambda error: self._report(request.query_id, user.name, error)
            )
        except (asyncio.CancelledError, ConnectionError):
            await asyncio.shield(job.abandon())
            raise
        finally:
            await asyncio.shield(job.finish())

    def _session(self, user: User, request: Request) -> Session:
        for over in self._sessions.expired():
            self._pools.helpers.submit(over.close)
        name = request.arguments.get("session_id")
        if not name or "readonly" in request.settings:  # a session made readonly could not be made writable again
            return Session(user, self._engine.open)
        return self._sessions.claim(user, name, request.arguments, self._engine.open)

    def _ended(self, identity: str, session: Session) -> None:
        del self._running[identity]
        if session.kept:
            self._sessions.release(session)

    def _report(self, identity: str, user: str, error: ChError) -> str:
        """One log line for a failed query; returns the text for its client."""
        line = " ".join(str(error).split())[:300]
        log.warning("query %s of %s failed with %s: %s", identity, user, error.code, line)
        return str(error) if "(version" in str(error) else f"{error} (version {self._engine.version} (embedded))"
