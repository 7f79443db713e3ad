"""`fengxiang model`: which weights read the texts, and how to change them."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import UserError
from models.encoder import ModelError, weights_folder

command = typer.Typer(no_args_is_help=True, help="Show and change the weights. 模型")


@command.command("show")
def show() -> None:
    """The weights in use. 当前模型"""
    from deploy import settings

    folder = _folder(settings.load().model.path)
    description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    print(f"folder    {folder}")
    print(f"version   {description.get('version', '')}")
    print(f"encoder   {config.get('num_hidden_layers')} layers of {config.get('hidden_size')}, {size / 1e6:.1f} MB")


@command.command("use")
def use(path: Annotated[str, typer.Argument(help="Folder of weights; empty: the shipped ones. 模型目录")]) -> None:
    """Read with other weights from the next start on (kept in fengxiang.toml). 换用模型"""
    from deploy.settings import CONFIG_VARIABLE
    from models.analyse import Analyser

    if path:
        path = str(_folder(path).resolve())
        try:
            Analyser.load(path, threads=1)
        except ModelError as error:
            raise UserError(str(error)) from error
    file = Path(os.environ.get(CONFIG_VARIABLE) or "fengxiang.toml")
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(with_path(text, path), encoding="utf-8")
    print(f"model.path = {path!r} in {file}: restart workers to use it")


def with_path(text: str, path: str) -> str:
    """The settings file with `model.path` set, all else as it was."""
    line = f"path = {json.dumps(path, ensure_ascii=False)}"
    section = re.search(r"(?m)^\[model\][^\n]*\n?", text)
    if not section:
        changed = f"{text.rstrip()}\n\n[model]\n{line}\n".lstrip()
    else:
        end = re.search(r"(?m)^\[", text[section.end() :])
        stop = section.end() + end.start() if end else len(text)
        body = text[section.end() : stop]
        rest, found = re.subn(r"(?m)^path\s*=.*$", lambda _: line, body)
        changed = text[: section.end()] + (rest if found else f"{line}\n{body}") + text[stop:]
    tomllib.loads(changed)
    return changed


def _folder(path: str) -> Path:
    try:
        return weights_folder(path)
    except ModelError as error:
        raise UserError(str(error)) from error
