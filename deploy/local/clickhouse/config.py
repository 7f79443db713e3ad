"""The engine's configuration: what its one internal user is granted, and a settings profile for each user's limits.

The engine is configured by two XML files that are written at every start; it is never left to find a `config.xml` of
its own, which it would load silently from the working folder. The grants are the wall between SQL and this machine:
no table function that reads files or the network, and only table engines that keep data here (a table of another
engine, ENGINE=Kafka for one, could make the data folder unloadable).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from .users import User

GRANTS = (
    "SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE DICTIONARY, "
    "CREATE TEMPORARY TABLE, CREATE FUNCTION, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, KILL QUERY, SHOW ROW POLICIES, "
    "SYSTEM FLUSH LOGS, SYSTEM VIEWS, SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM DROP CACHE, SYSTEM RELOAD DICTIONARY, "
    "dictGet, INTROSPECTION"
)
TABLE_ENGINES = (
    *("MergeTree", "ReplacingMergeTree", "AggregatingMergeTree", "SummingMergeTree", "CollapsingMergeTree"),
    *("VersionedCollapsingMergeTree", "Memory", "View", "MaterializedView", "Null", "Buffer", "Set", "Join", "Merge"),
    *("Log", "TinyLog", "StripeLog", "Dictionary"),
)
DATABASE_ENGINES = ("Atomic", "Memory")
SYSTEM_DATABASES = ("system", "information_schema", "INFORMATION_SCHEMA")


def _profile(user: User) -> str:
    bounds = "".join(f"<{name}><min>1</min><max>{value}</max></{name}>" for name, value in user.limits.items())
    return f"<{user.profile}><constraints>{bounds}</constraints></{user.profile}>"


def users_xml(users: Iterable[User]) -> str:
    """Profiles of all users, and the one engine user that every handle runs as."""
    queries = [f"GRANT {GRANTS} ON *.*"]
    queries += [f"REVOKE ALTER, CREATE, DROP, TRUNCATE, INSERT ON {database}.*" for database in SYSTEM_DATABASES]
    queries += [f"GRANT TABLE ENGINE ON {engine}" for engine in (*TABLE_ENGINES, *DATABASE_ENGINES)]
    grants = "".join(f"<query>{escape(query)}</query>" for query in queries)
    return (
        f"<clickhouse><profiles><default/>{''.join(map(_profile, users))}</profiles><quotas><default/></quotas>"
        "<users><default><password/><networks><ip>::/0</ip></networks><profile>default</profile>"
        f"<quota>default</quota><grants>{grants}</grants></default></users></clickhouse>\n"
    )


def engine_xml(users_path: Path, memory_bytes: int) -> str:
    """The engine's main file; caches and threads are sized for a machine that also runs everything else."""
    return (
        f"<clickhouse><users_config>{escape(str(users_path))}</users_config>"
        "<access_control_improvements><table_engines_require_grant>true</table_engines_require_grant>"
        "</access_control_improvements><remote_url_allow_hosts/>"
        f"<max_server_memory_usage>{memory_bytes}</max_server_memory_usage>"
        f"<mark_cache_size>{memory_bytes // 16}</mark_cache_size>"
        f"<index_mark_cache_size>{memory_bytes // 16}</index_mark_cache_size>"
        "</clickhouse>\n"
    )


def write(folder: Path, users: Iterable[User], memory_bytes: int) -> Path:
    """Writes both files into `folder`; returns the path of the main one. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    users_path, engine_path = folder / "users.xml", folder / "engine.xml"
    users_path.write_text(users_xml(users), encoding="utf-8")
    engine_path.write_text(engine_xml(users_path.resolve(), memory_bytes), encoding="utf-8")
    return engine_path
