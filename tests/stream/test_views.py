"""The views count documents, stories and publishers once, and read only their window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from models.records import Report
from stream.deadletters import Record
from stream.records import ANALYSES, encode
from stream.sink import Sink
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.test_rows import AT, analysed

NOON = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
WINDOW = "from='2026-11-02 00:00:00', to='2026-11-03 00:00:00'"


@pytest.fixture
def filled(clickhouse_server: ClickHouseServer, stored: Client) -> Client:
    """Three copies of a story by two publishers, one other story, one of the day before; everything stored twice."""
    story = [
        analysed(n, publisher=publisher, published_at=NOON + timedelta(minutes=n), body="@600001.SH @600002.SH #game")
        for n, publisher in ((1, "甲报"), (2, "甲报"), (3, "乙报"))
    ]
    story = [msgspec.structs.replace(m, analysis=msgspec.structs.replace(m.analysis, story_id="s")) for m in story]
    report = Report(broker="某证券", rating="增持", previous_rating="买入", rating_action="下调")
    others = [
        analysed(4, publisher="丙报", published_at=NOON + timedelta(hours=2), body="@600001.SH #game", report=report),
        analysed(
            5, published_at=NOON - timedelta(days=1), body="@600001.SH #game", report=Report(rating_action="维持")
        ),
    ]
    sink = Sink(lambda: clickhouse_server.client(database=stored.database), epochs={}, clock=lambda: AT)
    for _ in range(2):
        for first, messages in ((0, story), (3, others), (0, [*story, *others])):
            batch = [Record(ANALYSES, 0, first + n, b"", encode(m)) for n, m in enumerate(messages)]
            assert sink.store(batch) == []
    return stored


def rows(client: Client, sql: str) -> list[dict[str, object]]:
    return list(client.query(sql).named_results())


def test_mention_trend(filled: Client) -> None:
    sql = f"SELECT * FROM mention_trend({WINDOW}, minutes=60) WHERE code = '600001.SH' ORDER BY bucket"
    noon, later = rows(filled, sql)
    assert (noon["mentions"], noon["documents"], noon["stories"], noon["publishers"]) == (3, 3, 1, 2)
    assert str(noon["bucket"]).startswith("2026-11-02 12:00:00")
    assert (later["documents"], later["stories"], later["neutral"]) == (1, 1, 1)


def test_theme_trend(filled: Client) -> None:
    (day,) = rows(filled, f"SELECT * FROM theme_trend({WINDOW}, minutes=1440)")
    assert (day["theme"], day["documents"], day["stories"], day["publishers"]) == ("game", 4, 2, 3)


@pytest.mark.parametrize(
    ("minutes", "first"), [(60, "12:00"), (1440, "11-02 00:00"), (10080, "11-02 00:00"), (7, "12:0")]
)
def test_steps_begin_at_a_monday_s_midnight_in_shanghai(filled: Client, minutes: int, first: str) -> None:
    sql = f"SELECT toString(min(bucket)) AS bucket FROM theme_trend({WINDOW}, minutes={minutes})"
    assert first in str(rows(filled, sql)[0]["bucket"])


def test_security_day(filled: Client) -> None:
    (day,) = rows(filled, f"SELECT * FROM security_day({WINDOW}) WHERE code = '600001.SH'")
    assert (str(day["day"]), day["documents"], day["stories"], day["themes"]) == ("2026-11-02", 4, 2, ["game"])


def test_tone_of_stories_and_of_publishers_weighs_each_once(filled: Client) -> None:
    # The story's three copies, of which one publisher's two are bad, and another story's good text at the same noon.
    tones = {1: -0.9, 2: -0.6, 3: 0.0, 4: 0.8}
    for number, tone in tones.items():
        for table, id_ in (("documents", "id"), ("document_themes", "document_id"), ("mentions", "document_id")):
            label = "negative" if tone < 0 else "positive" if tone else "neutral"
            filled.command(
                f"ALTER TABLE {table} UPDATE sentiment_score = {tone}, sentiment = '{label}'"
                f" WHERE {id_} = '{analysed(number).document.id}' SETTINGS mutations_sync = 2"
            )
    for sql in (
        f"SELECT * FROM theme_trend({WINDOW}, minutes=1440)",
        f"SELECT * FROM mention_trend({WINDOW}, minutes=1440) WHERE code = '600001.SH'",
    ):
        (row,) = rows(filled, sql)
        means = (row["sentiment_score"], row["story_score"], row["publisher_score"])
        assert means == pytest.approx((-0.175, (-0.5 + 0.8) / 2, (-0.75 + 0.0 + 0.8) / 3), abs=1e-4)
    filled.command(
        f"ALTER TABLE mentions UPDATE relevance = if(document_id = '{analysed(2).document.id}', 0.5, 1) WHERE 1"
        " SETTINGS mutations_sync = 2"
    )
    (day,) = rows(filled, f"SELECT * FROM security_day({WINDOW}) WHERE code = '600001.SH'")
    means = (day["sentiment_score"], day["story_score"], day["publisher_score"])
    story, publisher = (-0.9 - 0.3 + 0.0) / 2.5, (-0.9 - 0.3) / 1.5
    weighed = ((-0.9 - 0.3 + 0.8) / 3.5, (story + 0.8) / 2, (publisher + 0.0 + 0.8) / 3)
    assert means == pytest.approx(weighed, abs=1e-4)
    told = rows(filled, f"SELECT * FROM sentiment_trend({WINDOW}, minutes=1440) ORDER BY sentiment")
    assert [(r["sentiment"], r["documents"], r["stories"], r["publishers"]) for r in told] == [
        ("negative", 2, 1, 1),
        ("neutral", 1, 1, 1),
        ("positive", 1, 1, 1),
    ]


def test_comention(filled: Client) -> None:
    (pair,) = rows(filled, f"SELECT * FROM comention({WINDOW}, max_codes=20)")
    assert (pair["code_a"], pair["code_b"]) == ("600001.SH", "600002.SH")
    assert (pair["documents"], pair["stories"], pair["publishers"]) == (3, 1, 2)


def test_rating_change(filled: Client) -> None:
    (change,) = rows(filled, f"SELECT * FROM rating_change({WINDOW})")
    assert (change["broker"], change["previous_rating"], change["rating"]) == ("某证券", "买入", "增持")
    assert rows(filled, "SELECT * FROM rating_change(from='2026-11-01 00:00:00', to='2026-11-02 00:00:00')") == []


def test_the_views_count_as_readers_corrected(filled: Client) -> None:
    (id_, at), *_ = filled.query("SELECT id, published_at FROM documents FINAL WHERE publisher = '丙报'").result_rows
    said = (("theme", "game", "aigc"), ("link", "600001.SH", "600003.SH"), ("tone", "600003.SH", "positive"))
    columns = ["document_id", "published_at", "kind", "subject", "correction", "version"]
    filled.insert("feedback", [[id_, at, *words, 1] for words in said], column_names=columns)
    themes = rows(filled, f"SELECT theme, documents, stories FROM theme_trend({WINDOW}, minutes=1440) ORDER BY theme")
    assert [tuple(row.values()) for row in themes] == [("aigc", 1, 1), ("game", 3, 1)]
    sql = f"SELECT code, documents, positive FROM mention_trend({WINDOW}, minutes=1440) ORDER BY code"
    companies = [tuple(row.values()) for row in rows(filled, sql)]
    assert companies == [("600001.SH", 3, 0), ("600002.SH", 3, 0), ("600003.SH", 1, 1)]
    sql = f"SELECT code, documents, positive, themes FROM security_day({WINDOW}) WHERE code != '600002.SH'"
    days = {row["code"]: (row["documents"], row["positive"], row["themes"]) for row in rows(filled, sql)}
    assert days == {"600001.SH": (3, 0, ["game"]), "600003.SH": (1, 1, ["aigc"])}
    sql = "SELECT id, published_at FROM documents FINAL WHERE publisher = '乙报'"
    id_, at = filled.query(sql).result_rows[0]
    filled.insert("feedback", [[id_, at, "link", "600002.SH", "", 1]], column_names=columns)
    (pair,) = rows(filled, f"SELECT * FROM comention({WINDOW}, max_codes=20)")
    assert (pair["documents"], pair["publishers"]) == (2, 1)
