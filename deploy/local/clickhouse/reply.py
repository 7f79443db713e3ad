"""Sends an answer: headers, encoding, and the error that comes too late for a status."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable

from aiohttp import web

from .compress import Compressor, choose
from .errors import ChError
from .execute import Answer
from .job import Job, Pools, off_loop
from .request import Request

PATIENCE = 300.0  # seconds that a client may leave a block of a stream unread; the query waits for it
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


def encoding(request: Request, accept: str, answer: Answer) -> str | None:
    """The answer's Content-Encoding: only when asked for both ways, as on a server, and when there is a body."""
    if answer.body and request.arguments.get("enable_http_compression") == "1":
        return choose(accept)
    return None


async def send(
    http: web.Request,
    job: Job,
    answer: Answer,
    headers: dict[str, str],
    pools: Pools,
    late_error: Callable[[ChError], str],
) -> web.StreamResponse:
    """Sends the answer, whole or piece by piece. `late_error` reports a failure on the way and gives its text."""
    request = job.request
    headers = {**headers, "Content-Type": content_type(request.output_format)}
    if answer.has_rows:
        headers["X-ClickHouse-Format"] = request.output_format
    if answer.summary:
        headers["X-ClickHouse-Summary"] = json.dumps(answer.summary)
    chosen = encoding(request, http.headers.get("Accept-Encoding", ""), answer)
    if chosen:
        headers["Content-Encoding"] = chosen
    compressor = Compressor(chosen)
    if answer.pieces is not None:
        return await _stream(http, job, answer, headers, compressor, late_error)
    body = answer.body
    if chosen:
        body = await off_loop(pools.helpers, lambda: compressor.feed(answer.body) + compressor.end())
    return web.Response(body=body, headers=headers)


async def _stream(
    http: web.Request,
    job: Job,
    answer: Answer,
    headers: dict[str, str],
    compressor: Compressor,
    late_error: Callable[[ChError], str],
) -> web.StreamResponse:
    tag = secrets.token_hex(8)
    response = web.StreamResponse(headers={**headers, "X-ClickHouse-Exception-Tag": tag})
    response.enable_chunked_encoding()
    await response.prepare(http)
    await response.write(compressor.feed(answer.body))
    tail = b""
    try:
        async for piece in job.pieces(compressor.feed):
            async with asyncio.timeout(PATIENCE):
                await response.write(piece)
    except TimeoutError:
        raise ConnectionAbortedError(f"the client has read nothing for {PATIENCE:.0f} s") from None
    except ChError as error:  # the status is sent: the error follows the data, as a server writes it
        text = late_error(error)
        note = f"\r\n__exception__\r\n{tag}\r\n{text}\n{len(text.encode())} {tag}\r\n__exception__\r\n"
        tail = compressor.feed(note.encode())
    await job.finish()  # before the last byte: the client's next request may use the same session
    tail += compressor.end()
    if tail:
        await response.write(tail)
    await response.write_eof()
    return response
