"""The weekly digest: `fengxiang weekly` over the sample corpus, as text, HTML and PDF, in both languages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pypdfium2 as pdfium
import pytest

from dashboard import weekly
from dashboard.safe import plain
from dashboard.weekly_pdf import pdf
from tests.dashboard.conftest import HOSTILE, Doors, schema
from tests.dashboard.seed import Seed, make, weekly_report
from tests.fixtures.clickhouse import ClickHouseServer

DATABASE = "dashboard_weekly"


@pytest.fixture(scope="module")
def store(clickhouse_server: ClickHouseServer) -> Iterator[str]:
    """URL, for the reader, of the sample corpus and a broker weekly of 2026-W47."""
    schema(clickhouse_server, DATABASE)
    seed = Seed()
    seed.add_corpus()
    seed.add(weekly_report())
    with clickhouse_server.client(database=DATABASE) as client:
        seed.insert(client)
    yield clickhouse_server.url(writer=False, database=DATABASE)


def fengxiang(store: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`fengxiang weekly` as a user runs it."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FENGXIANG_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", "weekly", *arguments],
        env=clean | {"FENGXIANG_CLICKHOUSE": store, "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def text_of(content: bytes) -> str:
    document = pdfium.PdfDocument(content)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


def test_html_and_pdf_say_the_same(store: str, tmp_path: Path) -> None:
    result = fengxiang(store, tmp_path, "2026-W47", "--html", "w.html", "--pdf", "w.pdf")
    assert (result.returncode, result.stderr) == (0, "")
    html, printed = (tmp_path / "w.html").read_text(encoding="utf-8"), text_of((tmp_path / "w.pdf").read_bytes())
    assert html.startswith('<!doctype html><html lang="zh">')
    for words in (
        "风向每周跟踪 2026-W47",
        "2026-11-16 至 2026-11-20",
        "题材变化",
        "中文在线",
        "300251.SZ",
        "生成模型落地",
    ):
        assert words in html and words in printed, words


def test_english_on_the_terminal(store: str, tmp_path: Path) -> None:
    result = fengxiang(store, tmp_path, "2026-w47", "--language", "en")
    assert (result.returncode, result.stderr) == (0, "")
    for words in ("Fengxiang weekly 2026-W47", "2026-11-16 to 2026-11-20", "Broker recommendations", "vs last week"):
        assert words in result.stdout
    assert "题材" not in result.stdout


def test_the_newest_week_is_the_default(store: str, tmp_path: Path) -> None:
    assert "2026-W47" in fengxiang(store, tmp_path).stdout.splitlines()[0]


def test_a_running_week_is_set_against_as_much_of_the_last(doors: Doors, tmp_path: Path) -> None:
    """Two on last Monday and eight later; four on this Monday."""
    seed = Seed()
    for day, number in ((9, 2), (12, 8), (16, 4)):
        for n in range(number):
            seed.add(make("a", f"{day}日第{n}篇", "版号", f"2026-11-{day:02}T10:0{n}:00"))
    seed.add(make("a", "更早", "正文", "2026-11-02T00:00:00"))
    seed.insert(doors.writer)
    lines = fengxiang(doors.url, tmp_path, "2026-W47", "--language", "en").stdout.splitlines()
    assert "2026-11-16 to 2026-11-16: 4 documents" in lines[1] and lines[1].endswith("▲ +100%")
    lines = fengxiang(doors.url, tmp_path, "2026-W46", "--language", "en").stdout.splitlines()
    assert "2026-11-09 to 2026-11-15: 10 documents" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2023-W99"], "there is no week '2023-W99': 2023 has the weeks 2023-W01 to 2023-W52"),
        (["last week"], "'last week' is not an ISO week: write it as in 2026-W45"),
        (["９９９９-W01"], "is not an ISO week"),
        (["2023-W16"], "no documents in 2023-W16: there are some from 2026-W"),
        (["2026-W47", "--pdf", "no/such/folder.pdf"], "can't write no/such/folder.pdf: No such file"),
    ],
)
def test_a_mistake_is_named_in_one_line(store: str, tmp_path: Path, arguments: list[str], said: str) -> None:
    result = fengxiang(store, tmp_path, *arguments)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("fengxiang: ") and said in result.stderr and result.stderr.count("\n") == 1


def test_no_store_is_named_with_the_remedy(tmp_path: Path) -> None:
    result = fengxiang("http://reader:hidden@127.0.0.1:1/fengxiang", tmp_path, "2026-W47")
    assert result.returncode == 1 and result.stderr == (
        "fengxiang: ClickHouse at http://reader:***@127.0.0.1:1/fengxiang does not answer (connection refused): "
        "start it (make run), or check FENGXIANG_CLICKHOUSE and FENGXIANG_CLICKHOUSE_READER\n"
    )


def test_hostile_texts_stay_texts() -> None:
    lines = [(weekly.Cell(plain(title), note=title), weekly.Cell("1", css="fx-up")) for title in HOSTILE]
    table = weekly.Table("a & b", ("<b>", "<i>"), lines, "")
    made = weekly.Digest("2026-W47", "zh", "<u>{0}</u>", "&amp;", weekly.Cell("<s>"), [table])
    html = weekly.page(made)
    assert "<script" not in html and "<img" not in html and "&lt;u&gt;{0}&lt;/u&gt;" in html
    shown = "".join(text_of(pdf(made)).split())
    for words in ("<u>{0}</u>", "<script>window.hacked=1</script><imgsrc=x", "[点我](javascript:", "{title}{0}%s"):
        assert words in shown


def test_a_long_digest_goes_on_on_the_next_page() -> None:
    lines = [(weekly.Cell(f"第{i}条 " + "很长的标题" * 12, note="来源"), weekly.Cell(str(i))) for i in range(60)]
    made = weekly.Digest("2026-W47", "zh", "长", "", weekly.Cell("—"), [weekly.Table("表", ("题", "数"), lines, "")])
    content = pdf(made)
    assert len(pdfium.PdfDocument(content)) > 1
    assert all(f"第{i}条" in text_of(content).replace(" ", "") for i in range(60))


@pytest.mark.parametrize("week", ["2026-W00", "2026-W54", "0001-W01", "9999-W52", "2026-W", "-W10", "", "2026-W4x"])
def test_what_is_no_week(week: str) -> None:
    with pytest.raises(ValueError, match="week"):
        weekly.bounds(week)


def test_the_last_week_of_a_long_year() -> None:
    assert weekly.week_of(weekly.bounds("2026-W53")[0]) == "2026-W53"
