"""`fengxiang themes`: the built-in themes and the user's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from deploy.cli import UserError
from models.analyse import Analyser
from models.encoder import ModelError
from models.reading import plain
from models.themes import Theme, ThemeError, built_in
from models.user_themes import UserThemes, View, train
from models.user_themes_file import add, read_own, remove, save_correction

command = typer.Typer(no_args_is_help=True, help="List, add, test, train and remove themes. 题材")
Name = Annotated[str, typer.Argument(help="The theme's id. 题材标识")]


def themes_file() -> Path:
    """The user's own file: the setting model.themes, or themes.yaml in the data folder."""
    from deploy import settings

    return settings.load().user_themes


def _own() -> tuple[Theme, ...]:
    path = themes_file()
    try:
        return read_own(path) if path.exists() else ()
    except (ThemeError, OSError) as error:
        raise UserError(str(error)) from error


def _mine(name: str) -> tuple[Analyser, UserThemes, int]:
    """The analyser, the user's themes, and where among them the named one is."""
    from deploy import settings

    if name in built_in().ids:
        raise UserError(f"{name!r} is built in: `test` and `train` are for your own; `fengxiang evaluate` scores it")
    chosen = settings.load().model
    try:
        analyser = Analyser.load(chosen.path, chosen.threads, chosen.device, chosen.batch_size, str(themes_file()))
    except (ModelError, ThemeError) as error:
        raise UserError(str(error)) from error
    themes = analyser.user_themes
    assert themes is not None
    if name not in themes.taxonomy.ids:
        known = ", ".join(themes.taxonomy.ids) or "none yet"
        raise UserError(f"no theme {name!r} in {themes_file()}: there are {known}")
    return analyser, themes, themes.taxonomy.ids.index(name)


@command.command("list")
def list_themes(as_json: Annotated[bool, typer.Option("--json", help="As JSON. 以 JSON 输出")] = False) -> None:
    """Every theme. 列出全部题材"""
    rows = [(theme, "built-in") for theme in built_in().themes] + [(theme, "own") for theme in _own()]
    if as_json:
        print(
            json.dumps(
                [msgspec.to_builtins(theme) | {"kind": kind} for theme, kind in rows], ensure_ascii=False, indent=1
            )
        )
        return
    for theme, kind in rows:
        print(f"{theme.id:<24}{kind:<10}{theme.name}  {theme.english}")


@command.command("add")
def add_theme(
    name: Name,
    title: Annotated[str, typer.Option("--name", help="Its name. 名称")],
    description: Annotated[str, typer.Option(help="What it is about, in a sentence. 说明")],
    example: Annotated[list[str], typer.Option(help="A text that has it; at least three. 例句")],
    cue: Annotated[list[str] | None, typer.Option(help="A word that suggests it. 线索词")] = None,
    trap: Annotated[
        list[str] | None, typer.Option(help="A phrase that holds a cue but doesn't mean it. 易混词")
    ] = None,
    basket: Annotated[list[str] | None, typer.Option(help="A security code, such as 300413.SZ. 成份证券")] = None,
    english: Annotated[str, typer.Option(help="English name. 英文名")] = "",
) -> None:
    """Add a theme of your own; it works at once. 新增题材"""
    theme = Theme(
        id=name,
        name=title,
        english=english,
        description=description,
        examples=tuple(example),
        cues=tuple(cue or ()),
        traps=tuple(trap or ()),
        basket=tuple(basket or ()),
    )
    path = themes_file()
    try:
        add(path, theme)
    except (ThemeError, OSError) as error:
        raise UserError(str(error)) from error
    print(f"{name} added to {path}; restart workers to use it. Try it: fengxiang themes test {name} --text '...'")


@command.command("remove")
def remove_theme(name: Name) -> None:
    """Remove a theme of your own, with what was trained for it. 删除题材"""
    path = themes_file()
    try:
        remove(path, name)
    except (ThemeError, OSError) as error:
        raise UserError(str(error)) from error
    print(f"{name} removed from {path}; restart workers to be rid of it")


@command.command("test")
def test_theme(
    name: Name,
    text: Annotated[list[str] | None, typer.Option(help="A text to try; else lines on standard input. 文本")] = None,
) -> None:
    """Score texts by a theme of your own. 试算"""
    analyser, themes, theme = _mine(name)
    texts = text or [line.strip() for line in sys.stdin if line.strip()]
    for line, view in zip(texts, analyser.view(texts), strict=True):
        score = themes.scores(plain(line), "", view)[theme]
        print(f"{score:.3f}  {'yes' if score >= themes.threshold else 'no '}  {line[:100]}")


@command.command("train")
def train_theme(
    name: Name,
    labels: Annotated[Path, typer.Argument(help='JSONL: {"title", "body", "label": 0 or 1} a line. 标注文件')],
) -> None:
    """Improve a theme of your own by labelled texts. 用标注训练"""
    analyser, themes, theme = _mine(name)
    rows = read_labels(labels)
    texts = [(plain(row["title"]), plain(row["body"])) for row in rows]
    views = analyser.view([_text(row)[:200] for row in rows])
    truth = np.array([row["label"] for row in rows])
    before = _right(themes, theme, texts, views, truth)
    try:
        correction = train(themes, theme, texts, views, truth)
        save_correction(themes_file(), analyser.versions.model, name, correction)
    except (ThemeError, OSError) as error:
        raise UserError(str(error)) from error
    _, trained, _ = _mine(name)
    after = _right(trained, theme, texts, views, truth)
    print(f"{name}: right on {before} of these {len(rows)} texts before, {after} after")


def _right(themes: UserThemes, theme: int, texts: list[tuple[str, str]], views: list[View], truth: np.ndarray) -> int:
    scores = [themes.scores(*text, view)[theme] for text, view in zip(texts, views, strict=True)]
    return int(((np.array(scores) >= themes.threshold) == truth).sum())


def _text(row: dict[str, Any]) -> str:
    return f"{row['title']}\n{row['body']}".strip()


def read_labels(path: Path) -> list[dict[str, Any]]:
    """Labelled texts of a JSONL file. Raises `UserError`, naming the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read: {error}") from error
    rows = []
    first: dict[str, tuple[int, int]] = {}  # text -> its label, and the line that gave it
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text = {key: str(row.get(key) or "") for key in ("title", "body")}
            label = row["label"]
        except (ValueError, KeyError, AttributeError) as error:
            raise UserError(f'{path}, line {number}: expected {{"title", "body", "label"}}: {error!r}') from error
        if label not in (0, 1) or not any(text.values()):
            raise UserError(f"{path}, line {number}: label must be 0 or 1, and title or body must not be empty")
        rows.append(text | {"label": int(label)})
        given, earlier = first.setdefault(_text(text), (int(label), number))
        if given != label:
            raise UserError(
                f"{path}, line {number}: {_text(text)[:40]!r} has label {int(label)}, and {given} in line {earlier}: "
                "keep the right one"
            )
    return rows
