"""The settings, typed: where their values come from, and what follows from them.

Values come from environment variables (`FENGXIANG_` + name, sections joined by `__`:
`FENGXIANG_STREAM__BATCH_SIZE=64`), then `fengxiang.toml` in the current folder (or the file that
`FENGXIANG_CONFIG` names), then the defaults below. An unknown or wrong key raises `SettingsError`, which names it.
Each key is described in docs/operations.md; those of the sections are in `deploy.sections`.

`kafka` and `clickhouse` left empty mean the embedded local stack on loopback, with the tuning that it needs.
"""

from __future__ import annotations

import os
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadError

from deploy.sections import (
    AlertSettings,
    DashboardSettings,
    IngestSettings,
    LocalSettings,
    LogSettings,
    ModelSettings,
    Section,
    StreamSettings,
)

PREFIX = "FENGXIANG_"
CONFIG_VARIABLE = "FENGXIANG_CONFIG"

EDITOR = "editor"  # the dashboard's user for what its readers may change: these tables, and no other
EDITED_TABLES = frozenset(["feedback", "alert_subscriptions", "notes", "replay_requests"])


class SettingsError(ValueError):
    """A setting that is unknown or wrong; the text names it, where it was set, and the remedy."""


class Settings(BaseSettings):
    """All settings; `load()` gives the process's own."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    kafka: str = ""  # host:port[,host:port]; empty: the embedded broker
    clickhouse: str = ""  # http[s]://user:password@host:port/database; empty: the embedded engine
    clickhouse_reader: str = ""  # the same for the read-only user; empty: `clickhouse`, or the local reader
    clickhouse_editor: str = ""  # the same for the dashboard's editor; empty: the local one, else nothing is edited
    clickhouse_cluster: str = Field("", pattern=r"^\w*$")  # its name in remote_servers; empty: a single node
    data_dir: Path = Path("var")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log: LogSettings = LogSettings()
    local: LocalSettings = LocalSettings()
    stream: StreamSettings = StreamSettings()
    model: ModelSettings = ModelSettings()
    ingest: IngestSettings = IngestSettings()
    dashboard: DashboardSettings = DashboardSettings()
    alerts: AlertSettings = AlertSettings()

    @field_validator("kafka")
    @classmethod
    def _kafka(cls, value: str) -> str:
        for host in filter(None, value.split(",")):
            name, _, port = host.strip().rpartition(":")
            if not name or not port.isdigit():
                raise ValueError(f"{host!r} is not host:port")
        return value

    @field_validator("clickhouse", "clickhouse_reader", "clickhouse_editor")
    @classmethod
    def _clickhouse(cls, value: str) -> str:
        if value and not _names_a_store(value):
            raise ValueError(
                f"{redact(value)!r} is not http[s]://user:password@host:port/database; write # / ? of the password"
                " as %23 %2F %3F"
            )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # `load` passes the file as init values: the environment wins

    # ------------------------------------------------------------------ derived

    @property
    def embedded_kafka(self) -> bool:
        return not self.kafka

    @property
    def embedded_clickhouse(self) -> bool:
        return not self.clickhouse

    @property
    def user_themes(self) -> Path:
        """The user's own themes file, which need not exist."""
        return Path(self.model.themes) if self.model.themes else self.data_dir / "themes.yaml"

    @property
    def dashboard_users(self) -> Path:
        """The dashboard's password file, which need not exist."""
        own = self.dashboard.users_file
        return Path(own) if own else self.data_dir / "secrets" / "dashboard-users.json"

    @property
    def dashboard_url(self) -> str:
        """Where readers reach the dashboard."""
        return self.alerts.dashboard_url.rstrip("/") or self.dashboard_address

    @property
    def dashboard_address(self) -> str:
        """Where the dashboard listens."""
        return http_address(self.dashboard.host, self.dashboard.port)

    @property
    def kafka_servers(self) -> list[str]:
        """Bootstrap servers, host:port each."""
        return [s.strip() for s in self.kafka.split(",")] if self.kafka else [f"127.0.0.1:{self.local.kafka_port}"]

    @property
    def log_milliseconds(self) -> int:
        """How long messages stay in the topics that are made: no longer than texts are kept."""
        stream = self.stream
        return int(min(stream.log_days, stream.text_days or stream.log_days) * 86_400_000)

    @property
    def largest_message(self) -> int:
        """Bytes of a message at most: an analysis carries its document."""
        return 2 * self.stream.max_message_bytes + 1_000_000

    @property
    def producer_batch_bytes(self) -> int:
        """kafka-python `batch_size`. The embedded broker counts a batch as one offset: one record each there."""
        return 0 if self.embedded_kafka else 64_000

    def clickhouse_url(self, *, writer: bool) -> str:
        """URL of the store with its user. The local writer's password is made at first start by the local stack."""
        if self.clickhouse:
            return self.clickhouse if writer else self.clickhouse_reader or self.clickhouse
        user = "fengxiang" if writer else "reader"
        password = secret(self.data_dir, "clickhouse-writer") if writer else self.local.reader_password
        return f"http://{user}:{quote(password)}@127.0.0.1:{self.local.clickhouse_port}/fengxiang"

    @property
    def writer_reads(self) -> bool:
        """Whether the reading client is the writer, for want of a reader."""
        return bool(self.clickhouse) and not self.clickhouse_reader

    def clickhouse_editor_url(self) -> str:
        """URL of the store with the user that may fill `EDITED_TABLES`; empty where there is none."""
        if self.clickhouse or self.clickhouse_editor:
            return self.clickhouse_editor
        password = secret(self.data_dir, "clickhouse-editor")
        return f"http://{EDITOR}:{quote(password)}@127.0.0.1:{self.local.clickhouse_port}/fengxiang"


def clickhouse_arguments(url: str) -> dict[str, Any]:
    """Arguments of `clickhouse_connect.get_client` for a store's URL."""
    parts = urlsplit(url)
    return {
        "interface": parts.scheme,
        "host": parts.hostname,
        "port": parts.port or (8443 if parts.scheme == "https" else 8123),
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        "database": parts.path.strip("/") or "fengxiang",
    }


def http_address(host: str, port: int) -> str:
    """The URL of a server on that address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def redact(url: str) -> str:
    """The URL without its password, for logs and messages; the URL may be a wrong one."""
    return re.sub(r"(://[^/:]*:).*@", r"\1***@", url, flags=re.DOTALL)


def _names_a_store(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is no number
    except ValueError:
        return False
    cut = "@" in parts.path + parts.query + parts.fragment  # the password has a # / or ? that ends the host
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not cut


def secret(data_dir: Path, name: str) -> str:
    """A random secret kept in `data_dir/secrets/name` (mode 600), made at first use."""
    import secrets

    path = data_dir / "secrets" / name
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        value = secrets.token_urlsafe(24)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # another process was first
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(value + "\n")
        return value


def settings_file() -> Path:
    """The settings file, which need not exist."""
    return Path(os.environ.get(CONFIG_VARIABLE) or "fengxiang.toml")


def _read_file() -> tuple[dict[str, Any], str]:
    path = settings_file()
    if not path.exists():
        if os.environ.get(CONFIG_VARIABLE):
            raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which does not exist")
        return {}, ""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), str(path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error


def _known_variables(model: type[BaseModel], prefix: str = PREFIX) -> set[str]:
    names = {CONFIG_VARIABLE}
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        names.add(variable)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names |= _known_variables(field.annotation, variable + "__")
    return names


def read() -> Settings:
    """Settings from the environment and the file as they are now. Raises `SettingsError`."""
    return checked(*_read_file())


def checked(values: dict[str, Any], origin: str) -> Settings:
    """Settings from the environment and a file's values; origin: the file's name. Raises `SettingsError`."""
    known = _known_variables(Settings)
    unknown = sorted(v for v in os.environ if v.startswith(PREFIX) and v not in known)
    if unknown:
        raise SettingsError(
            f"unknown setting in the environment: {', '.join(unknown)}; docs/operations.md lists the known ones"
        )
    try:
        return Settings(**values)
    except UnreadError as error:  # it names the section alone; its cause holds the value
        value = getattr(error.__cause__, "doc", None)
        named = [variable for variable in sorted(known & os.environ.keys()) if os.environ[variable] == value]
        raise SettingsError(
            f"environment variable {', '.join(named)}: not JSON, which whole sections and lists are written in;"
            " docs/operations.md describes every key"
        ) from None
    except ValidationError as error:
        lines = []
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"])
            variable = PREFIX + "__".join(str(part).upper() for part in item["loc"])
            place = f"environment variable {variable}" if variable in os.environ else origin or "the settings"
            problem = "unknown key" if item["type"] == "extra_forbidden" else item["msg"] + _got(key, item["input"])
            lines.append(f"{key} in {place}: {problem}")
        raise SettingsError("; ".join(lines) + "; docs/operations.md describes every key") from None


def _got(key: str, value: object) -> str:
    """What stood there, for a message; tables and lists may hold secrets beside what is wrong."""
    secret_value = key.endswith(("token", "password"))
    return "" if secret_value or isinstance(value, dict | list) else f" (got {redact(str(value))!r})"


@lru_cache(maxsize=1)
def load() -> Settings:
    """The process's settings, read once."""
    return read()
