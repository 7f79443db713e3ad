"""`fengxiang` itself: what every verb shares."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from importlib.metadata import version

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


@pytest.mark.parametrize("verb", ["up", "stop", "status", "doctor", "evaluate"])
def test_help_stands_in_both_languages(verb: str) -> None:
    app = typer.Typer(add_completion=False)
    app.command()(importlib.import_module(VERBS[verb][0]).command)
    command = get_command(app)
    assert CHINESE.search(command.help or "")
    assert [p.name for p in command.params if not CHINESE.search(getattr(p, "help", "") or "")] == []
