"""A user's own themes: at once by likeness, better when trained, refused with clear words."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.analyse import Analyser
from models.themes import Theme, ThemeError, built_in, read_themes
from models.theming import LEAD
from models.user_themes import UserThemes, train
from models.user_themes_file import (
    Correction,
    add,
    read_corrections,
    read_own,
    remove,
    save_correction,
    weights_path,
)

LOW_ALTITUDE = Theme(
    id="low_altitude",
    name="低空经济",
    description="无人机、飞行汽车和低空旅游的试点、订单与政策",
    examples=("某市开通首条无人机物流航线", "飞行汽车获适航证，年底交付", "通航机场建设提速，低空旅游升温"),
    cues=("低空经济", "eVTOL"),
)
ABOUT = (
    "无人机配送在景区投入运营",
    "eVTOL企业获得大额订单",
    "低空航线审批流程优化",
    "飞行汽车完成载人首飞",
    "城市空中交通试点扩大",
    "无人机物流网络覆盖全市",
    "通用航空机场年底投用",
    "载人飞行器取得生产许可",
)
NOT_ABOUT = (
    "央行开展逆回购操作",
    "白酒企业上调出厂价",
    "手游新品上线首日登顶",
    "银行下调存款利率",
    "医药集采结果公布",
    "煤炭价格回落",
    "影片票房破十亿",
    "猪肉价格连续上涨",
)
UNRELATED = (
    "外汇局公布上半年国际收支数据",
    "公司聘任新任财务总监",
    "港股午后震荡走低",
    "钢铁企业上调板材价格",
    "国债期货小幅收涨",
    "光伏组件招标价格企稳",
    "某公司拟发行可转债募资十亿元",
    "欧洲央行维持利率不变",
)


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser.load(threads=1)


def logits(themes: UserThemes, analyser: Analyser, texts: tuple[str, ...]) -> np.ndarray:
    """The first theme's score of each title."""
    return np.array([themes.logits(t, "", view)[0] for t, view in zip(texts, analyser.view(texts), strict=True)])


def test_a_new_theme_works_at_once(analyser: Analyser, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    add(path, LOW_ALTITUDE)
    themes = analyser.own(read_own(path))
    about, other = logits(themes, analyser, ABOUT), logits(themes, analyser, NOT_ABOUT)
    assert np.mean(about[:, None] > other[None, :]) > 0.9  # nearly every pair in order


def test_a_theme_of_everyday_words_is_not_in_every_text(analyser: Analyser) -> None:
    everyday = msgspec.structs.replace(
        LOW_ALTITUDE, id="everyday", name="公司公告", description="上市公司发布公告",
        examples=("公司发布公告称", "公司公告显示", "据公司公告"), cues=(),
    )  # fmt: skip
    both = analyser.own([LOW_ALTITUDE, everyday])
    views = analyser.view(NOT_ABOUT)
    scores = np.stack([both.scores(text, "", view) for text, view in zip(NOT_ABOUT, views, strict=True)])
    assert scores.max() < both.threshold


def test_no_themes_and_no_text_are_fine(analyser: Analyser) -> None:
    (view,) = analyser.view([""])
    assert analyser.own([]).assign("低空经济", "低空经济", view) == []
    assert analyser.own([LOW_ALTITUDE]).assign("", "", view) == []


def test_the_name_is_a_cue(analyser: Analyser) -> None:
    themes = analyser.own([msgspec.structs.replace(LOW_ALTITUDE, cues=())])
    (view,) = analyser.view(["低空经济座谈会召开"])
    assert themes.features("低空经济座谈会召开", "", view)[0, 2:].tolist() == [1, 0]
    assert themes.features("座谈会召开", "会议讨论低空经济", view)[0, 2:].tolist() == [0, 1]
    assert themes.features("座谈会召开", "后" * LEAD + "低空经济", view)[0, 2:].tolist() == [0, 0]


def test_traditional_and_full_width_texts_are_the_same_texts(analyser: Analyser) -> None:
    traditional, simplified = analyser.embed(["無人機配送，ｅＶＴＯＬ獲得訂單", "无人机配送，eVTOL获得订单"])
    assert np.allclose(traditional, simplified, atol=1e-5)


def test_training_improves_it_and_belongs_to_one_version(analyser: Analyser, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    add(path, LOW_ALTITUDE)
    themes = analyser.own(read_own(path))
    labelled, views = [(text, "") for text in (*ABOUT, *NOT_ABOUT)], analyser.view([*ABOUT, *NOT_ABOUT])
    truth = np.array([1] * len(ABOUT) + [0] * len(NOT_ABOUT))
    correction = train(themes, 0, labelled, views, truth)
    save_correction(path, "v1", "low_altitude", correction)
    better = analyser.own(read_own(path), read_corrections(path, "v1"))
    scores, before = (logits(own, analyser, (*ABOUT, *NOT_ABOUT)) for own in (better, themes))
    assert ((scores > 0) == truth).sum() >= ((before > 0) == truth).sum()
    assert scores[truth == 1].mean() - scores[truth == 0].mean() > before[truth == 1].mean() - before[truth == 0].mean()
    assert read_corrections(path, "v2") == {}
    again = train(better, 0, labelled, views, truth)  # begins anew, not on top of the first
    assert np.array_equal(again.weights, correction.weights)


def test_as_many_labels_of_each_kind_do_not_make_a_theme_common(analyser: Analyser) -> None:
    themes = analyser.own([LOW_ALTITUDE])
    truth = np.array([1] * len(ABOUT) + [0] * len(NOT_ABOUT))
    labelled = [*ABOUT, *NOT_ABOUT]
    correction = train(themes, 0, [(text, "") for text in labelled], analyser.view(labelled), truth)
    trained = analyser.own([LOW_ALTITUDE], {"low_altitude": correction})
    before, after = (logits(own, analyser, UNRELATED) for own in (themes, trained))
    assert after.mean() < before.mean() + 0.5  # as common as before


def test_the_analyser_gives_it_beside_the_built_in_ones(analyser: Analyser, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from models.records import Document

    path = tmp_path / "mine.yaml"
    add(path, LOW_ALTITUDE)
    mine = Analyser.load(threads=1, user_themes=str(path))
    now = datetime(2026, 7, 1, tzinfo=UTC)
    text = "低空经济再获支持，eVTOL试飞航线开通"
    (found,) = mine.analyse(
        [Document(id="1", source="t", kind="wire", title=text, body="", published_at=now, fetched_at=now)]
    )
    assert "low_altitude" in {t.theme for t in found.themes}
    assert found.versions.taxonomy != analyser.versions.taxonomy


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "Low Altitude"}, "small letters"),
        ({"id": "game"}, "exists already, built in"),
        ({"name": ""}, "no name"),
        ({"description": " "}, "no description"),
        ({"examples": ("一句", "一句", "两句")}, "at least 3"),
        ({"examples": ("一句", " 一 句", "一句　")}, "has 1 examples"),
        ({"basket": ("300413",)}, "security code"),
    ],
)
def test_a_wrong_theme_is_refused_with_the_remedy(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(ThemeError, match=says):
        add(tmp_path / "mine.yaml", msgspec.structs.replace(LOW_ALTITUDE, **change))
    assert not (tmp_path / "mine.yaml").exists()


def test_themes_are_appended_and_not_twice(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mine.yaml"
    add(path, LOW_ALTITUDE)
    add(path, msgspec.structs.replace(LOW_ALTITUDE, id="second"))
    assert [t.id for t in read_themes(path)] == ["low_altitude", "second"]
    with pytest.raises(ThemeError, match="exists already"):
        add(path, LOW_ALTITUDE)


def test_too_few_labels_are_refused(analyser: Analyser, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    add(path, LOW_ALTITUDE)
    themes = analyser.own(read_own(path))
    with pytest.raises(ThemeError, match="at least 8"):
        train(themes, 0, [(text, "") for text in ABOUT[:3]], analyser.view(ABOUT[:3]), np.array([1, 1, 0]))


@pytest.mark.parametrize("content", ["{", "[]", '{"model": "v", "themes": []}', '{"model": "w", "themes": []}'])
def test_a_broken_file_of_corrections_says_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.yaml"
    weights_path(path).write_text(content, encoding="utf-8")
    with pytest.raises(ThemeError, match=f"{weights_path(path)}.*delete it"):
        read_corrections(path, "v")
    with pytest.raises(ThemeError, match="delete it"):
        save_correction(path, "v", "low_altitude", Correction(np.zeros(3)))


def test_a_correction_of_another_length_says_what_to_do(analyser: Analyser, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    add(path, LOW_ALTITUDE)
    save_correction(path, analyser.versions.model, "low_altitude", Correction(np.zeros(3)))
    with pytest.raises(ThemeError, match=f"{weights_path(path)}.*3 weights.*delete it"):
        Analyser.load(threads=1, user_themes=str(path))


def test_a_removed_theme_takes_its_correction_along(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for name in ("low_altitude", "second"):
        add(path, msgspec.structs.replace(LOW_ALTITUDE, id=name))
        save_correction(path, "v", name, Correction(np.ones(3)))
    remove(path, "low_altitude")
    assert [t.id for t in read_themes(path)] == ["second"] and list(read_corrections(path, "v")) == ["second"]
    path.write_text("themes:", encoding="utf-8")  # by hand: what was trained for it stays, unused
    add(path, msgspec.structs.replace(LOW_ALTITUDE, id="second"))
    assert read_corrections(path, "v") == {}
    remove(path, "second")
    assert read_themes(path) == ()


def test_themes_are_put_in_place_whole(tmp_path: Path) -> None:
    path, link = tmp_path / "mine.yaml", tmp_path / "link.yaml"
    link.symlink_to(path)
    add(link, LOW_ALTITUDE)
    path.chmod(0o640)
    inode = path.stat().st_ino
    with path.open(encoding="utf-8") as reader:
        add(link, msgspec.structs.replace(LOW_ALTITUDE, id="second"))
        assert "second" not in reader.read()  # who had it open reads the old one to its end
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o640 and path.stat().st_ino != inode
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.yaml", "mine.yaml"]


def test_a_users_theme_may_not_shadow_a_built_in_one(analyser: Analyser, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"themes: [{{id: {built_in().ids[0]}, name: 甲}}]", encoding="utf-8")
    with pytest.raises(ThemeError, match=f"{path}.*exists already, built in"):
        Analyser.load(threads=1, user_themes=str(path))
