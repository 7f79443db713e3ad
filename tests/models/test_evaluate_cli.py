"""`fengxiang evaluate` says what is wrong before it has computed anything, and shows its scores before it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import UserError, app

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """On a data folder with two headlines, enough to measure false alarms on."""
    folder = tmp_path / "labels" / "thucnews_headlines"
    folder.mkdir(parents=True)
    heads = [{"text": "贵州茅台冠名春晚", "label": "society"}, {"text": "明日降温", "label": "society"}]
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, heads)))

    def call(*arguments: str, data: Path = tmp_path) -> Any:
        return CliRunner().invoke(app, ["evaluate", "--data", str(data), "--no-baselines", *arguments])

    return call


def test_a_folder_without_anything_to_score_is_no_empty_report(run: Run, tmp_path: Path) -> None:
    empty, page = tmp_path / "empty", tmp_path / "scores.md"
    (empty / "labels").mkdir(parents=True)
    for data, arguments, says in (
        (tmp_path / "nowhere", ("--set", "linking"), "has no labels/ folder: --data names"),
        (empty, (), "holds none of the texts that are scored: --data names"),
        (empty, ("--set", "tone"), f"no set named tone in {empty}; there are: linking"),
    ):
        done = run(*arguments, "--write", str(page), data=data)
        assert isinstance(done.exception, UserError) and says in str(done.exception)
    assert not page.exists()


def test_where_a_report_cannot_be_written_is_told_first(run: Run, tmp_path: Path) -> None:
    for option in ("--write", "--html"):
        done = run("--set", "linking", option, str(tmp_path / "no" / "out"))
        assert isinstance(done.exception, UserError) and "there is no folder" in str(done.exception)
        assert done.output == ""


def test_scores_are_shown_before_they_are_written(run: Run, tmp_path: Path) -> None:
    done = run("--set", "linking", "--write", str(tmp_path))
    assert isinstance(done.exception, UserError) and f"can't write {tmp_path}" in str(done.exception)
    assert "false" in done.output and "alarms" in done.output
