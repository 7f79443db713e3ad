"""The store as the ingestors see it: SQL in, rows out, connected when first asked and again after an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from deploy.settings import Settings, clickhouse_arguments, redact

logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # its errors come as `StoreAway`, said once


class StoreAway(RuntimeError):
    """ClickHouse can't be reached or refuses; the text names it and says why."""


class Store:
    """Runs queries as the writer. For one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = None

    def query(self, sql: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Rows of a query with `%(name)s` parameters. Raises `StoreAway`."""
        rows: Sequence[Sequence[Any]] = self._call(lambda client: client.query(sql, parameters=parameters).result_rows)
        return rows

    def insert(self, table: str, rows: list[list[Any]], columns: list[str]) -> None:
        """Insert rows. Raises `StoreAway`."""
        self._call(lambda client: client.insert(table, rows, column_names=columns))

    def _call(self, action: Callable[[Any], Any]) -> Any:
        url = self._settings.clickhouse_url(writer=True)
        try:
            if self._client is None:
                self._client = clickhouse_connect.get_client(
                    **clickhouse_arguments(url),
                    autogenerate_session_id=False,
                    connect_timeout=5,
                    send_receive_timeout=60,
                )
            return action(self._client)
        except OperationalError as error:
            self.close()
            raise StoreAway(f"ClickHouse at {redact(url)} does not answer") from error
        except (ClickHouseError, OSError) as error:
            self.close()
            raise StoreAway(f"ClickHouse at {redact(url)}: {str(error).splitlines()[0][:300]}") from error

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
