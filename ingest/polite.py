"""HTTP for the sources: an honest name, one request at a time and none too soon to a host, limits on time and size.

`Fetcher.get` waits until the host may be asked again, obeys robots.txt, follows redirects itself, and reads no more
than `max_bytes` and no longer than `seconds`. What fails is a `FetchError`, which says whether and when to try again; a
host that asked for time is left alone until then by all who share the fetcher. Addresses that users or documents give
go through a fetcher with `public_only`: `deploy.guard` looks at every connection, so neither redirects nor a second DNS
answer lead inside the network. Redirects to another host are always followed that way.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import httpx

from deploy.guard import Blocked, guarded

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log whole addresses, keys included

USER_AGENT = "Fengxiang/0.1 (financial news monitor)"
HOST_SECONDS = 2.0  # between two requests to a host
MAX_REDIRECTS = 5
ROBOTS_SECONDS = 3600.0
MAX_WAIT_SECONDS = 1800.0
MAX_RETRY_AFTER_SECONDS = 86_400.0  # a host that asks for more is asked again after a day
MAX_CRAWL_DELAY_SECONDS = 60.0
_PACKINGS = ("gzip", "deflate")
_UNBOUNDED = ("br", "zstd")  # a chunk of these may unpack to any size before it can be looked at


class FetchError(RuntimeError):
    """A request that gave nothing; the text names the address.

    retry_after: seconds that the host asked for, or 0; away: the host gave no answer at all.
    """

    def __init__(self, text: str, *, status: int = 0, retry_after: float = 0.0, away: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after
        self.away = away

    @property
    def of_host(self) -> bool:
        """Whether the host is away, broken or busy, which says nothing of the address."""
        return self.away or self.retry_after > 0 or self.status == 429 or self.status >= 500


class Fetched(NamedTuple):
    """A whole answer. status is 200, or 304 for an unchanged page."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class _Host:
    """When a host may be asked. `turn` is held while it is."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    free_at: float = float("-inf")
    closed_until: float = float("-inf")
    crawl_delay: float = 0.0


class Fetcher:
    """See the module's text. For any number of threads; `close` it.

    public_only: refuse addresses that are not on the public internet; clock, sleep: seconds.
    """

    def __init__(
        self,
        *,
        public_only: bool = False,
        robots: bool = True,
        host_seconds: float = HOST_SECONDS,
        seconds: float = 30.0,
        max_bytes: int = 20_000_000,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._robots, self._public_only = robots, public_only
        self._host_seconds = host_seconds
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._clock, self._sleep = clock, sleep
        self._hosts: dict[str, _Host] = {}
        self._rules: dict[str, tuple[float, RobotFileParser]] = {}
        self._clients = {  # one for each kind: a connection that was opened unguarded is never used guarded
            public: httpx.Client(
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": ", ".join(_PACKINGS)},
                timeout=httpx.Timeout(15.0, connect=5.0),
                follow_redirects=False,
                trust_env=not public,  # a proxy would look names up by itself
            )
            for public in {public_only, True}
        }

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: bytes | None = None,
    ) -> Fetched:
        """The answer to a GET, or to a POST when there is a `form` or a `json` body. Raises `FetchError`."""
        address = str(httpx.URL(url, params=params)) if params else url
        public = self._public_only
        for _ in range(MAX_REDIRECTS + 1):
            self._check(address)
            if self._robots and not self._allowed(address, public):
                raise FetchError(f"{shown(address)}: robots.txt of the host forbids it", status=403)
            answer = self._once(address, public, headers or {}, form, json)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            before, address = address, _target(address, answer.headers.get("location", ""))
            public = public or host_of(address) != host_of(before)
            form = json = None
        raise FetchError(f"{shown(url)}: more than {MAX_REDIRECTS} redirects")

    # ------------------------------------------------------------------ one request

    def _once(
        self,
        url: str,
        public: bool,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: bytes | None = None,
    ) -> Fetched:
        sent = dict(headers or {}) | ({"Content-Type": "application/json"} if json else {})
        method = "POST" if form or json else "GET"
        host = self._at(url)
        with host.turn:
            self._wait(host, url)
            deadline = self._clock() + self._seconds
            guard: AbstractContextManager[list[str]] = guarded() if public else nullcontext([])
            answered = False
            try:
                with (
                    guard as blocked,
                    self._clients[public].stream(method, url, headers=sent, data=form, content=json) as reply,
                ):
                    answered = True
                    body = self._body(reply, deadline) if reply.is_success else b""
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, Blocked, ValueError) as error:
                away = isinstance(error, httpx.TransportError) and not (answered or blocked)
                raise FetchError(f"{shown(url)}: {error or type(error).__name__}", away=away) from error
            finally:
                host.free_at = self._clock() + max(self._host_seconds, host.crawl_delay)
            if reply.status_code >= 400:
                wait = retry_after(reply.headers)
                host.closed_until = self._clock() + wait
                raise FetchError(f"{shown(url)}: HTTP {reply.status_code}", status=reply.status_code, retry_after=wait)
        return Fetched(reply.status_code, url, reply.headers, body)

    def _at(self, url: str) -> _Host:
        return self._hosts.setdefault(urlsplit(url).netloc, _Host())

    def _wait(self, host: _Host, url: str) -> None:
        """Until it is the host's turn; one that asked for time is not waited for."""
        now = self._clock()
        if host.closed_until > now:
            left = host.closed_until - now
            raise FetchError(f"{shown(url)}: the host asked for {left:.0f} s more without requests", retry_after=left)
        if host.free_at > now:
            self._sleep(host.free_at - now)

    def _body(self, reply: httpx.Response, deadline: float) -> bytes:
        packing = reply.headers.get("content-encoding", "").lower()
        # Words that name no packing ("utf-8", "aws-chunked") change nothing.
        unpacked = [name for name in map(str.strip, packing.split(",")) if name in (*_PACKINGS, *_UNBOUNDED)]
        if len(unpacked) > 1 or set(unpacked) & set(_UNBOUNDED):
            raise FetchError(f"{shown(str(reply.url))}: the answer is packed as {packing!r}, which nobody asked for")
        body = bytearray()
        for chunk in reply.iter_bytes(65_536):
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchError(f"{shown(str(reply.url))}: the answer is larger than {self._max_bytes:,} bytes")
            if self._clock() > deadline:
                raise FetchError(f"{shown(str(reply.url))}: the answer took more than {self._seconds:g} s")
        return bytes(body)

    @staticmethod
    def _check(url: str) -> None:
        if not is_address(url):
            raise FetchError(f"{shown(url)}: not an http or https address")

    # ------------------------------------------------------------------ robots.txt

    def _allowed(self, url: str, public: bool) -> bool:
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        read_at, rules = self._rules.get(site, (float("-inf"), None))
        if rules is None or self._clock() - read_at > ROBOTS_SECONDS:
            rules = self._read_rules(site, public)
            self._rules[site] = self._clock(), rules
            delay = float(rules.crawl_delay(USER_AGENT) or 0)
            self._at(url).crawl_delay = min(delay, MAX_CRAWL_DELAY_SECONDS)
        return rules.can_fetch(USER_AGENT, url)

    def _read_rules(self, site: str, public: bool) -> RobotFileParser:
        rules = RobotFileParser()
        try:
            answer = self._once(f"{site}/robots.txt", public)
            rules.parse(answer.body[:500_000].decode("utf-8", "replace").splitlines() if answer.status == 200 else [])
        except FetchError as error:
            if error.status in (401, 403) or error.status >= 500 or not error.status:
                raise  # the host does not want to be asked, or can't be reached: neither is a permission
            rules.parse([])
        except ValueError as error:  # of a line that the parser can't take: no permission either
            raise FetchError(f"{site}/robots.txt: {error}") from error
        return rules


def shown(url: str) -> str:
    """The address for messages: without user, password and query, which may hold a key."""
    try:
        parts = urlsplit(url)
        if parts.scheme and parts.netloc:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        pass
    return url.split("?")[0].rpartition("@")[2]  # no address at all, but its writer may have meant one


def is_address(url: str) -> bool:
    """Whether something can be asked for there."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host's name; empty for what is no address."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _target(url: str, location: str) -> str:
    """Where a redirect leads. Raises `FetchError`."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchError(f"{shown(url)}: redirects to {shown(location)!r}: {error}") from error


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that an answer's `Retry-After` asks for, at most a day; a date counts from the answer's own `Date`."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return min(float(given[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        left = parsedate_to_datetime(given) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError, IndexError):  # no dates, or one of them without a zone
        return 0.0
    return min(max(0.0, left.total_seconds()), MAX_RETRY_AFTER_SECONDS)


def wait_after(failures: int, interval: float, retry_after: float = 0.0) -> float:
    """Seconds until the next poll after so many failed ones in a row: doubling, with jitter, at most half an hour.

    After a good one the jitter only shortens: news that is asked for every minute is never older.
    """
    if not failures:
        return interval * random.uniform(0.9, 1.0)
    return max(retry_after, min(MAX_WAIT_SECONDS, interval * 2.0 ** min(failures, 12)) * random.uniform(0.7, 1.0))
