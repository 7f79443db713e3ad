"""An HTTP request as ClickHouse reads it: statement, settings, parameters, external tables."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

from .errors import ChError
from .sql import Statement, read

# Query arguments that are the protocol's own; `param_*` are parameters; all others are settings.
PROTOCOL_ARGUMENTS = frozenset(
    (
        *("query", "query_id", "database", "default_format", "user", "password", "role", "quota_key", "stacktrace"),
        *("session_id", "session_timeout", "session_check", "close_session", "client_protocol_version"),
        *("compress", "decompress", "enable_http_compression", "http_zlib_compression_level"),
        *("wait_end_of_query", "buffer_size", "send_progress_in_http_headers", "add_http_cors_header"),
        *("http_headers_progress_interval_ms", "http_write_exception_in_output_format"),
        "cancel_http_readonly_queries_on_client_close",
    )
)
SETTING_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
PARAMETER_NAME = re.compile(r"[\w$]+", re.ASCII)
FORMAT_NAME = re.compile(r"\w+", re.ASCII)
PARAMETER = "param_"


@dataclass(frozen=True)
class ExternalTable:
    """A temporary table that comes with the request (multipart/form-data)."""

    name: str
    structure: str
    format: str
    data: bytes


@dataclass
class Request:
    """What to run and how. `arguments` are those of the URL, and of the form in a multipart body."""

    statement: Statement
    query_id: str
    arguments: Mapping[str, str]
    output_format: str
    database: str | None
    is_get: bool
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    tables: list[ExternalTable] = field(default_factory=list)

    @property
    def buffered(self) -> bool:
        return self.arguments.get("wait_end_of_query") == "1"


def credentials(http: web.Request) -> tuple[str, str]:
    """User and password, from the arguments, Authorization or X-ClickHouse-User/-Key. Raises `ChError` 516."""
    name, password = http.headers.get("X-ClickHouse-User", ""), http.headers.get("X-ClickHouse-Key", "")
    scheme, _, value = http.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise ChError(516, "The Authorization header is not valid Basic", "AUTHENTICATION_FAILED") from None
    elif scheme:
        raise ChError(516, f"{scheme} authentication is not supported; use Basic", "AUTHENTICATION_FAILED")
    return http.query.get("user") or name or "default", http.query.get("password", password)


def query_id(http: web.Request) -> str:
    return http.query.get("query_id") or http.headers.get("X-ClickHouse-Query-Id") or str(uuid.uuid4())


async def form(http: web.Request, limit: int) -> tuple[dict[str, str], dict[str, bytes]]:
    """Fields and files of a multipart body. Raises `ChError` 412 beyond `limit` bytes."""
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    size = 0
    async for part in await http.multipart():
        if not isinstance(part, BodyPartReader) or not part.name:
            continue
        data = bytes(await part.read(decode=False))
        size += len(data)
        if size > limit:
            raise ChError(412, f"Request body is larger than {limit} bytes", "QUERY_IS_TOO_LARGE")
        if part.filename is None:
            fields[part.name] = data.decode("utf-8", "surrogateescape")
        else:
            files[part.name] = data
    return fields, files


def external_tables(files: Mapping[str, bytes], arguments: dict[str, str]) -> list[ExternalTable]:
    """Takes `<name>_structure` (or `_types`) and `<name>_format` out of the arguments, for each file."""
    tables = []
    for name, data in files.items():
        structure = arguments.pop(f"{name}_structure", "")
        types = arguments.pop(f"{name}_types", "")
        if not structure and types:
            structure = ", ".join(f"_{i} {type_name}" for i, type_name in enumerate(types.split(","), start=1))
        if not structure:
            raise ChError(36, f"External table {name} needs {name}_structure or {name}_types", "BAD_ARGUMENTS")
        tables.append(ExternalTable(name, structure, arguments.pop(f"{name}_format", "TabSeparated"), data))
    return tables


def assemble(
    arguments: dict[str, str],
    headers: Mapping[str, str],
    body: bytes,
    files: Mapping[str, bytes],
    query_id: str,
    is_get: bool,
) -> Request:
    """The request, from the parts of HTTP. Raises `ChError`."""
    tables = external_tables(files, arguments)
    query = arguments.get("query", "").encode("utf-8", "surrogateescape")
    statement = read(query + b"\n" + body if query and body else query or body)
    if arguments.get("compress") == "1" or arguments.get("decompress") == "1":
        reason = "Block framing (compress=1, decompress=1) is not supported; use Accept-Encoding and Content-Encoding"
        raise ChError(48, reason, "NOT_IMPLEMENTED")
    settings, parameters = {}, {}
    for name, value in arguments.items():
        if name.startswith(PARAMETER):
            parameters[name.removeprefix(PARAMETER)] = value
        elif name not in PROTOCOL_ARGUMENTS:
            settings[name] = value
    output_format = statement.format or arguments.get("default_format") or headers.get("X-ClickHouse-Format")
    # all three become part of SQL: a name must be no more than a name
    _require(SETTING_NAME, settings, ChError(115, "Unknown setting: not a name", "UNKNOWN_SETTING"))
    _require(PARAMETER_NAME, parameters, ChError(36, "A parameter's name must be a word", "BAD_ARGUMENTS"))
    formats = [output_format or "TabSeparated", *(table.format for table in tables)]
    _require(FORMAT_NAME, formats, ChError(73, "Unknown format: not a name", "UNKNOWN_FORMAT"))
    return Request(
        statement=statement,
        arguments=arguments,
        output_format=formats[0],
        database=arguments.get("database") or headers.get("X-ClickHouse-Database"),
        settings=settings,
        parameters=parameters,
        tables=tables,
        query_id=query_id,
        is_get=is_get,
    )


def _require(pattern: re.Pattern[str], names: Iterable[str], error: ChError) -> None:
    if not all(map(pattern.fullmatch, names)):
        raise error
