"""As much of ClickHouse's SQL as its HTTP interface must understand, read token by token.

`read(sql)` finds what kind of answer a statement has, its FORMAT, and where an INSERT's inline data begins. It also
refuses what must never reach an engine inside this process: several statements in one request (chDB would run them
all), and what reaches the host's files or this process by another way than table functions and engines, which the
grants stop (`config`). Where the kernel can, `sandbox` stands behind this.

Tokens are ClickHouse's own: where both might read a text differently, it is refused. The lexer reads bytes, because
an INSERT's data need not be UTF-8, and it stops where the data begins. It raises nothing but `ChError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .errors import ChError

TOKEN = re.compile(
    rb"""(?P<string>'(?:[^'\\]|\\.|'')*+'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\xe2\x80\x98.*?\xe2\x80\x99)
       |(?P<quoted>`(?:[^`\\]|\\.|``)*+`|"(?:[^"\\]|\\.|"")*+"|\xe2\x80\x9c.*?\xe2\x80\x9d)
       |(?P<space>\s+|--[^\n]*|//[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
       |(?P<word>[A-Za-z_$][\w$]*)
       |(?P<number>\d[\w.]*+(?!\$))
       |(?P<broken>['"`\d]|/\*|\xe2\x80[\x98\x9c])
       |(?P<foreign>[\x80-\xff])
       |(?P<mark>.)""",
    re.DOTALL | re.VERBOSE,
)
LONGEST = 1 << 20  # bytes of a statement without an INSERT's data
MOST_UNCLOSED = 100  # words such as $x$, each of which might have begun a string and was looked for to the end
ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
PLAIN_INSERT = re.compile(
    rb"\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?:`?\w+`?\.)?`?(\w+)`?\s*(?:\(\s*`?\w+`?(?:\s*,\s*`?\w+`?)*\s*\)\s*)?",
    re.IGNORECASE,
)
DATA_START = re.compile(rb"[ \t\f]*\r?\n?")

RETURNS_ROWS = frozenset((b"(", b"SELECT", b"WITH", b"FROM", b"SHOW", b"DESC", b"DESCRIBE", b"EXISTS", b"EXPLAIN"))
RETURNS_ROWS |= {b"CHECK", b"KILL"}
STREAMABLE = frozenset((b"(", b"SELECT", b"WITH", b"FROM"))
READS_ONLY = RETURNS_ROWS - {b"KILL"} | {b"SET", b"USE"}

HOST_FUNCTIONS = frozenset((b"FILE", b"PYTHON"))  # a scalar function that reads any file; this process's variables
HOST_CLAUSES = frozenset(((b"INTO", b"OUTFILE"), (b"FROM", b"INFILE")))
TAKES_FUNCTION = (b"ARRAY", b"MAP", b"APPLY")  # functions of these names may take another one by its bare name
LOCAL_DICTIONARY_SOURCES = frozenset((b"CLICKHOUSE", b"NULL"))
NAMES_FOLLOW = frozenset((b"INTO", b"TABLE", b"."))  # FORMAT or VALUES after these is a table's name


class Kind(Enum):
    INSERT = "insert"  # of data, inline or in the request's body
    ROWS = "rows"  # has a result
    OTHER = "other"  # DDL, SET, INSERT ... SELECT


@dataclass(frozen=True)
class Statement:
    """One statement. For `Kind.INSERT`, `head` is the INSERT without FORMAT or VALUES, and without `data`."""

    sql: bytes
    kind: Kind
    verb: bytes  # the first word in capitals, or b"("
    format: str | None = None
    head_end: int = 0
    data_start: int = 0
    temporary: bool = False  # CREATE TEMPORARY ...

    @property
    def head(self) -> bytes:
        return self.sql[: self.head_end]

    @property
    def data(self) -> memoryview:
        return memoryview(self.sql)[self.data_start :]

    @property
    def fills(self) -> str:
        """The table that this fills with the request's data and does nothing else; empty for any other statement."""
        found = PLAIN_INSERT.fullmatch(self.head) if self.kind is Kind.INSERT else None
        return found[1].decode() if found else ""

    @property
    def streamable(self) -> bool:
        return self.verb in STREAMABLE

    @property
    def reads_only(self) -> bool:
        """May run by HTTP GET: it changes nothing but the session."""
        return self.verb in READS_ONLY or self.temporary


class Token(NamedTuple):
    kind: str  # string, quoted, word, number, mark
    text: bytes
    start: int
    end: int

    @property
    def word(self) -> bytes:
        """A keyword or mark, in capitals; empty for what can't be one."""
        return self.text.upper() if self.kind in ("word", "mark") else b""

    @property
    def name(self) -> bytes:
        """An identifier, quoted or not, in capitals; empty for what can't be one."""
        if self.kind == "quoted":
            plain = ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], self.text)
            return plain.strip(b'`"\xe2\x80\x9c\x9d').upper()
        return self.text.upper() if self.kind == "word" else b""


NOTHING = Token("mark", b"", 0, 0)


def quote(value: object) -> str:
    """A SQL string literal."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def tokens(sql: bytes, limit: int) -> Iterator[Token]:
    """The tokens but for space and comments. Raises `ChError` 62 for what is not closed, or beyond `limit` bytes."""
    position = unclosed = 0
    while position < len(sql):
        if position > limit:
            raise ChError(62, f"Syntax error: Max query size exceeded ({limit} bytes before data)", "SYNTAX_ERROR")
        found = TOKEN.match(sql, position)
        assert found is not None and found.lastgroup is not None  # `mark` takes any byte
        position = found.end()
        unclosed += found.lastgroup == "word" and found.group().startswith(b"$")
        if found.lastgroup == "broken" or unclosed > MOST_UNCLOSED:
            at = found.start() + 1
            raise ChError(62, f"Syntax error: failed at position {at}: not closed or not a number", "SYNTAX_ERROR")
        if found.lastgroup not in ("space", "foreign"):  # ClickHouse takes some foreign bytes for space, no other
            yield Token(found.lastgroup, found.group(), found.start(), found.end())


class HostGuard:
    """Sees each token of a text in turn; raises `ChError` 344 when one would reach the host."""

    def __init__(self) -> None:
        self._before = self._previous = NOTHING
        self._caller = b""  # the name before the last opening parenthesis

    def see(self, token: Token) -> None:
        previous = self._previous
        if (previous.word, token.word) in HOST_CLAUSES:
            raise _refused(f"{previous.word.decode()} {token.word.decode()}")
        if token.word == b"(":
            self._caller = previous.name
            if previous.name in HOST_FUNCTIONS:
                raise _refused(f"The function {previous.text.decode()}()")
        elif token.name in HOST_FUNCTIONS and (
            previous.word == b"APPLY" or (previous.word == b"(" and self._caller.startswith(TAKES_FUNCTION))
        ):
            raise _refused(f"The function {token.text.decode()}")
        if (self._before.word, previous.word) == (b"SOURCE", b"(") and token.name not in LOCAL_DICTIONARY_SOURCES:
            raise _refused(f"A dictionary's source {token.text.decode('utf-8', 'replace')}")
        self._before, self._previous = previous, token


def check(sql: bytes) -> None:
    """Raises `ChError` when SQL that is part of a statement (a table's structure, VALUES) would reach the host."""
    if any(name in sql.upper() for name in (*HOST_FUNCTIONS, b"OUTFILE", b"INFILE")):
        guard = HostGuard()
        for token in tokens(sql, len(sql)):
            guard.see(token)


def read(sql: bytes) -> Statement:
    """Reads one statement. Raises `ChError` 62 for none, several or a broken one, 344 for what reaches the host."""
    guard = HostGuard()
    start: list[bytes] = []  # the first words
    depth, selects, ended = 0, False, False
    before = previous = NOTHING
    output_format: str | None = None
    for token in tokens(sql, LONGEST):
        word = token.word
        if ended and word != b";":
            raise ChError(62, "Syntax error (Multi-statements are not allowed)", "SYNTAX_ERROR")
        if word == b";":
            ended = True
            continue
        guard.see(token)
        if len(start) < 8:
            start.append(word or token.name)
        depth += (word == b"(") - (word == b")")
        inserts = start[0] == b"INSERT" and not selects
        if output_format and word != b"SETTINGS" and previous.text == output_format.encode():
            output_format = None  # FORMAT was a name: nothing but SETTINGS follows the clause
        if depth == 0 and word in (b"SELECT", b"WITH"):
            selects = True
        elif previous.word == b"FORMAT" and depth == 0 and before.word not in NAMES_FOLLOW and token.kind == "word":
            output_format = token.text.decode()
            if inserts:
                return _insert(sql, output_format, previous.start, token.end)
        elif word == b"VALUES" and depth == 0 and previous.word not in NAMES_FOLLOW and inserts:
            return _insert(sql, "Values", token.start, token.end)
        before, previous = previous, token
    if not start:
        raise ChError(62, "Syntax error: failed at position 1 (end of query): Empty query", "SYNTAX_ERROR")
    _keep_default(start)
    kind = Kind.ROWS if start[0] in RETURNS_ROWS else Kind.OTHER
    return Statement(sql, kind, start[0], output_format, temporary=start[:2] == [b"CREATE", b"TEMPORARY"])


def _insert(sql: bytes, data_format: str, head_end: int, clause_end: int) -> Statement:
    gap = DATA_START.match(sql, clause_end)
    assert gap is not None  # it matches nothing, too
    if data_format == "Values":  # they are expressions
        check(sql[clause_end:])
    return Statement(sql, Kind.INSERT, b"INSERT", data_format, head_end, gap.end())


def _keep_default(start: list[bytes]) -> None:
    """Refuses to lose the `default` database: the engine opens no handle without it."""
    words = [word for word in start if word not in (b"IF", b"EXISTS")]
    if words[1:3] == [b"DATABASE", b"DEFAULT"] and words[0] in (b"DROP", b"DETACH", b"RENAME"):
        raise ChError(
            344, "The database `default` can't be removed: every new connection needs it", "SUPPORT_IS_DISABLED"
        )


def _refused(what: str) -> ChError:
    reason = f"{what} is not allowed here: it would reach the files or the process of the machine that runs ClickHouse"
    return ChError(344, reason, "SUPPORT_IS_DISABLED")
