"""ClickHouse's HTTP interface: aiohttp in front, worker threads with the engine behind."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from aiohttp import web

from . import compress
from .engine import Engine
from .errors import ChError, from_engine
from .execute import Answer, Pieces, run
from .request import Request, assemble, credentials, form, query_id
from .session import Session, Sessions
from .sql import Kind
from .users import User, authenticate

log = logging.getLogger("clickhouse")
Result = TypeVar("Result")

WORKERS = 32
BODY_LIMIT = 1 << 30  # bytes, compressed and decompressed
CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "CSV": "text/csv; charset=UTF-8; header=absent",
}


def content_type(output_format: str) -> str:
    if output_format.startswith(("Tab", "TSV")):
        return "text/tab-separated-values; charset=UTF-8"
    return CONTENT_TYPES.get(output_format, "text/plain; charset=UTF-8")


class Gateway:
    """Answers requests. One per process; `close` ends what runs."""

    def __init__(self, engine: Engine, users: Mapping[str, User], workers: int = WORKERS) -> None:
        self._engine = engine
        self._users = users
        self._workers = ThreadPoolExecutor(workers, "query")
        self._helpers = ThreadPoolExecutor(4, "helper")  # kill, close, (de)compress: never behind a long query
        self._limit = workers
        self._sessions = Sessions()
        self._running: dict[str, Session] = {}  # by query id
        self._hostname = os.uname().nodename

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_get("/ping", self._ping)
        app.router.add_get("/replicas_status", self._ping)
        for path in ("/", "/query"):
            app.router.add_route("*", path, self.answer)
        app.router.add_route("*", "/{other:.*}", self._nowhere)
        return app

    async def close(self) -> None:
        """Kills the running queries and closes every handle. Within 3 s, or it gives up on them."""
        for session in list(self._running.values()):
            with suppress(ChError):
                await self._off(self._helpers, self._engine.kill, session.tag)
        deadline = asyncio.get_running_loop().time() + 3
        while self._running and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        for session in self._sessions.all():
            if not session.busy:
                session.close()
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._helpers.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------ routes

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def _nowhere(self, http: web.Request) -> web.Response:
        return web.Response(status=404, text=f"There is no handle {http.path}\n\nUse / or /ping for health checks.\n")

    async def answer(self, http: web.Request) -> web.StreamResponse:
        """One request, from credentials to the last byte."""
        identity = query_id(http)
        headers = {
            "X-ClickHouse-Query-Id": identity,
            "X-ClickHouse-Server-Display-Name": self._hostname,
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        user_name = "?"
        try:
            user_name, password = credentials(http)
            user = authenticate(self._users, user_name, password)
            arguments, body, files = await self._read(http)
            if not body.strip() and not files and not arguments.get("query", "").strip() and http.method == "GET":
                return web.Response(text="Ok.\n", headers=headers)
            request = assemble(
                arguments,
                http.headers,
                body,
                files,
                user=user.name,
                query_id=identity,
                is_get=http.method in ("GET", "HEAD"),
            )
            return await self._run(http, request, user, headers)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - a request must never take the server down
            return self._failure(from_engine(error), identity, user_name, headers)

    # ------------------------------------------------------------------ the way of a request

    async def _read(self, http: web.Request) -> tuple[dict[str, str], bytes, dict[str, bytes]]:
        """Arguments, body without its encoding, and files of a form."""
        arguments = dict(http.query)
        if http.content_type.startswith("multipart/"):
            fields, files = await form(http, BODY_LIMIT)
            return arguments | fields, b"", files
        buffer = bytearray()
        async for piece in http.content.iter_any():
            buffer += piece
            if len(buffer) > BODY_LIMIT:
                raise ChError(412, f"Request body is larger than {BODY_LIMIT} bytes", "QUERY_IS_TOO_LARGE")
        body = bytes(buffer)
        encoding = http.headers.get("Content-Encoding", "").lower()
        if encoding and encoding != "identity" and body:
            body = await self._off(self._helpers, compress.decompress, body, encoding, BODY_LIMIT)
        return arguments, body, {}

    async def _run(
        self, http: web.Request, request: Request, user: User, headers: dict[str, str]
    ) -> web.StreamResponse:
        if request.is_get and not request.statement.reads_only and not user.readonly:
            reason = "Cannot execute query in readonly mode: an HTTP GET is readonly; use POST to change data"
            raise ChError(164, reason, "READONLY")
        if request.query_id in self._running:
            reason = f"Query with id = {request.query_id} is already running."
            raise ChError(216, reason, "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING")
        if len(self._running) >= self._limit:
            raise ChError(
                202, f"Too many simultaneous queries. Maximum: {self._limit}", "TOO_MANY_SIMULTANEOUS_QUERIES"
            )
        session = self._session(user, request)
        self._running[request.query_id] = session
        answer: Answer | None = None
        try:
            answer = await self._execute(request, session)
            return await self._send(http, request, answer, headers)
        except (asyncio.CancelledError, ConnectionError):  # the client went away while the result was sent
            if answer is not None and answer.pieces is not None:
                await asyncio.shield(self._kill(session))
            raise
        finally:
            await asyncio.shield(self._finish(request, session, answer))

    def _session(self, user: User, request: Request) -> Session:
        for over in self._sessions.expired():
            self._helpers.submit(over.close)
        name = request.arguments.get("session_id")
        if not name or "readonly" in request.settings:  # a session made readonly could not be made writable again
            return Session(user, self._engine.open)
        return self._sessions.claim(user, name, request.arguments, self._engine.open)

    async def _execute(self, request: Request, session: Session) -> Answer:
        """Runs the statement. When the client goes away: a query is killed, an INSERT or DDL goes on to its end."""
        work = asyncio.ensure_future(self._off(self._workers, run, request, session))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if request.statement.kind is Kind.ROWS:
                await self._kill(session)
            with suppress(ChError):
                if (late := await work).pieces is not None:
                    await self._off(self._helpers, late.pieces.close)
            raise

    async def _send(
        self, http: web.Request, request: Request, answer: Answer, headers: dict[str, str]
    ) -> web.StreamResponse:
        if answer.has_rows:
            headers["X-ClickHouse-Format"] = request.output_format
        if answer.summary:
            headers["X-ClickHouse-Summary"] = json.dumps(answer.summary)
        headers["Content-Type"] = content_type(request.output_format)
        encoding = None
        if answer.body and request.arguments.get("enable_http_compression") == "1":
            encoding = compress.choose(http.headers.get("Accept-Encoding", ""))
        if encoding:
            headers["Content-Encoding"] = encoding
        compressor = compress.Compressor(encoding)
        if answer.pieces is None:
            body = answer.body
            if encoding:
                body = await self._off(self._helpers, lambda: compressor.feed(answer.body) + compressor.end())
            return web.Response(body=body, headers=headers)
        return await self._stream(http, answer.body, answer.pieces, compressor, headers, request)

    async def _stream(
        self,
        http: web.Request,
        first: bytes,
        pieces: Pieces,
        compressor: compress.Compressor,
        headers: dict[str, str],
        request: Request,
    ) -> web.StreamResponse:
        tag = headers["X-ClickHouse-Exception-Tag"] = secrets.token_hex(8)
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(http)
        await response.write(compressor.feed(first))

        def following() -> bytes | None:
            piece = pieces.next()
            return None if piece is None else compressor.feed(piece)

        try:
            while (piece := await self._off(self._workers, following)) is not None:
                if piece:
                    await response.write(piece)
        except ChError as error:  # the status is sent: the error follows the data, as a server writes it
            message = f"{error} (version {self._engine.version})"
            note = f"\r\n__exception__\r\n{tag}\r\n{message}\n{len(message.encode())} {tag}\r\n__exception__\r\n"
            await response.write(compressor.feed(note.encode()))
            self._report(request.query_id, request.user, error)
        if tail := compressor.end():
            await response.write(tail)
        await response.write_eof()
        return response

    async def _finish(self, request: Request, session: Session, answer: Answer | None) -> None:
        if answer is not None and answer.pieces is not None:
            with suppress(Exception):
                await self._off(self._workers, answer.pieces.close)
        self._running.pop(request.query_id, None)
        if session.kept:
            self._sessions.release(session)
        else:
            self._helpers.submit(session.close)

    # ------------------------------------------------------------------ helpers

    def _failure(self, error: ChError, identity: str, user: str, headers: dict[str, str]) -> web.Response:
        self._report(identity, user, error)
        text = str(error) if "(version" in str(error) else f"{error} (version {self._engine.version} (embedded))"
        code = {"X-ClickHouse-Exception-Code": str(error.code)}
        return web.Response(status=error.status, text=text + "\n", headers={**headers, **code})

    @staticmethod
    def _report(identity: str, user: str, error: ChError) -> None:
        line = " ".join(str(error).split())[:300]
        log.warning("query %s of %s failed with %s: %s", identity, user, error.code, line)

    async def _kill(self, session: Session) -> None:
        with suppress(ChError):
            await self._off(self._helpers, self._engine.kill, session.tag)

    async def _off(self, pool: ThreadPoolExecutor, function: Callable[..., Result], *arguments: object) -> Result:
        """Runs a blocking function in a pool."""
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
