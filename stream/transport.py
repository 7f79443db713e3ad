"""Faust's transport with a wait of our own for new messages.

Faust asks the broker to hold a fetch for up to 1.5 s until something comes, and has no setting for it. Kafka answers as
soon as a message is there, but what comes meanwhile to a partition that isn't in the request waits for its end. The
embedded broker looks again only after half of the time: two topics on a document's way cost up to 1.5 s.
"""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver

FETCH_WAIT_MS = 100


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # handed to its fetcher when it starts
        return consumer


class _Consumer(driver.Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):  # type: ignore[misc]
    """`app.transport = Transport(app.conf.broker_consumer, app)`."""

    Consumer = _Consumer
