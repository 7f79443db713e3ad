"""One supervised child process: started in its own session, its output prefixed with its name and kept in a file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG_BYTES = 10_000_000
FORKING = ThreadPoolExecutor(1, "fork")  # to the kernel a child's parent is the thread that forked it: this one lasts
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def die_with_parent() -> None:
    """Between fork and exec on Linux: ask for SIGTERM when the supervisor dies, kill -9 included."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Child:
    """A running process. `echo` receives each line of its output."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log_folder: Path,
        echo: Callable[[str, str], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        log_folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=20)
        self._echo = echo
        self._log_path = log_folder / f"{name}.log"
        self.process = FORKING.submit(self._start, argv, environment or {}).result()
        self._pump = threading.Thread(target=self._read, name=f"log-{name}", daemon=True)
        self._pump.start()

    @staticmethod
    def _start(argv: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def poll(self) -> int | None:
        """Exit status, or None while it runs."""
        return self.process.poll()

    def stop(self, patience: float) -> None:
        """SIGTERM, then after `patience` seconds SIGKILL to its whole session. Returns when it is gone."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait(5)
        self._signal(signal.SIGKILL)  # stragglers of its session
        self._pump.join(2)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def _read(self) -> None:
        file = RotatingFileHandler(self._log_path, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8", delay=True)
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            line = TERMINAL_CODES.sub("", raw.decode("utf-8", "replace")).rstrip()
            if not line:
                continue
            self.last_lines.append(line)
            # Nothing may stop the pump, a full disk or a lost output: the child would block on its pipe.
            with contextlib.suppress(OSError, ValueError):
                self._echo(self.name, line)
            with contextlib.suppress(OSError):
                if file.stream is None:
                    file.stream = file._open()
                file.stream.write(line + "\n")
                file.stream.flush()
                if file.stream.tell() > LOG_BYTES:
                    file.doRollover()
        file.close()
