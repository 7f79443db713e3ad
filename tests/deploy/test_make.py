"""What `make stop` and `make clean-data` do when something is in the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.cli.stop import PATIENCE
from deploy.local.services import plan
from deploy.local.supervisor import STOP_PATIENCE
from deploy.settings import PREFIX, read

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make(tmp_path):
    """`make …` in a folder of its own, with this installation's `fengxiang`."""
    (tmp_path / "var").mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "MAKE", "MFLAGS"))}

    def run(target):
        argv = ["make", "-f", str(ROOT / "Makefile"), target, f"BIN={Path(sys.executable).parent}"]
        return subprocess.run(argv, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120)

    return run


def test_data_is_deleted_where_nothing_runs(make, tmp_path):
    done = make("clean-data")
    assert done.returncode == 0 and "nothing runs" in done.stdout, done.stderr
    assert not (tmp_path / "var").exists()


def test_data_stays_where_the_stop_failed(make, tmp_path):
    (tmp_path / "fengxiang.toml").write_text("nonsense = 1")
    done = make("clean-data")
    assert done.returncode != 0 and "nonsense" in done.stderr
    assert (tmp_path / "var").exists()


def test_stop_waits_as_long_as_all_services_may_take(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    services = plan(read(), create_topics=lambda: None, migrate=lambda: None)
    assert sum(service.stop_seconds + STOP_PATIENCE for service in services) < PATIENCE
