from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ingest.polite import USER_AGENT, Fetcher, FetchError, is_public, wait_after
from tests.ingest.server import Asked, Reply, vendor


class Time:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def make() -> Iterator[Callable[..., Fetcher]]:
    made: list[Fetcher] = []

    def fetcher(**arguments: Any) -> Fetcher:
        made.append(Fetcher(**{"host_seconds": 0, "seconds": 5} | arguments))
        return made[-1]

    yield fetcher
    for one in made:
        one.close()


def test_says_who_it_is_and_follows_redirects(make: Callable[..., Fetcher]) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(status=302, headers={"Location": "/there"}) if asked.path == "/here" else Reply(b"ok")

    with vendor(answer) as server:
        found = make().get(f"{server.url}/here", params={"a": "1"})
        assert (found.body, found.url) == (b"ok", f"{server.url}/there")
        assert {request.headers["User-Agent"] for request in server.asked} == {USER_AGENT}


def test_a_host_is_asked_at_its_pace(make: Callable[..., Fetcher]) -> None:
    time = Time()
    with vendor(lambda asked: Reply(b"ok")) as server:
        fetch = make(host_seconds=3.0, clock=lambda: time.now, sleep=time.sleep, robots=False)
        for _ in range(3):
            fetch.get(server.url)
    assert time.slept == [3.0, 3.0]


def test_robots_are_obeyed(make: Callable[..., Fetcher]) -> None:
    def answer(asked: Asked) -> Reply:
        rules = b"User-agent: *\nDisallow: /private"
        return Reply(rules, headers={"robots": "yes"}) if asked.path == "/robots.txt" else Reply(b"ok")

    with vendor(answer) as server:
        fetch = make()
        assert fetch.get(f"{server.url}/public").body == b"ok"
        with pytest.raises(FetchError, match=r"robots\.txt"):
            fetch.get(f"{server.url}/private/x")
        assert "/private/x" not in server.paths()
        assert [request.path for request in server.asked].count("/robots.txt") == 1


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"x" * 2000), "larger than"),
        (Reply(b"x", promise=100), "x.invalid|closed|incomplete|peer"),
        (Reply(status=302, headers={"Location": "/again"}), "redirects"),
        (Reply(status=302, headers={"Location": "file:///etc/passwd"}), "not an http"),
        (Reply(status=503, headers={"Retry-After": "7"}), "HTTP 503"),
    ],
)
def test_limits(make: Callable[..., Fetcher], reply: Reply, reason: str) -> None:
    with vendor(lambda asked: reply) as server, pytest.raises(FetchError, match=reason) as caught:
        make(max_bytes=1000, robots=False).get(server.url)
    assert caught.value.retry_after == (7 if reply.status == 503 else 0)


def test_an_answer_that_trickles_is_cut_off(make: Callable[..., Fetcher]) -> None:
    time = Time()

    def tick() -> float:
        time.now += 1
        return time.now

    with vendor(lambda asked: Reply(b"x" * 500_000)) as server, pytest.raises(FetchError, match="took more than 3 s"):
        make(seconds=3, clock=tick, robots=False).get(server.url)


@pytest.mark.parametrize("url", ["ftp://x.invalid", "x", "http://", "http://a:b:c", "http://[::1", ""])
def test_what_is_no_address(make: Callable[..., Fetcher], url: str) -> None:
    with pytest.raises(FetchError, match="not an http"):
        make().get(url)


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1", "192.0.2.1", "198.18.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "114.114.114.114", "2400:3200::1", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1"])
def test_loopback_by_any_name_is_refused(make: Callable[..., Fetcher], host: str) -> None:
    with vendor(lambda asked: Reply(b"secret")) as server:
        port = server.url.rsplit(":", 1)[1]
        with pytest.raises(FetchError):
            make(public_only=True, robots=False).get(f"http://{host}:{port}/")
        assert server.asked == []


def test_a_name_that_changes_its_address_is_looked_up_once(
    make: Callable[..., Fetcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public at the first look, loopback at the second. The connection goes to what was checked."""
    looks: list[str] = []

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        looks.append(host)
        address = "203.0.114.1" if len(looks) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        connected.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    fetch = make(public_only=True, robots=False)
    with pytest.raises(FetchError, match="no network"):
        fetch.get("http://rebind.invalid:8080/")
    assert connected == [("203.0.114.1", 8080)]
    with pytest.raises(FetchError, match=r"127\.0\.0\.1, which is not a public address"):
        fetch.get("http://rebind.invalid:8080/")
    assert len(connected) == 1


def test_a_redirect_inside_is_refused(make: Callable[..., Fetcher], monkeypatch: pytest.MonkeyPatch) -> None:
    with vendor(lambda asked: Reply(status=302, headers={"Location": f"http://127.0.0.1:{port}/inside"})) as server:
        port = int(server.url.rsplit(":", 1)[1])
        real = socket.create_connection
        monkeypatch.setattr("ingest.polite.is_public", lambda text: text == "203.0.114.1")
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *_, **__: [(2, 1, 6, "", ("203.0.114.1" if host == "ok.invalid" else host, port))],
        )
        monkeypatch.setattr(
            socket,
            "create_connection",
            lambda address, *a, **k: (
                real(("127.0.0.1", port), *a, **k) if address[0] == "203.0.114.1" else real(address, *a, **k)
            ),
        )
        with pytest.raises(FetchError, match="not a public address"):
            make(public_only=True, robots=False).get(f"http://ok.invalid:{port}/")
        assert server.paths() == ["/"]


def test_messages_hold_no_keys(make: Callable[..., Fetcher], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with vendor(lambda asked: Reply(status=500)) as server, pytest.raises(FetchError) as caught:
        address = server.url.replace("http://", "http://user:hidden@")
        make(robots=False).get(f"{address}/feed?key=hidden")
    assert "/feed: HTTP 500" in str(caught.value) and "hidden" not in str(caught.value) + caplog.text


def test_waiting_grows_with_jitter_and_has_an_end() -> None:
    assert 54 <= wait_after(0, 60) <= 66
    waits = [wait_after(n, 60) for n in range(1, 20)]
    assert all(84 <= wait <= 1800 for wait in waits) and min(waits[5:]) > 1200
    assert wait_after(1, 60, retry_after=3000) == 3000
