"""`fengxiang` itself: what every verb shares."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
import typer
from typer.main import get_command

from deploy.cli import VERBS

CHINESE = re.compile("[一-鿿]")


def test_the_version_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version("fengxiang"), "")


def silent(command: Any, name: str) -> list[str]:
    """What of a command, its parameters and its own commands is said in one language only."""
    found = [] if CHINESE.search(command.help or "") else [name]
    own = [p for p in command.params if p.name not in ("help", "install_completion", "show_completion")]
    found += [f"{name} {p.name}" for p in own if not CHINESE.search(getattr(p, "help", "") or "")]
    return found + [line for n, c in getattr(command, "commands", {}).items() for line in silent(c, f"{name} {n}")]


@pytest.mark.parametrize("verb", VERBS)
def test_help_stands_in_both_languages(verb: str) -> None:
    target = importlib.import_module(VERBS[verb][0]).command
    app = target
    if not isinstance(target, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command()(target)
    assert silent(get_command(app), verb) == []
