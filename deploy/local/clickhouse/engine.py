"""The one chDB engine of this process, and its handles.

chDB runs one engine per process and locks its data folder (`flock`: never stale after a kill). A handle is a session
of that engine: its own database, settings and temporary tables. Handles work in parallel; one handle runs one query
at a time.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

from . import config
from .errors import ChError, from_engine
from .sql import identifier, quote
from .users import User

DEFAULT_UUID = "00000000-0000-4000-8000-0000000defa1"  # where the tables of `default` lie in the folder

# What can go wrong between reading an INSERT's rows and having them on the disk.
STORING_ERRORS = """
SELECT name, value, code FROM system.errors WHERE name IN (
    'NOT_ENOUGH_SPACE', 'TOO_MANY_PARTS', 'TOO_MANY_PARTITIONS', 'TABLE_IS_READ_ONLY', 'CANNOT_CREATE_DIRECTORY',
    'CANNOT_WRITE_TO_FILE_DESCRIPTOR', 'CANNOT_TRUNCATE_FILE', 'CANNOT_CLOSE_FILE', 'CANNOT_FSYNC', 'STD_EXCEPTION')
"""


class StartError(RuntimeError):
    """The engine can't start; one line that names the cause and the remedy."""


class Handle:
    """A session of the engine. Every method raises `ChError`; not safe for two threads at once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, sql: str | bytes, output_format: str = "TSV", parameters: dict[str, str] | None = None) -> Any:
        """Runs one statement that is not an INSERT with data: inside `query`, chDB cuts inline data at a blank line
        and runs the rest as SQL. `insert` is for data. Returns chDB's result (`bytes()`, `rows_read()`, ...)."""
        try:
            return self._connection.query(sql, output_format, params=parameters)
        except Exception as error:  # noqa: BLE001 - chDB raises several types
            raise from_engine(error) from None

    def value(self, sql: str) -> str:
        """The one cell of a result, unescaped text."""
        data: bytes = self.query(sql, "RawBLOB").bytes() or b""
        return data.decode()

    def set(self, **settings: object) -> None:
        if settings:
            self.query("SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items()))

    def stream(self, sql: str | bytes, output_format: str, parameters: dict[str, str]) -> Any:
        """Starts a SELECT whose result comes in pieces, each a whole document of its format."""
        try:
            return self._connection.send_query(sql, output_format, params=parameters)
        except Exception as error:  # noqa: BLE001
            raise from_engine(error) from None

    def insert(self, head: str | bytes, data_format: str, data: memoryview, piece: int = 1 << 20) -> Any:
        """Inserts data in its format; returns chDB's result (`rows_written`, `bytes_written`). All or an error.

        chDB says nothing of an error that it meets while it stores the rows, as on a full disk; it counts it, though.
        """
        before = self._storing_errors()
        try:
            stream = self._connection.send_insert(head, data_format)
            try:
                for start in range(0, len(data), piece):
                    stream.append(data[start : start + piece])
                result = stream.finish()
            except BaseException:
                stream.cancel()
                raise
        except Exception as error:  # noqa: BLE001
            raise from_engine(error) from None
        for name, (count, code) in self._storing_errors().items():
            if count > before.get(name, (0, 0))[0]:
                raise ChError(code, "the rows were not stored", name)
        return result

    def _storing_errors(self) -> dict[str, tuple[int, int]]:
        """Name -> how often the engine met it, and its code. Another query's count too: better one error too many."""
        lines = bytes(self.query(STORING_ERRORS).bytes() or b"").decode().splitlines()
        return {name: (int(count), int(code)) for name, count, code in (line.split("\t") for line in lines)}

    def close(self) -> None:
        self._connection.close()


class Engine:
    """Opens the data folder, an absolute path: its `store` holds the data, its `etc` the configuration.

    The engine belongs to the process: so do its working folder, which becomes `etc`, and TMPDIR. Raises `StartError`.
    """

    def __init__(self, folder: Path, users: dict[str, User], memory_bytes: int) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            configuration = config.write(folder / "etc", users.values(), memory_bytes)
            for name in ("default.sql", "default.sql.tmp"):  # see `_own_default`
                (folder / "store" / "metadata" / name).unlink(missing_ok=True)
        except OSError as error:
            raise StartError(
                f"data folder {folder}: {error.strerror or error}; free some space or choose another folder (--data)"
            ) from error
        os.environ["TMPDIR"] = str(folder / "etc")  # because importing chdb opens an engine, which would use /tmp
        os.chdir(folder / "etc")  # and because it would load a config.xml from the working folder
        self._address = f"{folder / 'store'}?config-file={configuration}"
        try:
            import chdb

            self._connect = chdb.connect
            self._keeper = self.open()  # the engine lives while it has a handle
            self._own_default()
        except (ChError, RuntimeError) as error:
            raise StartError(f"data folder {folder} can't be opened: {' '.join(str(error).split())}") from error
        self.version = self._keeper.value("SELECT version()")
        self.timezone = self._keeper.value("SELECT timezone()")

    def open(self) -> Handle:
        try:
            return Handle(self._connect(self._address))
        except Exception as error:  # noqa: BLE001
            raise from_engine(error) from None

    def _own_default(self) -> None:
        """Puts a durable database in the place of the engine's `default`, whose table names are paths of files.

        At every start: the engine makes its own `default` first, and can't load another from the folder by itself.
        """
        self._keeper.query("DETACH DATABASE default")
        self._keeper.query(f"ATTACH DATABASE default UUID '{DEFAULT_UUID}' ENGINE = Atomic")

    def create_database(self, name: str) -> None:
        self._keeper.query(f"CREATE DATABASE IF NOT EXISTS {identifier(name)}")

    def kill(self, tag: str) -> None:
        """Stops the running queries whose `log_comment` is `tag`; returns at once."""
        handle = self.open()
        try:
            handle.query(f"KILL QUERY WHERE Settings['log_comment'] = {quote(tag)} ASYNC")
        finally:
            handle.close()

    def close(self) -> None:
        self._keeper.close()
        os.close(self._lock)


def _lock(folder: Path) -> int:
    """An exclusive lock on the folder, held until the process ends. Raises `StartError` when another has it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StartError(
            f"data folder {folder} is in use by another process (pid {owner}); stop it or choose another (--data)"
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
