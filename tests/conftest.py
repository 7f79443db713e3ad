"""Fixtures live in tests/fixtures, one module per thing that is started for real."""

from hypothesis import settings

# No deadline an example, which a busy machine would miss, and the same examples in every run: what a change is refused
# for should be of its making. `ARGS=--hypothesis-profile=default make test` looks further.
settings.load_profile("ci")

pytest_plugins = ["tests.fixtures.broker", "tests.fixtures.clickhouse"]
