"""As much of ClickHouse's SQL as its HTTP interface must understand, read token by token.

`read(sql)` finds what kind of answer a statement has, its FORMAT, and where an INSERT's inline data begins. It also
refuses what must never reach an embedded engine: several statements in one request, and everything by which SQL would
touch the host's files or this process (`INTO OUTFILE`, `FROM INFILE`, `file()`, `Python()`). The engine's grants
(`config`) stop table functions and table engines; the grants don't cover these.

The lexer reads bytes, because an INSERT's data need not be UTF-8. It raises nothing but `ChError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from .errors import ChError

TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
       |(?P<string>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
       |(?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
       |(?P<word>[A-Za-z_]\w*)
       |(?P<number>\d[\w.]*)
       |(?P<mark>.)""",
    re.DOTALL | re.VERBOSE,
)
DATA_START = re.compile(rb"[ \t]*\r?\n?")

RETURNS_ROWS = frozenset(
    b"( SELECT WITH FROM SHOW DESC DESCRIBE EXISTS EXPLAIN CHECK KILL VALUES BACKUP RESTORE".split()
)
STREAMABLE = frozenset(b"( SELECT WITH FROM".split())
READS_ONLY = frozenset(b"( SELECT WITH FROM SHOW DESC DESCRIBE EXISTS EXPLAIN CHECK SET USE".split())
REFUSED_FUNCTIONS = frozenset({b"FILE", b"PYTHON"})  # quoted or not, `file('/etc/passwd')` reads the host


class Kind(Enum):
    INSERT = "insert"  # from data: inline, or in the request's body
    ROWS = "rows"  # has a result
    OTHER = "other"  # DDL, SET, INSERT ... SELECT


@dataclass(frozen=True)
class Statement:
    """One statement. For `Kind.INSERT`, `sql[:head_end]` is the INSERT without FORMAT or VALUES and data."""

    sql: bytes
    kind: Kind
    verb: bytes  # the first word in capitals, or b"("
    format: str | None = None
    head_end: int = 0
    data_start: int = 0
    temporary: bool = False  # CREATE TEMPORARY ...

    @property
    def head(self) -> str:
        return self.sql[: self.head_end].decode("utf-8", "replace")

    @property
    def data(self) -> memoryview:
        return memoryview(self.sql)[self.data_start :]

    @property
    def streamable(self) -> bool:
        return self.verb in STREAMABLE

    @property
    def reads_only(self) -> bool:
        """May run by HTTP GET: it changes nothing but the session."""
        return self.verb in READS_ONLY or self.temporary


def quote(value: object) -> str:
    """A SQL string literal."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _refuse(what: str) -> ChError:
    return ChError(344, f"{what} is not allowed here: it would reach this machine's files", "SUPPORT_IS_DISABLED")


def read(sql: bytes) -> Statement:
    """Reads one statement. Raises `ChError` 62 for several or none, 344 for what touches the host."""
    verb, previous, second = b"", b"", b""
    depth, selects, format_start, output_format = 0, False, 0, None
    called: bytes = b""  # the name before the current token, were it a call
    ended = False
    for token in TOKEN.finditer(sql):
        kind, text = token.lastgroup, token.group()
        if kind == "tag":  # the inner group of a heredoc matched last
            kind = "string"
        if kind == "space":
            continue
        if ended:
            if text == b";":
                continue
            raise ChError(62, "Syntax error (Multi-statements are not allowed)", "SYNTAX_ERROR")
        word = text.upper() if kind in ("word", "mark") else b""
        if word == b";":
            ended = True
            continue
        if not verb and (kind == "word" or word == b"("):
            verb = word
        elif verb and not second:
            second = word
        if word == b"(":
            depth += 1
            if called in REFUSED_FUNCTIONS:
                raise _refuse(f"The function {called.decode().lower()}()")
        elif word == b")":
            depth -= 1
        if (previous, word) in ((b"INTO", b"OUTFILE"), (b"FROM", b"INFILE")):
            raise _refuse(f"{previous.decode()} {word.decode()}")
        if depth == 0:
            if word in (b"SELECT", b"WITH"):
                selects = True
            elif word == b"FORMAT":
                format_start = token.start()
            elif previous == b"FORMAT" and kind == "word":
                output_format = text.decode()
                if verb == b"INSERT" and not selects:
                    return _insert(sql, output_format, format_start, token.end())
            elif word == b"VALUES" and verb == b"INSERT" and not selects:
                return _insert(sql, "Values", token.start(), token.end())
        called = text.strip(b'`"').upper() if kind in ("word", "quoted") else b""
        previous = word
    if not verb:
        raise ChError(62, "Syntax error: failed at position 1 (end of query): Empty query", "SYNTAX_ERROR")
    answer = Kind.ROWS if verb in RETURNS_ROWS else Kind.OTHER
    return Statement(sql, answer, verb, output_format, temporary=verb == b"CREATE" and second == b"TEMPORARY")


def _insert(sql: bytes, data_format: str, head_end: int, clause_end: int) -> Statement:
    start = clause_end if (gap := DATA_START.match(sql, clause_end)) is None else gap.end()
    return Statement(sql, Kind.INSERT, b"INSERT", data_format, head_end, start)
