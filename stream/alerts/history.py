"""What people ask of the past: the log of firings with their deliveries, and how each channel is doing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from clickhouse_connect.driver.client import Client
from msgspec import Struct, structs

_LOG = """
SELECT a.fired_at AS fired_at, a.name AS name, a.outcome AS outcome, a.title AS title, a.due_at AS due_at,
    a.subscription_id AS subscription_id, a.message_id AS message_id, a.document_id AS document_id,
    groupArrayIf((d.channel, d.state), d.state != '') AS deliveries
FROM
(
    SELECT * FROM alerts FINAL WHERE empty({ids:Array(String)}) OR subscription_id IN {ids:Array(String)}
    ORDER BY fired_at DESC, id LIMIT {limit:UInt32}
) AS a
LEFT JOIN
(
    SELECT message_id, channel, argMax(state, (at, attempt)) AS state FROM alert_deliveries
    WHERE message_id != '' GROUP BY message_id, channel
) AS d ON d.message_id = a.message_id
GROUP BY a.id, fired_at, name, outcome, title, due_at, subscription_id, message_id, document_id
ORDER BY fired_at DESC, a.id
"""
_CHANNELS = """
SELECT a.owner, d.channel, argMax(d.state, d.at), max(d.at), argMax(d.detail, d.at), countIf(d.state = 'failed')
FROM alert_deliveries AS d
ANY LEFT JOIN (SELECT message_id, any(owner) AS owner FROM alerts WHERE message_id != '' GROUP BY message_id) AS a
    ON a.message_id = d.message_id
WHERE d.at > now() - INTERVAL 7 DAY AND d.channel != ''
GROUP BY a.owner, d.channel
"""


class ChannelState(Struct, frozen=True):
    """How a channel did within a week. `state` is that of the last attempt."""

    state: str
    at: datetime
    detail: str
    failures: int


def log_rows(client: Client, ids: Sequence[str] = (), limit: int = 50) -> list[dict[str, Any]]:
    """The latest firings, of these subscriptions or of all, each with (channel, state) of its message's deliveries.

    An acknowledgement stands there as ("", "acknowledged").
    """
    values = {"ids": list(ids), "limit": limit}
    return list(client.query(_LOG, parameters=values).named_results())


def channel_states(client: Client) -> dict[tuple[str, str], ChannelState]:
    """(owner, name) of a channel -> how it did; a common one also by the subscriptions of those who have none of it."""
    own = {(owner, name) for owner, name in client.query("SELECT owner, name FROM alert_channels FINAL").result_rows}
    found: dict[tuple[str, str], ChannelState] = {}
    for owner, name, *values in client.query(_CHANNELS).result_rows:
        key = (owner, name) if (owner, name) in own else ("", name)
        state, before = ChannelState(*values), found.get(key)
        if before is not None:
            latest = max(state, before, key=lambda known: known.at)
            state = structs.replace(latest, failures=state.failures + before.failures)
        found[key] = state
    return found
