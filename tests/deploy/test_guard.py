"""The guard: which addresses are public, and whom it concerns. What it keeps out stands in the tests of its users."""

import ipaddress
import socket
import threading
from collections.abc import Iterator

import pytest

from deploy import guard

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "2002:7f00:1::", "64:ff9b::7f00:1", "192.0.2.1", "198.18.0.1", "localhost", "",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "114.114.114.114", "2400:3200::1", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not guard.allowed(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_that_are(address: str) -> None:
    assert guard.allowed(address)


def test_networks_that_the_operator_allows() -> None:
    assert guard.allowed("10.1.2.3", guard.networks("10.0.0.0/8, 127.0.0.1"))
    assert guard.allowed("::ffff:10.1.2.3", guard.networks("10.0.0.0/8"))
    assert not guard.allowed("10.1.2.3", (ipaddress.ip_network("10.1.2.4/32"),))
    with pytest.raises(ValueError, match="nowhere"):
        guard.networks("10.0.0.0/8, nowhere")


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_it_concerns_its_thread_and_block_only(port: int) -> None:
    def reach() -> None:
        socket.create_connection(("127.0.0.1", port), 2).close()

    with guard.guarded(remedy="ask the operator") as blocked:
        with pytest.raises(guard.Blocked, match=r"127\.0\.0\.1 is not a public address: ask the operator"):
            reach()
        other = threading.Thread(target=reach)
        other.start()
        other.join()
    assert len(blocked) == 1
    reach()


def test_local_sockets_are_refused() -> None:
    with guard.guarded(), socket.socket(socket.AF_UNIX) as local, pytest.raises(guard.Blocked, match="local socket"):
        local.connect("/run/anything.sock")
