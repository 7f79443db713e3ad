"""Imports point one way: the table in docs/architecture.md, checked on every module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "models": [],
    "stream": ["models", "deploy.settings", "deploy.guard"],
    "ingest": [
        "models",
        "deploy.settings",
        "deploy.sections",
        "deploy.logs",
        "deploy.guard",
        "deploy.proxies",
        "deploy.signals",
        "stream.records",
    ],
    "dashboard": ["models", "deploy.settings", "stream.queries", "stream.alerts"],
    "deploy": ["models", "stream", "ingest", "dashboard"],
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_what_it_may(folder):
    wrong = []
    for path in (ROOT / folder).rglob("*.py"):
        for name in imports(path):
            top = name.split(".")[0]
            if (
                top in ALLOWED
                and top != folder
                and not any((name + ".").startswith(ok + ".") for ok in ALLOWED[folder])
            ):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_nothing_needs_torch_at_run_time():
    wrong = []
    for folder in ALLOWED:
        for path in (ROOT / folder).rglob("*.py"):
            if (ROOT / "models" / "train") in path.parents:
                continue
            wrong += [str(path) for name in imports(path) if name.split(".")[0] == "torch"]
    assert wrong == []
