"""The watch over the pipeline itself: what the ingestors noted of their sources reaches those who subscribed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from stream.alerts.backtest import look_back
from stream.alerts.facts import of_signal
from stream.alerts.rules import RuleError, Trouble, parse
from stream.alerts.subscriptions import Subscription
from stream.alerts.watch import ask
from tests.stream.alerts.make import Store, analysed

NOW, DAY = datetime.now(UTC).replace(microsecond=0), timedelta(days=1)


def note(client: Client, source: str, states: Sequence[tuple[int, str, str]]) -> None:
    """Polls of a source: (minutes ago, state, message)."""
    rows = [[source, NOW - timedelta(minutes=ago), state, 20, 0, 0, message] for ago, state, message in states]
    client.insert("source_health", rows, ["source", "checked_at", "state", "fetched", "new", "errors", "message"])


def keys(client: Client, text: str = "{}") -> set[str]:
    return {signal.key for signal in ask(client, parse(f"trouble: {text}"), NOW, DAY)}


@pytest.fixture
def client(stored: Client) -> Client:
    note(stored, "well", [(n, "ok", "") for n in range(40)])
    note(stored, "quiet", [(5, "ok", ""), (1, "silent", "nothing new for 58 minutes")])
    note(stored, "away", [(30, "ok", ""), (14, "failing", "HTTP 502"), (7, "failing", "HTTP 503")])
    note(stored, "once", [(3, "ok", ""), (1, "failing", "timed out")])
    note(stored, "back", [(6, "gap", "not served any more: 09:00 to 10:00"), (5, "ok", "")])
    note(stored, "paused", [(50, "ok", ""), (40, "failing", "HTTP 429")])  # polled ever more slowly
    note(stored, "gone", [(90, "silent", "no longer set up")])
    return stored


def test_sources_that_fail_are_silent_or_have_gaps_are_told(client: Client) -> None:
    assert keys(client) == {"silent quiet", "failing away", "failing paused", "gap back"}
    assert keys(client, "{sources: silent}") == {"silent quiet"}
    assert keys(client, "{sources: [], behind: 1m}") == set()
    assert keys(client, "{window: 2m}") == {"silent quiet", "failing away", "failing paused", "failing once"}


@pytest.mark.parametrize(("language", "title"), [("zh", "来源静默：quiet"), ("en", "quiet: source is silent")])
def test_the_message_says_which_source_and_why(client: Client, language: str, title: str) -> None:
    subscription = Subscription(name="s", language=language, trouble=Trouble())
    (signal,) = (s for s in ask(client, subscription, NOW, DAY) if s.key == "silent quiet")
    fact = of_signal(subscription, signal, (), {})
    assert "quiet" in fact.title and fact.why == title and fact.unusual == "nothing new for 58 minutes"


def test_an_unknown_state_is_named() -> None:
    with pytest.raises(RuleError, match="sources"):
        parse("trouble: {sources: [sleepy]}")


def test_documents_that_are_fetched_and_never_stored_are_told(stored: Client, store: Store) -> None:
    columns = ["source", "checked_at", "state", "fetched", "new", "errors", "message"]

    def brought(minutes_ago: int, new: int) -> None:
        stored.insert("source_health", [["s", NOW - timedelta(minutes=minutes_ago), "ok", 20, new, 0, ""]], columns)

    brought(2, 4)
    assert keys(stored) == set(), "they may still be on their way"
    brought(6, 3)
    assert keys(stored) == {"stuck"} and keys(stored, "{behind: 7m}") == set()
    texts = {language: _told(stored, language) for language in ("zh", "en")}
    assert "3 篇新文档" in texts["zh"] and "3 new documents were fetched" in texts["en"]
    store.add([analysed(1, NOW - timedelta(days=40), backfill=True)])
    assert keys(stored) == set(), "history that is stored shows that it works"


def _told(client: Client, language: str) -> str:
    subscription = Subscription(name="s", language=language, trouble=Trouble())
    (signal,) = ask(client, subscription, NOW, DAY)
    return of_signal(subscription, signal, (), {}).why


def test_trouble_is_not_said_to_have_been_absent(stored: Client) -> None:
    with pytest.raises(RuleError, match="can't be looked back on"):
        look_back(stored, Subscription(name="s", trouble=Trouble()), days=90, per_day=3, now=NOW)
