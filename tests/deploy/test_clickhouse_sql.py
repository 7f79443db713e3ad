"""The gateway's reading of SQL: kind, format, where data begins, and what it refuses."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deploy.local.clickhouse.errors import ChError
from deploy.local.clickhouse.sql import Kind, check, identifier, quote, read


@pytest.mark.parametrize(
    ("sql", "kind", "output_format"),
    [
        ("SELECT 1", Kind.ROWS, None),
        ("select 1 format JSON", Kind.ROWS, "JSON"),
        ("SELECT 1 FORMAT Native SETTINGS max_threads = 1;", Kind.ROWS, "Native"),
        ("SELECT format FROM t", Kind.ROWS, None),
        ("SELECT format(Values, '(1)')", Kind.ROWS, None),
        ("(SELECT 1) UNION ALL (SELECT 2)", Kind.ROWS, None),
        ("-- why\nSELECT 'a;b', $$ ; $$, \"x;y\" /* ; */", Kind.ROWS, None),
        ("SHOW TABLES", Kind.ROWS, None),
        ("INSERT INTO t SELECT 1", Kind.OTHER, None),
        ("INSERT INTO t SELECT 1 FORMAT Null", Kind.OTHER, "Null"),
        ("CREATE TABLE t (a Int8) ENGINE = Memory", Kind.OTHER, None),
        ("SELECT {$x$:String}", Kind.ROWS, None),
    ],
)
def test_kind_and_format(sql: str, kind: Kind, output_format: str | None) -> None:
    statement = read(sql.encode())
    assert (statement.kind, statement.format) == (kind, output_format)


@pytest.mark.parametrize(
    ("sql", "head", "data_format", "data"),
    [
        ("INSERT INTO t FORMAT CSV\n1,'a;\n", "INSERT INTO t ", "CSV", "1,'a;\n"),
        ("INSERT INTO t (a, b)FORMAT  TSV \r\n1\t2", "INSERT INTO t (a, b)", "TSV", "1\t2"),
        ("insert into t values (1), (2)", "insert into t ", "Values", "(1), (2)"),
        ("INSERT INTO values (values) VALUES ('format')", "INSERT INTO values (values) ", "Values", "('format')"),
        ("INSERT INTO d.format (`format`) FORMAT RowBinary\n", "INSERT INTO d.format (`format`) ", "RowBinary", ""),
        ("INSERT INTO t (`file`, b) FORMAT Values (1, 2)", "INSERT INTO t (`file`, b) ", "Values", "(1, 2)"),
    ],
)
def test_insert_data(sql: str, head: str, data_format: str, data: str) -> None:
    statement = read(sql.encode())
    assert statement.kind is Kind.INSERT
    assert (statement.head.decode(), statement.format) == (head, data_format)
    assert bytes(statement.data).decode() == data


@pytest.mark.parametrize("sql", ["", "  -- nothing\n", ";", "SELECT 1; SELECT 2", "SELECT 'a", "SELECT /* a", "1$a$"])
def test_not_one_statement(sql: str) -> None:
    with pytest.raises(ChError) as failure:
        read(sql.encode())
    assert failure.value.code == 62


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT file('/etc/passwd')",
        "SELECT `file` /* x */ ('/etc/passwd')",
        "SELECT `f\\x69le`('/etc/passwd')",
        "SELECT file\u00a0('/etc/passwd')",
        "SELECT “'”, file('/etc/passwd'), “'”",
        "SELECT a$x$, file('/etc/passwd'), a$x$",
        "SELECT 1 // '\n, file('/etc/passwd') // '",
        "SELECT arrayMap(file, ['/etc/passwd'])",
        "SELECT * APPLY(file) FROM t",
        "SELECT * APPLY file FROM t",
        "INSERT INTO t VALUES (file('/etc/passwd'))",
        "INSERT INTO t FORMAT Values (file('/etc/passwd'))",
        "SELECT * FROM Python(settings)",
        "SELECT 1 INTO OUTFILE 'x'",
        "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV",
        "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(HTTP(url 'http://h')) LAYOUT(FLAT())",
        "DROP DATABASE IF EXISTS `default`",
        "DETACH DATABASE default",
    ],
)
def test_refuses_what_reaches_the_host(sql: str) -> None:
    with pytest.raises(ChError) as failure:
        read(sql.encode())
    assert failure.value.code == 344


def test_a_column_may_be_called_file() -> None:
    assert read(b"SELECT file, (file, 2), max(file) FROM t WHERE file = 'file(' GROUP BY file").kind is Kind.ROWS
    check(b"file String, python String DEFAULT 'file('")


@pytest.mark.parametrize("unit", [b"'\\", b"/*", b"$a$ $b$ ", "“".encode(), b"((", b"''", b"`", b"1$"])
def test_long_hostile_text_is_read_in_linear_time(unit: bytes) -> None:
    """At most the longest statement's worth of tokens; a quadratic lexer would not end within the test's time."""
    try:
        read(b"SELECT " + unit * (900_000 // len(unit)))
    except ChError as error:
        assert error.code == 62


SQL_PIECES = st.sampled_from(
    [
        *(b"SELECT", b"INSERT INTO t", b" FORMAT ", b"CSV", b" VALUES ", b"file", b"a", b"1", b"(", b")", b";", b" "),
        *(b"'", b"''", b"\\", b"`", b'"', b"$a$", b"/*", b"*/", b"--", b"#!", b"//", b"\n"),
        *(b"\xe2\x80\x9c", b"\xff", b"\x00"),
    ]
)


@example(b"IF")
@given(st.one_of(st.binary(max_size=200), st.lists(SQL_PIECES, max_size=40).map(b"".join)))
def test_raises_nothing_but_clickhouse_errors(sql: bytes) -> None:
    try:
        statement = read(sql)
    except ChError as error:
        assert error.code in (62, 344)
    else:
        assert statement.sql == sql
        assert 0 <= statement.head_end <= statement.data_start <= len(sql)


NAMES = st.text("abc_é`\\", min_size=1, max_size=8)
SPACE = st.sampled_from([" ", "\n", "\t ", " /* FORMAT CSV */ ", " -- VALUES\n"])


@given(NAMES, NAMES, SPACE, SPACE, st.sampled_from(["CSV", "Native", "JSONEachRow"]), st.binary(max_size=100))
def test_data_offset(table: str, column: str, gap: str, end: str, data_format: str, data: bytes) -> None:
    """Whatever the data holds, it begins after FORMAT's name and at most one line break."""
    head = f"INSERT INTO{gap}{identifier(table)} ({identifier(column)}){end}"
    statement = read(f"{head}FORMAT {data_format}\n".encode() + data)
    assert (statement.head.decode(), statement.format) == (head, data_format)
    assert bytes(statement.data) == data


@given(st.text(max_size=60))
def test_quoting_is_one_token(text: str) -> None:
    assert read(f"SELECT {quote(text)}, {identifier(text)}".encode("utf-8", "surrogatepass")).kind is Kind.ROWS
    assert re.fullmatch(r"'(?:[^'\\]|\\.)*'", quote(text), re.DOTALL)
