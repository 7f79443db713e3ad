"""`fengxiang up`: the whole product on this machine, in the foreground, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import UserError
from deploy.local import pidfile, preflight
from deploy.local.process import Child
from deploy.local.services import plan
from deploy.local.supervisor import StartError, Supervisor, last_words
from deploy.logs import as_json
from deploy.settings import Settings, load, redact
from deploy.signals import stopped_by

COLOURS = {
    "up": 37,
    "clickhouse": 33,
    "broker": 35,
    "worker": 32,
    "ingest": 36,
    "dashboard": 34,
    "alerts": 95,
    "load": 96,
}
_print_lock = threading.Lock()


def echo(name: str, line: str) -> None:
    """One log line with the time and the process's name, coloured on a terminal; or a JSON line (`log.format`).

    A reader that has gone (`| tee`, ended by the same Ctrl-C) or a full disk loses lines and stops nothing.
    """
    with contextlib.suppress(OSError, ValueError), _print_lock:
        print(_formatted(name, line), flush=True)


def _formatted(name: str, line: str) -> str:
    if load().log.format == "json":
        return as_json(name, line, datetime.now(UTC))
    label = f"{name:<10}"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        label = f"\033[{COLOURS.get(name, 37)}m{label}\033[0m"
    return f"{datetime.now():%H:%M:%S} {label} {line}"


def command(
    sample: Annotated[bool, typer.Option(help="Load the fictional sample corpus first. 先导入虚构样例")] = False,
    input: Annotated[
        list[Path] | None,
        typer.Option(help="Also ingest this file or folder (JSONL, CSV, Parquet, PDF, HTML, txt). 一并导入"),
    ] = None,
) -> None:
    """Start the local stack, the worker, the ingestors and the dashboard, and keep them running. 启动全部进程"""
    settings = load()
    for path in input or []:
        if not path.exists():
            raise UserError(f"{path} does not exist: give a file or a folder, as in make run INPUT=news.jsonl")
    try:
        folder_problems = preflight.check_folder(settings.data_dir)
        if folder_problems:
            raise UserError(str(folder_problems[0]))
        with pidfile.held(settings.data_dir):
            problems = preflight.check(settings)
            if problems:
                raise UserError("\n       ".join(str(problem) for problem in problems))
            run(settings, sample=sample, inputs=[str(path) for path in input or []])
    except pidfile.AlreadyRunning as error:
        raise UserError(str(error)) from None


def run(settings: Settings, *, sample: bool, inputs: list[str]) -> None:
    """Supervise until SIGINT or SIGTERM."""
    supervisor = Supervisor(
        plan(settings, create_topics=lambda: _create_topics(settings), migrate=lambda: _migrate(settings)),
        settings.data_dir,
        echo,
    )

    def restart_nothing() -> None:
        supervisor.stopping = True

    stop = stopped_by(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, then=restart_nothing)
    started = time.monotonic()
    loads: list[Child] = []
    try:
        if not settings.embedded_clickhouse:
            _migrate(settings)
        if not settings.embedded_kafka:
            _create_topics(settings)
        supervisor.start()
        if not stop.is_set():
            _announce(settings, time.monotonic() - started)
            pending = _loads(settings, sample=sample, inputs=inputs)
            while not stop.wait(0.2):
                supervisor.tick()
                _advance(loads, pending, settings)
    except StartError as error:
        raise UserError(f"{error}\n       full log: {settings.data_dir / 'logs'}") from None
    finally:
        echo("up", "stopping ...")
        for child in loads:
            child.stop(5)
        supervisor.stop()
        echo("up", "stopped")


def _create_topics(settings: Settings) -> None:
    from deploy.local.broker import create_topics

    create_topics(settings.kafka_servers, settings)


def _migrate(settings: Settings) -> None:
    from stream.migrate import migrate

    migrate(settings)


def _loads(settings: Settings, *, sample: bool, inputs: list[str]) -> list[list[str]]:
    """Commands that bring documents in, one after the other."""
    commands = []
    if sample and not (settings.data_dir / "run" / "sample-loaded").exists():
        commands.append(["--sample"])
    commands += [[path] for path in inputs]
    return commands


def _advance(loads: list[Child], pending: list[list[str]], settings: Settings) -> None:
    """Start the next load when the last one is done."""
    if loads:
        status = loads[-1].poll()
        if status is None:
            return
        child = loads.pop()
        child.stop(0)
        if "--sample" in child.process.args and status == 0:  # type: ignore[operator]
            (settings.data_dir / "run" / "sample-loaded").touch()
        elif status:
            echo("up", f"the load ended with status {status}: {last_words(child)}")
    if pending:
        argv = [sys.executable, "-m", "deploy.cli", "ingest", *pending.pop(0), "--wait"]
        loads.append(Child("load", argv, settings.data_dir / "logs", echo))


def _announce(settings: Settings, seconds: float) -> None:
    reader = settings.clickhouse_url(writer=False)
    lines = [
        f"风向 Fengxiang is up ({seconds:.0f} s). Ctrl-C stops it.",
        f"  看板 dashboard   {settings.dashboard_address}",
        f"  SQL  clickhouse  {redact(reader)}   (fengxiang sql 'SELECT count() FROM documents FINAL')",
        f"  推送 push        http://127.0.0.1:{settings.ingest.push_port}" if settings.ingest.push_port else "",
        f"  投递 inbox       {(settings.data_dir / settings.ingest.inbox).absolute()}" if settings.ingest.inbox else "",
        f"  日志 logs        {(settings.data_dir / 'logs').absolute()}",
    ]
    for line in filter(None, lines):
        echo("up", line)
