"""A SQL statement with its parameters, as pages pass it about, run it and show it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.trading import SHANGHAI

TIME = "DateTime64(3, 'Asia/Shanghai')"
# Of every query. Times are part of each table's key: rows of other times are left out before versions are compared.
SETTINGS = {"optimize_move_to_prewhere_if_final": 1}

Value = str | int | float | list[str] | list[int]

_PARAMETER = re.compile(r"\{(\w+):((?:[^{}'\"]|'[^']*')+)\}")


def clock(at: datetime) -> str:
    """A time as ClickHouse reads it in Shanghai, to the millisecond."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


@dataclass(frozen=True)
class Query:
    """SQL with {name:Type} places that ClickHouse itself fills from `parameters`."""

    sql: str
    parameters: dict[str, Any]

    def literal(self) -> str:
        """The statement with its values written in, to read or to paste into any client."""

        def fill(match: re.Match[str]) -> str:
            return _literal(self.parameters[match[1]], match[2])

        return _PARAMETER.sub(fill, self.sql).strip()


def query(sql: str, **parameters: Value | datetime) -> Query:
    """A `Query`; times become Shanghai wall-clock text, which {x:DateTime64(3, 'Asia/Shanghai')} reads."""
    return Query(sql, {k: clock(v) if isinstance(v, datetime) else v for k, v in parameters.items()})


def _literal(value: Any, type_: str) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_literal(v, "String" if isinstance(v, str) else "") for v in value) + "]"
    if not isinstance(value, str):
        return str(value)
    text = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return text if type_ in ("String", "") else f"CAST({text} AS {type_})"
