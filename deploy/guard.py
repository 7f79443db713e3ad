"""Keeps requests out of private networks: nothing inside `guarded` can open a connection to a private address.

For addresses that users, documents or vendors name. An audit hook sees every connection that Python opens, with the
numeric address, whichever library opens it. So a name that resolves to another address the second time, a redirect and
a library's own client are all covered. The rest of the process, which talks to Kafka and the store on loopback, is not
concerned.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_EVENTS = frozenset(["socket.connect", "socket.sendto", "socket.sendmsg"])
_rules: ContextVar[tuple[tuple[Network, ...], str, list[str]] | None] = ContextVar("guard", default=None)
_installed = threading.Lock()
_hooked = False


class Blocked(OSError):
    """A request tried to reach an address that it may not."""


def networks(text: str) -> tuple[Network, ...]:
    """Networks of a comma-separated list (`10.0.0.0/8, 127.0.0.1`). Raises ValueError, which names the wrong one."""
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def allowed(address: str, private: Sequence[Network] = ()) -> bool:
    """Whether a numeric address is public, or in one of the networks that the operator allows."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False  # a name: whoever connects must have resolved it
    inner: list[Address] = []  # an IPv4 address may hide in an IPv6 one, and is where it leads
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [hidden for hidden in (ip.ipv4_mapped, ip.sixtofour, ip.teredo and ip.teredo[1]) if hidden]
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    if any(form in network for form in (ip, *inner) for network in private if form.version == network.version):
        return True
    return all(form.is_global and not form.is_multicast for form in inner or [ip])


@contextmanager
def guarded(private: Sequence[Network] = (), remedy: str = "") -> Iterator[list[str]]:
    """In this context (and threads that take it over), only public addresses (and those networks) can be reached.

    Gives a list that receives the reason of each refusal, for libraries that swallow the exception. remedy: what the
    reason says beside the address, such as how the operator can allow it.
    """
    _install()
    blocked: list[str] = []
    token = _rules.set((tuple(private), remedy, blocked))
    try:
        yield blocked
    finally:
        _rules.reset(token)


def _install() -> None:
    global _hooked
    with _installed:
        if not _hooked:
            sys.addaudithook(_hook)
            _hooked = True


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    rules = _rules.get()
    if rules is None:
        return
    private, remedy, blocked = rules
    sock, address = arguments[0], arguments[1]
    if address is None:  # sent over a connection that was looked at when it was made
        return
    if getattr(sock, "family", None) not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
        blocked.append("a local socket is refused")
    elif not allowed(str(address[0]), private):
        blocked.append(f"{address[0]} is not a public address" + (f": {remedy}" if remedy else ""))
    else:
        return
    raise Blocked(blocked[-1])
