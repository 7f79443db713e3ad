"""One stream worker, until it is told to stop: apps, agents, watchdog and health page in one process."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import time
from collections.abc import Callable, Set
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import faust
from clickhouse_connect.driver.client import Client
from faust.exceptions import ConsumerNotStarted

from deploy.settings import Settings
from stream import metrics, story_rows, tallies, trends
from stream.analyse import Analyser
from stream.app import Agents
from stream.chores import Chore
from stream.health import serve
from stream.log import Log, LogAway, open_producer
from stream.records import ANALYSES, DEAD, DOCUMENTS
from stream.resend import carry_out
from stream.retention import Retention
from stream.store import connect
from stream.watchdog import Watchdog, judge

log = logging.getLogger(__name__)

TOPICS = (DOCUMENTS, ANALYSES, DEAD)
FATAL_STATUS = 70
BROKER_PAUSE = 1.0
BEAT_SECONDS = 60.0  # by which the watchdog may be late


class Worker:
    """Starts answering on the health page at once; `run` does the rest and doesn't return.

    load: gives the text models, before the group is joined, so that the others keep the partitions meanwhile.
    make_topics: makes what is missing; raises `LogAway` while no broker answers.
    """

    def __init__(
        self, settings: Settings, *, load: Callable[[], Analyser], make_topics: Callable[[], None] = lambda: None
    ) -> None:
        self._settings, self._load, self._make_topics = settings, load, make_topics
        self._waiting_for = "the text models are being loaded"
        self._agents: Agents | None = None
        self._server = serve(settings.stream.web_port, healthy=self._healthy, ready=self._ready)
        if settings.stream.metrics_port:
            serve(settings.stream.metrics_port, healthy=self._healthy, ready=self._ready)

    def run(self) -> NoReturn:
        """Join the group and work until SIGTERM or SIGINT; then commit what is finished and exit.

        Waits for a broker that is away. Exits with status 70 when this worker can't go on and a fresh one can: whoever
        supervises it starts that.
        """
        settings = self._settings
        log.info("health and metrics at http://127.0.0.1:%d/healthz, /readyz, /metrics", self._server.server_port)
        analyser = self._load()
        epochs = self._await_topics()
        agents = Agents(settings, analyser=analyser, epochs=epochs, fatal=fatal)
        for app in agents.apps:
            assert app.consumer  # made here, not by the first of our threads that asks: it belongs to this one's loop
        self._agents = agents
        Watchdog(
            servers=settings.kafka_servers,
            epochs=epochs,
            pulses=agents.pulses,
            assigned=self._assigned,
            joining=lambda: any(app.rebalancing for app in agents.apps),
            end=fatal,
            observe=metrics.lag,
            # Native code that hangs with Python's lock stops the watchdog, too; this timer needs no lock.
            beat=lambda: faulthandler.dump_traceback_later(settings.stream.hang_seconds + BEAT_SECONDS, exit=True),
        ).start()
        kept = settings.stream.document_days
        counts: dict[str, Callable[[Client], None]] = {
            "trends": partial(trends.keep_up, minute_days=settings.stream.minute_days, document_days=kept),
            "stories": story_rows.keep_up,
            "tallies": partial(tallies.keep_up, document_days=kept),
        }
        for name, keep_up in counts.items():
            Chore(
                name,
                keep_up,
                lambda: connect(settings, writer=True),
                active=lambda: any(topic == ANALYSES for topic, _ in self._assigned()),
                interval=5.0,
                trouble=f"{name} are not refreshed",
                share=0.1 / len(counts),  # a tenth of the time together: a backfill needs the processors, too
            ).start()
        retention = Retention(
            text_days=settings.stream.text_days,
            document_days=settings.stream.document_days,
            cluster=settings.clickhouse_cluster,
        )
        Chore(
            "retention",
            retention.keep,
            lambda: connect(settings, writer=True),
            active=lambda: any(topic == ANALYSES for topic, _ in self._assigned()),
            interval=30.0,
            trouble="what is due is neither cut nor dropped",
        ).start()
        Chore(
            "resend",
            partial(carry_out, open_producer=lambda: open_producer(settings)),
            lambda: connect(settings, writer=True),
            active=lambda: (DOCUMENTS, 0) in self._assigned(),  # of all workers one
            interval=2.0,
            trouble="dead letters are not replayed now",
        ).start()
        metrics.READY.set_function(lambda: not self._ready())
        log.info("joining the workers of %s", ",".join(settings.kafka_servers))
        main, *others = agents.apps
        quiet: dict[str, Any] = {"override_logging": False, "redirect_stdouts": False, "quiet": True}
        worker = faust.Worker(main, *others, loop=agents.loop, **quiet)
        worker.spinner = None  # it would draw into the log
        for app in others:
            app.beacon.reattach(worker.beacon)  # its crash is the worker's
        worker.execute_from_commandline()
        raise SystemExit(0)  # not reached: the worker exits

    def _await_topics(self) -> dict[str, str]:
        while True:
            try:
                self._make_topics()
                with Log(self._settings.kafka_servers) as reader:
                    epochs = reader.epochs(TOPICS)
                missing = [topic for topic in TOPICS if topic not in epochs]
                if not missing:
                    return epochs
                trouble = f"Kafka has no topic {', '.join(missing)}: `fengxiang up` and `fengxiang worker` make them"
            except LogAway as error:
                trouble = str(error)
            if trouble != self._waiting_for:
                log.warning("%s; waiting", trouble)
            self._waiting_for = trouble
            time.sleep(BROKER_PAUSE)

    def _assigned(self) -> Set[tuple[str, int]]:
        apps = self._agents.apps if self._agents else []
        return {place for app in apps for place in assignment(app)}

    def _healthy(self) -> str:
        pulses = self._agents.pulses if self._agents else []
        return "; ".join(filter(None, (judge(pulse, 0, pulse.clock()) for pulse in pulses)))

    def _ready(self) -> str:
        if self._agents is None:
            return self._waiting_for
        # Every group: what one worker analyses before any of them stores waits.
        joined = all(app.started and not app.rebalancing and assignment(app) for app in self._agents.apps)
        return "" if joined else "no partitions assigned"


def assignment(app: faust.App) -> Set[tuple[str, int]]:
    """The (topic, partition) pairs that an app has now."""
    with suppress(ConsumerNotStarted):
        return {(place.topic, place.partition) for place in app.consumer.assignment()}
    return set()


def fatal(reason: str) -> NoReturn:
    """End the process now, committing nothing: what is unfinished is read again by the next worker."""
    log.critical("the worker ends: %s", reason)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(FATAL_STATUS)
