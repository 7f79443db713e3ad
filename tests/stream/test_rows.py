"""An analysed document as rows."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import pytest

from models.records import Analyst, Mention, Recommendation, Report, Sentiment, ThemeScore
from stream.records import AnalysedDocument, Origin
from stream.rows import Rows, columns, distinct, moment_of, version_of
from tests.stream.stack import make_document
from tests.stream.stand_in import NEUTRAL, StandIn

AT = datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC)


def analysed(number: int = 1, at: datetime = AT, **changes: object) -> AnalysedDocument:
    document = make_document(number, **{"fetched_at": AT, **changes})
    analysis = msgspec.structs.replace(StandIn().analyse([document])[0], analysed_at=at)
    return AnalysedDocument(document=document, analysis=analysis, origin=Origin("fengxiang.documents", 2, 9, "e1"))


def mention(code: str, start: int, confidence: float) -> Mention:
    return Mention(
        code=code,
        name=code,
        surface="x",
        field="body",
        start=start,
        end=start + 1,
        sentiment=NEUTRAL,
        relevance=1,
        confidence=confidence,
    )


def test_every_row_of_a_document_has_its_version_and_key() -> None:
    rows = Rows()
    rows.add(analysed())
    document, (named,), (theme,) = (rows.tables[name] for name in ("documents", "mentions", "document_themes"))
    assert {row["version"] for row in (*document, named, theme)} == {version_of(analysed().analysis)}
    assert document[0]["codes"] == ["600001.SH"] and named["code"] == "600001.SH"
    assert document[0]["offset"] == 9 and document[0]["epoch"] == "e1"
    assert theme["theme"] == "aigc"
    assert list(rows.tables)[-1] == "documents"  # inserted last: what confirms a document


def test_a_version_is_the_microsecond_of_the_analysis() -> None:
    version = version_of(analysed().analysis)
    assert moment_of(version) == AT
    assert version == 1795161600123456


def test_a_mention_carries_its_sentence() -> None:
    message = analysed(body="先说别的。中间@600001.SH 走高；后面。\n再说")
    rows = Rows()
    rows.add(message)
    (row,) = rows.tables["mentions"]
    assert row["sentence"] == "中间@600001.SH 走高；"
    assert message.document.body[row["sentence_start"] :].startswith("中间@")


def test_one_mention_a_place_and_security() -> None:
    kept = distinct(
        [mention("A.SH", 5, 0.4), mention("A.SH", 5, 0.9), mention("B.SH", 5, 0.1), mention("A.SH", 1, 0.1)]
    )
    assert [(m.code, m.start, m.confidence) for m in kept] == [("A.SH", 1, 0.1), ("A.SH", 5, 0.9), ("B.SH", 5, 0.1)]


def test_a_document_says_what_its_mentions_say_of_each_company() -> None:
    message = analysed()
    good, bad = (Sentiment(label, score, {}) for label, score in (("positive", 0.5), ("negative", -1.0)))
    told = [
        msgspec.structs.replace(mention("A.SH", 1, 0.9), sentiment=good, relevance=0.6),
        msgspec.structs.replace(mention("A.SH", 5, 0.9), sentiment=bad, relevance=0.2),
        msgspec.structs.replace(mention("A.SH", 5, 0.4), sentiment=good),  # the same place, less sure
        mention("B.SH", 9, 0.9),
    ]
    rows = Rows()
    rows.add(msgspec.structs.replace(message, analysis=msgspec.structs.replace(message.analysis, mentions=tuple(told))))
    a, b = rows.tables["documents"][0]["companies"]
    assert a == ("A.SH", pytest.approx(0.8), pytest.approx(0.1), 1, 0, 1)
    assert b == ("B.SH", 1, 0, 0, 1, 0)


def test_a_theme_given_twice_counts_once_with_the_higher_score() -> None:
    message = analysed()
    twice = msgspec.structs.replace(message.analysis, themes=(ThemeScore("game", 0.9), ThemeScore("game", 0.3)))
    rows = Rows()
    rows.add(msgspec.structs.replace(message, analysis=twice))
    assert [(row["theme"], row["score"]) for row in rows.tables["document_themes"]] == [("game", 0.9)]


@pytest.mark.parametrize(
    ("text", "day"), [("2026-11-01", date(2026, 11, 1)), ("", None), ("昨天", None), ("0026-01-01", None)]
)
def test_a_report_has_its_metadata(text: str, day: date | None) -> None:
    report = Report(
        broker="某证券",
        rating="增持",
        analysts=(Analyst("张三", "S01"),),
        report_date=text,
        recommendations=(Recommendation("@600001.SH", "龙头", "游戏"), Recommendation("没提到")),
    )
    rows = Rows()
    rows.add(analysed(report=report))
    (row,) = rows.tables["reports"]
    assert row["report_date"] == day
    assert row["recommendations"] == [("@600001.SH", "600001.SH", "龙头", "游戏"), ("没提到", "", "", "")]


def test_rows_of_unlike_columns_are_inserted_apart() -> None:
    assert columns([{"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 5}]) == [
        (("a", "b"), [[1, 3], [2, 4]]),
        (("a",), [[5]]),
    ]
