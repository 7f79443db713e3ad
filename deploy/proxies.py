"""HTTP proxies that the environment names (`http_proxy`) are for the world, not for this machine's own processes."""

from __future__ import annotations

import os

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def spare_loopback() -> None:
    """Have this process and its children reach this machine directly. Call once, before anything connects."""
    upper = os.environ.get("NO_PROXY", "")
    lower = os.environ.get("no_proxy", upper)  # where both are set, libraries differ in which of them counts
    for name, value in (("no_proxy", lower), ("NO_PROXY", upper or lower)):
        if value.strip() != "*":  # alone it means all hosts; in a list some libraries don't know it
            os.environ[name] = ",".join(filter(None, [value, *LOOPBACK]))
