"""`fengxiang model`: which weights read the texts, and how to change them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from deploy.cli import UserError
from models.encoder import ModelError, described, weights_folder

_HEAD = re.compile(r"(?m)^[ \t]*\[[ \t]*model[ \t]*\][^\r\n]*(?:\r?\n)?")
_ANY_HEAD = re.compile(r"(?m)^[ \t]*\[")
_PATH = re.compile(r"(?m)^[ \t]*path[ \t]*=[^\r\n]*")

command = typer.Typer(no_args_is_help=True, help="Show and change the weights. 模型")


@command.command("show")
def show() -> None:
    """The weights in use. 当前模型"""
    from deploy import settings

    with _told():
        folder = weights_folder(settings.load().model.path)
        description, config = described(folder, "model.json"), described(folder, "config.json")
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    print(f"folder    {folder}")
    print(f"version   {description.get('version', '')}")
    print(f"encoder   {config.get('num_hidden_layers')} layers of {config.get('hidden_size')}, {size / 1e6:.1f} MB")


@command.command("use")
def use(path: Annotated[str, typer.Argument(help="Folder of weights; empty: the shipped ones. 模型目录")]) -> None:
    """Read with other weights from the next start on (kept in fengxiang.toml). 换用模型"""
    from deploy.cli.settings_file import read_text, replace
    from deploy.settings import read, settings_file
    from models.analyse import Analyser

    if path:
        with _told():
            folder = weights_folder(path).resolve()
            described(folder, "config.json")
            described(folder, "model.json", "themes", "blends")  # without, they are as training leaves them half-way
            path = str(folder)
            Analyser.load(path, threads=1)
    file = settings_file()
    replace(file, with_path(read_text(file), path, str(file)))
    print(f"model.path = {path!r} in {file}: restart workers to use it")
    if (used := read().model.path) != path:
        print(f"but the environment has {used!r}, and wins: unset FENGXIANG_MODEL__PATH first")


def with_path(text: str, path: str, origin: str) -> str:
    """The settings file's text with `model.path` set, all else as it was. Raises `SettingsError`, which names the file
    (`origin`). As with feeds (`deploy.feeds_file`), the new text is read again and must say just that."""
    from deploy.feeds_file import parsed
    from deploy.settings import SettingsError, checked

    was = parsed(text, origin)
    checked(was, origin)
    line, end = f"path = {json.dumps(path, ensure_ascii=False)}", "\r\n" if "\r\n" in text else "\n"
    section = _HEAD.search(text)
    if not section:
        before = text.rstrip()
        new = f"{before}{2 * end if before else ''}[model]{end}{line}{end}"
    else:
        at = section.end()
        found = _ANY_HEAD.search(text, at)
        stop = found.start() if found else len(text)
        body, known = _PATH.subn(lambda _: line, text[at:stop])
        gap = "" if section[0].endswith("\n") else end
        new = text[:at] + (body if known else f"{gap}{line}{end}{body}") + text[stop:]
    try:
        now = tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        now = {}
    if now != {**was, "model": {**was.get("model", {}), "path": path}}:
        raise SettingsError(f"model.path can't be set in {origin} as it is written: put {line} under [model] by hand")
    return new


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with weights, as the user's error."""
    try:
        yield
    except ModelError as error:
        raise UserError(str(error)) from error
