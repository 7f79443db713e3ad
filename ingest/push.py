"""HTTP push: `POST /v1/documents` with a token; documents are on disk when the answer comes.

One JSON object, an array of them, or JSON lines, in the field names of `ingest.fields`. The answer is 202 with how
many were accepted and why each of the others was rejected. A batch that the outbox has no room for is refused
whole with 429 and `Retry-After`; the same `Idempotency-Key` gives the same answer while the process lives, and
afterwards the documents' ids make a repeat harmless. `GET /` shows the API, `GET /openapi.json` describes it,
`GET /health` and `GET /metrics` (Prometheus) answer without a token.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from ingest.entries import Added, OutboxFull
from ingest.fields import Options, RowError, to_document
from ingest.files import explained, rejection
from ingest.outbox import Outbox
from models.records import Document
from stream.records import DeadLetter

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 20_000_000
MAX_DOCUMENTS = 5_000
RETRY_AFTER_SECONDS = 10
KEYS_KEPT = 10_000  # idempotency keys


@dataclass(frozen=True)
class Answer:
    """What a push became."""

    accepted: int  # a repeated document counts, though nothing is done for it
    rejected: tuple[str, ...]


class Push:
    """A source (`ingest.runner.Source`) that serves HTTP on host:port; `port` is the real one once it runs."""

    name = "push"

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        *,
        metrics: Callable[[], bytes] = bytes,
        arrived: Callable[[Sequence[Document | DeadLetter], Added], None] = lambda *_: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.host, self.port = host, port
        self._token = token
        self._metrics, self._arrived = metrics, arrived
        self._clock = clock
        self._answers: OrderedDict[str, tuple[int, Answer]] = OrderedDict()
        self.ready = threading.Event()

    def run(self, outbox: Outbox, stop: threading.Event) -> None:
        """Serve until `stop`."""
        asyncio.run(self._serve(outbox, stop))

    async def _serve(self, outbox: Outbox, stop: threading.Event) -> None:
        runner = web.AppRunner(self.application(outbox), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port)
            await site.start()
            self.port = runner.addresses[0][1]
            log.info("HTTP push on http://%s:%d/", self.host, self.port)
            self.ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.2)
        finally:
            await runner.cleanup()

    def application(self, outbox: Outbox) -> web.Application:
        """The aiohttp application over an outbox."""

        async def documents(request: web.Request) -> web.Response:
            return await self._documents(request, outbox)

        async def metrics(_: web.Request) -> web.Response:
            text = await asyncio.to_thread(self._metrics)
            return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/", _page)
        app.router.add_get("/health", _health)
        app.router.add_get("/openapi.json", _openapi)
        app.router.add_get("/metrics", metrics)
        app.router.add_post("/v1/documents", documents)
        return app

    async def _documents(self, request: web.Request, outbox: Outbox) -> web.Response:
        if not self._allowed(request):
            return _problem(401, "send the token of secrets/push-token as `Authorization: Bearer TOKEN`")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _problem(413, f"the body is larger than {MAX_BODY_BYTES:,} bytes: send smaller batches")
        key = request.headers.get("Idempotency-Key", "")
        if key and key in self._answers:
            size, answer = self._answers[key]
            if size != hash(body):
                return _problem(422, "this Idempotency-Key was used for another body: make a new key")
            return _accepted(answer)
        try:
            rows = _rows(body)
        except ValueError as error:
            return _problem(400, str(error))
        if len(rows) > MAX_DOCUMENTS:
            return _problem(
                413, f"{len(rows):,} documents in one request, more than {MAX_DOCUMENTS:,}: send smaller batches"
            )
        try:
            answer = await asyncio.to_thread(self._add, rows, outbox)
        except OutboxFull as error:
            log.warning("push refused: %s", error)
            return _problem(429, "the outbox is full: send again later", {"Retry-After": str(RETRY_AFTER_SECONDS)})
        if key:
            self._answers[key] = hash(body), answer
            while len(self._answers) > KEYS_KEPT:
                self._answers.popitem(last=False)
        return _accepted(answer)

    def _add(self, rows: list[Any], outbox: Outbox) -> Answer:
        options = Options(now=self._clock())
        documents: list[Document] = []
        letters: list[DeadLetter] = []
        for number, row in enumerate(rows, 1):
            try:
                if not isinstance(row, Mapping):
                    raise RowError("a document must be a JSON object")
                documents.append(to_document(row, options, default_source="push"))
            except Exception as error:  # the row is untrusted: whatever is odd in it costs no other row  # noqa: BLE001
                payload = json.dumps(row, ensure_ascii=False)
                letters.append(rejection("push", number, explained(error), payload, source="push", now=options.now))
        items: list[Document | DeadLetter] = [*documents, *letters]
        self._arrived(items, outbox.add(items))
        return Answer(len(documents), tuple(letter.reason for letter in letters))

    def _allowed(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        return hmac.compare_digest(given.encode(), self._token.encode())


def _rows(body: bytes) -> list[Any]:
    """Rows of a body: an array, an object, or JSON lines. Raises ValueError."""
    try:
        whole = msgspec.json.decode(body)
        return whole if isinstance(whole, list) else [whole]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    rows = []
    for number, line in enumerate(body.splitlines(), 1):
        if line.strip():
            try:
                rows.append(msgspec.json.decode(line))
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                raise ValueError(f"the body is neither JSON nor JSON lines: line {number}: {error}") from error
    if not rows:
        raise ValueError("the body is empty: send a JSON object, an array of them, or JSON lines")
    return rows


def _accepted(answer: Answer) -> web.Response:
    return web.json_response({"accepted": answer.accepted, "rejected": answer.rejected}, status=202)


def _problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"error": text}, status=status, headers=headers)


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _openapi(_: web.Request) -> web.Response:
    return web.json_response(OPENAPI)


async def _page(_: web.Request) -> web.Response:
    rows = "".join(f"<tr><td><code>{name}</code></td><td>{text}</td></tr>" for name, text in FIELDS.items())
    page = (
        "<!doctype html><html lang=zh><meta charset=utf-8><title>风向 HTTP 推送</title>"
        "<body style='font-family:sans-serif;max-width:48rem;margin:2rem auto'>"
        "<h1>风向 HTTP 推送 <small>Fengxiang push</small></h1>"
        "<pre>curl -X POST http://HOST:PORT/v1/documents \\\n  -H 'Authorization: Bearer TOKEN' \\\n"
        '  -d \'[{"id": "1", "source": "my-desk", "title": "标题", "body": "正文", '
        '"published_at": "2026-06-01 09:05"}]\'</pre>'
        f"<table>{rows}</table><p><a href=/openapi.json>OpenAPI</a></p></body></html>"
    )
    return web.Response(text=page, content_type="text/html")


FIELDS = {
    "title": "标题 title",
    "body": "正文 text; title or body must be there",
    "published_at": "发布时间 ISO 8601, epoch seconds, or 2026-06-01 09:05 (Beijing)",
    "id": "来源内的编号 the source's own id; without it the URL, or the text, identifies the document",
    "source": "来源 name of the source, by default push",
    "kind": "类型 wire, news, announcement or report",
    "url": "链接 address",
    "publisher": "媒体 publisher",
    "authors": "作者 authors",
    "vendor": '来源自带标签 {"securities": [], "subjects": [], "tone": "", "level": ""}',
}
_DOCUMENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        name: {"description": text, "type": {"authors": "array", "vendor": "object"}.get(name, "string")}
        | ({"items": {"type": "string"}} if name == "authors" else {})
        for name, text in FIELDS.items()
    },
    "required": ["published_at"],
}
_ANSWER = {
    "description": "On disk; published and kept until stored.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "accepted": {"type": "integer"},
                    "rejected": {"type": "array", "items": {"type": "string"}},
                },
            }
        }
    },
}
OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Fengxiang push", "version": "1"},
    "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/v1/documents": {
            "post": {
                "summary": "Push documents",
                "security": [{"token": []}],
                "parameters": [
                    {"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}}
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"oneOf": [_DOCUMENT, {"type": "array", "items": _DOCUMENT}]}},
                        "application/x-ndjson": {"schema": _DOCUMENT},
                    },
                },
                "responses": {
                    "202": _ANSWER,
                    "400": {"description": "Not JSON."},
                    "401": {"description": "Token missing or wrong."},
                    "413": {"description": "Too large."},
                    "422": {"description": "Idempotency-Key used for another body."},
                    "429": {"description": "The outbox is full; Retry-After says when to come back."},
                },
            }
        }
    },
}
