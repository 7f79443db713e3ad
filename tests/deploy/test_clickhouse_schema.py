"""What the product's own SQL needs of the engine, through the gateway."""

from __future__ import annotations

import datetime
import re
from importlib import resources
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client

from tests.fixtures.clickhouse import ClickHouseServer

SHANGHAI = ZoneInfo("Asia/Shanghai")


def first_schema() -> list[str]:
    text = resources.files("stream").joinpath("schema/0001_tables.sql").read_text(encoding="utf-8")
    statements = re.split(r";\s*$", text, flags=re.MULTILINE)
    return [statement for statement in statements if re.search(r"^CREATE", statement, re.MULTILINE)]


@pytest.fixture
def tables(clickhouse: Client) -> Client:
    for statement in first_schema():
        clickhouse.command(statement)
    return clickhouse


def add(client: Client, name: str, version: int, body: str, is_deleted: int = 0) -> None:
    when = datetime.datetime(2026, 7, 3, 9, 30, tzinfo=SHANGHAI)
    columns = ["id", "source", "body", "published_at", "version", "is_deleted"]
    client.insert("documents", [[name, "cls", body, when, version, is_deleted]], column_names=columns)


def test_all_tables_are_made(tables: Client) -> None:
    names = {
        row[0] for row in tables.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_rows
    }
    assert {"documents", "mentions", "document_themes", "reports", "dead_letters", "source_health"} <= names


def test_replaying_and_deleting_rows(tables: Client) -> None:
    add(tables, "a", 1, "old")
    add(tables, "a", 2, "new")
    add(tables, "b", 1, "gone")
    add(tables, "b", 2, "gone", is_deleted=1)
    assert tables.query("SELECT id, body FROM documents FINAL").result_rows == [("a", "new")]
    tables.command("OPTIMIZE TABLE documents FINAL")
    assert tables.query("SELECT id, body FROM documents FINAL").result_rows == [("a", "new")]


def test_text_index_answers_two_characters(tables: Client) -> None:
    add(tables, "a", 1, "贵州茅台发布中报")
    add(tables, "b", 1, "台州贵客盈门")
    found = tables.query("SELECT id FROM documents WHERE hasAllTokens(body, '茅台')").result_rows
    assert found == [("a",)]
    plan = tables.query("EXPLAIN indexes = 1 SELECT id FROM documents WHERE hasAllTokens(body, '茅台')").result_rows
    assert any("by_text" in row[0] for row in plan)


def test_times_keep_their_zone(tables: Client) -> None:
    add(tables, "a", 1, "x")
    when = tables.query("SELECT published_at FROM documents").result_rows[0][0]
    assert (when.hour, str(when.tzinfo)) == (9, "Asia/Shanghai")


def test_parameterised_view(tables: Client, clickhouse_server: ClickHouseServer) -> None:
    add(tables, "a", 1, "x")
    tables.command("CREATE VIEW of_source AS SELECT id FROM documents FINAL WHERE source = {source:String}")
    with clickhouse_server.client(writer=False, database=str(tables.database)) as reader:
        assert reader.query("SELECT * FROM of_source(source = 'cls')").result_rows == [("a",)]
        query = "SELECT count() FROM of_source(source = {s:String})"
        assert reader.query(query, parameters={"s": "other"}).result_rows == [(0,)]


def test_materialized_views(tables: Client) -> None:
    tables.command("CREATE TABLE per_source (source String, n UInt64) ENGINE = SummingMergeTree ORDER BY source")
    tables.command(
        "CREATE MATERIALIZED VIEW counting TO per_source AS SELECT source, count() n FROM documents GROUP BY source"
    )
    tables.command(
        "CREATE MATERIALIZED VIEW hourly REFRESH EVERY 1 HOUR (source String, n UInt64) "
        "ENGINE = MergeTree ORDER BY source EMPTY AS SELECT source, count() n FROM documents FINAL GROUP BY source"
    )
    add(tables, "a", 1, "x")
    assert tables.query("SELECT source, sum(n) FROM per_source GROUP BY source").result_rows == [("cls", 1)]
    tables.command("SYSTEM REFRESH VIEW hourly")
    tables.command("SYSTEM WAIT VIEW hourly")
    assert tables.query("SELECT * FROM hourly").result_rows == [("cls", 1)]


def test_lightweight_delete_and_partitions(tables: Client) -> None:
    add(tables, "a", 1, "x")
    add(tables, "b", 1, "x")
    tables.command("DELETE FROM documents WHERE id = 'a'")
    assert tables.query("SELECT id FROM documents").result_rows == [("b",)]
    tables.command("ALTER TABLE documents DROP PARTITION 202607")
    assert tables.query("SELECT count() FROM documents").result_rows == [(0,)]


def test_changing_a_table(tables: Client) -> None:
    add(tables, "a", 1, "x")
    tables.command("ALTER TABLE documents ADD COLUMN note String DEFAULT 'none'")
    tables.command("ALTER TABLE documents UPDATE note = 'seen' WHERE id = 'a' SETTINGS mutations_sync = 2")
    assert tables.query("SELECT note FROM documents").result_rows == [("seen",)]
    tables.command("TRUNCATE TABLE documents")
    tables.command("RENAME TABLE documents TO old_documents")
    tables.command("DROP TABLE old_documents SYNC")


def test_old_health_rows_expire(tables: Client) -> None:
    old = datetime.datetime(2020, 1, 1, tzinfo=SHANGHAI)
    tables.insert("source_health", [["cls", old, "ok"]], column_names=["source", "checked_at", "state"])
    tables.command("OPTIMIZE TABLE source_health FINAL")
    assert tables.query("SELECT count() FROM source_health").result_rows == [(0,)]


def test_insert_is_not_repeated_with_its_token(clickhouse: Client) -> None:
    clickhouse.command(
        "CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    )
    token = {"insert_deduplicate": 1, "insert_deduplication_token": "documents-0-0-99"}
    for _ in range(2):
        clickhouse.insert("t", [[1], [2]], column_names=["a"], settings=token)
    assert clickhouse.query("SELECT count() FROM t").result_rows == [(2,)]


@pytest.mark.parametrize(
    "table", ["tables", "columns", "parts", "processes", "settings", "functions", "errors", "disks"]
)
def test_system_tables_are_readable(clickhouse: Client, table: str) -> None:
    clickhouse.query(f"SELECT * FROM system.{table} LIMIT 5")


@pytest.mark.parametrize("statement", ["FLUSH LOGS", "STOP MERGES {t}", "START MERGES {t}", "DROP MARK CACHE"])
def test_system_statements(clickhouse: Client, statement: str) -> None:
    clickhouse.command("CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a")
    clickhouse.command("SYSTEM " + statement.format(t=f"{clickhouse.database}.t"))
