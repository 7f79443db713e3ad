"""The settings file as verbs change it: its text as it stands, and another in its place, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from deploy.cli import UserError
from models.whole_file import write_whole


def read_text(path: Path) -> str:
    """The file's text, line ends as they are; empty where there is none. Raises `UserError`."""
    try:
        return path.read_bytes().decode("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read as UTF-8 text: {error}") from error


def replace(path: Path, text: str) -> None:
    """Put the text in the file's place; a new file is its owner's alone: it may hold tokens. Raises `UserError`."""
    try:
        write_whole(path, text, 0o600)
    except OSError as error:
        raise UserError(f"{path} can't be written ({error.strerror}): nothing was changed") from error
