"""The rows that a watch looks at, read from the store in columns: one frame a key (theme, security, source …)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from stream.alerts.rules import Rule, codes
from stream.alerts.sql import PERIOD, Where

MAX_ROWS = 900_000
LOOK_BACK = 3600  # seconds for which a document that came raises its watch: asking may take long, or fail
MAX_CODES = 12  # a document that names more pairs nothing: it is a list


@dataclass(frozen=True)
class Frame:
    """Documents of one key in the order of their times (seconds since 1970)."""

    times: NDArray[np.float64]
    first: NDArray[np.bool_]  # starts its story
    publishers: NDArray[Any]
    tones: NDArray[np.float64]
    ids: NDArray[Any]
    came: NDArray[np.float64]  # when it was stored, or its time if that is later; -inf: backfill, or stored anew


class Read(NamedTuple):
    """Frames by key, and since when (in seconds since 1970) they hold all; what was before is unknown, not absent."""

    frames: dict[str, Frame]
    since: float
    cut: bool  # more rows than are read: the latest were


def read(client: Client, rule: Rule, low: datetime, high: datetime, most: int = MAX_ROWS) -> Read:
    """What the rule's condition picks from `low` to `high`, at most so many rows."""
    where = Where()
    clause = where.clause(rule.when)
    key = _key(rule, where)
    parameters = where.parameters | {"low": low, "high": high, "late": high - timedelta(seconds=LOOK_BACK)}
    sql = f"""
    SELECT toUnixTimestamp64Milli(published_at) / 1000 AS at, {key} AS key, copy_number <= 1 AS first,
        if(publisher = '', source, publisher) AS by, sentiment_score, id,
        if(backfill OR published_at < {{late:DateTime64(3, 'UTC')}} AND id IN (
            SELECT document_id FROM alert_seen
            WHERE stored_at >= {{low:DateTime64(3, 'UTC')}} AND seen_at < {{late:DateTime64(3, 'UTC')}}
        ), -inf, toUnixTimestamp64Milli(greatest(stored_at, published_at)) / 1000) AS came
    FROM documents_now
    WHERE {PERIOD} AND {clause}
    ORDER BY at DESC, id DESC LIMIT {most}
    """
    columns = [column[::-1] for column in client.query(sql, parameters=parameters).result_columns]
    since = max(_begin(client), low.timestamp())
    if not columns or not columns[0]:
        return Read({}, since, False)
    cut = len(columns[0]) >= most
    return Read(split(columns), max(since, float(columns[0][0])) if cut else since, cut)


def split(columns: Sequence[Sequence[Any]]) -> dict[str, Frame]:
    """Columns (time, key, first, publisher, tone, id, came), sorted by time, as a frame a key."""
    keys, numbers = np.unique(np.asarray(columns[1], dtype=object).astype(str), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    cuts = np.searchsorted(numbers[order], np.arange(1, len(keys)))
    kinds = (float, None, bool, object, float, object, float)
    arrays = [
        np.asarray(column, dtype=kind)[order] if kind else None for column, kind in zip(columns, kinds, strict=True)
    ]
    parts = [np.split(array, cuts) for array in arrays if array is not None]
    return {str(key): Frame(*(part[n] for part in parts)) for n, key in enumerate(keys)}


def _begin(client: Client) -> float:
    """When the stored records begin, in seconds since 1970; now for an empty store."""
    found = client.query("SELECT minOrNull(published_at) FROM documents").result_rows[0][0]
    return float((found or datetime.now(UTC)).timestamp())


def _key(rule: Rule, where: Where) -> str:
    per = "security" if rule.kind == "first_mention" else "source" if rule.kind == "silent" else rule.per
    own = sorted(codes(rule.when))
    if rule.kind == "new_pair":
        inner = "arraySort(arrayDistinct(codes))"
        others = f"arrayMap(b -> (a, b), arraySlice({inner}, i + 1))"
        pairs = f"arrayFlatten(arrayMap((a, i) -> {others}, {inner}, arrayEnumerate({inner})))"
        pairs = f"if(length(codes) <= {MAX_CODES}, {pairs}, [])"
        if own:
            pairs = f"arrayFilter(p -> has({where._list(own)}, p.1) OR has({where._list(own)}, p.2), {pairs})"
        return f"arrayJoin(arrayMap(p -> concat(p.1, ' ', p.2), {pairs}))"
    if per == "security":
        return f"arrayJoin(arrayFilter(c -> has({where._list(own)}, c), codes))" if own else "arrayJoin(codes)"
    if per == "theme":
        named = list(rule.when.theme)
        return f"arrayJoin(arrayFilter(t -> has({where._list(named)}, t), themes))" if named else "arrayJoin(themes)"
    return {"source": "toString(source)", "publisher": "by"}.get(per, "'all'")
