"""`fengxiang themes` and `fengxiang model`, as a user types them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy import settings
from deploy.cli import UserError, app, themes
from deploy.cli.model import with_path
from deploy.settings import SettingsError
from models.encoder import SHIPPED

Run = Callable[..., Any]
ADD = (
    "add", "low_altitude", "--name", "低空经济", "--description", "无人机、飞行汽车的试点与订单", "--cue", "低空经济",
    "--example", "某市开通首条无人机物流航线", "--example", "飞行汽车获适航证", "--example", "通航机场建设提速",
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FENGXIANG_DATA_DIR", str(tmp_path / "var"))
    settings.load.cache_clear()

    def call(*arguments: str, verb: str = "themes", given: str = "") -> Any:
        settings.load.cache_clear()
        return CliRunner().invoke(app, [verb, *arguments], input=given)

    yield call
    settings.load.cache_clear()


def test_list_shows_built_in_and_own_themes(run: Run) -> None:
    assert "cross_border_ecommerce" in run("list").output
    assert run(*ADD).exit_code == 0
    rows = json.loads(run("list", "--json").output)
    assert [row["id"] for row in rows if row["kind"] == "own"] == ["low_altitude"]
    assert len(rows) == 12


def test_a_theme_is_added_tested_and_trained(run: Run, tmp_path: Path) -> None:
    assert "added" in run(*ADD).output
    tested = run("test", "low_altitude", given="低空经济试点扩大到十城，无人机航线开通\n央行开展逆回购\n")
    assert tested.exit_code == 0
    high, low = (float(line.split()[0]) for line in tested.output.splitlines())
    assert high > low
    labels = tmp_path / "labels.jsonl"
    rows = [{"title": f"无人机航线{i}开通运营", "body": "", "label": 1} for i in range(8)]
    rows += [{"title": f"银行第{i}次下调利率", "body": "", "label": 0} for i in range(8)]
    labels.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    trained = run("train", "low_altitude", str(labels))
    assert trained.exit_code == 0
    assert "16 after" in trained.output


def test_a_theme_is_tested_on_text_as_documents_are_read(run: Run) -> None:
    run(*ADD)
    tested = run("test", "low_altitude", given="低空經濟試點擴大，無人機航線開通\n低空经济试点扩大，无人机航线开通\n")
    traditional, simplified = (line.split()[0] for line in tested.output.splitlines())
    assert traditional == simplified


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("test", "low_altitude", "--text", "x"), "themes add"),
        (("add", "game", "--name", "甲", "--description", "乙", "--example", "1"), "exists already"),
        ((*ADD[:-4],), "at least 3"),
        (("test", "game", "--text", "x"), "built in"),
        (("remove", "game"), "built in"),
        (("remove", "low_altitude"), "there are none yet"),
    ],
)
def test_wrong_use_is_one_line_with_the_remedy(run: Run, arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, UserError)
    assert says in str(done.exception)


def test_a_removed_theme_may_be_added_again(run: Run) -> None:
    run(*ADD)
    assert "removed" in run("remove", "low_altitude").output
    assert "low_altitude" not in run("list").output
    assert "there are none yet" in str(run("test", "low_altitude", "--text", "x").exception)
    assert run(*ADD).exit_code == 0


def test_a_built_in_id_written_by_hand_is_not_listed_as_own(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "var" / "themes.yaml"
    path.parent.mkdir()
    path.write_text("themes: [{id: game, name: 甲}]", encoding="utf-8")
    done = run("list")
    assert isinstance(done.exception, UserError) and "themes.yaml" in str(done.exception)


def test_a_folder_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FENGXIANG_MODEL__THEMES", str(tmp_path / "file" / "mine.yaml"))
    done = run(*ADD)
    assert isinstance(done.exception, UserError)
    assert "mine.yaml can't be written" in str(done.exception) and "FENGXIANG_MODEL__THEMES" in str(done.exception)


def test_labels_that_contradict_name_the_text(run: Run, tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    rows = [{"title": "无人机", "label": 1}, {"title": "白酒", "label": 0}, {"body": "无人机", "label": 0}]
    labels.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(UserError, match="line 3: '无人机' has label 0, and 1 in line 1"):
        themes.read_labels(labels)


@pytest.mark.parametrize("content", ["{", '{"title": "a"}', '{"title": "a", "label": 2}', '{"label": 1}', "[]"])
def test_wrong_labels_name_the_line(run: Run, tmp_path: Path, content: str) -> None:
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"title": "a", "label": 1}\n' + content, encoding="utf-8")
    with pytest.raises(UserError, match="line 2"):
        themes.read_labels(labels)


def test_a_built_in_theme_is_not_trained_here(run: Run) -> None:
    run(*ADD)
    done = run("test", "game", "--text", "x")
    assert isinstance(done.exception, UserError) and "built in" in str(done.exception)


def test_the_model_is_shown_and_changed(run: Run, tmp_path: Path) -> None:
    assert str(SHIPPED) in run("show", verb="model").output
    Path("fengxiang.toml").write_text('log_level = "ERROR"\n\n[model]\nthreads = 1\n', encoding="utf-8")
    assert run("use", str(SHIPPED), verb="model").exit_code == 0
    kept = tomllib.loads(Path("fengxiang.toml").read_text(encoding="utf-8"))
    assert kept == {"log_level": "ERROR", "model": {"threads": 1, "path": str(SHIPPED)}}
    assert str(SHIPPED) in run("show", verb="model").output


def test_a_checkpoint_without_heads_says_how_to_train_them(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text("{}")
    done = run("use", str(tmp_path / "bert"), verb="model")
    assert isinstance(done.exception, UserError) and "models.train" in str(done.exception)
    for name in ("bert-base-chinese", "hfl/rbt3"):
        said = str(run("use", name, verb="model").exception)
        assert "not a folder" in said and "models.train --base FOLDER" in said
    assert "models.train" not in str(run("use", "/no/such/weights", verb="model").exception)
    assert not Path("fengxiang.toml").exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", '{"hidden_size": 3'),
        ("config.json", "[]"),
        ("model.json", "[]"),
        ("model.json", "{}"),
        ("model.json", '{"themes": {}}'),
        ("tokenizer.json", "{"),
    ],
)
def test_damaged_weights_are_neither_used_nor_a_traceback(run: Run, tmp_path: Path, file: str, content: str) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    for path in SHIPPED.iterdir():
        (weights / path.name).symlink_to(path)
    (weights / file).unlink()
    (weights / file).write_text(content)
    done = run("use", str(weights), verb="model")
    assert isinstance(done.exception, UserError) and f"{file} can't be read" in str(done.exception)
    assert not Path("fengxiang.toml").exists()
    Path("fengxiang.toml").write_text(f"[model]\npath = {json.dumps(str(weights))}\n")
    shown = run("show", verb="model")
    assert shown.exit_code == 0 or isinstance(shown.exception, UserError)


def test_where_the_environment_wins_it_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FENGXIANG_MODEL__PATH", "elsewhere")
    assert "the environment has 'elsewhere', and wins" in run("use", "", verb="model").output
    monkeypatch.delenv("FENGXIANG_MODEL__PATH")
    assert "wins" not in run("use", "", verb="model").output


def test_a_settings_file_that_is_wrong_or_cannot_be_written_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, says in (
        ("[model", "fengxiang.toml is not valid TOML"),
        ("\ufeff[model]\n", "fengxiang.toml is not valid TOML"),
        ("nonsense = 1\n", "nonsense in fengxiang.toml: unknown key"),
        ("[[model]]\n", "model in fengxiang.toml"),
        ('model.path = "x"\n', "can't be set in fengxiang.toml"),
    ):
        Path("fengxiang.toml").write_text(text, encoding="utf-8")
        done = run("use", "", verb="model")
        assert isinstance(done.exception, SettingsError) and says in str(done.exception)
        assert Path("fengxiang.toml").read_text(encoding="utf-8") == text
    monkeypatch.setenv("FENGXIANG_CONFIG", "no/where.toml")
    assert "no/where.toml can't be written" in str(run("use", "", verb="model").exception)


@pytest.mark.parametrize(
    "before",
    [
        "",
        "[model]\n",
        "[model]",
        '[model]\npath = "old"\nthreads = 2\n[local]\nkafka_port = 1\n',
        "[local]\nkafka_port = 1\n",
        '[ model ]  # ours\n  path = "old"\n  [local]\nkafka_port = 1\n',
        '[model]\r\nthreads = 2\r\npath = "old"\r\n\r\n[local]\r\nkafka_port = 1\r\n',
        "[local]\r\nkafka_port = 1\r\n",
    ],
)
def test_the_rest_of_the_settings_file_stays(before: str) -> None:
    expected = tomllib.loads(before)
    expected["model"] = expected.get("model", {}) | {"path": "新/目录"}
    after = with_path(before, "新/目录", "f")
    assert tomllib.loads(after) == expected
    assert {line for line in before.splitlines(keepends=True) if "old" not in line and line != "[model]"} <= {
        *after.splitlines(keepends=True)
    }
    assert "\r\n" not in before or "\n" not in after.replace("\r\n", "")


@pytest.mark.parametrize(
    "text",
    [
        'model.path = "x"\n',
        'model = {path = "x"}\n',
        '[model]\n"path" = "x"\n',
        '[ingest]\ninbox = """\n[model]\n"""\n',
    ],
)
def test_a_settings_file_written_otherwise_is_left_to_its_owner(text: str) -> None:
    with pytest.raises(SettingsError):
        with_path(text, "other", "f")
