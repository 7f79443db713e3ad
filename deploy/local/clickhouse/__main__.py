"""`python -m deploy.local.clickhouse --data DIR [--host H] [--port P] [--users FILE]`: runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from deploy.logs import configure
from deploy.settings import SettingsError, load

from . import sandbox
from .engine import Engine, StartError
from .server import Gateway
from .users import DATABASE, User, UsersError, local_users, read_users

log = logging.getLogger("clickhouse")
LINE = 1 << 20  # bytes of a request line or header: clients send statements and parameters in the URL


async def serve(engine: Engine, users: Mapping[str, User], host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT, then closes the engine. Raises `StartError` when the port can't be had."""
    gateway = Gateway(engine, users)
    runner = web.AppRunner(
        gateway.application(),
        auto_decompress=False,
        handler_cancellation=True,
        max_line_size=LINE,
        max_field_size=LINE,
        access_log=None,
        keepalive_timeout=30,
        shutdown_timeout=1,
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"port {port} on {host} is taken; stop what uses it or choose another (--port)") from error
        raise StartError(f"can't listen on {host}:{port}: {error.strerror or error}") from error
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bound = runner.addresses[0][1]
    print(f"ready ClickHouse {engine.version} on http://{host}:{bound}", flush=True)
    await stop.wait()
    await site.stop()
    if await gateway.close():
        await runner.cleanup()
        engine.close()


def _confine(folder: Path) -> None:
    """Gives up this machine's other files, where the kernel can. Raises `StartError` for a folder that can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        confined = sandbox.enter(folder)
    except OSError as error:
        raise StartError(f"data folder {folder}: {error.strerror or error}; choose another (--data)") from error
    if not confined:
        log.warning("this kernel has no Landlock: SQL is kept from this machine's files by grants and rules alone")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.clickhouse", description="Embedded ClickHouse.")
    parser.add_argument("--data", type=Path, required=True, help="data folder, made where missing")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123, help="0: any free port, printed in the ready line")
    parser.add_argument("--users", type=Path, help="JSON file of users instead of the settings' two")
    options = parser.parse_args()
    try:
        settings = load()
        configure(settings, "clickhouse")
        users = read_users(options.users) if options.users else local_users(settings)
        _confine(options.data)
        engine = Engine(options.data.resolve(), users, int(settings.local.memory_gb * 1e9))
        engine.create_database(DATABASE)
        asyncio.run(serve(engine, users, options.host, options.port))
    except (SettingsError, UsersError, StartError) as error:
        print(f"clickhouse: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)  # a worker thread that the engine still holds must not keep the process


main()
