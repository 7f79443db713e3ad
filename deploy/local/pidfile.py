"""Who runs here: a lock that one `up` holds for as long as it lives, with its process id in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path


class AlreadyRunning(RuntimeError):
    """Another `up` uses this data folder."""


def _path(data_dir: Path) -> Path:
    return data_dir / "run" / "up.pid"


@contextlib.contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Hold the folder. The kernel frees the lock when the process dies, however it dies."""
    path = _path(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(handle, 32, 0).decode().strip()
            raise AlreadyRunning(
                f"Fengxiang is already running here (process {pid}, data in {data_dir}): stop it with 'make stop'"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def owner(data_dir: Path) -> int | None:
    """Process id of the running `up`, or None."""
    try:
        handle = os.open(_path(data_dir), os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(handle, 32, 0).decode().strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(handle)


def stop(data_dir: Path, patience: float) -> bool:
    """Ask the running `up` to stop and wait until it has. False when nothing ran; TimeoutError when it won't."""
    pid = owner(data_dir)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while owner(data_dir) is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} did not stop within {patience:.0f} s: kill -9 {pid}")
        time.sleep(0.1)
    return True
