"""PDF extraction on the sample reports and on files made to break it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reportlab.lib import pagesizes, pdfencrypt
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from ingest.fields import Options, RowError
from ingest.pdf import ReportReader
from ingest.pdf.extract import PdfError
from ingest.pdf.metadata import report_of
from ingest.pdf.sections import split, text_of
from ingest.pdf.worker import Extractor
from tests.ingest.make import NOW

SAMPLE = Path(__file__).parents[2] / "ingest" / "sample" / "reports"
FONT = "STSong-Light"
WIDTH, HEIGHT = pagesizes.A4


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor() as made:
        yield made


def pdf(draw: Callable[[Canvas], None], **arguments: object) -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=pagesizes.A4, **arguments)
    draw(canvas)
    canvas.save()
    return out.getvalue()


def write(canvas: Canvas, x: float, y: float, lines: list[str], size: float = 10, leading: float = 16) -> None:
    canvas.setFont(FONT, size)
    for n, line in enumerate(lines):
        canvas.drawString(x, y - n * leading, line)


LEFT = ["左栏第一行写满了整整一栏的宽度不多不少", "左栏第二行也写满整整一栏的宽度不多不少", "左栏第三行到此结束。"]
RIGHT = ["右栏第一行写满了整整一栏的宽度不多不少", "右栏第二行也写满整整一栏的宽度不多不少", "右栏第三行到此结束。"]


def two_columns(canvas: Canvas) -> None:
    for page in range(1, 5):
        write(canvas, 50, HEIGHT - 40, ["样例证券研究所"], 9)
        write(canvas, 50, 30, [f"请务必阅读正文之后的免责声明  {page}"], 9)
        canvas.saveState()
        canvas.translate(300, 400)
        canvas.rotate(45)
        write(canvas, 0, 0, ["仅供内部参考"], 40)
        canvas.restoreState()
        if page == 1:
            write(canvas, 50, HEIGHT - 90, ["这个标题横跨了左右两栏的整个页面宽度而且字号更大"], 18)
        for left, right, n in zip(LEFT * 2, RIGHT * 2, range(6), strict=True):  # drawn interleaved, as printers do
            write(canvas, 50, HEIGHT - 140 - n * 16, [f"{page}{left[1:]}"])
            write(canvas, 320, HEIGHT - 140 - n * 16, [f"{page}{right[1:]}"])
        canvas.showPage()


def paragraph(lines: list[str]) -> list[str]:
    return ["".join(f"1{line[1:]}" for line in lines)] * 2


def test_columns_are_read_one_after_the_other_without_running_text(extractor: Extractor) -> None:
    found = extractor.extract(pdf(two_columns))
    first = found.text[: found.page_offsets[1]].strip().split("\n")
    assert first == ["这个标题横跨了左右两栏的整个页面宽度而且字号更大", *paragraph(LEFT), *paragraph(RIGHT)]
    for running in ("样例证券研究所", "免责声明", "内部参考"):
        assert running not in found.text
    assert [found.text[o : o + 2] for o in found.page_offsets] == ["这个", "2栏", "3栏", "4栏"]


def test_a_table_is_read_by_rows(extractor: Extractor) -> None:
    rows = [["公司", "评级", "目标价"], ["芒果超媒", "买入", "35.00"], ["吉比特", "增持", "268.00"]]

    def draw(canvas: Canvas) -> None:
        for n, row in enumerate(rows):
            for column, cell in enumerate(row):
                write(canvas, 60 + column * 150, 700 - n * 18, [cell])

    assert extractor.extract(pdf(draw)).text.split("\n") == ["\t".join(row) for row in rows]


def test_a_side_panel_stays_apart(extractor: Extractor) -> None:
    side = ["增持（维持）", "行业：传媒", "分析师：张三", "SAC编号：S0870521100003"]

    def draw(canvas: Canvas) -> None:
        write(canvas, 50, 700, LEFT * 4)
        write(canvas, 420, 700, side, leading=23)

    assert extractor.extract(pdf(draw)).text.split("\n") == ["".join(LEFT)] * 4 + side


def test_a_page_turned_by_90_degrees_is_read_upright(extractor: Extractor) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.translate(WIDTH, 0)
        canvas.rotate(90)
        write(canvas, 50, 400, LEFT)

    assert extractor.extract(pdf(draw)).text == "".join(LEFT)


def scanned(canvas: Canvas) -> None:
    canvas.rect(50, 50, 400, 600, fill=1)
    canvas.showPage()
    canvas.rect(50, 50, 400, 600, fill=1)


GOOD = pdf(two_columns)
BAD = {
    "not a PDF": b"PK\x03\x04 something else",
    "damaged or cut short": GOOD[: len(GOOD) // 3],
    "encrypted": pdf(two_columns, encrypt=pdfencrypt.StandardEncryption("user", "owner", strength=128)),
    "scanned": pdf(scanned),
    "601 pages": pdf(lambda canvas: [canvas.showPage() for _ in range(601)] and None),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_file_is_refused_with_its_reason(reason: str) -> None:
    reader = ReportReader()
    with pytest.raises(RowError, match=reason):
        reader.read(BAD[reason], "bad.pdf", Options(now=NOW))
    reader.close()


def test_a_file_that_takes_too_long_or_too_much_costs_one_process(tmp_path: Path) -> None:
    def dense(canvas: Canvas) -> None:
        for _ in range(60):
            write(canvas, 50, 800, ["密" * 3000] * 40, 1, 1)
            canvas.showPage()

    with Extractor(seconds=0.3) as extractor:
        extractor.extract(pdf(lambda canvas: write(canvas, 50, 700, ["足够长的一行文字，用来热身：" * 3])))
        large = pdf(dense)
        started = time.monotonic()
        with pytest.raises(PdfError, match="took more than"):
            extractor.extract(large)
        assert time.monotonic() - started < 5
    with Extractor(memory_bytes=150_000_000) as extractor, pytest.raises(PdfError, match="150 MB"):
        extractor.extract(b"%PDF-1.7" + b" " * 200_000_000)


def test_a_date_that_does_not_exist_is_none(extractor: Extractor) -> None:
    def draw(canvas: Canvas) -> None:
        write(canvas, 50, 700, ["报告日期：2026年2月30日", *LEFT])

    read = ReportReader(extractor).read(pdf(draw), "misprint.pdf", Options(now=NOW))
    assert "2月30日" in read.body and read.published_at == NOW


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(GOOD) - 1), value=st.binary(min_size=1, max_size=40))
def test_any_damage_gives_text_or_a_reason(extractor: Extractor, at: int, value: bytes) -> None:
    try:
        found = extractor.extract(GOOD[:at] + value + GOOD[at + len(value) :])
    except PdfError as error:
        assert str(error)
    else:
        found.text.encode("utf-8")


# ---------------------------------------------------------------------- the sample reports


@pytest.fixture(scope="module")
def read() -> Iterator[Callable[[str], object]]:
    reader = ReportReader()
    options = Options(now=NOW.replace(month=12), source="sample")
    yield lambda name: reader.read((SAMPLE / name).read_bytes(), name, options)
    reader.close()


def test_a_weekly(read: Callable[[str], object]) -> None:
    document = read("weekly_2026W42.pdf")
    report = document.report
    assert document.kind == "report" and document.title == "周观点：算力降价之后，先看内容的周转"
    assert (report.broker, report.report_type, report.industry) == ("风向样例证券", "周报", "传媒")
    assert [(a.name, a.licence) for a in report.analysts] == [
        ("林见川", "S0000526010001"),
        ("沈佳禾", "S0000526010002"),
    ]
    assert (report.rating, report.rating_action, report.benchmark) == ("增持", "维持", "沪深300")
    assert (report.report_date, report.period_start, report.period_end) == ("2026-10-18", "2026-10-12", "2026-10-18")
    assert report.related == ("2026W41 数据跟踪：假期票房与流水", "周观点：国庆档的赢家是口碑")
    chosen = {r.name: (r.reason, r.group) for r in report.recommendations}
    assert chosen["昆仑万维"] == ("音乐模型", "推理降价后毛利率弹性较大的应用公司")
    assert chosen["小商品城"] == ("", "跨境电商")
    assert "完美世界" not in chosen  # named with a warning
    assert document.body[document.page_offsets[1] :].startswith("5、建议关注影视院线")
    assert document.published_at.isoformat() == "2026-10-18T00:00:00+08:00" and document.backfill


def test_a_company_report(read: Callable[[str], object]) -> None:
    report = read("company_002292.pdf").report
    assert (report.rating, report.rating_action, report.previous_rating, report.target_price) == (
        "中性",
        "下调",
        "增持",
        7.0,
    )
    assert (report.broker, report.report_date) == ("风向样例证券", "2026-11-14")


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLE.glob("*.pdf")))
def test_every_sample_report_has_its_parts(read: Callable[[str], object], name: str) -> None:
    document = read(name)
    sections = split(document.body)
    assert [s.start for s in sections[1:]] == [s.end for s in sections[:-1]]
    assert (sections[0].start, sections[-1].end) == (0, len(document.body))
    names = {s.name for s in sections}
    assert {"summary", "risk", "disclaimer", "rating_definition"} <= names
    assert "【" not in text_of(document.body, "disclaimer") + text_of(document.body, "risk")
    assert document.report.rating and document.report.analysts and document.report.report_date


# ---------------------------------------------------------------------- other houses' wordings, in text form


@pytest.mark.parametrize(
    ("text", "rating", "action", "previous"),
    [
        ("投资评级：买入（首次覆盖）", "买入", "首次", ""),
        ("评级：推荐（维持）", "推荐", "维持", "推荐"),
        ("强于大市（上调）\n原评级：同步大市", "强于大市", "上调", "同步大市"),
        ("我们维持公司“审慎增持”评级。", "审慎增持", "维持", "审慎增持"),
        ("首次覆盖，给予“优于大市”评级。", "优于大市", "首次", ""),
        ("将评级由“买入”下调至“增持”", "增持", "下调", "买入"),
        ("没有评级的文字", "", "", ""),
    ],
)
def test_ratings(text: str, rating: str, action: str, previous: str) -> None:
    _, report = report_of(text)
    assert (report.rating, report.rating_action, report.previous_rating) == (rating, action, previous)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "分析师：张三\nSAC编号：S0870521100003\n分析师：李四\n执业证书编号：S0870521100004",
            "张三 S0870521100003 李四 S0870521100004",
        ),
        (
            "分析师 张三、李四\n执业证书编号：S0870521100003\n执业证书编号：S0870521100004",
            "张三 S0870521100003 李四 S0870521100004",
        ),
        ("张三（分析师） S0870521100003", "张三 S0870521100003"),
        ("联系人：王五", "王五 "),
        ("本报告分析师承诺，作者分成方式不变", ""),
    ],
)
def test_analysts(text: str, expected: str) -> None:
    _, report = report_of(text)
    assert " ".join(f"{a.name} {a.licence}" for a in report.analysts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("建议关注：芒果超媒（300413）、汤姆猫、昆仑万维等。", ["芒果超媒", "汤姆猫", "昆仑万维"]),
        ("风险提示\n建议关注【甲公司】。", ["甲公司"]),
        ("建议关注【甲公司】；暂不推荐【乙公司】。", ["甲公司"]),
        ("【甲公司】发布公告。", []),
        ("免责声明\n建议关注【甲公司】。", []),
    ],
)
def test_recommendations(text: str, expected: list[str]) -> None:
    _, report = report_of("标题\n" + text)
    assert [r.name for r in report.recommendations] == expected
