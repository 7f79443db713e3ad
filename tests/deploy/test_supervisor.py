"""Supervision of real processes: order, readiness, restart, dependents, clean stop."""

import os
import signal
import subprocess
import sys
import time

import pytest

from deploy.local import pidfile
from deploy.local.process import Child
from deploy.local.supervisor import Service, StartError, Supervisor

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run_until(supervisor, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        supervisor.tick()
        time.sleep(0.02)


def run_until_all_are_new(supervisor, before):
    """Until every process runs again under another id."""
    run_until(
        supervisor,
        lambda: len(supervisor.pids()) == len(before) and not set(supervisor.pids().values()) & set(before.values()),
    )


@pytest.fixture
def supervise(tmp_path):
    made = []

    def make(*services):
        lines = []
        supervisor = Supervisor(services, tmp_path, lambda name, line: lines.append((name, line)))
        supervisor.lines = lines
        made.append(supervisor)
        return supervisor

    yield make
    for supervisor in made:
        supervisor.stop()


def test_starts_in_order_and_stops_everything(supervise):
    order = []
    supervisor = supervise(
        Service("one", SLEEPER, ready=lambda: True, prepare=lambda: order.append("one")),
        Service("two", SLEEPER, ready=lambda: True, prepare=lambda: order.append("two")),
    )
    supervisor.start()
    pids = supervisor.pids()
    assert order == ["one", "two"] and all(alive(pid) for pid in pids.values())
    supervisor.stop()
    assert not any(alive(pid) for pid in pids.values())


def test_a_killed_process_comes_back(supervise):
    supervisor = supervise(Service("one", SLEEPER, ready=lambda: True))
    supervisor.start()
    first = supervisor.pids()["one"]
    os.kill(first, signal.SIGKILL)
    run_until(supervisor, lambda: supervisor.pids().get("one", first) != first)
    assert any("one ended with status -9" in line for _, line in supervisor.lines)


def test_what_came_back_stays(supervise):
    supervisor = supervise(
        Service("broker", SLEEPER, ready=lambda: True, dependents=("worker",)),
        Service("worker", SLEEPER, ready=lambda: True),
    )
    supervisor.start()
    before = supervisor.pids()
    os.kill(before["broker"], signal.SIGKILL)
    run_until_all_are_new(supervisor, before)
    back = supervisor.pids()
    for _ in range(50):
        supervisor.tick()
        time.sleep(0.02)
    assert supervisor.pids() == back and all(alive(pid) for pid in back.values())


def test_dependents_restart_with_what_they_depend_on(supervise):
    prepared = []
    supervisor = supervise(
        Service("broker", SLEEPER, ready=lambda: True, prepare=lambda: prepared.append(1), dependents=("worker",)),
        Service("worker", SLEEPER, ready=lambda: True),
    )
    supervisor.start()
    before = supervisor.pids()
    os.kill(before["broker"], signal.SIGKILL)
    run_until_all_are_new(supervisor, before)
    assert len(prepared) == 2  # topics are made again


def test_one_that_is_slow_to_come_back_holds_up_no_other(supervise):
    comes_up = {"slow": True}
    supervisor = supervise(
        Service("slow", SLEEPER, ready=lambda: comes_up["slow"]), Service("quick", SLEEPER, ready=lambda: True)
    )
    supervisor.start()
    before = supervisor.pids()
    comes_up["slow"] = False
    os.kill(before["slow"], signal.SIGKILL)
    run_until(
        supervisor, lambda: supervisor.pids().get("slow", before["slow"]) != before["slow"]
    )  # starting, not ready
    os.kill(before["quick"], signal.SIGKILL)
    run_until(supervisor, lambda: supervisor.pids().get("quick", before["quick"]) != before["quick"])
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 5  # the revival under way is given up


def test_dependents_wait_for_what_they_depend_on(supervise, tmp_path):
    flag = tmp_path / "broken"
    fragile = [
        sys.executable,
        "-c",
        f"import os, sys, time; os.path.exists({str(flag)!r}) and sys.exit(4); time.sleep(600)",
    ]
    prepared = []
    supervisor = supervise(
        Service(
            "broker",
            fragile,
            ready=lambda: not flag.exists(),
            prepare=lambda: prepared.append(1),
            dependents=("worker",),
        ),
        Service("worker", SLEEPER, ready=lambda: True),
    )
    supervisor.start()
    before = supervisor.pids()
    flag.touch()
    os.kill(before["broker"], signal.SIGKILL)
    run_until(supervisor, lambda: any("did not come back" in line for _, line in supervisor.lines))
    for _ in range(20):
        supervisor.tick()
    assert supervisor.pids() == {} and not alive(before["worker"])
    flag.unlink()
    run_until(supervisor, lambda: set(supervisor.pids()) == {"broker", "worker"})
    assert len(prepared) == 2


def test_what_waits_for_a_broker_that_died_is_started_again_with_it(supervise):
    answers = {"worker": True}
    supervisor = supervise(
        Service("broker", SLEEPER, ready=lambda: True, dependents=("worker",)),
        Service("worker", SLEEPER, ready=lambda: answers["worker"]),
    )
    supervisor.start()
    before = supervisor.pids()
    answers["worker"] = False
    os.kill(before["worker"], signal.SIGKILL)
    run_until(supervisor, lambda: supervisor.pids().get("worker", before["worker"]) != before["worker"])
    waiting = supervisor.pids()["worker"]
    os.kill(before["broker"], signal.SIGKILL)
    run_until(supervisor, lambda: supervisor.pids().get("broker", before["broker"]) != before["broker"])
    run_until(supervisor, lambda: supervisor.pids().get("worker", waiting) != waiting)
    assert not alive(waiting)


def test_a_process_that_cannot_start_is_reported_with_its_last_words(supervise):
    bad = [sys.executable, "-c", "import sys; print('port 8123 is taken'); sys.exit(3)"]
    with pytest.raises(StartError, match="status 3 while starting: port 8123 is taken"):
        supervise(Service("bad", bad, ready=lambda: False)).start()


def test_a_process_that_never_gets_ready_is_reported(supervise):
    with pytest.raises(StartError, match="not ready after 1 s"):
        supervise(Service("slow", SLEEPER, ready=lambda: False, start_seconds=1)).start()


def test_one_that_ignores_sigterm_is_killed(supervise):
    stubborn = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
    ]
    supervisor = supervise(Service("stubborn", stubborn, ready=lambda: True, stop_seconds=0.5))
    supervisor.start()
    run_until(supervisor, lambda: ("stubborn", "up") in supervisor.lines)
    pid = supervisor.pids()["stubborn"]
    supervisor.stop()
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child's life to its parent's")
def test_children_die_with_a_killed_supervisor(tmp_path):
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from deploy.local.supervisor import Service, Supervisor\n"
        f"service = Service('one', {SLEEPER!r}, ready=lambda: True)\n"
        f"s = Supervisor([service], Path({str(tmp_path)!r}), lambda name, line: None)\n"
        "s.start(); print(s.pids()['one'], flush=True); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


def test_an_output_that_takes_nothing_blocks_no_child(tmp_path):
    def lost(name, line):
        raise BrokenPipeError

    much = [sys.executable, "-c", "for _ in range(20_000): print('a line that fills the pipe')"]
    child = Child("much", much, tmp_path, lost)
    assert child.process.wait(60) == 0
    child.stop(0)
    assert len((tmp_path / "much.log").read_text().splitlines()) == 20_000


def test_a_lost_output_keeps_nothing_from_stopping(tmp_path):
    stubborn = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from deploy.cli.up import echo\n"
        "from deploy.local.supervisor import Service, Supervisor\n"
        f"service = Service('one', {stubborn!r}, ready=lambda: True, stop_seconds=1)\n"
        f"s = Supervisor([service], Path({str(tmp_path)!r}), echo)\n"
        "s.start(); print(s.pids()['one'], flush=True); sys.stdin.readline()\n"
        "echo('up', 'stopping ...'); s.stop()\n"
    )
    argv = [sys.executable, "-c", script]
    parent = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.stdout.close()
    _, said = parent.communicate("go on\n", timeout=60)
    assert not alive(child) and "Traceback" not in said


def test_only_one_up_per_data_folder(tmp_path):
    with pidfile.held(tmp_path):
        assert pidfile.owner(tmp_path) == os.getpid()
        with pytest.raises(pidfile.AlreadyRunning, match=f"process {os.getpid()}"), pidfile.held(tmp_path):
            pass
    assert pidfile.owner(tmp_path) is None
    assert pidfile.stop(tmp_path, 1) is False
