"""ClickHouse's HTTP interface as curl sees it."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator

import httpx
import pytest

from deploy.local.clickhouse.compress import Compressor, decompress
from tests.fixtures.clickhouse import READER_PASSWORD, WRITER_PASSWORD, ClickHouseServer


@pytest.fixture
def http(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> Iterator[httpx.Client]:
    """The writer, in a fresh database."""
    base = f"http://{clickhouse_server.host}:{clickhouse_server.port}"
    headers = {"X-ClickHouse-Database": clickhouse_database, "Accept-Encoding": "identity"}
    with httpx.Client(base_url=base, auth=("fengxiang", WRITER_PASSWORD), headers=headers, timeout=60) as client:
        yield client


def ask(http: httpx.Client, sql: str | bytes, status: int = 200, **parameters: object) -> str:
    reply = http.post("/", content=sql, params={k: str(v) for k, v in parameters.items()})
    assert reply.status_code == status, reply.text
    return reply.text


def test_ping_and_empty_get(http: httpx.Client) -> None:
    assert http.get("/ping", auth=None).text == "Ok.\n"
    assert http.get("/").text == "Ok.\n"
    assert http.get("/nowhere").status_code == 404


def test_headers(http: httpx.Client) -> None:
    reply = http.post("/", params={"query_id": "my-id", "wait_end_of_query": "1"}, content="SELECT 1 AS a FORMAT JSON")
    assert reply.json()["data"] == [{"a": 1}]
    assert reply.headers["X-ClickHouse-Query-Id"] == "my-id"
    assert reply.headers["X-ClickHouse-Format"] == "JSON"
    assert reply.headers["X-ClickHouse-Timezone"]
    assert reply.headers["Content-Type"].startswith("application/json")
    assert json.loads(reply.headers["X-ClickHouse-Summary"])["result_rows"] == "1"


@pytest.mark.parametrize(
    "credentials",
    [
        {"auth": ("reader", READER_PASSWORD)},
        {"auth": None, "headers": {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}},
        {"auth": None, "params": {"user": "reader", "password": READER_PASSWORD}},
    ],
)
def test_three_ways_to_say_who_one_is(http: httpx.Client, credentials: dict[str, object]) -> None:
    reply = http.request("POST", "/", content="SELECT getSetting('readonly')", **credentials)  # type: ignore[arg-type]
    assert reply.text == "2\n"


@pytest.mark.parametrize(
    "credentials",
    [
        {"auth": ("reader", "wrong")},
        {"auth": ("nobody", "")},
        {"auth": None, "headers": {"Authorization": "Basic %%%"}},
        {"auth": None, "headers": {"Authorization": "Bearer token"}},
        {"auth": ("fengxiang", "密码")},
    ],
)
def test_wrong_credentials(http: httpx.Client, credentials: dict[str, object]) -> None:
    reply = http.request("POST", "/", content="SELECT 1", **credentials)  # type: ignore[arg-type]
    assert (reply.status_code, reply.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert "AUTHENTICATION_FAILED" in reply.text


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, 62),
        ("SELECT nothing_like_it", 404, 47),
        ("SELECT * FROM nothing_like_it", 404, 60),
        ("SELECT 1 FORMAT Nothing", 400, 73),
        ("SELECT 1; SELECT 2", 400, 62),
        ("", 400, 62),
        ("SELECT throwIf(1)", 500, 395),
    ],
)
def test_error_codes(http: httpx.Client, sql: str, status: int, code: int) -> None:
    reply = http.post("/", content=sql)
    assert reply.headers["X-ClickHouse-Exception-Code"] == str(code)
    assert reply.text.startswith(f"Code: {code}. DB::Exception: ")
    if code != 73:  # the engine's own code for formats has moved between versions
        assert reply.status_code == status


def test_a_failed_query_is_one_log_line(http: httpx.Client, clickhouse_server: ClickHouseServer) -> None:
    identity = uuid.uuid4().hex
    ask(http, "SELECT\nnothing_like_it", 404, query_id=identity)
    deadline = time.monotonic() + 10  # the log comes through a pipe
    while not (lines := [line for line in clickhouse_server.log if identity in line]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(lines) == 1
    assert "fengxiang failed with 47" in lines[0]


def test_settings_parameters_and_database(http: httpx.Client) -> None:
    assert ask(http, "SELECT getSetting('max_threads')", max_threads=3) == "3\n"
    assert ask(http, "SELECT {a:Int32} + {b:Int32}", param_a=40, param_b=2) == "42\n"
    assert ask(http, "SELECT {s:String}", param_s="it's; \\\\ 茅台") == "it\\'s; \\\\ 茅台\n"
    assert ask(http, "SELECT currentDatabase()", database="system") == "system\n"
    assert "UNKNOWN_SETTING" in ask(http, "SELECT 1", 404, no_such_setting=1)
    assert "UNKNOWN_SETTING" in ask(http, "SELECT 1", 404, **{"a = 1, b": 1})
    assert "UNKNOWN_DATABASE" in ask(http, "SELECT 1", 404, database="no`such")


def test_default_format(http: httpx.Client) -> None:
    assert ask(http, "SELECT 1 AS a", default_format="JSONEachRow") == '{"a":1}\n'
    assert ask(http, "SELECT 1 AS a FORMAT CSVWithNames", default_format="JSONEachRow") == '"a"\n1\n'
    assert ask(http, "SELECT 1 AS a WHERE 0 FORMAT CSVWithNames") == '"a"\n'


def test_insert_with_statement_in_the_url(http: httpx.Client) -> None:
    ask(http, "CREATE TABLE t (a Int32, b String) ENGINE = MergeTree ORDER BY a")
    ask(http, "1,one\n2,two\n", query="INSERT INTO t FORMAT CSV")
    ask(http, "", query="INSERT INTO t VALUES (3, 'three'), (2 + 2, upper('four'))")
    ask(http, 'INSERT INTO t FORMAT JSONEachRow\n{"a":5,"b":"five"}\n')
    assert ask(http, "SELECT * FROM t ORDER BY a FORMAT CSV") == '1,"one"\n2,"two"\n3,"three"\n4,"FOUR"\n5,"five"\n'


def test_insert_data_is_never_run(http: httpx.Client) -> None:
    """An engine in process would take what follows a blank line of data for the next statement."""
    ask(http, "CREATE TABLE t (a String) ENGINE = MergeTree ORDER BY a")
    ask(http, "x\n\nDROP TABLE t\n", query="INSERT INTO t FORMAT LineAsString")
    ask(http, "INSERT INTO t FORMAT LineAsString\ny\n\n; DROP TABLE t;\n")
    assert ask(http, "SELECT countIf(a LIKE '%DROP%') FROM t") == "2\n"


def test_insert_tells_what_it_wrote(http: httpx.Client) -> None:
    ask(http, "CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a")
    reply = http.post("/", params={"query": "INSERT INTO t FORMAT CSV"}, content="1\n2\n3\n")
    assert json.loads(reply.headers["X-ClickHouse-Summary"])["written_rows"] == "3"
    assert "INCORRECT_DATA" in ask(http, "not a number\n", 400, query="INSERT INTO t FORMAT CSV")
    assert ask(http, "SELECT count() FROM t") == "3\n"


def test_get_only_reads(http: httpx.Client) -> None:
    assert http.get("/", params={"query": "SELECT 1"}).text == "1\n"
    for sql in ("CREATE TABLE t (a Int8) ENGINE = Memory", "INSERT INTO t VALUES (1)", "DROP TABLE t"):
        reply = http.get("/", params={"query": sql, "session_id": "get"})
        assert reply.headers["X-ClickHouse-Exception-Code"] == "164"


def test_sessions(http: httpx.Client) -> None:
    session = uuid.uuid4().hex
    ask(http, "CREATE TEMPORARY TABLE mine (a Int32)", session_id=session)
    ask(http, "INSERT INTO mine VALUES (1), (2)", session_id=session)
    assert ask(http, "SELECT sum(a) FROM mine", session_id=session, session_check=1) == "3\n"
    assert "UNKNOWN_TABLE" in ask(http, "SELECT * FROM mine", 404)
    reply = http.post(
        "/", params={"session_id": session, "session_check": "1"}, content="SELECT 1", auth=("default", "")
    )
    assert reply.headers["X-ClickHouse-Exception-Code"] == "372"  # another user's session of that name
    assert "INVALID_SESSION_TIMEOUT" in ask(http, "SELECT 1", 500, session_id=session, session_timeout="9999999")


def test_a_requests_settings_end_with_it(http: httpx.Client, clickhouse_database: str) -> None:
    session = uuid.uuid4().hex
    asked = "SELECT getSetting('max_threads'), currentDatabase()"
    default = ask(http, asked, session_id=session)
    assert ask(http, asked, session_id=session, max_threads=7, database="system") == "7\tsystem\n"
    assert ask(http, asked, session_id=session) == default
    ask(http, "SET max_threads = 5", session_id=session)
    assert ask(http, asked, session_id=session, max_threads=7).startswith("7\t")
    assert ask(http, asked, session_id=session).startswith("5\t")
    reader = {"session_id": session, "max_execution_time": "20"}
    for parameters, seconds in ((reader, "20\n"), ({"session_id": session}, "30\n")):
        reply = http.post(
            "/", params=parameters, content="SELECT getSetting('max_execution_time')", auth=("reader", READER_PASSWORD)
        )
        assert reply.text == seconds  # back to the user's own limit, not to the engine's default


def test_a_busy_session_is_locked(http: httpx.Client, clickhouse_server: ClickHouseServer) -> None:
    session = uuid.uuid4().hex
    endless = {"session_id": session, "query": "SELECT number FROM system.numbers"}
    with http.stream("POST", "/", params=endless) as reply:
        blocks = reply.iter_raw()
        next(blocks)
        assert "SESSION_IS_LOCKED" in ask(http, "SELECT 1", 500, session_id=session)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "lz4", "br"])
def test_compression(http: httpx.Client, encoding: str) -> None:
    ask(http, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    rows = b"".join(b"%d\n" % n for n in range(100_000))
    compressor = Compressor(encoding)
    body = compressor.feed(rows) + compressor.end()
    reply = http.post(
        "/", params={"query": "INSERT INTO t FORMAT TSV"}, content=body, headers={"Content-Encoding": encoding}
    )
    assert reply.status_code == 200, reply.text
    for buffered in ("0", "1"):
        parameters = {
            "enable_http_compression": "1",
            "wait_end_of_query": buffered,
            "query": "SELECT a FROM t ORDER BY a",
        }
        with http.stream("POST", "/", params=parameters, headers={"Accept-Encoding": encoding}) as answer:
            assert answer.headers["Content-Encoding"] == encoding
            assert decompress(b"".join(answer.iter_raw()), encoding, 1 << 24) == rows
    plain = http.post("/", content="SELECT 1", headers={"Accept-Encoding": encoding})
    assert "Content-Encoding" not in plain.headers  # not asked for by enable_http_compression


def test_damaged_and_unknown_encodings(http: httpx.Client) -> None:
    for encoding, body, code in (("gzip", b"nothing", "354"), ("snappy", b"x", "48")):
        reply = http.post("/", content=body, headers={"Content-Encoding": encoding})
        assert reply.headers["X-ClickHouse-Exception-Code"] == code
    assert ask(http, "SELECT 1") == "1\n"
    assert "NOT_IMPLEMENTED" in ask(http, "SELECT 1", 501, compress=1)


def test_external_table(http: httpx.Client) -> None:
    files = {"codes": ("codes", b"300413\n000001\n")}
    reply = http.post("/", params={"query": "SELECT count() FROM codes", "codes_structure": "code String"}, files=files)
    assert reply.text == "2\n"
    reply = http.post("/", params={"query": "SELECT sum(_1) FROM n", "n_types": "Int32"}, files={"n": ("n", b"1\n2\n")})
    assert reply.text == "3\n"
    reply = http.post("/", params={"query": "SELECT 1 FROM codes"}, files=files)
    assert "codes_structure" in reply.text
    reply = http.post(
        "/", params={"query": "SELECT 1 FROM n", "n_structure": "a String DEFAULT file('/x')"}, files=files
    )
    assert reply.status_code != 200


def test_an_error_on_the_way_follows_the_data(http: httpx.Client) -> None:
    sql = "SELECT throwIf(number = 500000) FROM numbers(1000000)"
    reply = http.post("/", content=sql, params={"max_block_size": "1000", "max_threads": "1"})
    assert reply.status_code == 200
    tag = reply.headers["X-ClickHouse-Exception-Tag"]
    found = re.search(rf"__exception__\r\n{tag}\r\n(Code: 395.*)\n(\d+) {tag}\r\n__exception__", reply.text, re.DOTALL)
    assert found is not None
    assert int(found[2]) == len(found[1].encode())


def test_same_query_id_twice(http: httpx.Client) -> None:
    parameters = {"query_id": "twice", "query": "SELECT number FROM system.numbers"}
    with http.stream("POST", "/", params=parameters) as reply:
        blocks = reply.iter_raw()
        next(blocks)
        assert "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING" in ask(http, "SELECT 1", 500, query_id="twice")
