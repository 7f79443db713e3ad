"""Numbered migrations: `stream/schema/NNNN_name.sql`, applied in order, once each.

What has been applied is kept, with a checksum, in `schema_migrations`: an applied file must not change. A statement
ends with ";" at the end of a line. Statements are written so that a run that was cut off can be repeated.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from deploy.settings import Settings
from stream.cluster import ClusterSchema, NotForClusters
from stream.store import StoreAway, connect, database_name, first_line

SCHEMA = Path(__file__).parent / "schema"
FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
VERSION_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations
(version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ReplacingMergeTree
ORDER BY version
"""


class MigrationError(RuntimeError):
    """The schema can't be brought up to date; the text names the migration and the remedy."""


@dataclass(frozen=True)
class Migration:
    """One file of the schema folder."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()[:16]

    @property
    def statements(self) -> list[str]:
        """The file's statements without comments, for a single node."""
        bare = re.sub(r"^\s*--.*$", "", self.sql, flags=re.MULTILINE)
        return [s for part in re.split(r";[ \t]*(?:\n|$)", bare) if (s := part.strip())]

    def __str__(self) -> str:
        return f"{self.version:04d}_{self.name}"


def read_migrations(folder: Path = SCHEMA) -> list[Migration]:
    """The folder's migrations in order. Raises `MigrationError` for a gap, a repeat or a name of another form."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(f"{path.name} is not named NNNN_name.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    if [m.version for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError(
            f"migrations are not numbered 1 to {len(found)} without gaps: {', '.join(map(str, found))}"
        )
    return found


def pending(migrations: list[Migration], applied: dict[int, str]) -> list[Migration]:
    """What is still to be applied, given version -> checksum of what has been. Raises `MigrationError`."""
    known = {migration.version: migration for migration in migrations}
    for version, checksum in applied.items():
        if version not in known:
            raise MigrationError(
                f"the tables are at version {version}, this program knows up to {len(known)}: upgrade it"
            )
        if known[version].checksum != checksum:
            raise MigrationError(
                f"{known[version]} was changed after it had been applied: restore the file, and write a new migration"
            )
    return [migration for migration in migrations if migration.version not in applied]


def rendered(migrations: Sequence[Migration], settings: Settings) -> dict[int, list[str]]:
    """Version -> the statements that are sent: the file's, or those for the cluster that the settings name.

    Give all migrations from the first on. Raises `MigrationError` for a statement that can't be put on a cluster.
    """
    if not settings.clickhouse_cluster:
        return {migration.version: migration.statements for migration in migrations}
    schema = ClusterSchema(settings.clickhouse_cluster, database_name(settings))
    found: dict[int, list[str]] = {}
    for migration in migrations:
        try:
            found[migration.version] = [s for statement in migration.statements for s in schema.render(statement)]
        except NotForClusters as error:
            raise MigrationError(f"{migration}: {error}") from error
    return found


def applied_versions(client: Client, database: str) -> dict[int, str]:
    """Version -> checksum, as the store has them; empty before the first migration."""
    if not client.command(f"EXISTS TABLE `{database}`.schema_migrations"):
        return {}
    rows = client.query(f"SELECT version, checksum FROM `{database}`.schema_migrations FINAL").result_rows
    return {int(version): str(checksum) for version, checksum in rows}


def migrate(settings: Settings, *, dry_run: bool = False, patience: float = 30.0) -> list[Migration]:
    """Apply what is pending and return it; with `dry_run` only return it.

    Waits up to `patience` seconds for ClickHouse. Raises `StoreAway` when it doesn't come, `MigrationError` when a
    statement fails.
    """
    database = database_name(settings)
    deadline = time.monotonic() + patience
    while True:
        try:
            client = connect(settings, writer=True, database=False)
            break
        except StoreAway:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.25)
    try:
        migrations = read_migrations()
        todo = pending(migrations, applied_versions(client, database))
        if dry_run or not todo:
            return todo
        cluster = settings.clickhouse_cluster
        everywhere = f" ON CLUSTER `{cluster}`" if cluster else ""
        client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`{everywhere}")
        client.database = database
        statements = rendered([Migration(0, "schema_migrations", VERSION_TABLE), *migrations], settings)
        _apply(client, "the table of versions", statements[0])
        for migration in todo:
            _apply(client, str(migration), statements[migration.version])
            row = [[migration.version, migration.name, migration.checksum]]
            client.insert("schema_migrations", row, column_names=["version", "name", "checksum"])
        return todo
    finally:
        client.close()


def _apply(client: Client, name: str, statements: Sequence[str]) -> None:
    for statement in statements:
        try:
            client.command(statement)
        except Exception as error:
            head = " ".join(statement.split())[:80]
            raise MigrationError(f"{name} failed at «{head} …»: {first_line(error)}") from error
