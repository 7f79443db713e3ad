"""The store's connections and errors: ClickHouse over HTTP, the same for the embedded engine and a cluster."""

from __future__ import annotations

from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, DataError, ProgrammingError

from deploy.settings import Settings, clickhouse_arguments, redact
from stream.queries import only_read

# Errors that the same rows would meet again: numbers of ClickHouse's ErrorCodes.cpp.
BAD_DATA_CODES = {6, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 321, 349, 407, 436}

# The remedy where it doesn't answer.
START = "start it (make run), or check FENGXIANG_CLICKHOUSE and FENGXIANG_CLICKHOUSE_READER"

# Through Distributed tables: an acknowledged insert is on its shard, and a subquery sees the rows of all shards.
CLUSTER_SETTINGS = {"distributed_foreground_insert": 1, "distributed_product_mode": "global"}


class StoreAway(RuntimeError):
    """ClickHouse doesn't answer, or can't take anything now. Worth trying again."""


class BadRows(ValueError):
    """ClickHouse, or its client, can't take these rows, now or later."""


def connect(settings: Settings, *, writer: bool, database: bool = True, **client_settings: Any) -> Client:
    """A client for one thread. `database=False` before the database exists. Raises `StoreAway`."""
    url = settings.clickhouse_url(writer=writer)
    arguments = clickhouse_arguments(url)
    if writer and settings.clickhouse_cluster:
        client_settings = CLUSTER_SETTINGS | client_settings
    if not database:
        arguments["database"] = "default"
    try:
        client = clickhouse_connect.get_client(
            **arguments,
            autogenerate_session_id=False,
            connect_timeout=5,
            send_receive_timeout=60,
            query_retries=0,
            settings=client_settings or None,
        )
        if not writer and settings.writer_reads:
            only_read(client)
        return client
    except Exception as error:
        raise away(url, error) from error


def away(url: str, error: BaseException) -> StoreAway:
    """What a connection that failed means, and what to do. The reason is the socket's, not what wraps it."""
    where, cause = f"ClickHouse at {redact(url)}", error
    while cause.__cause__:
        cause = cause.__cause__
    if cause is error:  # its own answer
        return StoreAway(f"{where}: {first_line(error)}")
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else first_line(cause, 200)
    return StoreAway(f"{where} does not answer ({reason[:1].lower()}{reason[1:]}): {START}")


def database_name(settings: Settings) -> str:
    """The database that holds the tables."""
    return str(clickhouse_arguments(settings.clickhouse_url(writer=True))["database"])


def classify(error: Exception) -> StoreAway | BadRows:
    """What an insert's exception means: try again, or give up on the rows."""
    text = first_line(error)
    if isinstance(error, (DataError, ProgrammingError)):  # the client's own, and subclasses of DatabaseError
        return BadRows(text)
    if isinstance(error, DatabaseError):
        return BadRows(text) if error_code(error) in BAD_DATA_CODES else StoreAway(text)
    if isinstance(error, (ClickHouseError, OSError)):
        return StoreAway(text)
    if isinstance(
        error, (ValueError, TypeError, OverflowError, ArithmeticError, AttributeError)
    ):  # found by the client
        return BadRows(text)
    return StoreAway(text)


def error_code(error: Exception) -> int | None:
    """ClickHouse's own number of the error, where it has one."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return code
    _, _, rest = str(error).partition("Code: ")
    digits = rest.split(".", 1)[0].strip()
    return int(digits) if digits.isdigit() else None


def first_line(error: BaseException, limit: int = 500) -> str:
    """An exception's text as one short line."""
    return " ".join(str(error).split())[:limit] or type(error).__name__
