"""The committed sample corpus keeps its promises: readable, fictional, and with something for every feature."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pypdfium2
import pytest
import yaml

from ingest.fields import Options
from ingest.files import Reader
from ingest.pdf import ReportReader
from ingest.sample import build
from models.records import Document
from models.stories import StoryIndex
from models.trading import SHANGHAI

SAMPLE = Path(build.__file__).parent
THEMES = {
    "aigc", "virtual_human", "cross_border_ecommerce", "game", "film_tv", "publishing", "ip", "ecommerce_ops",
    "advertising", "overseas", "social",
}  # fmt: skip
TONES = {"positive", "neutral", "negative"}
REPORTS = sorted(path for path in (SAMPLE / "texts" / "reports").glob("*_*.yaml"))


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    """The corpus by its own id, read as strictly as the message contract is."""
    fetched = {"fetched_at": datetime(2026, 11, 21, tzinfo=UTC)}
    return {row["id"]: msgspec.convert(row | fetched, Document) for row in rows("corpus.jsonl")}


@pytest.fixture(scope="module")
def expected() -> list[dict[str, Any]]:
    return rows("expected.jsonl")


def pages(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [page.get_textpage().get_text_range() for page in pdf]


def test_files_are_what_the_texts_build() -> None:
    names = (SAMPLE / "texts" / "names.csv").read_text("utf-8").split()
    built = build.build(build.read_texts(), dict(line.split(",") for line in names[1:]))
    assert [rows("corpus.jsonl"), rows("expected.jsonl")] == list(built)


def test_ids_are_unique_and_documents_many(documents: dict[str, Document]) -> None:
    assert len(documents) == len(rows("corpus.jsonl")) >= 300
    assert Counter(document.kind for document in documents.values()).keys() == {"wire", "news", "announcement"}


def test_times_are_shanghai_in_order_and_cover_every_part_of_the_week(documents: dict[str, Document]) -> None:
    times = [document.published_at for document in documents.values()]
    assert times == sorted(times)
    assert {time.utcoffset() for time in times} == {timedelta(hours=8)}
    assert times[0].isoformat() >= "2026-10-09" and times[-1].isoformat() < "2026-11-21"
    parts = Counter(
        "weekend" if time.weekday() > 4 else "before" if time.hour < 9 else "after" if time.hour >= 15 else "trading"
        for time in times
    )
    assert min(parts[part] for part in ("weekend", "before", "trading", "after")) >= 10, parts


def test_everything_is_marked_as_fictional(documents: dict[str, Document]) -> None:
    for document in documents.values():
        assert document.body.endswith(build.MARKER), document.id
        assert document.publisher.startswith("样例") and document.source.startswith("sample-"), document.id
        assert document.url.startswith("https://sample.invalid/"), document.id


def test_no_company_is_accused_of_anything(documents: dict[str, Document]) -> None:
    words = ("涉嫌", "造假", "立案", "处罚", "犯罪", "违规", "诈骗", "行贿", "操纵", "侵权")
    texts = [document.title + document.body for document in documents.values()]
    texts += [path.read_text("utf-8") for path in REPORTS]
    assert [(word, text[:30]) for text in texts for word in words if word in text] == []


def test_every_theme_occurs_in_every_tone_and_many_documents_have_none(expected: list[dict[str, Any]]) -> None:
    tones = defaultdict(set)
    for row in expected:
        for theme in row["themes"]:
            tones[theme].add(row["tone"])
    assert tones.keys() == THEMES
    assert {theme: seen for theme, seen in tones.items() if seen != TONES} == {}
    assert sum(not row["themes"] for row in expected) >= 40


def test_expected_mentions_stand_where_they_say(documents: dict[str, Document], expected: list[dict[str, Any]]) -> None:
    assert len(expected) >= 60
    for row in expected:
        document = documents[row["id"]]
        assert document.source == row["source"] and row["tone"] in TONES
        for mention in row["mentions"]:
            text = document.title if mention["field"] == "title" else document.body
            assert text[mention["start"] : mention["end"]] == mention["surface"], row["id"]
            assert mention["tone"] in TONES


def test_tones_differ_within_articles_and_words_are_no_companies(expected: list[dict[str, Any]]) -> None:
    mixed = [row for row in expected if {"positive", "negative"} <= {mention["tone"] for mention in row["mentions"]}]
    assert len(mixed) >= 20
    assert len({code for row in expected for code in row["not_mentioned"]}) >= 8


def test_wires_are_syndicated_minutes_apart_and_some_are_cut(documents: dict[str, Document]) -> None:
    index, stories = StoryIndex(), defaultdict(list)
    for key, document in documents.items():
        story = index.place(key, document.title, document.body, document.published_at).story_id
        stories[story].append(document)
    copied = [story for story in stories.values() if len(story) > 1]
    assert len(copied) >= 40 and sum(len(story) == 3 for story in copied) >= 20
    for story in copied:
        assert len({document.source for document in story}) == len({document.body for document in story}) == len(story)
        assert story[-1].published_at - story[0].published_at <= timedelta(minutes=15)
    assert sum(len({document.title for document in story}) > 1 for story in copied) >= 20
    assert sum(f"……{build.MARKER}" in document.body for document in documents.values()) >= 15


def test_aigc_bursts_on_one_day(documents: dict[str, Document], expected: list[dict[str, Any]]) -> None:
    days = Counter(documents[row["id"]].published_at.date().isoformat() for row in expected if "aigc" in row["themes"])
    (day, most), (_, second) = days.most_common(2)
    assert day == "2026-10-21" and most >= 15 and second <= 5


def test_cross_border_tone_turns(documents: dict[str, Document], expected: list[dict[str, Any]]) -> None:
    turn = datetime(2026, 11, 9, tzinfo=SHANGHAI)
    score = {"positive": 1, "neutral": 0, "negative": -1}
    before, after = [], []
    for row in expected:
        if "cross_border_ecommerce" in row["themes"]:
            (before if documents[row["id"]].published_at < turn else after).append(score[row["tone"]])
    assert min(len(before), len(after)) >= 8
    assert sum(before) / len(before) > 0.5 and sum(after) / len(after) < -0.3


def test_a_bad_block_is_named() -> None:
    with pytest.raises(ValueError, match=r"x\.txt: header '10-40 09:00 快讯'"):
        build.parse("10-40 09:00 快讯\ntitle\nbody", "x.txt")
    with pytest.raises(ValueError, match=r"x\.txt: block .* needs a title and a body"):
        build.parse("10-09 09:00 快讯\ntitle only\n= neutral | - |", "x.txt")


@pytest.mark.parametrize("source", REPORTS, ids=lambda path: path.stem)
def test_report_is_readable_and_holds_its_text(source: Path) -> None:
    report = yaml.safe_load(source.read_text("utf-8"))
    broker = yaml.safe_load((source.parent / "brokers.yaml").read_text("utf-8"))[report["broker"]]
    path = SAMPLE / "reports" / f"{source.stem}.pdf"
    assert path.stat().st_size < 300_000
    texts = pages(path)
    assert 2 <= len(texts) <= 8 and all("虚构样例，仅供功能演示" in text for text in texts)
    whole = "".join("".join(texts).split())
    wanted = [report["title"], report["rating"], broker["name"], "分析师声明", "免责声明", "风险提示", "投资"]
    wanted += [analyst[key] for analyst in report["analysts"] for key in ("name", "licence")]
    wanted += [row.split()[1] for part in report["sections"] for row in part.get("table", [])]
    wanted += [item for part in report["sections"] for item in part.get("items", [])]
    assert [text for text in wanted if "".join(text.split()) not in whole] == []


def test_there_are_three_weeklies_and_two_company_reports() -> None:
    ratings = {path.stem: yaml.safe_load(path.read_text("utf-8"))["rating"] for path in REPORTS}
    assert sorted(name.split("_")[0] for name in ratings) == ["company"] * 2 + ["weekly"] * 3
    assert {rating[-3:-1] for rating in ratings.values()} == {"维持", "上调", "下调", "首次"}


def test_the_reader_takes_all_of_it() -> None:
    pdfs = ReportReader()
    try:
        reader = Reader(Options(now=datetime(2026, 11, 21, tzinfo=UTC)), max_bytes=1_000_000, pdf=pdfs.read)
        items = [*reader.read(SAMPLE / "corpus.jsonl"), *reader.read(SAMPLE / "reports")]
    finally:
        pdfs.close()
    assert [item for item in items if not isinstance(item, Document)] == []
    assert len({item.id for item in items if isinstance(item, Document)}) == len(rows("corpus.jsonl")) + len(REPORTS)
    read = {item.title: item.report for item in items if isinstance(item, Document) and item.report}
    for source in REPORTS:
        written = yaml.safe_load(source.read_text("utf-8"))
        report = read[written["title"]]
        assert f"{report.rating}（{report.rating_action}）" == written["rating"]
        assert [analyst.licence for analyst in report.analysts] == [
            analyst["licence"] for analyst in written["analysts"]
        ]
