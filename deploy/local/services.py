"""Which processes make up the product on this machine, and how each shows that it is ready."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Callable

from deploy.local.preflight import accepts
from deploy.local.supervisor import Service
from deploy.settings import Settings

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy can't reach what listens here


def answers(url: str) -> bool:
    """Whether an HTTP GET to this machine gives 200 within a second."""
    try:
        with _direct.open(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def plan(settings: Settings, *, create_topics: Callable[[], None], migrate: Callable[[], None]) -> list[Service]:
    """The services in the order in which they start."""
    python = sys.executable
    services = []
    if settings.embedded_clickhouse:
        port = settings.local.clickhouse_port
        services.append(
            Service(
                "clickhouse",
                [
                    python,
                    "-m",
                    "deploy.local.clickhouse",
                    "--data",
                    str(settings.data_dir / "clickhouse"),
                    "--port",
                    str(port),
                ],
                ready=lambda: answers(f"http://127.0.0.1:{port}/ping"),
                prepare=migrate,
            )
        )
    if settings.embedded_kafka:
        services.append(
            Service(
                "broker",
                [python, "-m", "deploy.local.broker", "--port", str(settings.local.kafka_port)],
                ready=lambda: accepts(settings.local.kafka_port),
                prepare=create_topics,
                dependents=("worker", "ingest"),
            )
        )
    services += [
        Service(
            "dashboard",
            [python, "-m", "deploy.cli", "dashboard"],
            ready=lambda: answers(f"{settings.dashboard_address}/_stcore/health"),
        ),
        Service(
            "worker",
            [python, "-m", "deploy.cli", "worker"],
            ready=lambda: accepts(settings.stream.web_port),
            start_seconds=120,
            stop_seconds=30,
        ),
        Service("ingest", [python, "-m", "ingest"], ready=lambda: True, stop_seconds=20),
        Service("alerts", [python, "-m", "deploy.cli", "alerts", "run"], ready=lambda: True, stop_seconds=40),
    ]
    return services
