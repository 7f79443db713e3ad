"""`fengxiang migrate`: create or update the tables."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli import UserError
from deploy.settings import load, redact
from stream.migrate import MigrationError, migrate, read_migrations, rendered
from stream.store import StoreAway


def command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be applied. 只显示")] = False,
) -> None:
    """Create or update the tables in ClickHouse. 建表与迁移"""
    settings = load()
    try:
        done = migrate(settings, dry_run=dry_run)
        statements = rendered(read_migrations(), settings) if dry_run else {}
    except (StoreAway, MigrationError) as error:
        raise UserError(str(error)) from error
    where = redact(settings.clickhouse_url(writer=True))
    if not done:
        print(f"表已是最新 up to date: {where}")
    for migration in done:
        print(f"{'待应用 would apply' if dry_run else '已应用 applied'} {migration}")
        for statement in statements.get(migration.version, []):
            print(f"{statement};\n")
