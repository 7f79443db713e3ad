from __future__ import annotations

import gzip
import socket
import threading
import time as real_time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ingest.polite import MAX_RETRY_AFTER_SECONDS, USER_AGENT, Fetcher, FetchError, retry_after, shown, wait_after
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


def test_a_host_has_one_request_at_a_time_however_slow(make: Callable[..., Fetcher]) -> None:
    gate, under_way, most = threading.Lock(), 0, 0

    def answer(asked: Asked) -> Reply:
        nonlocal under_way, most
        with gate:
            under_way += 1
            most = max(most, under_way)
        real_time.sleep(0.1)
        with gate:
            under_way -= 1
        return Reply(b"ok")

    with vendor(answer) as server, ThreadPoolExecutor(4) as threads:
        fetch = make(robots=False)
        assert len(list(threads.map(lambda _: fetch.get(server.url), range(4)))) == 4
    assert most == 1


def test_a_host_that_asks_for_time_gets_it_from_every_source(make: Callable[..., Fetcher]) -> None:
    time, status = Time(), 429

    def answer(asked: Asked) -> Reply:
        return Reply(b"ok", status, {"Retry-After": "90"} if status == 429 else {})

    with vendor(answer) as server:
        fetch = make(robots=False, clock=lambda: time.now, sleep=time.sleep)
        with pytest.raises(FetchError, match="HTTP 429"):
            fetch.get(f"{server.url}/one")
        time.now += 60
        with pytest.raises(FetchError, match="30 s more") as caught:
            fetch.get(f"{server.url}/other")
        assert caught.value.retry_after == 30 and server.paths() == ["/one"]
        time.now, status = time.now + 30, 200
        assert fetch.get(f"{server.url}/other").body == b"ok"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "120"}, 120),
        ({"retry-after": "9" * 400}, MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "²"}, 0),
        ({"retry-after": "Thu, 18 Jun 2026 10:02:00 GMT", "date": "Thu, 18 Jun 2026 10:00:00 GMT"}, 120),
        ({"retry-after": "Thu, 18 Jun 2026 09:00:00 GMT", "date": "Thu, 18 Jun 2026 10:00:00 GMT"}, 0),
        ({"retry-after": "Thu, 18 Jun 2026 10:02:00 GMT", "date": "now"}, 0),
        ({"retry-after": "Thu, 18 Jun 2026 10:02:00 GMT", "date": "Thu, 18 Jun 2026 10:00:00 -0000"}, 0),
    ],
)
def test_how_long_a_host_asks_to_be_left_alone(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers) == seconds


def test_a_packed_answer_counts_unpacked(make: Callable[..., Fetcher]) -> None:
    bomb = Reply(gzip.compress(bytes(20_000_000)), headers={"Content-Encoding": "gzip"})
    with vendor(lambda asked: bomb) as server, pytest.raises(FetchError, match="larger than"):
        make(max_bytes=1_000_000, robots=False).get(server.url)


@pytest.mark.parametrize("packing", ["br", "zstd", "gzip, gzip"])
def test_what_may_unpack_to_any_size_is_refused(make: Callable[..., Fetcher], packing: str) -> None:
    """A chunk of these is unpacked whole before anybody can look at its size: 455 bytes of brotli were 1 GB."""
    with vendor(lambda asked: Reply(b"x", headers={"Content-Encoding": packing})) as server:
        with pytest.raises(FetchError, match="packed as"):
            make(robots=False).get(server.url)
        assert server.asked[0].headers["Accept-Encoding"] == "gzip, deflate"
        server.answer = lambda asked: Reply(b"x", 404, headers={"Content-Encoding": packing})
        with pytest.raises(FetchError, match="HTTP 404"):
            make(robots=False).get(server.url)


@pytest.mark.parametrize("word", ["utf-8", "none", "aws-chunked", "x-gzip", "identity"])
def test_a_word_that_names_no_packing_changes_nothing(make: Callable[..., Fetcher], word: str) -> None:
    with vendor(lambda asked: Reply(b"x", headers={"Content-Encoding": word})) as server:
        assert make(robots=False).get(server.url).body == b"x"


@pytest.mark.parametrize(
    ("reply", "of_host"),
    [
        (Reply(status=503), True),
        (Reply(status=429), True),
        (Reply(status=403, headers={"Retry-After": "9"}), True),
        (Reply(status=404), False),
        (Reply(b"x" * 2000), False),
        (Reply(b"x", promise=100), False),
    ],
)
def test_a_host_that_fails_is_told_from_an_address_that_does(
    make: Callable[..., Fetcher], reply: Reply, of_host: bool
) -> None:
    with vendor(lambda asked: reply) as server, pytest.raises(FetchError) as caught:
        make(max_bytes=1000, robots=False).get(server.url)
    assert caught.value.of_host == of_host


def test_a_host_that_is_away_is_told_from_one_that_is_refused(make: Callable[..., Fetcher]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    for public_only in (False, True):
        with pytest.raises(FetchError) as caught:
            make(public_only=public_only).get(address)
        assert caught.value.of_host is not public_only


@pytest.mark.parametrize("line", ["Disallow: http://[bad", "Crawl-delay: ²"])
def test_robots_that_cannot_be_read_permit_nothing(make: Callable[..., Fetcher], line: str) -> None:
    rules = Reply(f"User-agent: *\n{line}".encode(), headers={"robots": "yes"})
    with vendor(lambda asked: rules) as server:
        with pytest.raises(FetchError, match=r"robots\.txt"):
            make().get(f"{server.url}/page")
        assert server.paths() == []


def test_the_pause_that_robots_ask_for(make: Callable[..., Fetcher]) -> None:
    time = Time()

    def answer(asked: Asked) -> Reply:
        rules = b"User-agent: *\nCrawl-delay: 9"
        return Reply(rules, headers={"robots": "yes"}) if asked.path == "/robots.txt" else Reply(b"ok")

    with vendor(answer) as server:
        fetch = make(host_seconds=2.0, clock=lambda: time.now, sleep=time.sleep)
        for _ in range(3):
            fetch.get(server.url)
    assert time.slept == [2.0, 9.0, 9.0]


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
        (Reply(status=302, headers={"Location": "http://[bad"}), "redirects to"),
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


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1"])
def test_loopback_by_any_name_is_refused(make: Callable[..., Fetcher], host: str) -> None:
    with vendor(lambda asked: Reply(b"secret")) as server:
        port = server.url.rsplit(":", 1)[1]
        with pytest.raises(FetchError):
            make(public_only=True, robots=False).get(f"http://{host}:{port}/")
        assert server.asked == []


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of this machine that counts as public, alone."""
    monkeypatch.setattr("deploy.guard.allowed", lambda address, _=(): address == "127.0.0.2")
    return "127.0.0.2"


def test_a_name_that_changes_its_address_leads_nowhere_inside(
    make: Callable[..., Fetcher], monkeypatch: pytest.MonkeyPatch, public: str
) -> None:
    """DNS rebinding: public at the first look, loopback at the second."""
    answers = [public, "127.0.0.1"]

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    with vendor(lambda asked: Reply(b"ok"), host=public) as server:
        port = server.url.rsplit(":", 1)[1]
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        assert make(public_only=True, robots=False).get(f"http://rebind.invalid:{port}/").body == b"ok"
        with pytest.raises(FetchError, match=r"127\.0\.0\.1 is not a public address"):
            make(public_only=True, robots=False).get(f"http://rebind.invalid:{port}/")
        assert server.paths() == ["/"] and answers == []


def test_a_redirect_inside_is_refused(make: Callable[..., Fetcher], public: str) -> None:
    with vendor(lambda asked: Reply(b"secret")) as inside:
        outside = Reply(status=302, headers={"Location": f"{inside.url}/inside"})
        with vendor(lambda asked: outside, host=public) as server:
            with pytest.raises(FetchError, match=r"/inside: 127\.0\.0\.1 is not a public address"):
                make(public_only=True, robots=False).get(server.url)
            assert len(server.asked) == 1
        assert inside.asked == []


def test_a_feed_inside_may_be_asked_but_leads_to_no_other_host_inside(
    make: Callable[..., Fetcher], public: str
) -> None:
    """The operator's own address is trusted; where its answer points is not."""
    with vendor(lambda asked: Reply(b"secret"), host="127.0.0.3") as inside:
        outside = Reply(status=302, headers={"Location": f"{inside.url}/inside"})
        with vendor(lambda asked: outside) as server:
            fetch = make(robots=False)
            assert fetch.get(inside.url).body == b"secret"  # its open connection is not used again, either
            with pytest.raises(FetchError, match=r"/inside: 127\.0\.0\.3 is not a public address"):
                fetch.get(server.url)
        assert inside.paths() == ["/"]
    with vendor(lambda asked: Reply(b"ok"), host=public) as elsewhere:
        moved = Reply(status=301, headers={"Location": elsewhere.url})
        with vendor(lambda asked: moved) as server:
            assert make(robots=False).get(server.url).body == b"ok"


def test_messages_hold_no_keys(make: Callable[..., Fetcher], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with vendor(lambda asked: Reply(status=500)) as server, pytest.raises(FetchError) as caught:
        address = server.url.replace("http://", "http://user:hidden@")
        make(robots=False).get(f"{address}/feed?key=hidden")
    assert "/feed: HTTP 500" in str(caught.value) and "hidden" not in str(caught.value) + caplog.text


def test_waiting_grows_with_jitter_and_has_an_end() -> None:
    assert all(54 <= wait_after(0, 60) <= 60 for _ in range(100))
    waits = [wait_after(n, 60) for n in range(1, 20)]
    assert all(84 <= wait <= 1800 for wait in waits) and min(waits[5:]) > 1200
    assert wait_after(1, 60, retry_after=3000) == 3000


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://ann:hunter2@host/feed?key=hunter2", "https://host/feed"),
        ("ann:hunter2@host/feed", "host/feed"),  # its writer forgot the scheme
        ("ann:hunter2@[h?k=1", "[h"),
        ("nowhere", "nowhere"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(url: str, told: str) -> None:
    assert shown(url) == told
