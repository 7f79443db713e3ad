"""The evaluation of linking counts what it says, and shows it in every form of the report."""

import gzip
import json
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from deploy.cli.evaluate import command
from models.evaluate import linking
from models.evaluate.linking import Text, compare, gold
from models.evaluate.report import html, markdown, rows
from models.linking import Linker
from models.securities import load
from models.train.examples import NEWS, Example


@pytest.fixture(scope="module")
def linker():
    return Linker.load()


def text(title, body, *mentions):
    keys = ("surface", "code", "credit")
    given = [dict(zip(keys, (*m, False)[:3], strict=True)) for m in mentions]
    return Text(Example("gold", "wires:x:1", title, body, NEWS), given, datetime(2026, 6, 1, tzinfo=UTC))


TEXTS = [
    text("芒果超媒涨停", "芒果超媒今日涨停", ("芒果超媒", "300413.SZ")),  # right, once for both places
    text("阿里巴巴涨超3%", "", ("阿里巴巴", "09988.HK")),  # another listing of the same company
    text("贵州茅台公告", ""),  # extra
    text("某公司公告", "", ("某公司", "600519.SH")),  # missed
    text("SK海力士涨超5%", "", ("SK海力士", "-")),  # of another market: neither
    text("中信证券研报指出，看好白酒", "", ("中信证券", "600030.SH", True)),  # a source, apart
    text("贵州茅台公告", "", ("贵州茅台", "09999.XX")),  # a listing that the table lacks, at the same place
]


def test_gold_counts_companies_once_and_sources_apart(linker):
    found = gold(linker, load(), TEXTS)
    assert (found["right"], found["extra"], found["missed"]) == (3, 1, 1)
    assert found["credits"] == {"given": 1, "linked": 1, "as_source": 1}
    precision, recall = found["measures"]
    assert (precision["score"], recall["score"]) == (0.75, 0.75)
    assert precision["low"] < 0.75 < precision["high"]
    assert [(e["error"], e["code"]) for e in found["errors"]] == [("extra", "600519.SH"), ("missed", "600519.SH")]


def test_an_error_shows_its_place(linker):
    (only,) = (t for t in TEXTS[2:3])
    _, errors = compare(only, linker.link(only.example.title, "").links, load())
    assert errors == [{"error": "extra", "name": "贵州茅台", "code": "600519.SH", "text": "贵州茅台公告"}]


def test_every_form_of_the_report_shows_linking(tmp_path):
    (tmp_path / "wires").mkdir()
    (tmp_path / "labels/thucnews_headlines").mkdir(parents=True)
    wires = [
        {
            "source": "x",
            "id": 1,
            "datetime": "2026-06-01T09:00:00+08:00",
            "title": "芒果超媒涨停",
            "content": "芒果超媒今日涨停",
            "stocks": [{"code": "300413", "name": "芒果超媒"}],
            "subjects": [],
        },
        {
            "source": "x",
            "id": 2,
            "datetime": "2026-06-01T09:00:00+08:00",
            "title": "太阳能在屋顶上用得很多",
            "content": "太阳能在屋顶上用得很多",
            "stocks": [],
            "subjects": [],
        },
    ]
    with gzip.open(tmp_path / "wires/a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(wire) + "\n" for wire in wires)
    heads = [{"text": "贵州茅台冠名春晚", "label": "society"}, {"text": "明日降温", "label": "society"}]
    heads.append({"text": "贵州茅台涨停", "label": "stocks"})
    lines = "".join(json.dumps(head) + "\n" for head in heads)
    (tmp_path / "labels/thucnews_headlines/test.jsonl").write_text(lines, encoding="utf-8")
    page = tmp_path / "page.html"
    arguments = ["--data", str(tmp_path), "--set", "linking", "--no-baselines", "--html", str(page), "--json"]
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    found = report["linking"]
    assert [(m["metric"], m["questions"], m["score"]) for m in found["measures"]] == [
        ("recall", 1, 1.0),
        ("false alarms", 2, 0.5),
    ]
    assert found["headlines"]["errors"][0]["links"] == [["贵州茅台", "600519.SH"]]
    assert found["vendors"]["ambiguous"]["太阳能"]["left_open"] > 0
    table = rows(report)
    assert [row[0] for row in table[1:]] == ["Linking: vendors' tags", "Linking: headlines outside business"]
    assert table[2][-1] == "≤ 0.003"
    assert {len(row) for row in table} == {len(table[0])}
    assert "贵州茅台冠名春晚" in page.read_text(encoding="utf-8")
    assert "贵州茅台冠名春晚" not in markdown(report)  # the texts aren't ours to publish
    assert "太阳能" in markdown(report)
    assert html(report).count("<h2>Linking</h2>") == 1


def test_the_gold_texts_are_those_of_the_data_folder(tmp_path):
    (tmp_path / "wires").mkdir()
    (tmp_path / "labels").mkdir()
    assert linking.gold_texts(tmp_path) == []
