"""Takes from this process every file but its own, where the kernel can (Linux 5.13 and later: Landlock).

SQL has more ways to a file than a lexer or grants can name (a function passed by name to another, SQL inside a
string). So before the engine's first thread starts, the process gives up, for itself and for good: reading anything
but the interpreter, the system's libraries and what the engine asks of the kernel; writing anything but the data
folder; and, from Linux 6.7 on, every outgoing TCP connection.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # syscall numbers, the same on every architecture
VERSION, PATH_BENEATH = 1, 1
NO_NEW_PRIVILEGES = 38  # prctl

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
EVERYTHING = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}  # file rights by version
EVERYTHING_SINCE_5 = (1 << 16) - 1
DIRECTORY_ONLY = (1 << 14) - 1 & ~(EXECUTE | WRITE_FILE | READ_FILE)  # what a rule for a single file may not hold
CONNECT_TCP, NETWORK_SINCE = 2, 4

READABLE = (
    *("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/hosts", "/sys"),
    *("/etc/host.conf", "/etc/nsswitch.conf", "/etc/resolv.conf"),
    *("/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/vmstat", "/proc/version"),
    *("/proc/filesystems", "/proc/sys", "/proc/net", "/proc/self/statm", "/proc/self/stat", "/proc/self/status"),
    *(
        "/proc/self/auxv",
        "/proc/self/maps",
        "/proc/self/limits",
        "/proc/self/cgroup",
        "/proc/self/mountinfo",
        "/proc/self/schedstat",
    ),
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/shm")


def enter(folder: Path) -> bool:
    """Confines this thread and all that it starts from now on. False where the kernel can't; raises `OSError`.

    `folder` stays writable; the interpreter's own folders stay readable.
    """
    version = _landlock_version()
    if version < 1:
        return False
    file_rights = EVERYTHING.get(version, EVERYTHING_SINCE_5)
    attributes = struct.pack("QQ", file_rights, CONNECT_TCP if version >= NETWORK_SINCE else 0)
    libc = _libc()
    size = len(attributes) if version >= NETWORK_SINCE else 8
    ruleset = _checked(libc.syscall(CREATE_RULESET, attributes, size, 0))
    try:
        libraries = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        interpreter = (sys.prefix, sys.base_prefix, *libraries, str(Path(__file__).parent))
        for path in map(Path, (*interpreter, *READABLE)):
            _allow(libc, ruleset, path, EXECUTE | READ_FILE | READ_DIR)
        for path in map(Path, DEVICES):
            _allow(libc, ruleset, path, file_rights)
        _allow(libc, ruleset, folder, file_rights & ~EXECUTE)
        _checked(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _landlock_version() -> int:
    """Landlock's version in this kernel; below 1 where there is none."""
    if sys.platform != "linux":
        return 0
    return int(_libc().syscall(CREATE_RULESET, None, 0, VERSION))


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # this machine has no such path
    try:
        if not path.is_dir():
            rights &= ~DIRECTORY_ONLY
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
