"""`fengxiang worker`: run a stream worker. Start as many as there are partitions, on one machine or on several."""

from __future__ import annotations

import logging

from deploy.cli import UserError
from deploy.local.broker import BrokerError, create_topics
from deploy.logs import configure
from deploy.settings import Settings, load
from stream.analyse import Analyser
from stream.log import LogAway


def command() -> None:
    """Run a stream worker until Ctrl-C. 流处理进程"""
    settings = load()
    configure(settings, "worker")
    for noisy in ("faust", "mode", "aiokafka"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it says every failed connection twice; so do we, once
    from stream.worker import Worker

    def make_topics() -> None:
        try:
            create_topics(settings.kafka_servers, settings, timeout=5)
        except BrokerError as error:
            raise LogAway(str(error)) from error

    Worker(settings, load=lambda: load_analyser(settings), make_topics=make_topics).run()


def load_analyser(settings: Settings) -> Analyser:
    """The text models. Raises `UserError` when they can't be loaded."""
    from models.analyse import Analyser as TextModels
    from models.encoder import ModelError
    from models.themes import ThemeError

    model = settings.model
    themes = str(settings.user_themes) if settings.user_themes.is_file() else ""
    try:
        return TextModels.load(model.path, model.threads, model.device, model.batch_size, themes)
    except (ModelError, ThemeError) as error:
        raise UserError(str(error)) from error
