"""`fengxiang sql`, `dead` and `migrate` as a person uses them."""

from __future__ import annotations

import io
import json
import re
import signal
from pathlib import Path

import pyarrow.parquet as parquet
from clickhouse_connect.driver.client import Client
from rich.console import Console

from deploy.cli.sql_progress import progress
from stream.records import encode
from stream.store import connect
from tests.fixtures.broker import free_port
from tests.stream.stack import Stack, make_document, within

ROWS = "SELECT number, toString(number) AS text FROM numbers({n:UInt8})"


def test_sql_as_table_csv_json_and_parquet(stack: Stack, tmp_path: Path) -> None:
    table = stack.cli("sql", ROWS, "-p", "n=3")
    assert table.returncode == 0 and "number" in table.stdout and "3 行 rows" in table.stdout, table.stderr
    assert stack.cli("sql", ROWS, "-p", "n=2", "--csv").stdout.splitlines() == ['"number","text"', '0,"0"', '1,"1"']
    lines = stack.cli("sql", ROWS, "-p", "n=2", "--json").stdout.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["0", "1"]
    path = tmp_path / "out.parquet"
    assert stack.cli("sql", ROWS, "-p", "n=5", "--parquet", str(path)).returncode == 0
    assert parquet.read_table(path).column("text").to_pylist() == ["0", "1", "2", "3", "4"]


def test_sql_only_reads_and_says_clearly_what_is_wrong(stack: Stack) -> None:
    for arguments, said in [
        (["SELECT nothing FROM documents"], "nothing"),
        (["DROP TABLE documents"], "readonly"),
        (["INSERT INTO mentions (code) VALUES ('x')"], "readonly"),
        (["SELECT {n:UInt8}", "-p", "n"], "not name=value"),
        (["SELECT 1", "--csv", "--json"], "choose one"),
        (["SELECT count() FROM numbers(1000000) SETTINGS max_rows_to_read = 10"], "ask for less time"),
        (["SELECT groupArray(number) FROM numbers(1000000000)", "--csv"], "ask for less time"),
        ([" ; "], "empty statement"),
        (["SELECT 1", "--parquet", "/nowhere/x.parquet"], "can't write /nowhere/x.parquet"),
    ]:
        done = stack.cli("sql", *arguments)
        assert done.returncode == 1, (arguments, done.stdout)
        assert said.lower() in done.stderr.lower(), (arguments, done.stderr)
        assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
    assert stack.one("SELECT count() FROM documents") == 0


def test_where_the_writer_reads_for_want_of_a_reader_it_cannot_write(stack: Stack) -> None:
    stack.overrides["CLICKHOUSE_READER"] = ""
    assert stack.cli("sql", "SELECT getSetting('readonly') AS r", "--csv").stdout.split() == ['"r"', "2"]
    for statement in ("DROP TABLE documents", "SELECT 1 SETTINGS readonly = 0"):
        done = stack.cli("sql", statement)
        assert done.returncode == 1 and "readonly" in done.stderr.lower(), (statement, done.stdout, done.stderr)
    assert stack.one("SELECT count() FROM documents") == 0


def test_sql_that_fails_on_the_way_is_no_whole_result(stack: Stack) -> None:
    query = (
        "SELECT number, throwIf(number = 500000) FROM numbers(1000000) SETTINGS max_block_size = 1000, max_threads = 1"
    )
    for option in ("--json", "--csv"):
        done = stack.cli("sql", query, option)
        assert done.returncode == 1 and "throwIf" in done.stderr and "__exception__" not in done.stdout + done.stderr
    lines = stack.cli("sql", query, "--json").stdout.splitlines()
    assert 0 < len(lines) <= 500_000 and [json.loads(line)["number"] for line in lines[-1:]] == [len(lines) - 1]


def test_sql_shows_how_far_a_query_is_on_a_terminal(stack: Stack) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)

    def reader() -> Client:
        return connect(stack.settings, writer=True)

    with reader() as client, progress("SELECT sleepEachRow(0.1) FROM numbers(30)", reader, console) as marked:
        assert len(client.query(f"{marked} SETTINGS max_block_size = 1").result_rows) == 30
    assert "查询中 running" in screen.getvalue()
    assert re.search(r"已读 read \d+ 行 rows / 30", screen.getvalue())
    quiet = io.StringIO()
    with progress("SELECT 1", reader, Console(file=quiet, force_terminal=False)) as same:
        assert same == "SELECT 1"
    assert quiet.getvalue() == ""


def test_sql_says_where_the_store_should_be(stack: Stack) -> None:
    stack.overrides["CLICKHOUSE_READER"] = f"http://reader:secret@127.0.0.1:{free_port()}/x"
    stack.overrides["CLICKHOUSE"] = f"http://fengxiang:secret@127.0.0.1:{free_port()}/x"
    for arguments in (["sql", "SELECT 1"], ["dead", "list"], ["alerts", "list"], ["feedback", "list"]):
        done = stack.cli(*arguments)
        assert done.returncode == 1 and "secret" not in done.stderr
        assert len(done.stderr.splitlines()) == 1 and "(connection refused): start it (make run)" in done.stderr
    address, _, database = stack.server.url(writer=False, database=stack.database).rpartition("@")[2].partition("/")
    stack.overrides["CLICKHOUSE_READER"] = f"http://reader:wrong@{address}/{database}"
    done = stack.cli("sql", "SELECT 1")
    assert len(done.stderr.splitlines()) == 1 and "Authentication failed" in done.stderr
    assert "does not answer" not in done.stderr


def test_dead_letters_are_listed_shown_and_replayed(stack: Stack) -> None:
    worker = stack.start_worker()
    crash = make_document(1, title="!crash 一次")
    stack.send([crash])
    stack.send_raw([(b"odd", b"?")])
    assert within(60, lambda: stack.one("SELECT count() FROM dead_letters FINAL") == 2), stack.log()

    listed = stack.cli("dead", "list")
    assert crash.id in listed.stdout and "odd" in listed.stdout
    only = stack.cli("dead", "list", "--stage", "analyse", "--json").stdout.splitlines()
    assert [json.loads(line)["document_id"] for line in only] == [crash.id]
    shown = stack.cli("dead", "show", crash.id[:10])
    assert "fell over" in shown.stdout and encode(crash).decode() in shown.stdout

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    replayed = stack.cli("dead", "replay", crash.id, "odd")
    assert replayed.returncode == 0, replayed.stderr
    assert "replayed 1 of 2" in replayed.stdout and "skipped odd" in replayed.stdout
    assert "replayed" in stack.cli("dead", "list", "--stage", "analyse").stdout
    stack.start_worker()  # it fails again
    assert within(60, lambda: stack.one("SELECT countIf(replayed_at IS NOT NULL) FROM dead_letters FINAL") == 0)
    assert "replayed" not in stack.cli("dead", "list", "--stage", "analyse").stdout

    assert stack.cli("dead", "show", "nobody").returncode == 1
    assert "--stage" in stack.cli("dead", "replay").stderr


def test_migrate_says_what_it_did(stack: Stack) -> None:
    assert "up to date" in stack.cli("migrate").stdout
    with stack.client() as client:
        client.command("TRUNCATE TABLE schema_migrations")
    dry = stack.cli("migrate", "--dry-run")
    assert "would apply 0001_tables" in dry.stdout and "CREATE TABLE" in dry.stdout
    assert "applied 0002_views" in stack.cli("migrate").stdout
