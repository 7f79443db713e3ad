"""What people see of the past: firings with their deliveries, and how channels are doing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from stream.alerts.channels import Channel, ChannelBook, Safe
from stream.alerts.facts import Fact
from stream.alerts.history import channel_states, log_rows
from stream.alerts.ledger import Attempt, Ledger, note
from stream.alerts.rules import Condition
from stream.alerts.subscriptions import Stored, Subscription

NOW = datetime.now(UTC).replace(microsecond=0)


def fired(client: Client, owner: str, channel: str, *states: str, at: datetime = NOW) -> str:
    """The message of a firing of the owner's subscription, with what became of it at the channel, a second apart."""
    subscription = Subscription(id=f"of{owner}", name="s", owner=owner, when=Condition(theme=("game",)))
    ledger = Ledger(client)
    what = f"{owner} {channel} {states}"
    firing = ledger.fire(Stored(subscription=subscription, version=1), Fact(title=what), group=what, what=what, now=at)
    assert firing is not None
    ledger.write([firing])
    attempts = [
        Attempt(
            message_id=firing.message_id,
            subscription_id=subscription.id,
            channel="" if state == "acknowledged" else channel,
            attempt=n,
            state=state,
            at=at + timedelta(seconds=n),
            detail=str(n),
        )
        for n, state in enumerate(states, 1)
    ]
    note(client, attempts)
    return firing.message_id


def test_a_common_channel_is_known_by_everybody_s_deliveries(stored: Client) -> None:
    book = ChannelBook(stored, Safe("k"))
    for owner, name in (("", "all"), ("", "mine"), ("ann", "mine")):
        book.save(Channel(owner=owner, name=name, address="https://hooks.example/x"))
    fired(stored, "ann", "all", "failed", "failed")
    fired(stored, "bob", "all", "sent", at=NOW - timedelta(hours=1))
    fired(stored, "ann", "mine", "sent")
    fired(stored, "bob", "mine", "gave_up")
    states = {key: (state.state, state.failures) for key, state in channel_states(stored).items()}
    assert states == {("", "all"): ("failed", 2), ("ann", "mine"): ("sent", 0), ("", "mine"): ("gave_up", 0)}


def test_the_log_of_some_subscriptions_is_not_crowded_out_by_others(stored: Client) -> None:
    mine = fired(stored, "ann", "c", "sent", "acknowledged", at=NOW - timedelta(hours=1))
    for n in range(5):
        fired(stored, "bob", f"c{n}", "sent")
    (row,) = log_rows(stored, ["ofann"], 3)
    assert row["message_id"] == mine and set(row["deliveries"]) == {("c", "sent"), ("", "acknowledged")}
    assert {row["subscription_id"] for row in log_rows(stored, limit=3)} == {"ofbob"}
