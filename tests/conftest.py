"""Fixtures live in tests/fixtures, one module per thing that is started for real."""

pytest_plugins = ["tests.fixtures.broker", "tests.fixtures.clickhouse"]
