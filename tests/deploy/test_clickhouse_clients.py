"""Unmodified clients: clickhouse-connect (sync, async, pandas, Arrow) and SQLAlchemy."""

from __future__ import annotations

import asyncio
import datetime
import uuid
from zoneinfo import ZoneInfo

import clickhouse_connect
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from deploy.settings import clickhouse_arguments
from tests.fixtures.clickhouse import WRITER_PASSWORD, ClickHouseServer

SHANGHAI = ZoneInfo("Asia/Shanghai")
TABLE = (
    "CREATE TABLE documents (id String, title String, published_at DateTime64(3, 'Asia/Shanghai'), "
    "codes Array(String), score Nullable(Float64)) ENGINE = MergeTree ORDER BY id"
)
WHEN = datetime.datetime(2026, 7, 3, 9, 30, tzinfo=SHANGHAI)
ROWS = [
    ["a", "芒果超媒：上半年净利增长", WHEN, ["300413.SZ"], 0.5],
    ["b", "'; DROP TABLE documents; --\n\n", WHEN, [], None],
]
COLUMNS = ["id", "title", "published_at", "codes", "score"]


def test_sync_client(clickhouse: Client) -> None:
    clickhouse.command(TABLE)
    clickhouse.insert("documents", ROWS, column_names=COLUMNS)
    assert [list(row) for row in clickhouse.query("SELECT * FROM documents ORDER BY id").result_rows] == ROWS
    found = clickhouse.query(
        "SELECT title FROM documents WHERE has(codes, {code:String})", parameters={"code": "300413.SZ"}
    )
    assert found.result_rows == [(ROWS[0][1],)]
    assert found.summary  # tells rows and bytes read
    with clickhouse.query_rows_stream("SELECT number FROM numbers(200000)") as stream:
        assert sum(row[0] for row in stream) == 199_999 * 100_000
    assert clickhouse.query("SELECT * FROM documents WHERE 0").result_rows == []
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        clickhouse.query("SELECT * FROM nothing_like_it")


@pytest.mark.parametrize("compression", ["lz4", "zstd", "gzip", "br", False])
def test_client_compression(
    clickhouse_server: ClickHouseServer, clickhouse_database: str, compression: str | bool
) -> None:
    with clickhouse_server.client(database=clickhouse_database, compress=compression) as client:
        client.command(TABLE)
        client.insert("documents", ROWS * 500, column_names=COLUMNS)
        assert client.query("SELECT count(), uniqExact(id) FROM documents").result_rows == [(1000, 2)]
        assert len(client.query("SELECT * FROM documents").result_rows) == 1000


def test_async_client(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> None:
    async def main() -> list[int]:
        arguments = clickhouse_arguments(clickhouse_server.url(database=clickhouse_database))
        async with await clickhouse_connect.get_async_client(**arguments, autogenerate_session_id=False) as client:
            await client.command(TABLE)
            await client.insert("documents", ROWS, column_names=COLUMNS)
            queries = [client.query(f"SELECT {n} + count() FROM documents") for n in range(20)]
            return [reply.result_rows[0][0] for reply in await asyncio.gather(*queries)]

    assert asyncio.run(main()) == [n + 2 for n in range(20)]


def test_pandas(clickhouse: Client) -> None:
    clickhouse.command("CREATE TABLE t (code String, day Date, score Float64) ENGINE = MergeTree ORDER BY code")
    days = pd.to_datetime(["2026-07-01", "2026-07-02"])
    frame = pd.DataFrame({"code": ["300413.SZ", "601595.SH"], "day": days, "score": [0.1, -1.0]})
    clickhouse.insert_df("t", frame)
    result = clickhouse.query_df("SELECT * FROM t ORDER BY code")
    pd.testing.assert_frame_equal(result, frame, check_dtype=False)


def test_arrow(clickhouse: Client) -> None:
    clickhouse.command("CREATE TABLE t (code String, score Float64) ENGINE = MergeTree ORDER BY code")
    table = pa.table({"code": ["300413.SZ", "601595.SH"], "score": [0.5, -0.25]})
    clickhouse.insert_arrow("t", table)
    assert clickhouse.query_arrow("SELECT * FROM t ORDER BY code", use_strings=True).to_pydict() == table.to_pydict()


def test_session_and_temporary_table(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> None:
    with clickhouse_server.client(database=clickhouse_database, session_id=uuid.uuid4().hex) as client:
        client.command("CREATE TEMPORARY TABLE chosen (code String)")
        client.insert("chosen", [["300413.SZ"], ["601595.SH"]], column_names=["code"])
        assert client.query("SELECT count() FROM chosen").result_rows == [(2,)]
    with clickhouse_server.client(database=clickhouse_database) as client, pytest.raises(DatabaseError):
        client.query("SELECT count() FROM chosen")


def test_sqlalchemy(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> None:
    place = f"fengxiang:{WRITER_PASSWORD}@{clickhouse_server.host}:{clickhouse_server.port}/{clickhouse_database}"
    engine = sa.create_engine(f"clickhousedb://{place}")
    with engine.connect() as connection:
        connection.execute(sa.text(TABLE))
        connection.execute(sa.text("INSERT INTO documents (id, title) VALUES ('a', 'one'), ('b', 'two')"))
        table = sa.Table("documents", sa.MetaData(), autoload_with=connection)
        assert [column.name for column in table.columns] == COLUMNS
        query = sa.select(table.c.id, table.c.title).where(table.c.title == "two")
        assert connection.execute(query).all() == [("b", "two")]
        frame = pd.read_sql(sa.text("SELECT id, length(title) AS n FROM documents ORDER BY id"), connection)
        assert frame.to_dict("list") == {"id": ["a", "b"], "n": [3, 3]}
        assert clickhouse_database in sa.inspect(connection).get_schema_names()
    engine.dispose()
