"""A migrated database and a stack of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from deploy.settings import Settings
from stream.migrate import migrate
from tests.fixtures.broker import Broker
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.stack import Stack


@pytest.fixture
def stored(clickhouse_server: ClickHouseServer, clickhouse: Client, clickhouse_database: str) -> Client:
    """The writer's client in a database with all tables and views."""
    migrate(Settings(clickhouse=clickhouse_server.url(database=clickhouse_database)))
    return clickhouse


@pytest.fixture
def stack(
    make_broker: Callable[[], Broker],
    clickhouse_server: ClickHouseServer,
    clickhouse_database: str,
    tmp_path: Path,
) -> Iterator[Stack]:
    """A broker of its own with topics, a migrated database, no worker yet."""
    made = Stack(make_broker(), clickhouse_server, clickhouse_database, tmp_path)
    migrate(made.settings)
    made.make_topics()
    yield made
    made.stop()
