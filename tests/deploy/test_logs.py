"""Logs as JSON lines: what a collector reads of each process."""

import json
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from deploy.logs import JsonLines, as_json

ROOT = Path(__file__).parents[2]
ID = "3f" * 16


def record(message, *arguments, error=None, **extra):
    made = logging.LogRecord("stream.app", logging.ERROR, "app.py", 1, message, arguments, error)
    made.__dict__.update(extra)
    return json.loads(JsonLines("worker").format(made))


def test_a_line_names_its_service_and_its_document():
    line = record("dead letter %s: 太长", ID, document_id=ID)
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "level": "ERROR",
        "service": "worker",
        "logger": "stream.app",
        "message": f"dead letter {ID}: 太长",
        "document_id": ID,
    }
    assert "document_id" not in record("joined")


def test_a_traceback_stays_in_its_line():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = record("can't be analysed", error=sys.exc_info())
    assert "Traceback" in line["error"] and "two\nlines" in line["error"]


def test_what_a_process_prints_becomes_a_line_once():
    now = datetime(2026, 11, 2, tzinfo=UTC)
    assert json.loads(as_json("broker", "listening", now))["service"] == "broker"
    assert as_json("worker", '{"level": "INFO"}', now) == '{"level": "INFO"}'


def test_a_process_writes_what_the_setting_says(tmp_path):
    script = (
        "from deploy.logs import configure; from deploy.settings import load; import logging; "
        "configure(load(), 'x'); logging.info('起来')"
    )
    for form, pattern in (
        ("json", r'\{"time": .*"service": "x".*"起来"\}\n'),
        ("text", r"[\d-]+ .* INFO root: 起来\n"),
    ):
        environment = {**os.environ, "FENGXIANG_LOG__FORMAT": form, "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-c", script]
        done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert re.fullmatch(pattern, done.stderr), form


def test_no_process_makes_up_a_form_of_its_own():
    code = [path for folder in ("deploy", "ingest", "stream", "dashboard") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in code if "basicConfig(" in path.read_text(encoding="utf-8")] == ["logs.py"]
