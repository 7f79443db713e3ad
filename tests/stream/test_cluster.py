"""The schema for a cluster: the same files, as ReplicatedReplacingMergeTree and Distributed tables."""

from __future__ import annotations

import re

import pytest
from clickhouse_connect.driver.client import Client

from deploy.settings import Settings
from stream.cluster import ClusterSchema, NotForClusters, sharding_key
from stream.migrate import Migration, MigrationError, read_migrations, rendered

SETTINGS = Settings(clickhouse="http://u:p@127.0.0.1:1/news", clickhouse_cluster="prod")


def render(*statements: str) -> list[str]:
    schema = ClusterSchema("prod", "news")
    return [made for statement in statements for made in schema.render(statement)]


def test_a_table_becomes_a_replicated_one_and_one_over_all_shards() -> None:
    local, over_all = render(
        "CREATE TABLE IF NOT EXISTS mentions\n(code String, document_id String, version UInt64)\n"
        "ENGINE = ReplacingMergeTree(version, is_deleted)\nORDER BY (code, document_id)\n"
        "SETTINGS non_replicated_deduplication_window = 1000"
    )
    assert local == (
        "CREATE TABLE IF NOT EXISTS mentions_local ON CLUSTER `prod`\n"
        "(code String, document_id String, version UInt64)\n"
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', version, is_deleted)\n"
        "ORDER BY (code, document_id)\nSETTINGS replicated_deduplication_window = 1000"
    )
    assert over_all == (
        "CREATE TABLE IF NOT EXISTS mentions ON CLUSTER `prod` AS mentions_local\n"
        "ENGINE = Distributed('prod', 'news', 'mentions_local', sipHash64(document_id))"
    )


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("(published_at, id)", "sipHash64(id)"),
        ("(theme, published_at, document_id)", "sipHash64(document_id)"),
        ("id", "sipHash64(id)"),
        ("(source, checked_at)", "sipHash64(source, checked_at)"),
        ("tuple()", "rand()"),
    ],
)
def test_all_versions_of_a_row_go_to_one_shard(order: str, key: str) -> None:
    assert sharding_key(f"(a UInt8)\nENGINE = MergeTree\nORDER BY {order}\nSETTINGS x = 1") == key


def test_a_renamed_table_keeps_its_key_and_its_rows() -> None:
    table = "CREATE TABLE {0} (id String)\nENGINE = MergeTree\nORDER BY {1}"
    made = render(
        table.format("a", "id"),
        table.format("b", "(id, document_id)"),
        "RENAME TABLE a TO c, b TO a",
        "DROP TABLE IF EXISTS c SYNC",
    )[4:]
    assert made[:4] == [
        *(f"DROP TABLE IF EXISTS {name} ON CLUSTER `prod` SYNC" for name in ("a", "c", "b")),
        "RENAME TABLE a_local TO c_local, b_local TO a_local ON CLUSTER `prod`",
    ]
    assert made[4].endswith("'c_local', sipHash64(id))") and made[5].endswith("'a_local', sipHash64(document_id))")
    assert made[6:] == [f"DROP TABLE IF EXISTS {name} ON CLUSTER `prod` SYNC" for name in ("c", "c_local")]


def test_what_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(NotForClusters, match="ALTER TABLE t ADD COLUMN"):
        render("ALTER TABLE t ADD COLUMN c UInt8")
    with pytest.raises(MigrationError, match=r"0001_x: no MergeTree engine"):
        rendered([Migration(1, "x", "CREATE TABLE t (a UInt8) ENGINE = Memory;")], SETTINGS)


def test_without_the_setting_the_files_stand() -> None:
    files = read_migrations()
    assert rendered(files, Settings()) == {migration.version: migration.statements for migration in files}


def test_every_migration_can_be_put_on_a_cluster_and_parses(clickhouse: Client) -> None:
    statements = [s for made in rendered(read_migrations(), SETTINGS).values() for s in made]
    for statement in statements:
        assert clickhouse.query("SELECT formatQuery({sql:String})", parameters={"sql": statement}).result_rows, (
            statement
        )
        assert statement.startswith("INSERT ") or "ON CLUSTER `prod`" in statement
    text = "\n".join(statements)
    engines = re.findall(r"^ENGINE = (\w+)", text, flags=re.MULTILINE)
    assert set(engines) == {"ReplicatedReplacingMergeTree", "ReplicatedMergeTree", "Distributed"}
    assert engines.count("Distributed") >= 16
    assert "non_replicated" not in text
