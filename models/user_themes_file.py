"""The files of a user's own themes: the themes themselves, and beside them what was trained for one version of weights.

Both are put in place whole or not at all: a worker may be starting. A trained correction goes by the id of its theme,
so it ends where that id is removed or given anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from models.themes import Theme, ThemeError, built_in, check, read_themes
from models.whole_file import write_whole

MIN_EXAMPLES = 3
AGAIN = "delete it and train again with `fengxiang themes train`"


@dataclass(frozen=True)
class Correction:
    """A trained theme: added to the logit is `weights` · what of the embedding isn't usual (R)."""

    weights: np.ndarray


class _Stored(msgspec.Struct, frozen=True):
    weights: tuple[float, ...]


class _Trained(msgspec.Struct, frozen=True):
    model: str
    themes: dict[str, _Stored]


def weights_path(themes: Path) -> Path:
    """Where the trained corrections of a themes file lie: beside it."""
    return themes.with_suffix(".trained.json")


def read_own(path: Path) -> tuple[Theme, ...]:
    """A user's themes, none of which may bear the id of a built-in one. Raises `ThemeError`, naming the file."""
    themes = read_themes(path)
    for theme in themes:
        if theme.id in built_in().ids:
            raise ThemeError(f"themes file {path}: {_taken(theme.id)}")
    return themes


def add(path: Path, theme: Theme) -> None:
    """Append a theme to a user's file, made where it is not there. Raises `ThemeError`."""
    existing = read_own(path) if path.exists() else ()
    if theme.id in built_in().ids:
        raise ThemeError(_taken(theme.id))
    check(theme, [t.id for t in existing])
    if not theme.description.strip():
        raise ThemeError(f"theme {theme.id!r} has no description: say in a sentence what it is about")
    different = {"".join(example.split()) for example in theme.examples}
    if len(different) < MIN_EXAMPLES:
        raise ThemeError(
            f"theme {theme.id!r} has {len(different)} examples: give at least {MIN_EXAMPLES} different ones"
        )
    _forget(path, theme.id)
    _write_themes(path, (*existing, theme))


def remove(path: Path, name: str) -> None:
    """Take a theme out of a user's file, with what was trained for it. Raises `ThemeError`."""
    if name in built_in().ids:
        raise ThemeError(f"theme {name!r} is built in and can't be removed")
    existing = read_own(path) if path.exists() else ()
    if name not in (ids := [theme.id for theme in existing]):
        raise ThemeError(f"no theme {name!r} in {path}: there are {', '.join(ids) or 'none yet'}")
    _write_themes(path, [theme for theme in existing if theme.id != name])
    _forget(path, name)


def read_corrections(path: Path, model: str) -> dict[str, Correction]:
    """What was trained beside a themes file for this version of the weights; nothing for another version."""
    stored = _stored(path)
    if stored is None or stored.model != model:
        return {}
    return {name: Correction(np.asarray(v.weights, np.float32)) for name, v in stored.themes.items()}


def save_correction(path: Path, model: str, name: str, correction: Correction) -> None:
    """Keep a trained correction beside the themes file."""
    before = _stored(path)
    others = before.themes if before is not None and before.model == model else {}
    mine = _Stored(tuple(round(float(v), 5) for v in correction.weights))
    _write_trained(path, _Trained(model, others | {name: mine}))


def _taken(name: str) -> str:
    return f"theme {name!r} exists already, built in: choose another id"


def _forget(path: Path, name: str) -> None:
    """Drop what was trained for an id, whatever version of the weights it was for."""
    stored = _stored(path)
    if stored is not None and name in stored.themes:
        _write_trained(path, _Trained(stored.model, {k: v for k, v in stored.themes.items() if k != name}))


def _stored(path: Path) -> _Trained | None:
    file = weights_path(path)
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Trained) if file.exists() else None
    except (OSError, ValueError) as error:
        raise ThemeError(f"{file} can't be read ({error}): {AGAIN}") from error


def _write_trained(path: Path, trained: _Trained) -> None:
    _write(weights_path(path), msgspec.json.encode(trained).decode())


def _write_themes(path: Path, themes: tuple[Theme, ...] | list[Theme]) -> None:
    kept = [{k: list(v) if isinstance(v, tuple) else v for k, v in _filled(theme).items()} for theme in themes]
    _write(path, yaml.safe_dump({"themes": kept}, allow_unicode=True, sort_keys=False))


def _filled(theme: Theme) -> dict[str, Any]:
    return {name: value for name in theme.__struct_fields__ if (value := getattr(theme, name))}


def _write(path: Path, text: str) -> None:
    try:
        path.resolve().parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise ThemeError(
            f"{path} can't be written ({error}): make its folder writable, or name another by FENGXIANG_MODEL__THEMES"
        ) from error
