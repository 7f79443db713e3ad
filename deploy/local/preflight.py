"""Checks made before anything starts. Each failure is one line that names the thing and the remedy."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.settings import Settings

MIN_FREE_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Problem:
    """Something that must be mended before a start."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}"


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    try:
        try_port(port, host)
    except OSError:
        return False
    return True


def try_port(port: int, host: str) -> None:
    """Raises `OSError` where no server could listen on the port now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def accepts(port: int, host: str = "127.0.0.1", timeout: float = 0.3) -> bool:
    """Whether something listens on the port."""
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError:
        return False
    return True


def ports(settings: Settings) -> dict[str, tuple[int, str]]:
    """Every port that `up` will listen on: what for -> (port, the variable that changes it)."""
    used = {
        "dashboard": (settings.dashboard.port, "FENGXIANG_DASHBOARD__PORT"),
        "worker": (settings.stream.web_port, "FENGXIANG_STREAM__WEB_PORT"),
    }
    if settings.embedded_kafka:
        used["broker"] = (settings.local.kafka_port, "FENGXIANG_LOCAL__KAFKA_PORT")
    if settings.embedded_clickhouse:
        used["clickhouse"] = (settings.local.clickhouse_port, "FENGXIANG_LOCAL__CLICKHOUSE_PORT")
    if settings.ingest.push_port:
        used["push"] = (settings.ingest.push_port, "FENGXIANG_INGEST__PUSH_PORT")
    if settings.alerts.web_port:
        used["alerts"] = (settings.alerts.web_port, "FENGXIANG_ALERTS__WEB_PORT")
    if settings.stream.metrics_port:
        used["metrics"] = (settings.stream.metrics_port, "FENGXIANG_STREAM__METRICS_PORT")
    return used


def check_python() -> list[Problem]:
    if sys.version_info < (3, 11):
        return [Problem(f"Python {sys.version.split()[0]} is too old", "install Python 3.11 or newer")]
    return []


def check_ports(settings: Settings) -> list[Problem]:
    found, seen = [], dict[int, str]()
    for name, (port, variable) in ports(settings).items():
        if port in seen:
            found.append(Problem(f"{name} and {seen[port]} are both set to port {port}", f"change {variable}"))
        elif not port_is_free(port, settings.dashboard.host if name == "dashboard" else "127.0.0.1"):
            other = port + 10_000 if port < 50_000 else port - 10_000
            remedy = f"stop the program that holds it, or choose another port: {variable}={other}"
            found.append(Problem(f"port {port} ({name}) is taken", remedy))
        seen[port] = name
    return found


def check_folder(folder: Path) -> list[Problem]:
    """Can data be kept in the folder? Makes it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        remedy = "free some space, or" if error.errno == errno.ENOSPC else "give write permission, or"
        remedy += " set FENGXIANG_DATA_DIR to a folder that can"
        return [Problem(f"{folder.absolute()} can't be written ({error.strerror})", remedy)]
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        need = MIN_FREE_BYTES / 1e9
        return [
            Problem(
                f"only {free / 1e9:.2f} GB are free at {folder.absolute()}",
                f"free at least {need:.0f} GB, or set FENGXIANG_DATA_DIR to a larger disk",
            )
        ]
    return []


def check_access(settings: Settings) -> list[Problem]:
    """May the dashboard start where the settings put it?"""
    from dashboard.access_start import problem

    wrong, _, remedy = problem(settings, settings.dashboard.host).partition(": ")
    return [Problem(wrong, remedy)] if wrong else []


def check(settings: Settings) -> list[Problem]:
    """All that would keep `up` from starting."""
    return check_python() + check_folder(settings.data_dir) + check_ports(settings) + check_access(settings)
