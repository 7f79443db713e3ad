"""Every metric of the stream, in one place. Names start with `fengxiang_`; times are seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

from stream.log import PartitionState
from stream.records import AnalysedDocument

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
_LATENCY = (0.3, 1, 2, 3, 5, 10, 30, 60, 300, 1800, 7200)

# Messages that an agent has finished: analyse counts documents, sink analyses, dead dead letters.
FINISHED = Counter("fengxiang_finished", "Messages finished by an agent", ["agent"])
# Messages set aside, by the stage that failed. Any rise is worth a look: `fengxiang dead list`.
DEAD_LETTERS = Counter("fengxiang_dead_letters", "Messages set aside as dead letters", ["stage"])
# How full the batches are. Full ones mean that the worker is behind; ones of 1, that it is idle.
BATCH_SIZE = Histogram(
    "fengxiang_batch_messages", "Messages in a batch", ["agent"], buckets=(1, 2, 5, 10, 30, 64, 300, 1000)
)
# Where the time of a batch goes: analyse (decode and model), send (to Kafka), store (to ClickHouse).
STAGE_SECONDS = Histogram("fengxiang_stage_seconds", "Seconds of a batch by stage", ["stage"], buckets=_SECONDS)
# Seconds of the text models by stage, summed over documents (from the analyses' own timings).
MODEL_SECONDS = Counter("fengxiang_model_seconds", "Seconds of the text models by stage", ["stage"])
# Rows inserted, tombstones included.
ROWS = Counter("fengxiang_rows", "Rows inserted into ClickHouse", ["table"])
# From a document's published, fetched or analysed time until its rows can be queried. History (backfill) is left out.
LATENCY = Histogram("fengxiang_latency_seconds", "Seconds until queryable", ["since"], buckets=_LATENCY)
# Tries that failed because Kafka or ClickHouse was away or refused for now. Lag grows meanwhile; nothing is lost.
RETRIES = Counter("fengxiang_retries", "Tries that failed and are repeated", ["target"])
# Messages that the workers' group has not finished. The first thing to alert on.
LAG = Gauge("fengxiang_lag_messages", "Messages not finished yet", ["topic", "partition"])
# 1 while the worker has partitions and is not rebalancing.
READY = Gauge("fengxiang_ready", "Whether the worker takes part")


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Times a stage of a batch, failures included."""
    began = perf_counter()
    try:
        yield
    finally:
        STAGE_SECONDS.labels(stage).observe(perf_counter() - began)


def analysed(messages: Sequence[AnalysedDocument]) -> None:
    """A batch was analysed."""
    for message in messages:
        for stage, seconds in message.analysis.timings.items():
            MODEL_SECONDS.labels(stage).inc(seconds)


def stored(messages: Sequence[AnalysedDocument], now: datetime) -> None:
    """A batch can be queried."""
    for message in messages:
        document, analysis = message.document, message.analysis
        if document.backfill:
            continue
        moments = {"published": document.published_at, "fetched": document.fetched_at, "analysed": analysis.analysed_at}
        for since, moment in moments.items():
            if moment is not None:
                LATENCY.labels(since).observe(max(0.0, (now - moment).total_seconds()))


def lag(states: Sequence[PartitionState]) -> None:
    """The log's state was read."""
    for state in states:
        LAG.labels(state.topic, str(state.partition)).set(state.lag)
