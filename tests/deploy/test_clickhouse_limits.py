"""What a user may not do, and what ends: readonly, limits, cancellation, bounded memory."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.fixtures.clickhouse import READER_PASSWORD, ClickHouseServer


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not (reached := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return reached


def code_of(reply: httpx.Response) -> str:
    return str(reply.headers.get("X-ClickHouse-Exception-Code", "0"))


def ask(server: ClickHouseServer, user: str, sql: str, password: str = "", **parameters: str) -> httpx.Response:
    return httpx.post(
        f"http://{server.host}:{server.port}/", auth=(user, password), content=sql, params=parameters, timeout=60
    )


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (2)",
        "INSERT INTO t SELECT 2",
        "CREATE TABLE u (a Int8) ENGINE = Memory",
        "CREATE DATABASE reader_was_here",
        "ALTER TABLE t DELETE WHERE 1",
        "DELETE FROM t WHERE 1",
        "TRUNCATE TABLE t",
        "DROP TABLE t",
        "OPTIMIZE TABLE t FINAL",
        "SYSTEM FLUSH LOGS",
        "CREATE FUNCTION f AS x -> x",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_reader_changes_nothing(clickhouse: Client, clickhouse_server: ClickHouseServer, sql: str) -> None:
    clickhouse.command("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a")
    clickhouse.insert("t", [[1]], column_names=["a"])
    database = str(clickhouse.database)
    session = uuid.uuid4().hex
    for parameters in ({}, {"session_id": session}, {"session_id": session}, {"readonly": "0"}):
        reply = ask(clickhouse_server, "reader", sql, READER_PASSWORD, database=database, **parameters)
        assert code_of(reply) in ("164", "497"), reply.text
    assert clickhouse.query("SELECT count() FROM t").result_rows == [(1,)]


def test_reader_reads_with_settings_within_limits(clickhouse: Client, clickhouse_server: ClickHouseServer) -> None:
    clickhouse.command("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a")
    clickhouse.insert("t", [[1]], column_names=["a"])
    with clickhouse_server.client(writer=False, database=str(clickhouse.database)) as reader:
        assert reader.query("SELECT * FROM t", settings={"max_threads": 1, "max_execution_time": 5}).result_rows == [
            (1,)
        ]
        assert reader.query("SELECT count() > 0 FROM system.tables").result_rows == [(True,)]
        with pytest.raises(DatabaseError, match="max_execution_time shouldn't be greater than 30"):
            reader.query("SELECT 1", settings={"max_execution_time": 31})


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT sleepEachRow(0.2) FROM numbers(60) SETTINGS max_block_size = 1", "159"),
        ("SELECT number FROM numbers(101)", "396"),
        ("SELECT count() FROM numbers(2000000) WHERE number % 3 = 0", "158"),
        ("SELECT length(groupArray(repeat(toString(number), 200))) FROM numbers(900000)", "241"),
        ("SELECT 1 SETTINGS max_execution_time = 0", "452"),
        ("SELECT 1 SETTINGS max_result_rows = 1000000", "452"),
        ("SET max_rows_to_read = DEFAULT", "452"),
        ("SELECT number FROM numbers(101) SETTINGS profile = 'default'", "396"),
    ],
)
def test_limits(clickhouse_server: ClickHouseServer, sql: str, code: str) -> None:
    reply = ask(clickhouse_server, "narrow", sql, wait_end_of_query="1")
    assert code_of(reply) == code, reply.text
    assert ask(clickhouse_server, "narrow", "SELECT 1").text == "1\n"


@pytest.mark.parametrize(
    ("parameters", "files"),
    [
        ({"n_structure": "a Int8) ENGINE = Memory; DROP TABLE t; --"}, {"n": ("n", b"1\n")}),
        ({"n_structure": "a Int8", "n_format": "TSV 1; DROP TABLE t; --"}, {"n": ("n", b"1\n")}),
        ({"param_a = 1; DROP TABLE t; --": "1"}, None),
        ({"max_threads = 1; DROP TABLE t; --": "1"}, None),
        ({"default_format": "TSV; DROP TABLE t"}, None),
        ({"database": "system`; DROP TABLE t; --"}, None),
        ({"query_id": "'; DROP TABLE t; --"}, None),
        ({"session_id": "'; DROP TABLE t; --", "log_comment": "\\'; DROP TABLE t; --"}, None),
    ],
)
@pytest.mark.parametrize("sql", ["SELECT 1", "INSERT INTO mine FORMAT TSV\n1\n"])
def test_no_argument_is_run_as_sql(
    clickhouse: Client,
    clickhouse_server: ClickHouseServer,
    sql: str,
    parameters: dict[str, str],
    files: dict[str, tuple[str, bytes]] | None,
) -> None:
    """What becomes part of a statement stays what it is, even before the handle is made readonly."""
    clickhouse.command("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a")
    url = f"http://{clickhouse_server.host}:{clickhouse_server.port}/"
    known = {"database": str(clickhouse.database), "query": sql}
    httpx.post(url, auth=("reader", READER_PASSWORD), params=known | parameters, files=files, timeout=30)
    assert clickhouse.query("EXISTS TABLE t").result_rows == [(1,)]


def test_limits_hold_for_streams(clickhouse_server: ClickHouseServer) -> None:
    reply = ask(clickhouse_server, "narrow", "SELECT number FROM numbers(500000) FORMAT TSV")
    assert "TOO_MANY_ROWS_OR_BYTES" in reply.text
    reply = ask(clickhouse_server, "narrow", "SELECT sleepEachRow(0.2) FROM numbers(60) SETTINGS max_block_size = 1")
    assert "TIMEOUT_EXCEEDED" in reply.text


def test_a_limit_survives_another_profile(clickhouse_server: ClickHouseServer) -> None:
    session = {"session_id": uuid.uuid4().hex}
    ask(clickhouse_server, "narrow", "SET profile = 'default'", **session)
    assert code_of(ask(clickhouse_server, "narrow", "SET max_execution_time = 60", **session)) == "452"


def test_readonly_1_changes_no_setting(clickhouse_server: ClickHouseServer) -> None:
    assert ask(clickhouse_server, "viewer", "SELECT 1").text == "1\n"
    assert code_of(ask(clickhouse_server, "viewer", "SELECT 1", max_threads="1")) == "164"
    assert code_of(ask(clickhouse_server, "viewer", "SET max_threads = 1")) == "164"


def running(client: Client, comment: str) -> int:
    query = "SELECT count() FROM system.processes WHERE Settings['log_comment'] = {c:String}"
    return int(client.query(query, parameters={"c": comment}).result_rows[0][0])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count() FROM system.numbers",  # nothing to send yet
        "SELECT number FROM system.numbers",  # half sent
        "SELECT number FROM system.numbers FORMAT JSON",  # never sent before its end
    ],
)
@pytest.mark.parametrize("session", ["", "kept"])
def test_a_query_ends_when_its_client_goes(
    clickhouse: Client, clickhouse_server: ClickHouseServer, sql: str, session: str
) -> None:
    identity = uuid.uuid4().hex
    parameters = {"query_id": identity} | ({"session_id": identity} if session else {})
    url = f"http://default:@{clickhouse_server.host}:{clickhouse_server.port}/"
    with (
        pytest.raises(httpx.ReadTimeout),
        httpx.stream("POST", url, params=parameters, content=sql, timeout=1) as reply,
    ):
        blocks = reply.iter_raw()
        next(blocks)
        assert running(clickhouse, identity) == 1
        raise httpx.ReadTimeout("the reader has seen enough")
    assert wait_until(lambda: running(clickhouse, identity) == 0)
    if session:  # it is free again
        assert wait_until(lambda: ask(clickhouse_server, "default", "SELECT 1", session_id=identity).text == "1\n")


def test_an_insert_goes_on_when_its_client_goes(clickhouse: Client, clickhouse_server: ClickHouseServer) -> None:
    clickhouse.command("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            clickhouse_server.url(database=""),
            params={"database": str(clickhouse.database), "max_block_size": "1"},
            content="INSERT INTO t SELECT number + sleepEachRow(0.1) FROM numbers(15)",
            timeout=0.5,
        )
    assert wait_until(lambda: clickhouse.query("SELECT count() FROM t").result_rows == [(15,)])


def test_kill_by_the_clients_query_id(clickhouse: Client, clickhouse_server: ClickHouseServer) -> None:
    identity = uuid.uuid4().hex
    url = f"http://default:@{clickhouse_server.host}:{clickhouse_server.port}/"
    with httpx.stream("POST", url, params={"query_id": identity}, content="SELECT number FROM system.numbers") as reply:
        blocks = reply.iter_raw()
        next(blocks)
        assert clickhouse.query(f"KILL QUERY WHERE query_id = '{identity}'").row_count == 1
        rest = b"".join(blocks)
    assert b"QUERY_WAS_CANCELLED" in rest
    assert wait_until(lambda: running(clickhouse, identity) == 0)


def memory(server: ClickHouseServer) -> int:
    """Resident bytes of the server."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) * 1024


def test_a_big_result_streams_in_bounded_memory(clickhouse_server: ClickHouseServer) -> None:
    """800 MB pass through; the server never holds more than a few blocks of it."""
    before = peak = memory(clickhouse_server)
    size = 0
    with httpx.stream(
        "POST",
        f"http://default:@{clickhouse_server.host}:{clickhouse_server.port}/",
        content="SELECT number, repeat('x', 72) FROM numbers(10000000) FORMAT RowBinary",
        headers={"Accept-Encoding": "identity"},
        timeout=60,
    ) as reply:
        for count, block in enumerate(reply.iter_raw(1 << 20)):
            size += len(block)
            if count % 50 == 0:
                peak = max(peak, memory(clickhouse_server))
    assert size == 10_000_000 * (8 + 1 + 72)
    assert peak - before < 300_000_000


def test_an_insert_that_could_not_be_stored_is_an_error(clickhouse: Client) -> None:
    clickhouse.command(
        "CREATE TABLE full (n UInt8) ENGINE = MergeTree ORDER BY n"
        " SETTINGS parts_to_throw_insert = 1, parts_to_delay_insert = 1, max_delay_to_insert = 1"
    )
    clickhouse.command("SYSTEM STOP MERGES full")
    clickhouse.insert("full", [[1]], column_names=["n"])
    with pytest.raises(DatabaseError, match="TOO_MANY_PARTS"):
        clickhouse.insert("full", [[2]], column_names=["n"])
    assert clickhouse.query("SELECT groupArray(n) FROM full").first_row[0] == [1]
