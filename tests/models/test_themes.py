"""The taxonomy: cues and traps, files of themes and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.reading import plain
from models.themes import Taxonomy, Theme, ThemeError, built_in, check, lower, read_themes

IDS = (
    "aigc", "virtual_human", "cross_border_ecommerce", "game", "film_tv", "publishing", "ip", "ecommerce_ops",
    "advertising", "overseas", "social",
)  # fmt: skip


def themes_of(text: str) -> set[str]:
    return {built_in().ids[cue.theme] for cue in built_in().find(text)}


def test_the_built_in_themes_are_complete() -> None:
    taxonomy = built_in()
    assert taxonomy.ids == IDS
    for theme in taxonomy.themes:
        assert theme.english and theme.description and theme.cues and theme.basket
        assert len(theme.examples) >= 3 and theme.counter_examples
        check(theme)


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        ("数字人直播带货", "virtual_human"),
        ("暴雪宣布回归", "game"),
        ("新增IP授权", "ip"),
        ("小红书开店", "social"),
        ("OpenAI发布GPT-6", "aigc"),
    ],
)
def test_a_cue_makes_a_candidate(text: str, theme: str) -> None:
    assert theme in themes_of(text)


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        ("数字人民币试点扩大", "virtual_human"),
        ("跨境资金流动均衡", "cross_border_ecommerce"),
        ("公司提交IPO申请，披露IPv6进展与IP地址", "ip"),
        ("成果发表于国际期刊《自然》", "publishing"),
        ("京东方面板出货量第一", "ecommerce_ops"),
        ("新闻出版署公布名单", "publishing"),
        ("METADATA标准发布", "social"),
    ],
)
def test_a_trap_cancels_the_cue_inside_it(text: str, theme: str) -> None:
    assert theme not in themes_of(text)


@pytest.mark.parametrize(
    ("text", "found"), [("VR遊戲上線", [(0, 4)]), ("ＶＲ游戏上线", [(0, 4)]), ("vr遊戲機上線", [])]
)
def test_cues_and_traps_may_be_written_in_any_form(text: str, found: list[tuple[int, int]]) -> None:
    taxonomy = Taxonomy([Theme(id="vr", name="甲", cues=("ＶＲ遊戲",), traps=("VR遊戲機",))])
    assert [(cue.start, cue.end) for cue in taxonomy.find(plain(text))] == found


def test_every_cue_is_found_in_a_document() -> None:
    for index, theme in enumerate(built_in().themes):
        for text in theme.cues:
            assert index in {cue.theme for cue in built_in().find(plain(text))}, text


def test_a_cue_beside_a_trap_still_counts() -> None:
    assert "virtual_human" in themes_of("数字人民币之外，数字人业务增长")


def test_offsets_are_those_of_the_original_text() -> None:
    text = "İstanbul: openai 与 ＯＫ"  # İ would grow in lower case
    assert len(lower(text)) == len(text)
    (cue,) = built_in().find(text)
    assert text[cue.start : cue.end] == "openai"


def test_the_version_changes_with_any_theme() -> None:
    theme = Theme(id="ab", name="甲", cues=("词",))
    other = Theme(id="ab", name="甲", cues=("词语",))
    assert Taxonomy([theme]).version != Taxonomy([other]).version
    assert Taxonomy([theme]).version == Taxonomy([theme]).version


def test_no_themes_find_nothing() -> None:
    assert Taxonomy([]).find("游戏") == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("themes: [{id: A, name: 甲}]", "small letters"),
        ("themes: [{id: ab, name: ' '}]", "no name"),
        ("themes: [{id: ab, name: 甲}, {id: ab, name: 乙}]", "exists already"),
        ("themes: [{id: ab, name: 甲, basket: ['300413']}]", "300413"),
        ("themes: [{id: ab, name: 甲, colour: red}]", "colour"),
        ("themes: [{id: ab", "can't be read"),
        ("themes: [{id: ab, name: 甲, cues: ['']}]", "empty"),
        ("themes: [{id: ab, name: 甲}]\nthemes: [{id: cd, name: 乙}]", "'themes' is given twice.*line 2"),
        ("themes: [{id: ab, name: 甲, name: 乙}]", "'name' is given twice"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ThemeError, match=f"{path}.*{says}"):
        read_themes(path)


@pytest.mark.parametrize("content", ["", "themes:", "themes: []"])
def test_a_file_emptied_by_hand_holds_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    assert read_themes(path) == ()


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ThemeError, match="themes add"):
        read_themes(tmp_path / "none.yaml")
