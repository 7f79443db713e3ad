"""The data dictionary tells the truth: each worked query runs as the read-only user and finds something."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from models.records import Recommendation, Report, Sentiment, VendorTags
from stream.deadletters import Record
from stream.records import ANALYSES, DEAD, AnalysedDocument, DeadLetter, encode
from stream.sink import Sink
from stream.story_rows import keep_up
from stream.trends import due, refresh
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.test_rows import AT, analysed

TEXT = (Path(__file__).parents[2] / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^\*\*(\d+)\. .*?```sql\n(.*?)```", TEXT, flags=re.MULTILINE | re.DOTALL)
VERSIONS = "`version`, `is_deleted`"  # told once for all tables
DAY = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
NEGATIVE = Sentiment("negative", -0.8, {"negative": 0.9, "neutral": 0.0, "positive": 0.1})


def corpus() -> list[AnalysedDocument]:
    """Two weeks with a copied story, a company in trouble, a downgrade and documents of two themes."""
    told = {
        "body": "开盘后@600001.SH 与@600002.SH 走高。#game #aigc",
        "published_at": DAY,
        "vendor": VendorTags(tone="利好"),
    }
    report = Report(
        broker="某证券",
        rating="增持",
        previous_rating="买入",
        rating_action="下调",
        recommendations=(Recommendation("@600002.SH", "份额提升", "游戏"),),
    )
    messages = [
        analysed(1, publisher="甲报", **told),
        analysed(2, publisher="乙报", **{**told, "published_at": DAY + timedelta(minutes=9)}),
        analysed(3, published_at=DAY + timedelta(days=1)),
        analysed(4, body="@600001.SH 又涨。#game", published_at=DAY + timedelta(days=8)),
        analysed(5, body="@600002.SH 评级。", published_at=DAY + timedelta(days=2), report=report),
    ]
    bad = messages[2].analysis
    worse = tuple(msgspec.structs.replace(mention, sentiment=NEGATIVE) for mention in bad.mentions)
    messages[2] = msgspec.structs.replace(
        messages[2], analysis=msgspec.structs.replace(bad, mentions=worse, sentiment=NEGATIVE)
    )
    return messages


@pytest.fixture(scope="module")
def reader(clickhouse_server: ClickHouseServer) -> Client:
    """The read-only user's client in the product's own database, filled."""
    from deploy.settings import Settings
    from stream.migrate import migrate

    migrate(Settings(clickhouse=clickhouse_server.url()))
    sink = Sink(clickhouse_server.client, epochs={}, clock=lambda: AT)
    assert sink.store([Record(ANALYSES, 0, n, b"", encode(m)) for n, m in enumerate(corpus())]) == []
    letter = DeadLetter(document_id="x", stage="decode", reason="not a Document", error="BadMessage", failed_at=AT)
    sink.store_dead([Record(DEAD, 0, 0, b"", encode(letter))])
    sink.close()
    with clickhouse_server.client() as writer:
        keep_up(writer)
        refresh(writer, due(writer), minute_days=30)
    return clickhouse_server.client(writer=False)


def test_there_are_twenty() -> None:
    assert [int(number) for number, _ in QUERIES] == list(range(1, 21))


@pytest.mark.parametrize("sql", [sql for _, sql in QUERIES], ids=[number for number, _ in QUERIES])
def test_a_worked_query_finds_something(reader: Client, sql: str) -> None:
    result = reader.query(sql)
    assert result.result_rows, sql
    assert len(set(result.column_names)) == len(result.column_names)


def test_every_table_view_and_column_is_described(reader: Client, clickhouse_server: ClickHouseServer) -> None:
    with clickhouse_server.client() as writer:
        columns = writer.query(
            "SELECT table, name FROM system.columns WHERE database = 'fengxiang' AND table IN"
            " (SELECT name FROM system.tables WHERE database = 'fengxiang' AND engine != 'View')"
        ).result_rows
        views = writer.query(
            "SELECT name FROM system.tables WHERE database = 'fengxiang' AND engine = 'View'"
        ).result_rows
    sections = dict(re.findall(r"^### (\w+)(.*?)(?=^##)", TEXT, flags=re.MULTILINE | re.DOTALL))
    assert {table for table, _ in columns} == set(sections)
    for table, column in columns:
        of_document = table == "document_themes" or column.startswith("p_")  # told once, with the table that has them
        assert f"`{column}`" in (TEXT if of_document else sections[table] + VERSIONS), f"{table}.{column}"
    for (view,) in views:
        assert re.search(rf"^\| .*`{view}[(`]", TEXT, flags=re.MULTILINE), view


def example(table: str) -> str:
    """The query in a table's section."""
    (sql,) = re.findall(rf"^### {table}:.*?```sql\n(.*?)```", TEXT, flags=re.MULTILINE | re.DOTALL)
    return str(sql)


def test_the_example_of_a_session_finds_something(reader: Client) -> None:
    assert [row[1] for row in reader.query(example("trends")).result_rows] == ["morning", "morning"]


def test_the_example_of_a_story_finds_both_copies(reader: Client) -> None:
    ((_, first, _, copies, publishers, minutes),) = reader.query(example("stories")).result_rows
    assert (first, copies, publishers, minutes) == ("甲报", 2, 2, 9)
