"""A store with all tables, and a way to put documents into it."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.alerts.make import Store


@pytest.fixture
def store(clickhouse_server: ClickHouseServer, stored: Client) -> Store:
    assert stored.database
    return Store(clickhouse_server, stored.database)
