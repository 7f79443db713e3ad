"""SQL reaches neither this machine's files nor the network, and can't make the data folder unloadable."""

from __future__ import annotations

import ctypes
import socket
import threading
from pathlib import Path

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from tests.fixtures.clickhouse import WRITER_PASSWORD, ClickHouseServer

LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock (Linux 5.13 or later has)")


def ask(server: ClickHouseServer, sql: str, **parameters: str) -> httpx.Response:
    url = f"http://{server.host}:{server.port}/"
    return httpx.post(url, auth=("fengxiang", WRITER_PASSWORD), content=sql, params=parameters, timeout=60)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "canary.txt"
    path.write_text("sung by a canary\n")
    return path


DANGEROUS = [
    "SELECT * FROM file('{path}', 'LineAsString')",
    "SELECT file('{path}')",
    "SELECT * FROM `{path}`",
    "INSERT INTO FUNCTION file('{path}.new', 'TSV', 'a String') SELECT 'x'",
    "SELECT 1 INTO OUTFILE '{path}.new'",
    "INSERT INTO t FROM INFILE '{path}' FORMAT LineAsString",
    "INSERT INTO t VALUES (file('{path}'))",
    "CREATE TABLE u (a String) ENGINE = File(LineAsString, '{path}')",
    "CREATE TABLE u (a String) ENGINE = Kafka('127.0.0.1:{port}', 'topic', 'group', 'JSONEachRow')",
    "ATTACH TABLE u (a String) ENGINE = Kafka('127.0.0.1:{port}', 'topic', 'group', 'JSONEachRow')",
    "CREATE MATERIALIZED VIEW v ENGINE = Kafka('127.0.0.1:{port}', 'topic', 'group', 'JSONEachRow') AS SELECT 1",
    "CREATE TABLE u (a String) ENGINE = URL('http://127.0.0.1:{port}/', 'TSV')",
    "CREATE TABLE u (a String) ENGINE = S3('http://127.0.0.1:{port}/x')",
    "CREATE TABLE u (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local', path = '{folder}/')",
    "CREATE TABLE u (a Int8) ENGINE = MySQL('127.0.0.1:{port}', 'd', 't', 'u', 'p')",
    "CREATE DATABASE u ENGINE = Filesystem('{folder}')",
    "CREATE DATABASE u ENGINE = SQLite('{path}')",
    "CREATE DATABASE u ENGINE = PostgreSQL('127.0.0.1:{port}', 'd', 'u', 'p')",
    "ATTACH TABLE u FROM '{folder}' (a String) ENGINE = MergeTree ORDER BY a",
    "SELECT * FROM url('http://127.0.0.1:{port}/', 'TSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:{port}/x', 'TSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:{port}', 'system.one')",
    "SELECT * FROM executable('cat {path}', 'TSV', 'a String')",
    "SELECT * FROM Python(users)",
    "CREATE DICTIONARY u (a UInt64, b String) PRIMARY KEY a SOURCE(FILE(path '{path}' format 'TSV')) LAYOUT(FLAT())",
    "CREATE DICTIONARY u (a UInt64) PRIMARY KEY a SOURCE(HTTP(url 'http://127.0.0.1:{port}/')) LAYOUT(FLAT())",
    "BACKUP DATABASE default TO File('{path}.new')",
    "RESTORE DATABASE default FROM File('{path}')",
    "CREATE NAMED COLLECTION u AS url = 'http://127.0.0.1:{port}/'",
    "CREATE USER u IDENTIFIED BY 'u'",
    "GRANT ALL ON *.* TO default",
    "SYSTEM SHUTDOWN",
    "SYSTEM KILL",
    "SYSTEM RELOAD CONFIG",
    "DROP DATABASE system",
    "DROP DATABASE default",
    "DETACH DATABASE `default`",
    "DROP TABLE system.one",
    "CREATE TABLE system.u (a Int8) ENGINE = Memory",
    "SELECT 1; DROP TABLE t",
]


def test_dangerous_statements_are_refused(
    clickhouse: Client, clickhouse_server: ClickHouseServer, canary: Path
) -> None:
    clickhouse.command("CREATE TABLE t (a String) ENGINE = MergeTree ORDER BY a")
    database = str(clickhouse.database)
    connections: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: connections.append(listener.accept()), daemon=True).start()
        port = str(listener.getsockname()[1])
        for template in DANGEROUS:
            sql = template.format(path=canary, folder=canary.parent, port=port)
            reply = ask(clickhouse_server, sql, database=database)
            assert reply.headers.get("X-ClickHouse-Exception-Code", "0") != "0", sql
            assert "sung by" not in reply.text, sql
    assert connections == []
    assert [path.name for path in canary.parent.iterdir()] == [canary.name]
    assert clickhouse.query("SELECT count() FROM t").result_rows == [(0,)]

    clickhouse.insert("t", [["kept"]], column_names=["a"])  # and the folder still loads
    clickhouse_server.kill()
    clickhouse_server.restart()
    assert clickhouse.query("SELECT a FROM t").result_rows == [("kept",)]
    tables = clickhouse.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_rows
    assert tables == [("t",)]


@needs_landlock
def test_files_are_out_of_reach_even_by_ways_no_lexer_sees(
    clickhouse: Client, clickhouse_server: ClickHouseServer, canary: Path
) -> None:
    database = str(clickhouse.database)
    assert ask(clickhouse_server, "SELECT * FROM format(Values, 'a String', '(upper(''x''))')").text == "X\n"
    for path in (canary, Path("/etc/passwd"), Path("/proc/self/environ")):
        hidden = f"SELECT * FROM format(Values, 'a String', '(file(''{path}''))')"
        reply = ask(clickhouse_server, hidden, database=database)
        assert "Permission denied" in reply.text
    by_name = "SELECT arrayMap({f:Identifier}, [{path:String}])"
    reply = ask(clickhouse_server, by_name, param_f="file", param_path=str(canary))
    assert "Permission denied" in reply.text


def test_dictionary_over_a_table(clickhouse: Client) -> None:
    """The one source that stays: a table of the same engine."""
    clickhouse.command("CREATE TABLE names (id UInt64, name String) ENGINE = MergeTree ORDER BY id")
    clickhouse.insert("names", [[1, "芒果超媒"]], column_names=["id", "name"])
    clickhouse.command(
        "CREATE DICTIONARY by_id (id UInt64, name String) PRIMARY KEY id "
        f"SOURCE(CLICKHOUSE(TABLE 'names' DB '{clickhouse.database}')) LAYOUT(FLAT()) LIFETIME(0)"
    )
    assert clickhouse.query("SELECT dictGet('by_id', 'name', 1)").result_rows == [("芒果超媒",)]
