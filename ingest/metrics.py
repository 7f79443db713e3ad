"""The ingestor's numbers for Prometheus, read when asked: what waits in the outbox, and how each source is doing."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ingest.health import Health
from ingest.outbox import Outbox

STATES = ("ok", "failing", "gap", "silent")


class _Collector:
    def __init__(self, outbox: Outbox, health: Health) -> None:
        self._outbox, self._health = outbox, health

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "fengxiang_outbox_documents", "Documents not yet stored, by state.", labels=["state"]
        )
        for waits, count in self._outbox.waiting().items():
            waiting.add_metric([waits.name.lower()], count)
        yield waiting
        yield GaugeMetricFamily("fengxiang_outbox_free_ratio", "Free share of the outbox, 0 to 1.", self._outbox.room())
        states = GaugeMetricFamily(
            "fengxiang_source_state", "1 for the state a source is in.", labels=["source", "state"]
        )
        newest = GaugeMetricFamily(
            "fengxiang_source_newest_item_seconds", "When a source's newest item was published.", labels=["source"]
        )
        new = CounterMetricFamily("fengxiang_source_new", "Documents that a source brought.", labels=["source"])
        errors = CounterMetricFamily("fengxiang_source_errors", "Failed polls and rejected items.", labels=["source"])
        usual = GaugeMetricFamily(
            "fengxiang_source_usual_polls_with_news_per_hour",
            "Polls an hour that usually bring something at this time, once that is known.",
            labels=["source"],
        )
        for name, tally in self._health.tallies().items():
            if (rate := self._health.usual_rate(name, tally.checked_at)) is not None:
                usual.add_metric([name], rate)
            for state in STATES:
                states.add_metric([name, state], float(tally.state == state))
            if tally.last_item_at:
                newest.add_metric([name], tally.last_item_at.timestamp())
            new.add_metric([name], tally.new)
            errors.add_metric([name], tally.errors)
        yield from (states, newest, usual, new, errors)


def exposition(outbox: Outbox, health: Health) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(outbox, health))
    return generate_latest(registry)
