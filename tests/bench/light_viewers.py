"""Viewers without a browser of their own: each sends over a websocket, at the same pace, what one browser sent.

So the dashboard can be asked by many at once on a machine whose processors many browsers would take for themselves.
What a page asks by itself while somebody looks (the live parts) is sent too. Times are from connecting or sending to
the message that carries what was asked for; a browser still has to load its scripts, and to paint.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from playwright.async_api import Page, WebSocket
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.asyncio.client import ClientConnection, connect

# What one message holds, once there is what a step asked for.
SEEN = {
    "first paint": ("panel-cards", "fx-cards"),
    "change window": ("panel-summary", "近 5 天"),
    "switch language": ("panel-summary", "documents"),
    "change theme": ("panel-trend-title", "虚拟人"),
    "search": ("panel-search", "<mark"),
}
SEEN["next visit"] = SEEN["first paint"]
PATIENCE = 60.0  # seconds


@dataclass
class Step:
    """What was sent from one press, or one page's opening, to the next."""

    name: str
    begun: float
    opens: str = ""  # the websocket's address, where the page is a new one
    sent: list[tuple[float, bytes]] = field(default_factory=list)  # seconds since it began; live parts ask again
    asked: int = 0  # which of `sent` asks for what the step is timed by
    seconds: float = 0.0


class Tape:
    """What a page sends, by steps."""

    def __init__(self, page: Page) -> None:
        self.steps: list[Step] = []
        page.on("websocket", self._open)

    def begin(self, name: str) -> None:
        """From here on it is another step; an empty name ends the last."""
        now = time.perf_counter()
        if self.steps:
            self.steps[-1].seconds = now - self.steps[-1].begun
        if name:
            self.steps.append(Step(name, now))

    def _open(self, socket: WebSocket) -> None:
        self.steps[-1].opens = socket.url
        socket.on("framesent", self._sent)

    def _sent(self, frame: str | bytes) -> None:
        step, told = self.steps[-1], frame.encode() if isinstance(frame, str) else frame
        if all(BackMsg.FromString(earlier).rerun_script.is_auto_rerun for _, earlier in step.sent):
            step.asked = len(step.sent)
        step.sent.append((time.perf_counter() - step.begun, told))


class Viewer:
    """One of them, who may open several pages one after the other."""

    def __init__(self) -> None:
        self.socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._parts: list[bytes] = []
        self._seen = asyncio.Event()
        self._when = 0.0

    async def play(self, step: Step, times: dict[str, list[float]]) -> None:
        """Do what was recorded; note the milliseconds that it took, if it is one of `SEEN`."""
        begun = time.perf_counter()
        if step.opens:
            await self.leave()
            self.socket = await connect(step.opens, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]
            self._reader = asyncio.create_task(self._read(self.socket))
        assert self.socket is not None, "the first step opens a page"
        pressed = begun
        loading = step.sent[0][0] if step.opens else 0.0  # the browser's scripts
        for number, (due, frame) in enumerate(step.sent):
            await asyncio.sleep(begun + due - loading - time.perf_counter())
            if number == step.asked:
                self._watch(SEEN.get(step.name, ()))
                pressed = begun if step.opens else time.perf_counter()
            await self.socket.send(frame)
        if step.name in SEEN:
            async with asyncio.timeout(PATIENCE):
                await self._seen.wait()
            times[step.name].append(1000 * (self._when - pressed))
        await asyncio.sleep(begun + step.seconds - loading - time.perf_counter())

    async def leave(self) -> None:
        if self.socket is not None and self._reader is not None:
            await self.socket.close()
            await self._reader

    def _watch(self, parts: Iterable[str]) -> None:
        self._parts = [json.dumps(part)[1:-1].encode() for part in parts]
        self._seen.clear()

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            told = message.encode() if isinstance(message, str) else message
            if self._parts and all(part in told for part in self._parts):
                self._when, self._parts = time.perf_counter(), []
                self._seen.set()


async def replay(steps: list[Step], number: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds by step of so many viewers, who come at any time within the first round."""
    times: dict[str, list[float]] = defaultdict(list)
    length = sum(step.seconds for step in steps)

    async def come(chance: random.Random) -> None:
        await asyncio.sleep(length * chance.random() if number > 1 else 0)
        for _ in range(rounds):
            viewer = Viewer()
            for step in steps:
                await viewer.play(step, times)
            await viewer.leave()

    await asyncio.gather(*(come(random.Random(seed)) for seed in range(number)))
    return times
