"""Migrations: in order, once, unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from deploy.settings import Settings
from stream.migrate import Migration, MigrationError, migrate, pending, read_migrations
from stream.store import StoreAway
from tests.fixtures.broker import free_port
from tests.fixtures.clickhouse import ClickHouseServer


@pytest.fixture
def settings(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> Settings:
    return Settings(clickhouse=clickhouse_server.url(database=clickhouse_database))


def tables(client: Client) -> set[str]:
    return {
        row[0] for row in client.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_rows
    }


def test_a_dry_run_changes_nothing_and_a_run_is_done_once(settings: Settings, clickhouse: Client) -> None:
    todo = migrate(settings, dry_run=True)
    assert [m.version for m in todo] == list(range(1, len(todo) + 1)) and len(todo) >= 2
    assert tables(clickhouse) == set()
    assert migrate(settings) == todo
    assert {"documents", "mentions", "theme_trend", "schema_migrations"} <= tables(clickhouse)
    assert migrate(settings) == []


def test_a_run_that_was_cut_off_is_repeated(settings: Settings, clickhouse: Client) -> None:
    migrate(settings)
    clickhouse.command("TRUNCATE TABLE schema_migrations")
    assert len(migrate(settings)) >= 2


def test_the_database_is_made_where_it_is_missing(clickhouse_server: ClickHouseServer) -> None:
    migrate(Settings(clickhouse=clickhouse_server.url(database="made_by_migrate")))
    with clickhouse_server.client(database="made_by_migrate") as client:
        assert "documents" in tables(client)
        client.command("DROP DATABASE made_by_migrate SYNC")


def test_an_applied_file_must_not_change() -> None:
    one = Migration(1, "tables", "SELECT 1;")
    with pytest.raises(MigrationError, match="0001_tables was changed"):
        pending([one], {1: "another checksum"})
    assert pending([one], {1: one.checksum}) == []


def test_tables_of_a_later_program_are_left_alone() -> None:
    with pytest.raises(MigrationError, match="at version 2, this program knows up to 1"):
        pending([Migration(1, "a", "SELECT 1;")], {1: Migration(1, "a", "SELECT 1;").checksum, 2: "x"})


def test_files_are_numbered_without_gaps(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    (tmp_path / "0003_b.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="numbered 1 to 2"):
        read_migrations(tmp_path)
    (tmp_path / "0003_b.sql").rename(tmp_path / "two.sql")
    with pytest.raises(MigrationError, match=r"two\.sql is not named"):
        read_migrations(tmp_path)


def test_statements_are_cut_at_line_ends_and_without_comments() -> None:
    sql = "-- a; comment;\nSELECT 'a;b'\n  -- another\n;\nSELECT 2;  \n"
    assert [" ".join(s.split()) for s in Migration(1, "x", sql).statements] == ["SELECT 'a;b'", "SELECT 2"]


def test_a_store_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(StoreAway) as caught:
        migrate(Settings(clickhouse=f"http://u:geheim@127.0.0.1:{(port := free_port())}/x"), patience=0)
    assert str(caught.value) == (
        f"ClickHouse at http://u:***@127.0.0.1:{port}/x does not answer (connection refused): "
        "start it (make run), or check FENGXIANG_CLICKHOUSE and FENGXIANG_CLICKHOUSE_READER"
    )
