"""Fixtures live in tests/fixtures, one module per thing that is started for real."""

from hypothesis import settings

pytest_plugins = ["tests.fixtures.broker", "tests.fixtures.clickhouse"]

# Speed is measured in tests/bench; on a busy machine a time limit an example would fail tests of something else.
settings.register_profile("fengxiang", deadline=None)
settings.load_profile("fengxiang")
