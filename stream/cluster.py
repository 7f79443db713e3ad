"""The schema for a ClickHouse cluster, made from the same files as the single node's. Pure: SQL text in, SQL text out.

A table `t` becomes `t_local`, replicated, on every node, and `t`, a `Distributed` table over them, so that every query
and insert reads as on one node. Rows are spread by their document (or else by their sorting key): all versions of a row
lie on one shard, as `FINAL` needs. Views are made on every node; data moved by a migration goes through `t`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ENGINE = re.compile(r"ENGINE = (Replacing)?MergeTree(?:\(([^)]*)\))?")
ORDER_BY = re.compile(r"^ORDER BY (.+?)$", re.MULTILINE)
PATH = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"  # ClickHouse's macros: a renamed table keeps its own path


class NotForClusters(ValueError):
    """A statement of a kind that isn't known here; the text shows it."""


class ClusterSchema:
    """Turns a single node's statements, given in the order of the migrations, into a cluster's."""

    def __init__(self, cluster: str, database: str) -> None:
        self._cluster, self._database = cluster, database
        self._everywhere = f"ON CLUSTER `{cluster}`"
        self._keys: dict[str, str] = {}  # table -> its sharding key

    def render(self, statement: str) -> list[str]:
        """The statements that do on the cluster what `statement` does on one node. Raises `NotForClusters`."""
        everywhere = self._everywhere
        if match := re.match(r"CREATE TABLE (IF NOT EXISTS )?(\w+)", statement):
            name, rest = match[2], statement[match.end() :]
            self._keys[name] = sharding_key(rest)
            return [
                f"CREATE TABLE {match[1] or ''}{name}_local {everywhere}{_replicated(rest)}",
                self._distributed(name),
            ]
        if match := re.match(r"CREATE OR REPLACE VIEW (\w+)", statement):
            return [f"{match[0]} {everywhere}{statement[match.end() :]}"]
        if match := re.fullmatch(r"DROP TABLE IF EXISTS (\w+)(?: SYNC)?", statement):
            return [f"DROP TABLE IF EXISTS {name} {everywhere} SYNC" for name in (match[1], f"{match[1]}_local")]
        if re.fullmatch(r"RENAME TABLE \w+ TO \w+(, \w+ TO \w+)*", statement):
            return self._rename(re.findall(r"(\w+) TO (\w+)", statement))
        if match := re.match(r"ALTER TABLE (\w+) (ADD COLUMN IF NOT EXISTS )", statement):
            change = statement[match.start(2) :]
            return [f"ALTER TABLE {name} {everywhere} {change}" for name in (f"{match[1]}_local", match[1])]
        if match := re.match(r"ALTER TABLE (\w+) (?=(ADD|MATERIALIZE) INDEX |MODIFY SETTING )", statement):
            return [f"ALTER TABLE {match[1]}_local {everywhere} {statement[match.end() :]}"]
        if re.match(r"INSERT INTO \w+ ", statement):
            return [statement]  # through the `Distributed` tables
        raise NotForClusters(f"not known how to do on a cluster: {' '.join(statement.split())[:120]}")

    def _distributed(self, name: str) -> str:
        place = f"'{self._cluster}', '{self._database}', '{name}_local', {self._keys[name]}"
        return f"CREATE TABLE IF NOT EXISTS {name} {self._everywhere} AS {name}_local\nENGINE = Distributed({place})"

    def _rename(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """The local tables change names; the `Distributed` ones, which hold nothing, are made anew."""
        gone = dict.fromkeys(name for pair in pairs for name in pair)
        moves = ", ".join(f"{old}_local TO {new}_local" for old, new in pairs)
        for old, new in pairs:  # one after the other, as the names pass on
            self._keys[new] = self._keys.pop(old)
        return [
            *(f"DROP TABLE IF EXISTS {name} {self._everywhere} SYNC" for name in gone),
            f"RENAME TABLE {moves} {self._everywhere}",
            *(self._distributed(new) for _, new in pairs),
        ]


def sharding_key(definition: str) -> str:
    """What spreads the rows of a table: an expression over its sorting key, given the table's definition."""
    match = ORDER_BY.search(definition)
    columns = [column.strip(" ()`") for column in match[1].split(",")] if match else []
    for column in ("document_id", "id"):
        if column in columns:
            return f"sipHash64({column})"
    return f"sipHash64({', '.join(columns)})" if columns and columns[0] != "tuple" else "rand()"


def _replicated(definition: str) -> str:
    def engine(match: re.Match[str]) -> str:
        arguments = ", ".join(filter(None, (PATH, match[2])))
        return f"ENGINE = Replicated{match[1] or ''}MergeTree({arguments})"

    changed, count = ENGINE.subn(engine, definition)
    if count != 1:
        raise NotForClusters(f"no MergeTree engine to replicate in: {' '.join(definition.split())[:120]}")
    return changed.replace("non_replicated_deduplication_window", "replicated_deduplication_window")
