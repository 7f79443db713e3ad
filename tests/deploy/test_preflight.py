"""What is checked before a start, and the lines that a user sees."""

import os
import socket
import subprocess
import sys

import pytest

from deploy.local import preflight
from deploy.settings import read


def fengxiang(*arguments, env=None, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_taken_port_is_one_line_with_the_remedy(tmp_path, taken_port):
    env = {"FENGXIANG_LOCAL__CLICKHOUSE_PORT": str(taken_port), "FENGXIANG_DATA_DIR": str(tmp_path / "d")}
    done = fengxiang("up", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert f"port {taken_port} (clickhouse) is taken" in done.stderr
    assert "FENGXIANG_LOCAL__CLICKHOUSE_PORT=" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_services_on_one_port_are_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FENGXIANG_DASHBOARD__PORT", "8123")
    problems = [str(problem) for problem in preflight.check_ports(read())]
    assert any("both set to port 8123" in problem for problem in problems)


def test_the_port_of_the_alerts_is_checked_unless_it_is_off(monkeypatch, tmp_path, taken_port):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FENGXIANG_ALERTS__WEB_PORT", str(taken_port))
    problems = [str(problem) for problem in preflight.check_ports(read()) if "(alerts)" in problem.what]
    assert len(problems) == 1 and f"port {taken_port} " in problems[0] and "FENGXIANG_ALERTS__WEB_PORT=" in problems[0]
    monkeypatch.setenv("FENGXIANG_ALERTS__WEB_PORT", "0")
    assert "alerts" not in preflight.ports(read())


def test_the_port_on_an_ipv6_address_is_checked_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FENGXIANG_DASHBOARD__HOST", "::1")
    try:
        holder = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with holder:
        monkeypatch.setenv("FENGXIANG_DASHBOARD__PORT", str(holder.getsockname()[1]))
        assert any("(dashboard) is taken" in problem.what for problem in preflight.check_ports(read()))
    assert not any("(dashboard)" in problem.what for problem in preflight.check_ports(read()))


@pytest.mark.skipif(os.geteuid() == 0 and sys.platform != "linux", reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    problems = preflight.check_folder(blocker / "data")
    assert len(problems) == 1 and "can't be written" in str(problems[0]) and "FENGXIANG_DATA_DIR" in str(problems[0])


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "MIN_FREE_BYTES", 1 << 62)
    assert "GB are free" in str(preflight.check_folder(tmp_path)[0])


def test_a_missing_input_is_named(tmp_path):
    done = fengxiang("up", "--input", "nowhere.jsonl", env={"FENGXIANG_DATA_DIR": str(tmp_path / "d")}, cwd=tmp_path)
    assert done.returncode == 1 and "nowhere.jsonl does not exist" in done.stderr


def test_a_wrong_setting_is_one_line(tmp_path):
    done = fengxiang("status", env={"FENGXIANG_STREM__BATCH_SIZE": "3"}, cwd=tmp_path)
    assert done.returncode == 2 and "FENGXIANG_STREM__BATCH_SIZE" in done.stderr and "Traceback" not in done.stderr


def test_a_wrong_setting_is_one_line_of_the_ingestor_too(tmp_path):
    env = {**os.environ, "FENGXIANG_STREM__BATCH_SIZE": "3"}
    done = subprocess.run([sys.executable, "-m", "ingest"], capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode == 1 and done.stderr.splitlines()[0].startswith("ingestor: unknown setting"), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_every_verb_has_help():
    from deploy.cli import VERBS

    for verb in VERBS:
        done = fengxiang(verb, "--help")
        assert done.returncode == 0, f"{verb}: {done.stderr}"


def test_status_without_anything_running(tmp_path):
    env = {"FENGXIANG_DATA_DIR": str(tmp_path / "d"), "FENGXIANG_LOCAL__CLICKHOUSE_PORT": "1"}
    done = fengxiang("status", env=env, cwd=tmp_path)
    assert done.returncode == 0 and "not running" in done.stdout and "not reachable" in done.stdout
