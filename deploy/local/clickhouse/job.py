"""One request's way through the worker threads: run, cancelled when its client goes away, finished exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from .engine import Engine
from .errors import ChError
from .execute import Answer, run
from .request import Request
from .session import Session
from .sql import Kind

Result = TypeVar("Result")


async def off_loop(pool: Executor, function: Callable[..., Result], *arguments: object) -> Result:
    """Runs a blocking function in a pool."""
    return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)


class Pools:
    """Threads that run queries, and a few for what must never wait behind a long query: kill, close, compress."""

    def __init__(self, workers: int) -> None:
        self.workers = ThreadPoolExecutor(workers, "query")
        self.helpers = ThreadPoolExecutor(4, "helper")

    def shutdown(self) -> None:
        self.workers.shutdown(wait=False, cancel_futures=True)
        self.helpers.shutdown(wait=False, cancel_futures=True)


class Job:
    """`execute`, then `pieces` where the answer has some, and in any case `finish`, which calls `ended`."""

    def __init__(
        self, request: Request, session: Session, engine: Engine, pools: Pools, ended: Callable[[], None]
    ) -> None:
        self.request = request
        self.session = session
        self._engine = engine
        self._pools = pools
        self._ended = ended
        self._answer: Answer | None = None
        self._finished = False

    async def execute(self) -> Answer:
        """Runs the statement; raises `ChError`. When it is cancelled, the query is killed first; an INSERT or DDL
        that has begun goes on to its end."""
        work = asyncio.ensure_future(off_loop(self._pools.workers, run, self.request, self.session))
        try:
            self._answer = await asyncio.shield(work)
        except asyncio.CancelledError:
            while self.request.statement.kind is Kind.ROWS and not work.done():
                await self.kill()  # again, where the query had not begun
                await asyncio.wait([work], timeout=0.2)
            with suppress(ChError):
                self._answer = await work
            raise
        return self._answer

    async def pieces(self, convert: Callable[[bytes], bytes]) -> AsyncIterator[bytes]:
        """What follows the answer's first block, each converted in the worker thread. Raises `ChError`."""
        assert self._answer is not None
        pieces = self._answer.pieces

        def following() -> bytes | None:
            piece = None if pieces is None else pieces.next()
            return None if piece is None else convert(piece)

        while (piece := await off_loop(self._pools.workers, following)) is not None:
            if piece:
                yield piece

    async def kill(self) -> None:
        """Asks the engine to stop the query."""
        if self.session.tag:
            with suppress(ChError):
                await off_loop(self._pools.helpers, self._engine.kill, self.session.tag)

    async def abandon(self) -> None:
        """The client went away: stops what still runs, then finishes."""
        if self._answer is not None and self._answer.pieces is not None and not self._finished:
            await self.kill()
        await self.finish()

    async def finish(self) -> None:
        """Closes the stream, gives the session back. May be called again."""
        if self._finished:
            return
        self._finished = True
        if self._answer is not None and self._answer.pieces is not None:
            with suppress(ChError):
                await off_loop(self._pools.workers, self._answer.pieces.close)
        if not self.session.kept:
            self._pools.helpers.submit(self.session.close)
        self._ended()
