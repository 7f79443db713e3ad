"""PDF extraction in a process of its own, so that a hostile file costs one process and one dead letter.

The child (`python -m ingest.pdf.worker`) reads a length and that many bytes on its standard input, and answers with
a length and JSON. It may use `MEMORY_BYTES` of address space and no network or files are opened for it. The parent
gives each file `seconds`, then kills the child and starts another for the next file. pdfium is not thread-safe:
one child reads one file at a time.
"""

from __future__ import annotations

import selectors
import struct
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import IO

import msgspec

from ingest.pdf.extract import Extracted, PdfError

MEMORY_BYTES = 2_000_000_000
SECONDS = 60.0
START_SECONDS = 60.0  # for the child's imports, which count for no file
FILES_A_CHILD = 500  # then a fresh one, whatever a file may have left behind
_READY = b"ready"
_LENGTH = struct.Struct(">Q")


class _Answer(msgspec.Struct):
    found: Extracted | None = None
    error: str = ""


class Extractor:
    """Extracts PDFs one after another, for any thread. Use it as a context manager, or `close` it."""

    def __init__(self, *, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self._seconds = seconds
        self._memory = memory_bytes
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._files = 0

    def __enter__(self) -> Extractor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def extract(self, data: bytes) -> Extracted:
        """Text of a PDF. Raises `PdfError`."""
        with self._lock:
            if self._child is None or self._child.poll() is not None or self._files >= FILES_A_CHILD:
                self._start()
            self._files += 1
            try:
                answer = self._ask(data)
            except TimeoutError as error:
                self._kill()
                raise PdfError(
                    f"reading the PDF took more than {self._seconds:g} s: it is too complex, or made to be"
                ) from error
            except (OSError, EOFError) as error:
                self._kill()
                raise PdfError(
                    f"reading the PDF used more than {self._memory // 1_000_000} MB or broke the reader: "
                    "it is damaged, or made to be"
                ) from error
        if answer.found is None:
            raise PdfError(answer.error)
        return answer.found

    def close(self) -> None:
        with self._lock:
            self._kill()

    def _start(self) -> None:
        self._kill()
        argv = [sys.executable, "-m", "ingest.pdf.worker", str(self._memory)]
        self._child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._files = 0
        try:
            _read(self._stdout, len(_READY), time.monotonic() + START_SECONDS)
        except (TimeoutError, EOFError) as error:
            self._kill()
            raise PdfError("the PDF reader does not start: is pypdfium2 installed, and is there memory?") from error

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._child is not None and self._child.stdout is not None
        return self._child.stdout

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _ask(self, data: bytes) -> _Answer:
        assert self._child is not None and self._child.stdin is not None
        deadline = time.monotonic() + self._seconds
        self._child.stdin.write(_LENGTH.pack(len(data)) + data)  # the child reads all of it before it works
        self._child.stdin.flush()
        (length,) = _LENGTH.unpack(_read(self._stdout, _LENGTH.size, deadline))
        return msgspec.json.decode(_read(self._stdout, length, deadline), type=_Answer)


def _read(stream: IO[bytes], count: int, deadline: float) -> bytes:
    """Exactly `count` bytes. Raises TimeoutError, or EOFError when the writer ends."""
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while len(data) < count:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            chunk = stream.raw.read(count - len(data))  # type: ignore[attr-defined]
            if not chunk:
                raise EOFError
            data += chunk
    return bytes(data)


def main() -> None:
    """The child."""
    import resource

    from ingest.pdf.extract import extract

    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    while head := sys.stdin.buffer.read(_LENGTH.size):
        data = sys.stdin.buffer.read(_LENGTH.unpack(head)[0])
        try:
            answer = _Answer(found=extract(data))
        except PdfError as error:
            answer = _Answer(error=str(error))
        except MemoryError:
            answer = _Answer(
                error=f"reading the PDF used more than {limit // 1_000_000} MB: it is too large, or made to be"
            )
        except Exception as error:  # the file is untrusted; the parent turns this into a dead letter  # noqa: BLE001
            answer = _Answer(error=f"the PDF can't be read: {type(error).__name__}: {error}")
        reply = msgspec.json.encode(answer)
        sys.stdout.buffer.write(_LENGTH.pack(len(reply)) + reply)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
