"""The alerts' own pages over HTTP: what a link can do, and what it can't."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from stream.alerts.facts import Fact
from stream.alerts.ledger import Ledger, acknowledged
from stream.alerts.message import Links
from stream.alerts.rules import Condition
from stream.alerts.subscriptions import Book, Stored, Subscription
from stream.alerts.web import Pages, serve
from tests.fixtures.clickhouse import ClickHouseServer

NOW = datetime.now(UTC).replace(microsecond=0)


class Site:
    """The pages over a store with two subscriptions, each with a message."""

    def __init__(self, server: ClickHouseServer, client: Client) -> None:
        self.client = client
        mine = [Subscription(name=name, when=Condition(theme=("game",)), channels=("hook",)) for name in "ab"]
        self.a, self.b = Book(client).save(mine)
        pages = Pages(lambda: server.client(database=client.database), Links("http://board", "", "key"), lambda: NOW)
        self._server = serve(0, pages)
        self.port = self._server.server_address[1]
        self.links = Links("http://board", f"http://127.0.0.1:{self.port}", "key")
        self.of_a, self.of_b = (self._fire(stored) for stored in (self.a, self.b))

    def _fire(self, stored: Stored) -> str:
        ledger = Ledger(self.client)
        firing = ledger.fire(stored, Fact(title="t"), group="g", what="w", now=NOW)
        assert firing is not None
        ledger.write([firing])
        return firing.message_id

    def acknowledged(self) -> list[str]:
        return acknowledged(self.client, NOW - timedelta(days=365))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site(clickhouse_server: ClickHouseServer, stored: Client) -> Iterator[Site]:
    made = Site(clickhouse_server, stored)
    yield made
    made.close()


def test_a_link_acknowledges_the_messages_of_its_subscription_alone(site: Site) -> None:
    a = site.a.subscription.id
    httpx.post(site.links.manage(a, site.of_b), data={"acknowledge": "1"})
    assert site.acknowledged() == []
    page = httpx.post(site.links.manage(a, site.of_a), data={"acknowledge": "1"})
    assert "acknowledged" in page.text and site.acknowledged() == [site.of_a]


@pytest.mark.parametrize("length", [b"-1", b"ten", b""])
def test_a_request_that_makes_no_sense_is_answered(site: Site, length: bytes) -> None:
    path = site.links.manage(site.a.subscription.id).split("/", 3)[3].encode()
    for target, status in ((path, b"200"), (path + "\xe9".encode("latin-1"), b"404")):
        with socket.create_connection(("127.0.0.1", site.port), timeout=5) as line:
            line.sendall(b"POST /" + target + b" HTTP/1.0\r\nContent-Length: " + length + b"\r\n\r\n")
            assert line.makefile("rb").read().split()[1] == status


def test_a_store_that_has_gone_wrong_is_said_to_be_away(site: Site) -> None:
    site.client.command("DROP TABLE alerts")
    reply = httpx.get(site.links.feed(site.a.subscription.id))
    assert reply.status_code == 503
