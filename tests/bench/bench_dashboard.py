"""The pages at size: `python -m tests.bench.bench_dashboard [--viewers 1,10] [--rounds 5] [--pause 0]`.

Fills a store as `bench_store` does, starts the dashboard over it and reads it in headless Chromium, a browser context
a viewer. First paint: from asking for the overview until its theme cards stand there, by a browser that was never
there; next visit: the same at the end of a round, by one that has kept the scripts. Interactions: from the press until
what was asked for is painted; the rest of the page may come after it. All by the browser's own clock: what drives it
looks only now and then, and takes a tenth of a second and more to see it. `cold` is the very first page of the process.
The last line is what no page of Streamlit does without: one that holds a dot and asks nothing.

The browsers share the processors with what they read, and take most of them: beside the times stands what a viewer's
six requests cost the dashboard, the store and the browser. With several viewers, `--pause` gives the browsers room.
`light`: viewers without a browser (`light_viewers`), who look some three seconds before each click; their times end
when the answer has come, before it is painted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.bench.bench_store import MENTIONS_A_DOCUMENT, count_tallies, fill, rows_of, span_of, store
from tests.bench.light_viewers import Step, Tape, replay
from tests.dashboard.browser import NAMES
from tests.dashboard.site import Site, answers
from tests.fixtures.broker import free_port

BARS = {
    "first paint": 2000,
    "next visit": 2000,
    "change window": 500,
    "switch language": 500,
    "change theme": 500,
    "search": 500,
}
LOOK = 3.0  # seconds that the viewer looks whose clicks are recorded
Times = dict[str, list[float]]
CARDS, DOT, SUMMARY = ".st-key-panel-cards .fx-cards", ".empty", ".st-key-panel-summary .fx-summary"
EMPTY = f"""import streamlit as st
st.html('<b class="{DOT[1:]}">·</b>')
"""


# When something was last pressed, and when what is watched for was first painted: milliseconds since the page was asked
# for. A message comes after the frame that the mutation leads to.
WATCH = """
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, (e) => (window.fxPressed = e.timeStamp), true);
window.fxWatch = (selector, text) => {
  window.fxSeen = null;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => (window.fxSeen = performance.now());
  const observer = new MutationObserver(() => {
    const found = [...document.querySelectorAll(selector)];
    if (!found.some((e) => e.getClientRects().length && e.textContent.includes(text))) return;
    observer.disconnect();
    requestAnimationFrame(() => port2.postMessage(0));
  });
  observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
};
"""


async def context_of(browser: Browser) -> BrowserContext:
    """A browser that was never there."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    await context.add_init_script(WATCH)
    await context.add_init_script(f"fxWatch('{CARDS}, {DOT}', '')")
    return context


async def painted(page: Page) -> float:
    """When what is watched for was painted, in milliseconds since the page was asked for."""
    seen = await page.wait_for_function("window.fxSeen", polling=200, timeout=60_000)
    return float(await seen.json_value())


async def settle(page: Page) -> None:
    await page.locator('.stApp[data-test-script-state="notRunning"]').wait_for(state="attached", timeout=60_000)


async def visit(page: Page, address: str) -> float:
    """Milliseconds from asking for an address until what it is visited for is painted."""
    await page.goto(address, wait_until="commit")
    taken = await painted(page)
    await settle(page)
    return taken


async def click(page: Page, text: str, selector: str, seen: str) -> float:
    """Milliseconds from pressing the button that begins with `text` until what is asked for is painted."""
    await page.evaluate("seen => fxWatch(...seen)", [selector, seen])
    await page.get_by_role("radio", name=re.compile(f"^{text}")).first.click()
    return await answered(page)


async def answered(page: Page) -> float:
    taken = await painted(page) - float(await page.evaluate("window.fxPressed"))
    await settle(page)
    return taken


async def round_of(
    page: Page,
    address: str,
    times: Times,
    look: Callable[[], Awaitable[None]],
    begin: Callable[[str], None] = lambda name: None,
) -> None:
    """One viewer: the overview, another window, the other language, the theme page, another theme, a search. `begin` is
    told each step, timed or not."""
    begin("first paint")
    times["first paint"].append(await visit(page, address))
    begin("change window")
    times["change window"].append(await click(page, "5天", SUMMARY, "近 5 天"))
    await look()
    begin("switch language")
    times["switch language"].append(await click(page, "EN$", SUMMARY, "documents"))
    await look()
    begin("open theme")
    await page.goto(f"{address}/theme?theme=game&w=today", wait_until="commit")
    await page.locator(".st-key-panel-summary .fx-tile").first.wait_for(timeout=60_000)
    await settle(page)
    await look()
    begin("change theme")
    times["change theme"].append(await click(page, "虚拟人", ".st-key-panel-trend-title", "虚拟人"))
    await look()
    begin("open search")
    await page.goto(f"{address}/search?w=today", wait_until="commit")
    words = page.get_by_placeholder("检索标题与正文")
    await words.wait_for(timeout=60_000)
    await settle(page)
    await look()
    begin("search")
    await words.fill("游戏版号")
    await page.evaluate("seen => fxWatch(seen, '')", ".st-key-panel-search mark")
    await words.press("Enter")
    times["search"].append(await answered(page))
    await look()
    begin("next visit")
    times["next visit"].append(await visit(page, address))
    await look()
    begin("")


async def viewers(browser: Browser, address: str, number: int, rounds: int, pause: float) -> Times:
    """The times of so many readers at once, who look for about `pause` seconds before each click."""
    times: Times = defaultdict(list)

    async def read(chance: random.Random) -> None:
        async def look() -> None:
            await asyncio.sleep(pause * chance.uniform(0.5, 1.5))

        for _ in range(rounds):
            context = await context_of(browser)
            await look()
            await round_of(await context.new_page(), address, times, look)
            await context.close()

    async def come(chance: random.Random) -> None:
        await asyncio.sleep(chance.uniform(0, 6 * pause) if number > 1 else 0)  # not all at once
        await read(chance)

    await asyncio.gather(*(come(random.Random(seed)) for seed in range(number)))
    return times


async def recorded(browser: Browser, address: str, pause: float) -> list[Step]:
    """What one viewer sends in a round, looking `pause` seconds before each click."""
    context = await context_of(browser)
    page = await context.new_page()
    tape = Tape(page)
    await round_of(page, address, defaultdict(list), lambda: asyncio.sleep(pause), tape.begin)
    await context.close()
    return tape.steps


def spent() -> dict[str, float]:
    """Processor seconds so far of the dashboard, the store and all other processes, of which the browsers are most."""
    found = {"dashboard": 0.0, "store": 0.0}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_text()
            ticks = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
            for name, part in (("dashboard", "deploy.cli\0dashboard"), ("store", "deploy.local.clickhouse")):
                found[name] += sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") if part in command else 0
    busy = [int(n) for n in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    every = (sum(busy[:3]) + sum(busy[5:7])) / os.sysconf("SC_CLK_TCK")  # neither idle nor waiting for the disk
    return found | {"browser": every - sum(found.values())}


async def visits_to_nothing(browser: Browser, folder: Path, rounds: int) -> Times:
    """First and next visits to a page of Streamlit that holds a dot, after one that counts for nothing."""
    script, port = folder / "empty.py", free_port()
    script.write_text(EMPTY)
    quiet = ("--server.headless=true", "--browser.gatherUsageStats=false", "--server.fileWatcherType=none")
    command = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", *quiet]
    address = f"http://127.0.0.1:{port}"
    times: Times = defaultdict(list)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not answers(address):
                assert process.poll() is None, f"{' '.join(command)} ended"
                await asyncio.sleep(0.1)
            for _ in range(rounds + 1):
                context = await context_of(browser)
                page = await context.new_page()
                for name in ("first paint", "next visit"):
                    times[name].append(await visit(page, address))
                await context.close()
        finally:
            process.terminate()
    return {name: taken[1:] for name, taken in times.items()}


def line(name: str, times: Times) -> str:
    cells = ["{:,.0f}/{:,.0f}".format(*np.percentile(times[key], [50, 95])) if key in times else "" for key in BARS]
    return f"  {name:<24}" + "".join(f"{cell:>18}" for cell in cells)


async def measure(address: str, folder: Path, numbers: list[int], light: list[int], rounds: int, pause: float) -> None:
    """Print the times for each number of viewers, and those of the process's very first page."""
    system = next((path for name in NAMES if (path := shutil.which(name))), None)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=system, args=arguments)
        cold = await viewers(browser, address, 1, 1, 0)
        print(f"  {'p50/p95 ms':<24}" + "".join(f"{name:>18}" for name in BARS))
        print(line("cold", cold), flush=True)
        for number in numbers:
            before = spent()
            times = await viewers(browser, address, number, rounds, pause)
            cost = {name: (s - before[name]) / number / rounds for name, s in spent().items()}
            print(line(f"{number:>3} viewers", times))
            print("      processor seconds a round: " + ", ".join(f"{k} {v:.1f}" for k, v in cost.items()), flush=True)
        steps = await recorded(browser, address, LOOK)
        for number in light:
            before, begun = spent(), time.perf_counter()
            print(line(f"{number:>3} light", await replay(steps, number, rounds)))
            busy = {name: (s - before[name]) / (time.perf_counter() - begun) for name, s in spent().items()}
            print(
                "      processors kept busy: " + ", ".join(f"{k} {busy[k]:.2f}" for k in ("dashboard", "store")),
                flush=True,
            )
        print(f"  {'bar':<24}" + "".join(f"{bar:>18,}" for bar in BARS.values()))
        print(line("a page with a dot", await visits_to_nothing(browser, folder, rounds)))
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mentions", type=float, default=5e6)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--viewers", default="1,10")
    parser.add_argument("--light", default="1,10", help="numbers of viewers without a browser")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pause", type=float, default=0, help="seconds that a viewer looks before each click, about")
    parser.add_argument("--folder", type=Path, help="a store that is kept, and filled the first time")
    arguments = parser.parse_args()
    span = span_of(arguments.days)
    with tempfile.TemporaryDirectory(prefix="fengxiang-bench-") as name:
        folder = (arguments.folder or Path(name)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with store(folder) as (server, writer, _):
            if not rows_of(writer, "documents"):
                fill(writer, span, 0, int(arguments.mentions / MENTIONS_A_DOCUMENT))
                count_tallies(writer, span)
            elif not rows_of(writer, "tally_refreshes"):  # noted last
                parser.error(f"{folder} was not filled to the end: delete it, or name another one")
            site = Site(server.url(writer=False), folder, server.editor_url()).start()
            try:
                print(f"{arguments.mentions:,.0f} mentions, {arguments.rounds} rounds a viewer")
                numbers = [int(n) for n in arguments.viewers.split(",")]
                light = [int(n) for n in arguments.light.split(",")]
                asyncio.run(measure(site.address, folder, numbers, light, arguments.rounds, arguments.pause))
            finally:
                site.stop()


if __name__ == "__main__":
    main()
