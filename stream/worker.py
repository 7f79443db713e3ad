"""One stream worker, until it is told to stop: the app, its agents, the watchdog and the health page in one process."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Set
from typing import NoReturn

import faust

from deploy.settings import Settings
from stream.analyse import Analyser
from stream.app import Agents, create_app
from stream.health import serve
from stream.log import GROUP, Log
from stream.records import ANALYSES, DEAD, DOCUMENTS
from stream.watchdog import Watchdog, judge

log = logging.getLogger(__name__)

TOPICS = (DOCUMENTS, ANALYSES, DEAD)
FATAL_STATUS = 70


def run(settings: Settings, analyser: Analyser) -> NoReturn:
    """Join the group and work until SIGTERM or SIGINT; then commit what is finished and exit.

    The topics must exist. Raises `stream.log.LogAway` when no broker answers. Exits with status 70 when the worker
    can't go on and a fresh one can: whoever supervises it starts that.
    """
    with Log(settings.kafka_servers) as reader:
        epochs = reader.epochs(TOPICS)
    app = create_app(settings)
    agents = Agents(app, settings, analyser=analyser, epochs=epochs, fatal=fatal)

    def assigned() -> Set[tuple[str, int]]:
        return {(place.topic, place.partition) for place in app.consumer.assignment()}

    def healthy() -> str:
        return "; ".join(filter(None, (judge(pulse, 0, pulse.clock()) for pulse in agents.pulses)))

    def ready() -> str:
        return "" if app.started and not app.rebalancing and assigned() else "no partitions assigned"

    server = serve(settings.stream.web_port, healthy=healthy, ready=ready)
    watchdog = Watchdog(
        servers=settings.kafka_servers,
        group=GROUP,
        epochs=epochs,
        pulses=agents.pulses,
        assigned=assigned,
        end=fatal,
    )
    watchdog.start()
    log.info(
        "worker of %s; health at http://127.0.0.1:%d/healthz", ",".join(settings.kafka_servers), server.server_port
    )
    worker = faust.Worker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.execute_from_commandline()
    raise SystemExit(0)  # not reached: the worker exits


def fatal(reason: str) -> NoReturn:
    """End the process now, committing nothing: what is unfinished is read again by the next worker."""
    log.critical("the worker ends: %s", reason)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(FATAL_STATUS)
