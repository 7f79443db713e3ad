"""A story's row equals its documents, after copies, late ones, moves, replays, corrections and cut-off refreshes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from models.records import Sentiment
from stream import story_rows
from stream.deadletters import Record
from stream.records import ANALYSES, AnalysedDocument, encode
from stream.rows import milliseconds
from stream.sink import Sink
from stream.story_rows import keep_up
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.stack import FIRST
from tests.stream.test_rows import AT, analysed
from tests.stream.test_trends import CutOff

NEWS = (
    "样例传媒第{0}号公告称，公司拟与{0}家出版集团合作建设垂类语料库，首期投入{0}亿元，预计{0}季度上线，"
    "用于训练面向影视剧本的小模型，后续将分批释放版权内容，项目{0}不会对本年度业绩产生重大影响。@60000{0}.SH "
)


@pytest.fixture
def sink(clickhouse_server: ClickHouseServer, stored: Client) -> Sink:
    return Sink(lambda: clickhouse_server.client(database=stored.database), epochs={}, clock=lambda: AT)


def store(sink: Sink, messages: Sequence[AnalysedDocument], first: int) -> None:
    assert sink.store([Record(ANALYSES, 0, first + n, b"", encode(m)) for n, m in enumerate(messages)]) == []


def told(number: int, news: int, tone: float = 0.0, tail: str = "", **changes: Any) -> AnalysedDocument:
    """Document `number` tells news `news`, in a tone of its own."""
    message = analysed(number, title="", body=NEWS.format(news) + tail, **changes)
    label = "positive" if tone > 0 else "negative" if tone < 0 else "neutral"
    sentiment = Sentiment(label, tone, {"negative": 0.2, "neutral": 0.6, "positive": 0.2})
    return msgspec.structs.replace(message, analysis=msgspec.structs.replace(message.analysis, sentiment=sentiment))


COLUMNS = (
    "story_id, first_at, last_at, first_id, first_publisher, title, copies, publishers, themes, codes,"
    " round(sentiment_score, 4), round(publisher_score, 4), positive, neutral, negative"
)


def kept(client: Client) -> list[tuple[Any, ...]]:
    return sorted(client.query(f"SELECT {COLUMNS} FROM stories FINAL").result_rows)


def truth(client: Client) -> list[tuple[Any, ...]]:
    """The same from the documents, counted in Python."""
    rows = client.query(
        "SELECT story_id, published_at, copy_number, id, publisher, title, themes, codes, sentiment_score, sentiment"
        " FROM documents_now"
    ).result_rows
    stories: dict[str, list[tuple[Any, ...]]] = {}
    for story, *row in rows:
        stories.setdefault(story, []).append(tuple(row))
    found = []
    for story, told in stories.items():
        told.sort(key=lambda row: row[:3])
        by_publisher: dict[str, list[float]] = {}
        for row in told:
            by_publisher.setdefault(row[3], []).append(row[7])
        means = [sum(scores) / len(scores) for scores in by_publisher.values()]
        lists = [
            sorted({x for row in told for x in row[n]}, key=lambda x: (-sum(x in row[n] for row in told), x))
            for n in (5, 6)
        ]
        found.append(
            (
                story,
                told[0][0],
                told[-1][0],
                told[0][2],
                told[0][3],
                told[0][4],
                len(told),
                len(by_publisher),
                *lists,
                round(sum(row[7] for row in told) / len(told), 4),
                round(sum(means) / len(means), 4),
                *(sum(row[8] == tone for row in told) for tone in ("positive", "neutral", "negative")),
            )
        )
    return sorted(found)


def test_rows_stay_right_whatever_is_stored_again(sink: Sink, stored: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story_rows, "AT_ONCE", 3)
    dice = random.Random(7)
    at = AT
    for step in range(8):
        at += timedelta(minutes=1)
        messages = []
        for number in dice.sample(range(40), 12):
            moment = FIRST + timedelta(hours=dice.randrange(-40, 40))
            if dice.random() < 0.1:
                moment += timedelta(days=dice.choice((-200, 90)))  # moved far away from the rest of its story
            tag = dice.choice(("#game", "#aigc", "#game #aigc", ""))
            tone = dice.choice((-0.5, 0.0, 0.8))
            messages.append(told(number, number % 6, tone, tag, at=at, published_at=moment))
        store(sink, messages, 100 * step)
        keep_up(stored)
        assert kept(stored) == truth(stored), step
    assert max(row[6] for row in kept(stored)) > 3
    monkeypatch.setattr(story_rows, "MANY", 2)
    monkeypatch.setattr(story_rows, "PART", 10)
    store(sink, [told(number, number % 6, at=at + timedelta(minutes=1)) for number in range(40)], 5000)
    keep_up(stored)
    assert kept(stored) == truth(stored)  # counted all at once


def test_an_earlier_copy_that_comes_late_becomes_the_first(sink: Sink, stored: Client) -> None:
    store(sink, [told(1, 1, publisher="甲报", published_at=FIRST)], 0)
    keep_up(stored)
    store(sink, [told(2, 1, publisher="乙报", published_at=FIRST - timedelta(hours=3))], 1)
    keep_up(stored)
    ((story, first_at, last_at, first_id, publisher, _, copies, publishers, *_),) = kept(stored)
    assert (story, first_id, publisher, copies, publishers) == (
        told(1, 1).document.id,
        told(2, 1).document.id,
        "乙报",
        2,
        2,
    )
    assert (milliseconds(first_at), milliseconds(last_at)) == (FIRST - timedelta(hours=3), FIRST)


def test_corrections_and_their_undoing_count(sink: Sink, stored: Client) -> None:
    store(sink, [told(1, 1, 0.5, "#game"), told(2, 1, 0.5, "#game")], 0)
    keep_up(stored)
    stored.command("ALTER TABLE documents UPDATE stored_at = now64(3) - 60 WHERE 1 SETTINGS mutations_sync = 2")
    before = kept(stored)
    document = told(1, 1).document
    names = ["document_id", "published_at", "kind", "subject", "correction", "undone", "version"]
    for version, undone in ((1, False), (2, True)):
        said = (("theme", "game", "aigc"), ("tone", "", "negative"))
        rows = [[document.id, document.published_at, *words, undone, version] for words in said]
        stored.insert("feedback", rows, column_names=names)
        keep_up(stored)
        assert kept(stored) == truth(stored)
        assert (kept(stored) == before) is undone
    assert before[0][8] == ["game"]


def test_a_refresh_that_was_cut_off_is_made_up_for(sink: Sink, stored: Client) -> None:
    store(sink, [told(1, 1, published_at=FIRST)], 0)
    keep_up(stored)
    store(sink, [told(1, 1, published_at=FIRST - timedelta(days=9), at=AT + timedelta(hours=1))], 1)
    with pytest.raises(ConnectionError):
        keep_up(cast("Client", CutOff(stored, 1)))
    assert len(kept(stored)) == 2  # its former key has no tombstone yet
    keep_up(stored)
    assert kept(stored) == truth(stored) and len(kept(stored)) == 1


class Counting:
    """A client that notes what it is told to do."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.commands: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def command(self, sql: str, parameters: dict[str, Any]) -> Any:
        self.commands.append(parameters)
        return self._client.command(sql, parameters=parameters)


def test_only_what_was_touched_is_read_again(sink: Sink, stored: Client) -> None:
    store(sink, [told(n, n, published_at=FIRST + timedelta(days=100 * n)) for n in range(4)], 0)
    keep_up(stored)
    stored.command("ALTER TABLE documents UPDATE stored_at = now64(3) - 60 WHERE 1 SETTINGS mutations_sync = 2")
    keep_up(stored)
    moment = FIRST + timedelta(days=200, hours=5)
    store(sink, [told(12, 2, published_at=moment)], 9)
    client = Counting(stored)
    keep_up(cast("Client", client))
    (values, _) = client.commands
    assert values["ids"] == [told(2, 2).document.id]
    assert datetime.fromtimestamp(values["high"] / 1000, FIRST.tzinfo) == moment
    assert values["high"] - values["low"] == 5 * 3600 * 1000
    assert kept(stored) == truth(stored)


def test_a_story_whose_documents_are_no_longer_kept_stays(
    sink: Sink, stored: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(sink, [told(1, 1, published_at=FIRST - timedelta(days=400)), told(2, 2, published_at=FIRST)], 0)
    keep_up(stored)
    before = kept(stored)
    old = {"id": told(1, 1).document.id}
    stored.command("DELETE FROM documents WHERE id = {id:String}", parameters=old, settings={"mutations_sync": 1})
    monkeypatch.setattr(story_rows, "MANY", 0)
    store(sink, [told(2, 2, published_at=FIRST, at=AT + timedelta(hours=1))], 1)
    keep_up(stored)
    assert kept(stored) == before and len(before) == 2
