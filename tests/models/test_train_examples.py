"""Labels to training examples, without PyTorch: what each set says, and no more."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.analyse import Analyser
from models.evaluate import metrics
from models.evaluate.predict import GivenLinks
from models.evaluate.run import evaluate
from models.evaluate.sets import DataError, load
from models.themes import built_in, read_themes
from models.train import own_sets, templates, theme_templates, tone_sets, weak_sets
from models.train.examples import NEGATIVE, NEUTRAL, NEWS, POSITIVE, TONES, Example, Label, jsonl, without_cues
from tests.models.label_sets import write_label_sets

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_sets(tmp_path_factory.mktemp("data"))


def test_posts_of_the_test_part_are_not_trained_on(data: Path) -> None:
    train, test = tone_sets.finfe(data / "labels")
    assert not {e.body for e in train} & {e.body for e in test}
    assert any(e.key.startswith("hold:") for e in train)


def test_a_post_counts_once_by_the_label_of_most_copies(tmp_path: Path) -> None:
    rows = [("甲股要涨", 2), ("甲股要涨", 0), ("甲股 要涨", 2), ("乙股", 0), ("乙股", 1), ("丙股", 1)]
    folder = tmp_path / "finfe"
    folder.mkdir()
    (folder / "train.jsonl").write_text("\n".join(json.dumps({"text": t, "label": n}) for t, n in rows))
    (folder / "test.jsonl").write_text(json.dumps({"text": "丙 股", "label": 1}))
    train, _ = tone_sets.finfe(tmp_path)
    assert [(e.key, e.body, e.tone) for e in train] == [("train:0", "甲股要涨", Label(POSITIVE))]


def test_written_news_may_have_a_tone(tmp_path: Path) -> None:
    path = tmp_path / "written.jsonl"
    rows = [
        {"title": "甲", "body": "", "themes": ["game"]},
        {"title": "", "body": "乙", "themes": [], "tone": "negative"},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    first, second = own_sets.written(path)
    assert first.tone is None and first.themes[built_in().ids.index("game")] == 1
    assert second.tone == Label(NEGATIVE) and not any(second.themes.values())


def test_written_news_is_in_order() -> None:
    rows = list(jsonl(own_sets.LABELS / "written.jsonl"))
    for row in rows:
        assert (row["title"] + row["body"]).strip() and row["themes"] == sorted(set(row["themes"])), row
        assert set(row["themes"]) <= set(built_in().ids) and row.get("tone", "neutral") in TONES, row
    assert len({(row["title"], row["body"]) for row in rows}) == len(rows)


def test_own_themes_are_labelled_in_order() -> None:
    themes = read_themes(own_sets.LABELS / "own_themes.yaml")
    assert all(len(theme.examples) == 3 and len(theme.cues) >= 2 for theme in themes)
    rows = jsonl(own_sets.LABELS / "own_themes.jsonl")
    ids = [theme.id for theme in themes]
    assert all(row["themes"] == sorted(set(row["themes"]), key=ids.index) for row in rows)
    assert len({row["ref"] for row in rows}) == len(rows)
    taught = {row["ref"] for name in ("silver", "gold") for row in jsonl(own_sets.LABELS / f"{name}.jsonl")}
    assert not taught & {row["ref"] for row in rows}


def test_own_themes_are_asked_with_cues_and_without(data: Path) -> None:
    bare, cued = load(data, ["own_themes", "own_themes_cues"])
    assert len(bare.test) == len(cued.test) == 60 and not {id(e) for e in bare.test} & {id(e) for e in cued.test}
    assert not any(theme.cues for theme in bare.own) and all(theme.cues for theme in cued.own)
    links = GivenLinks()
    report = evaluate(Analyser.load(threads=1, linker=links), links, [bare, cued], NOW, compare=False)
    assert [item["score"] > 0.8 for item in report["sets"]] == [True, True]  # they say what the examples say


def test_company_titles_are_split_by_date(data: Path) -> None:
    train, test = tone_sets.company_titles(data / "labels")
    assert len(test) == pytest.approx(0.2 * (len(train) + len(test)), abs=2)
    assert all(e.targets for e in test)
    (target,) = test[0].targets
    field, start, end = target.spans[0]
    assert field == "title" and test[0].title[start:end].startswith("公司")


def test_negative_or_not_allows_both_other_classes(data: Path) -> None:
    train, test = tone_sets.finnsp(data / "labels")
    tones = {target.tone.allowed for e in train + test for target in e.targets if target.tone}
    assert tones == {NEGATIVE, NEUTRAL | POSITIVE}
    assert not {e.key for e in train} & {e.key for e in test}


@pytest.mark.parametrize(
    ("title", "body", "expected"),
    [
        ("游戏新品上线", "", {"game": 1, "film_tv": 0}),
        ("收评：沪指涨0.5%，游戏、影视板块领涨", "", {"game": 0, "film_tv": 0}),
        ("港股异动：某公司午后跌超5%", "公司从事游戏业务。", {"game": 0}),
        ("普通公告", "文中提到一次游戏。", {"film_tv": 0}),
    ],
)
def test_weak_themes(title: str, body: str, expected: dict[str, int]) -> None:
    found = weak_sets.weak_themes(title, body) or {}
    ids = built_in().ids
    for name, label in expected.items():
        assert found.get(ids.index(name), 0) == label


def test_a_passing_cue_says_nothing() -> None:
    found = weak_sets.weak_themes("普通公告", "文中提到一次游戏。") or {}
    assert built_in().ids.index("game") not in found


def test_own_labels_join_their_texts(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "silver.jsonl"
    mention = {"surface": "公司甲", "field": "title", "start": 0, "tone": "positive"}
    rows = [
        {"ref": "wires:cls:1", "themes": ["game"], "tone": "positive", "mentions": [mention], "split": "train"},
        {"ref": "titles:0", "themes": [], "tone": "neutral", "mentions": [], "split": "dev"},
        {"ref": "wires:cls:unknown", "themes": [], "tone": "neutral", "mentions": [], "split": "dev"},
        {"ref": "finre:train:0", "themes": [], "tone": "neutral", "split": "dev"},
        {"ref": "thuc:dev:1", "themes": ["game"], "tone": "neutral", "split": "dev"},
    ]
    for stem, lines in (
        ("finre/train", ["<N>公司甲</N>将与<N>公司乙</N>合并"]),
        ("thucnews_headlines/dev", ["一", "二"]),
    ):
        file = data / "labels" / f"{stem}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(json.dumps({"text": text}) for text in lines), encoding="utf-8")
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    train, dev = own_sets.silver(path, data)
    assert [e.key for e in train] == ["wires:cls:1"]
    assert [e.key for e in dev] == ["titles:0", "finre:train:0", "thuc:dev:1"]
    assert [e.body for e in dev[1:]] == ["公司甲将与公司乙合并", "二"]
    assert train[0].themes[built_in().ids.index("game")] == 1 and sum(train[0].themes.values()) == 1
    assert train[0].targets[0].tone == Label(POSITIVE)


def test_written_news_has_all_its_themes_and_no_tone(tmp_path: Path) -> None:
    path = tmp_path / "written.jsonl"
    path.write_text(json.dumps({"title": "新作公测", "body": "", "themes": ["game", "ip"]}), encoding="utf-8")
    (example,) = own_sets.written(path)
    ids = built_in().ids
    assert [ids[k] for k, v in example.themes.items() if v] == [name for name in ids if name in ("game", "ip")]
    assert set(example.themes) == set(range(len(ids))) and example.tone is None
    assert own_sets.written(tmp_path / "none.jsonl") == []


def test_shipped_written_news_is_labelled_by_known_themes_and_told_once() -> None:
    path = own_sets.LABELS / "written.jsonl"
    rows = jsonl(path)
    assert len(rows) > 7000 and {theme for row in rows for theme in row["themes"]} == set(built_in().ids)
    assert len({(row["title"], row["body"]) for row in rows}) == len(rows)
    assert all(row["title"] or row["body"] for row in rows)


def test_templates_name_their_companies() -> None:
    made = templates.examples(["公司甲", "公司乙", "公司丙"], ["机器人"], random.Random(0), 200)
    for example in made:
        for target in example.targets:
            for field, start, end in target.spans:
                text = example.title if field == "title" else example.body
                assert text[start:end] in {"公司甲", "公司乙", "公司丙", "机器人"}
    assert {e.tone.allowed for e in made if e.tone} == {NEGATIVE, NEUTRAL, POSITIVE}
    assert made == templates.examples(["公司甲", "公司乙", "公司丙"], ["机器人"], random.Random(0), 200)


def test_theme_templates_cover_every_theme() -> None:
    made = theme_templates.examples(["公司甲"], random.Random(0), 4)
    assert {k for e in made for k, v in e.themes.items() if v} == set(range(len(built_in().ids)))


def test_masking_overwrites_every_cue() -> None:
    example = Example("t", "1", "数字人直播", "游戏与数字人民币", NEWS)
    hidden = without_cues(example, "□")
    assert built_in().find(hidden.title + hidden.body) == []
    assert len(hidden.title) == len(example.title) and "数字人民币" in hidden.body


def test_metrics() -> None:
    import numpy as np

    truth = np.array(["a", "a", "b", "b"])
    assert metrics.macro_f1(truth, truth) == 1
    assert metrics.macro_f1(truth, np.array(["a", "a", "a", "a"])) == pytest.approx(1 / 3)
    low, high = metrics.bootstrap(metrics.macro_f1, truth, np.array(["a", "b", "b", "b"]), 100)
    assert 0 <= low <= high <= 1
    sure = np.array([0.9, 0.9, 0.6, 0.6])
    assert metrics.calibration_error(sure, np.array([True, True, True, False])) == pytest.approx(0.1)
    assert metrics.confusion(["a", "b"], ["b", "b"], ["a", "b"]) == [[0, 1], [0, 1]]
    cells = np.array([[True, False], [True, True]])
    assert metrics.micro_f1(cells, ~cells) == 0


def test_a_wrong_data_folder_is_named(tmp_path: Path, data: Path) -> None:
    with pytest.raises(DataError, match="labels/"):
        load(tmp_path)
    with pytest.raises(DataError, match="nonsense"):
        load(data, ["nonsense"])
