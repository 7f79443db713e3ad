"""The whole reading of a document with the shipped weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.analyse import GROUP, Analyser
from models.encoder import FILES, SHIPPED, ModelError
from models.memory import FLOOR, Vote
from models.records import Document

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser.load(threads=1, clock=lambda: NOW)


def document(title: str = "", body: str = "", name: str = "d") -> Document:
    return Document(id=name, source="test", kind="wire", title=title, body=body, published_at=NOW, fetched_at=NOW)


def test_an_analysis_carries_versions_time_and_stage_timings(analyser: Analyser) -> None:
    (found,) = analyser.analyse([document("某公司召开股东会")])
    assert found.id == "d"
    assert found.analysed_at == NOW
    assert found.versions.model and found.versions.taxonomy and found.versions.securities and found.versions.code
    assert found.timings["read"] > 0


def test_one_praised_and_one_damned(analyser: Analyser) -> None:
    (found,) = analyser.analyse(
        [document("三七互娱上半年净利润同比增长80%；吉比特净利润同比下降60%，遭多家券商下调评级")]
    )
    toward = {m.name: m.sentiment for m in found.mentions}
    assert toward["三七互娱"].score > 0.2
    assert toward["吉比特"].score < -0.2


def test_the_mood_of_the_wire_does_not_overrule_the_price_beside_a_name(analyser: Analyser) -> None:
    (found,) = analyser.analyse([document(body="锂电池板块大幅下挫，恩捷股份跳水触及跌停；沧州明珠逆势封板。")])
    assert {m.name: m.sentiment.label for m in found.mentions} == {"恩捷股份": "negative", "沧州明珠": "positive"}


@pytest.mark.parametrize(
    ("title", "label"),
    [
        ("三七互娱：上半年净利润同比减少30%", "negative"),
        ("三七互娱：上半年扭亏为盈，净利润2亿元", "positive"),
        ("吉比特：由盈转亏，上半年亏损1亿元", "negative"),
        ("吉比特：上半年净亏损1.19亿元，上年同期亏损9800万元", "negative"),
        ("三七互娱：上半年亏损约1.59亿元，上年同期亏损约19.16亿元", "positive"),
        ("分众传媒：利空出尽，机构看好广告回暖", "positive"),
        ("光线传媒：业绩不及预期", "negative"),
        ("完美世界：控股股东拟减持不超2%股份", "negative"),
        ("大行上调腾讯控股目标价至800港元", "positive"),
        ("券商下调分众传媒评级至中性", "negative"),
    ],
)
def test_tone_of_the_document_and_of_its_company(analyser: Analyser, title: str, label: str) -> None:
    (found,) = analyser.analyse([document(title)])
    assert found.sentiment.label == label
    assert [m.sentiment.label for m in found.mentions][:1] == [label]


@pytest.mark.parametrize(
    ("title", "body", "theme"),
    [
        ("7月国产网络游戏版号公布，45款获批", "国家新闻出版署公布7月国产网络游戏审批信息，45款游戏获批。", "game"),
        ("OpenAI发布新一代大模型，支持文生视频", "", "aigc"),
        ("跨境电商平台Temu在欧洲上线半托管模式", "卖家可使用海外仓发货。", "cross_border_ecommerce"),
        ("春节档总票房突破80亿元，观影人次创新高", "", "film_tv"),
    ],
)
def test_a_document_gets_the_theme_that_it_is_about_with_evidence(
    analyser: Analyser, title: str, body: str, theme: str
) -> None:
    (found,) = analyser.analyse([document(title, body)])
    scores = {t.theme: t for t in found.themes}
    assert theme in scores
    assert 0.3 <= scores[theme].score <= 1
    for span in scores[theme].evidence:
        assert (title if span.field == "title" else body)[span.start : span.end]


@pytest.mark.parametrize(("text", "themes"), [("a", []), ("游", []), ("1", []), ("大模型", ["aigc"])])
def test_a_character_or_two_have_no_theme_but_by_a_cue(analyser: Analyser, text: str, themes: list[str]) -> None:
    (found,) = analyser.analyse([document("", text)])
    assert [t.theme for t in found.themes] == themes


@pytest.mark.parametrize(
    "title",
    [
        "数字人民币试点新增三座城市",
        "亚马逊盘前跌2%",
        "收评：沪指涨0.5%，游戏、影视、煤炭板块领涨",
        "公司公告聘任财务总监",
    ],
)
def test_a_passing_word_gives_no_theme(analyser: Analyser, title: str) -> None:
    (found,) = analyser.analyse([document(title)])
    assert found.themes == ()


BAD: Sequence[tuple[str, str]] = (
    ("", ""),
    ("\x00\x01\x02", "\x7f\x80" * 100),
    ("\ud800", "\udfff坏字符"),
    ("😀🚀", "🀄" * 300),
    ("ＦＵＬＬ　ＷＩＤＴＨ", "１２３％"),
    ("騰訊控股發佈業績", "網易與騰訊競爭。"),
    ("English only headline", "Mixed 中英 text, with tabs\t and\r\nlines."),
    ("标题" * 5000, ""),
    ("", "没有标点" * 20000),
    ("a" * 3000, "\n" * 3000),
)


@pytest.mark.parametrize(("title", "body"), BAD)
def test_bad_text_is_analysed_all_the_same(analyser: Analyser, title: str, body: str) -> None:
    (found,) = analyser.analyse([document(title, body)])
    assert sum(found.sentiment.probabilities.values()) == pytest.approx(1)
    for mention in found.mentions:
        assert (title if mention.field == "title" else body)[mention.start : mention.end] == mention.surface


@pytest.mark.parametrize("fill", [" ", "\n", "1", "(", "（", "【"])
@pytest.mark.parametrize("begin", ["", "【标题】"])
def test_a_long_stretch_of_one_character_does_not_hold_up_the_reading(
    analyser: Analyser, begin: str, fill: str
) -> None:
    (found,) = analyser.analyse([document("标题", begin + fill * 300_000 + "完")])
    assert found.id == "d"


def test_five_megabytes_are_read(analyser: Analyser) -> None:
    (found,) = analyser.analyse([document("游戏行业周报", "腾讯控股的游戏收入增长。" * 150_000)])
    assert "game" in {t.theme for t in found.themes}


def test_a_report_of_forty_pages_takes_less_than_two_seconds(analyser: Analyser) -> None:
    page = "腾讯控股的游戏收入增长，三七互娱新品上线。短剧出海带动票房以外的收入，行业景气向好。" * 20
    body = "\n".join(f"第{i}页：{page}" for i in range(1, 41))
    began = time.process_time()
    (found,) = analyser.analyse([document("传媒行业深度报告", body)])
    assert found.mentions
    assert time.process_time() - began < 2  # of one processor: others may be at work here, too


@pytest.mark.parametrize("group", [GROUP, 3, 1])
def test_order_and_group_make_no_difference(analyser: Analyser, monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr("models.analyse.GROUP", group)
    documents = [document(title, body, str(i)) for i, (title, body) in enumerate(BAD[4:7])]
    documents.append(document("三七互娱：上半年净利润增长", "游戏流水创新高。" * 9, "x"))
    together = analyser.analyse(documents)
    assert [a.id for a in together] == [d.id for d in documents]
    for one, many in zip((analyser.analyse([d])[0] for d in documents), together, strict=True):
        assert one.sentiment == many.sentiment and one.mentions == many.mentions
        assert one.themes == many.themes


def test_no_documents_give_no_analyses(analyser: Analyser) -> None:
    assert analyser.analyse([]) == []


def test_pages_of_mentions(analyser: Analyser) -> None:
    body = "第一页提到三七互娱的收入。\n第二页提到吉比特的产品。"
    report = Document(
        id="r", source="test", kind="report", title="游戏周报", body=body, published_at=NOW, fetched_at=NOW,
        page_offsets=(0, body.index("第二页")),
    )  # fmt: skip
    (found,) = analyser.analyse([report])
    assert {m.name: m.page for m in found.mentions} == {"三七互娱": 1, "吉比特": 2}


def test_the_labelled_texts_most_like_a_text_have_a_say(analyser: Analyser, monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document(
        id="v", source="test", kind="wire", title="公司召开会议讨论安排", body="会议讨论了安排。",
        published_at=NOW, fetched_at=NOW,
    )  # fmt: skip
    monkeypatch.setattr(analyser, "calibration", replace(analyser.calibration, threshold=0.0))
    ids = analyser.taxonomy.ids

    def voted(theme: str, tone: int) -> tuple[float, float]:
        vote = Vote(np.array([float(name == theme) for name in ids]), np.log(np.eye(3)[tone] + FLOOR))
        monkeypatch.setattr(analyser._memory, "votes", lambda embeddings: [vote for _ in embeddings])
        (found,) = analyser.analyse([document])
        return {t.theme: t.score for t in found.themes}["game"], found.sentiment.score

    (for_game, low), (against, high) = voted("game", 0), voted("film_tv", 2)
    assert for_game > 2 * against and low < high


def test_wrong_weights_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.path"):
        Analyser.load("/no/such/folder")
    folder = str(tmp_path)
    with pytest.raises(ModelError, match=FILES[0]):
        Analyser.load(folder)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("heads.npz", b"not a zip"),
        ("ngrams.npz", b""),
        ("memory.npz", (SHIPPED / "heads.npz").read_bytes()),
        ("model.json", b"{"),
        ("model.json", b"[]"),
        ("model.json", b'{"themes": []}'),
        ("tokenizer.json", b"{"),
        ("model.json", b'{"themes": {"of another version": 1}}'),
        ("model.json", b'{"blends": {"news": {"deep": 1}}}'),
        ("encoder.onnx", b"\x00"),
    ],
)
def test_a_damaged_part_of_the_weights_is_named(tmp_path: Path, file: str, content: bytes) -> None:
    for name in FILES:
        (tmp_path / name).symlink_to(SHIPPED / name)
    (tmp_path / file).unlink()
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ModelError, match=file):
        Analyser.load(str(tmp_path), 1)


def test_parts_of_different_weights_are_told_before_a_text_is_read(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).symlink_to(SHIPPED / name)
    (tmp_path / "memory.npz").unlink()
    np.savez(
        tmp_path / "memory.npz", centre=np.zeros(8), project=np.eye(8), vectors=np.zeros((1, 8), np.int8),
        themes=np.zeros((1, 11), bool), tones=np.zeros(1, np.int8),
    )  # fmt: skip
    with pytest.raises(ModelError, match="different weights"):
        Analyser.load(str(tmp_path), 1)
