"""The dashboard's user fills the tables that its readers may change, and changes nothing else."""

from __future__ import annotations

from pathlib import Path

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.client import Client

from deploy.local.clickhouse.sql import read
from deploy.local.clickhouse.users import local_users
from deploy.settings import EDITED_TABLES, Settings, clickhouse_arguments
from stream.migrate import migrate
from tests.fixtures.clickhouse import EDITOR_PASSWORD, ClickHouseServer


@pytest.fixture
def tables(clickhouse: Client, clickhouse_server: ClickHouseServer, clickhouse_database: str) -> Client:
    """The project's tables in a fresh database; the writer's client."""
    migrate(Settings(clickhouse=clickhouse_server.url(database=clickhouse_database)))
    return clickhouse


def ask(server: ClickHouseServer, database: str, sql: str, method: str = "POST", **arguments: str) -> httpx.Response:
    url = f"http://{server.host}:{server.port}/"
    parameters = {"database": database, **arguments} | ({"query": sql} if method == "GET" else {})
    body = sql if method == "POST" else None
    auth = ("editor", EDITOR_PASSWORD)
    return httpx.request(method, url, auth=auth, content=body, params=parameters, timeout=60)


def test_editor_fills_its_tables_and_reads(
    tables: Client, clickhouse_server: ClickHouseServer, clickhouse_database: str
) -> None:
    arguments = clickhouse_arguments(clickhouse_server.editor_url(clickhouse_database))
    with clickhouse_connect.get_client(**arguments, autogenerate_session_id=False) as editor:
        names = ["document_id", "kind", "subject", "version"]
        editor.insert("feedback", [["d1", "theme", "game", 1]], column_names=names)
        for table in ("alert_subscriptions", "notes", "replay_requests"):
            editor.insert(table, [["s1", 1]], column_names=["id", "version"])
        assert editor.query("SELECT document_id FROM feedback FINAL").result_rows == [("d1",)]
    for table in ("alert_subscriptions", "notes", "replay_requests"):
        assert tables.query(f"SELECT id FROM {table}").result_rows == [("s1",)]


REFUSED = (
    "INSERT INTO documents (id) VALUES ('x')",
    "INSERT INTO `mentions` (code) VALUES ('x')",
    "INSERT INTO alerts (id) VALUES ('x')",
    "INSERT INTO alert_channels (name) VALUES ('x')",
    "INSERT INTO schema_migrations (version) VALUES (99)",
    "INSERT INTO feedback SELECT * FROM feedback",
    "INSERT INTO feedback (id) SELECT id FROM documents",
    "INSERT INTO /* feedback */ documents (id) VALUES ('feedback')",
    "INSERT INTO documents (id) SETTINGS async_insert = 0 VALUES ('x')",
    "INSERT INTO TABLE FUNCTION remote('127.0.0.1', currentDatabase(), 'feedback') VALUES ('x')",
    "ALTER TABLE feedback DELETE WHERE 1",
    "ALTER TABLE feedback ADD COLUMN x Int8",
    "DELETE FROM feedback WHERE 1",
    "TRUNCATE TABLE feedback",
    "ALTER TABLE notes DELETE WHERE 1",
    "DROP TABLE feedback",
    "OPTIMIZE TABLE feedback",
    "CREATE TABLE feedback2 (a Int8) ENGINE = Memory",
    "CREATE OR REPLACE VIEW documents_now AS SELECT 1",
    "RENAME TABLE feedback TO documents2",
    "SET readonly = 0",
)


@pytest.mark.parametrize("sql", REFUSED)
def test_editor_changes_nothing_else(
    tables: Client, clickhouse_server: ClickHouseServer, clickhouse_database: str, sql: str
) -> None:
    count = "SELECT (SELECT count() FROM documents), (SELECT count() FROM feedback), (SELECT count() FROM mentions)"
    reply = ask(clickhouse_server, clickhouse_database, sql)
    assert reply.status_code != 200, reply.text
    assert tables.query(count).first_row == (0, 0, 0)


def test_editor_fills_nothing_by_get_nor_in_a_session_once_it_has_read(
    tables: Client, clickhouse_server: ClickHouseServer, clickhouse_database: str
) -> None:
    sql = "INSERT INTO feedback (document_id) VALUES ('x')"
    assert ask(clickhouse_server, clickhouse_database, sql, "GET").status_code != 200
    for statement, good in (("SELECT 1", True), (sql, False), ("DROP TABLE feedback", False)):
        reply = ask(clickhouse_server, clickhouse_database, statement, session_id="editors-own")
        assert (reply.status_code == 200) is good, reply.text
    reply = ask(clickhouse_server, clickhouse_database, sql, session_id="another")
    assert reply.status_code != 200
    assert tables.query("SELECT count() FROM feedback").first_row == (0,)


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("INSERT INTO feedback VALUES (1)", "feedback"),
        ("insert into `db`.`feedback` (`a`, `b`) FORMAT Native ", "feedback"),
        ("INSERT INTO TABLE feedback FORMAT TSV\n1", "feedback"),
        ("INSERT INTO FUNCTION null('a Int8') VALUES (1)", ""),
        ("INSERT INTO feedback (a) SETTINGS max_threads = 1 FORMAT TSV\n", ""),
        ("INSERT INTO feedback SELECT 1", ""),
        ("SELECT 1", ""),
    ],
)
def test_which_table_an_insert_fills(sql: str, table: str) -> None:
    assert read(sql.encode()).fills == table


def test_the_local_editor_is_no_writer(tmp_path: Path) -> None:
    users = local_users(Settings(data_dir=tmp_path))
    editor, reader = users["editor"], users["reader"]
    assert (editor.readonly, editor.limits, editor.inserts) == (2, reader.limits, EDITED_TABLES)
    assert editor.sha256 not in (reader.sha256, users["fengxiang"].sha256) and not reader.inserts
