"""`fengxiang analyse`: one line in, one line out, whatever the line holds."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.analyse import BATCH_DOCUMENTS, batches, parse, run
from models.analyse import Analyser

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser.load(threads=1)


def through(analyser: Analyser, *lines: Any) -> tuple[list[dict[str, Any]], int]:
    raw = b"".join(
        (line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()) + b"\n" for line in lines
    )
    out = io.BytesIO()
    bad = run(analyser, io.BytesIO(raw), out, NOW)
    return [json.loads(line) for line in out.getvalue().splitlines()], bad


def test_the_shape_of_an_analysis(analyser: Analyser) -> None:
    (found,), bad = through(
        analyser, {"id": "a1", "title": "三七互娱：新游戏获批版号", "body": "三七互娱公告，新游戏获批。"}
    )
    assert bad == 0
    assert found["id"] == "a1"
    assert {"theme", "score"} <= set(found["themes"][0])
    assert set(found["sentiment"]) == {"label", "score", "probabilities"}
    assert set(found["sentiment"]["probabilities"]) == {"negative", "neutral", "positive"}
    mention = found["mentions"][0]
    assert {"code", "name", "surface", "field", "start", "end", "sentiment", "relevance", "confidence"} <= set(mention)
    assert mention["code"] == "002555.SZ"
    assert (mention["field"], mention["start"], mention["end"]) == ("title", 0, 4)


def test_a_text_without_a_time_may_be_of_any(analyser: Analyser) -> None:
    line = {"id": 1, "title": "中国恒大公布重组进展", "body": ""}
    found, _ = through(analyser, line, line | {"published_at": "2026-06-01"}, line | {"published_at": "2024-06-01"})
    assert [[m["code"] for m in one["mentions"]] for one in found] == [["03333.HK"], [], ["03333.HK"]]


def test_bad_lines_give_an_error_line_in_place(analyser: Analyser, capsys: pytest.CaptureFixture[str]) -> None:
    found, bad = through(
        analyser, b"nonsense", {"id": 7, "title": ""}, [1], {"id": "b", "title": 5},
        {"id": "c", "title": "", "kind": "poem"}, {"id": "d", "title": "", "published_at": "yesterday"},
        {"id": None, "title": None, "body": "正文"}, b'"' + b"[" * 5000,
    )  # fmt: skip
    assert bad == 6
    assert [line["id"] for line in found] == [None, 7, None, "b", "c", "d", None, None]
    assert ["error" in line for line in found] == [True, False, True, True, True, True, False, True]
    assert "title must be a string" in found[3]["error"]
    assert "line 4" in capsys.readouterr().err


def test_binary_and_surrogates_do_not_stop_the_rest(analyser: Analyser) -> None:
    last = {"id": 3, "title": ""}
    found, bad = through(analyser, b'{"id": 1, "title": "\xff\xfe"}', b'{"id": 2, "title": "\\ud800"}', last)
    assert len(found) == 3 and found[2]["id"] == 3 and "error" not in found[2]
    assert bad == sum("error" in line for line in found)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"id": "1", "title": "芒果超媒：一季度净利润同比增长35%", "body": ""}'.encode("gbk"), "iconv -f gbk"),
        ('{"id": "1", "title": "芒果超媒：一季度净利润同比增长35%"}'.encode("utf-16"), "not UTF-8"),
        ({"id": "1", "headline": "芒果超媒：一季度净利润同比增长35%", "content": ""}, "no title and no body"),
        ({}, "no title and no body"),
    ],
)
def test_what_was_not_read_is_not_called_neutral(
    analyser: Analyser, capsys: pytest.CaptureFixture[str], line: Any, says: str
) -> None:
    found, bad = through(analyser, {"id": 0, "body": "\ufffd"}, line, {"id": 2, "title": ""})
    assert ["error" in one for one in found] == [False, True, False] and bad == 1
    assert set(found[1]) == {"id", "error"} and says in found[1]["error"]
    assert f"line 2: {found[1]['error']}" in capsys.readouterr().err


@pytest.mark.parametrize("first", [b"", b"\n"])
def test_the_mark_of_utf8_before_the_first_line_is_no_text(first: bytes) -> None:
    (batch,) = batches(io.BytesIO(b"\xef\xbb\xbf" + first + '{"id": 1, "title": "游戏"}\n'.encode()), NOW)
    assert [(line.id, line.error) for line in batch] == [(1, "")]


def test_order_is_kept_over_batches(analyser: Analyser) -> None:
    found, _ = through(analyser, *({"id": i, "title": "公告" * (i % 7)} for i in range(BATCH_DOCUMENTS * 2 + 5)))
    assert [line["id"] for line in found] == list(range(BATCH_DOCUMENTS * 2 + 5))


def test_batches_are_bounded_and_blank_lines_are_skipped() -> None:
    lines = b"".join(json.dumps({"id": i, "body": "x" * 1_500_000}).encode() + b"\n\n" for i in range(6))
    sizes = [len(batch) for batch in batches(io.BytesIO(lines), NOW)]
    assert sum(sizes) == 6
    assert max(sizes) <= 3


def test_a_time_without_a_zone_is_taken_as_utc() -> None:
    line = parse(1, b'{"id": 1, "title": "", "published_at": "2020-05-01T10:00:00"}', NOW)
    assert line.document is not None
    assert line.document.published_at == datetime(2020, 5, 1, 10, tzinfo=UTC)


def test_the_command_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "analyse", "--threads", "1"],
        input=b'{"id": 1, "title": "\xe6\xb8\xb8\xe6\x88\x8f"}\nbad\n',
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["id"] == 1 and "sentiment" in first
    assert "error" in second
    assert b"line 2" in done.stderr


def test_wrong_weights_are_one_line_with_the_remedy() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "analyse", "--model", "/no/such/model"],
        input=b"", capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"/no/such/model" in done.stderr and b"Traceback" not in done.stderr


def test_output_that_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "analyse", "--threads", "1"],
            input=b'{"id": 1, "title": ""}\n', stdout=full, stderr=subprocess.PIPE, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(b"fengxiang: standard output") and done.stderr.count(b"\n") == 1
