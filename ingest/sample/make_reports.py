"""Make the sample broker reports in `reports/` from `texts/reports/*.yaml`: `python -m ingest.sample.make_reports`.

Every YAML file but `brokers.yaml` is one report. Its sections flow over A4 pages, some in two columns. The first page
has a title block and a side panel (rating, analysts, related reports) right or left of the main text; a panel on the
left is drawn before the text and one on the right after it, as word processors do. Fonts are embedded as subsets, so
readers of the PDFs need none; the same texts and font give the same bytes.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from reportlab.graphics.shapes import Drawing, PolyLine, String
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BalancedColumns,
    BaseDocTemplate,
    Flowable,
    Frame,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
    paragraph,
)

HERE = Path(__file__).parent
FONT = "Chinese"
DEFAULT_FONT = "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"  # Debian: fonts-wqy-microhei
WIDTH, HEIGHT = A4
MARGIN, GAP, SIDE = 18 * mm, 6 * mm, 50 * mm
INNER = WIDTH - 2 * MARGIN
BOTTOM, FULL = 20 * mm, HEIGHT - 42 * mm  # of the text area
FRONT = FULL - 28 * mm  # its height under the title block
BLUE, GREY, PALE = HexColor("#1f4e79"), HexColor("#666666"), HexColor("#e3e3e3")
FICTION = "虚构样例，仅供功能演示，不构成任何投资建议"

PLAIN = ParagraphStyle("plain", fontName=FONT, wordWrap="CJK")
BODY = ParagraphStyle("body", PLAIN, fontSize=10.5, leading=18.5, firstLineIndent=21, spaceAfter=6)
ITEM = ParagraphStyle("item", BODY, firstLineIndent=0)
SMALL = ParagraphStyle("small", PLAIN, fontSize=8, leading=13, spaceAfter=2)
HEAD = ParagraphStyle(
    "head", PLAIN, fontSize=12, leading=18, spaceBefore=8, spaceAfter=5, textColor=BLUE, keepWithNext=1
)
RATING = ParagraphStyle("rating", HEAD, fontSize=14, leading=20)
CELL = ParagraphStyle("cell", SMALL, alignment=TA_CENTER, spaceAfter=0)

# reportlab lets only half-width punctuation hang at the end of a Chinese line.
paragraph.ALL_CANNOT_START += "，。；：？！、”’）】》"

Content = dict[str, Any]


def paragraphs(text: str, style: ParagraphStyle) -> Iterator[Flowable]:
    """One paragraph a line."""
    return (Paragraph(line, style) for line in text.strip().splitlines() if line.strip())


def table(rows: list[str]) -> Table:
    """A ruled table; a row is one string of cells divided by spaces, the first row is the head."""
    cells = [[Paragraph(cell, CELL) for cell in row.split()] for row in rows]
    ruled = TableStyle(
        [
            ("LINEABOVE", (0, 0), (-1, 0), 1, BLUE),
            ("LINEBELOW", (0, 0), (-1, -1), 0.3, GREY),
            ("BACKGROUND", (0, 0), (-1, 0), PALE),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ]
    )
    return Table(cells, colWidths=[f"{100 / len(cells[0])}%"] * len(cells[0]), style=ruled, repeatRows=1)


def chart() -> Drawing:
    """Two invented index lines with a few labels, as the side panels of reports have."""
    drawing = Drawing(SIDE, 82)
    for phase, swing, colour in ((0.0, 14, BLUE), (1.3, 7, GREY)):
        points = [(x, 45 + swing * math.sin(x / 21 + phase) + 3 * math.sin(x / 3)) for x in range(24, int(SIDE), 3)]
        drawing.add(PolyLine([value for point in points for value in point], strokeColor=colour))
    labels = [(2, 70, "20%"), (2, 42, "0%"), (2, 18, "-20%"), (24, 4, "11/25"), (66, 4, "04/26"), (108, 4, "09/26")]
    for x, y, label in labels:
        drawing.add(String(x, y, label, fontName=FONT, fontSize=6.5, fillColor=GREY))
    return drawing


def side_panel(report: Content) -> Iterator[Flowable]:
    """Rating, industry, date, analysts with their licence numbers, a chart, related reports."""
    yield Paragraph(report["rating"], RATING)
    yield from (Paragraph(line, SMALL) for line in report["facts"])
    yield Spacer(1, 6)
    for analyst in report["analysts"]:
        yield Paragraph(f"分析师： {analyst['name']}", SMALL)
        yield Paragraph(f"E-mail: {analyst['mail']}", SMALL)
        yield Paragraph(f"SAC 编号: {analyst['licence']}", SMALL)
    yield Spacer(1, 6)
    yield Paragraph("最近一年指数与沪深 300 比较（虚构）", SMALL)
    yield chart()
    yield Paragraph("相关报告：", SMALL)
    for related in report["related"]:
        yield Paragraph(f"《{related['title']}》", SMALL)
        yield Paragraph(f"——{related['date']}", SMALL)


def section(content: Content) -> Iterator[Flowable]:
    """Heading, then running text, list items and a table with its caption, where given."""
    yield Paragraph(content["heading"], HEAD)
    text = [*paragraphs(content.get("text", ""), BODY)]
    yield from [BalancedColumns(text, 2, innerPadding=GAP)] if content.get("columns") else text
    yield from (Paragraph(item, ITEM) for item in content.get("items", []))
    if "table" in content:
        yield Paragraph(content["caption"], SMALL)
        yield table(content["table"])
        yield Paragraph(f"资料来源：{content.get('credit', '虚构数据，样例自编')}", SMALL)


def story(report: Content, broker: dict[str, str]) -> Iterator[Flowable]:
    """All that flows through the pages: the sections, then the broker's declarations on a page of their own."""
    yield NextPageTemplate("plain")
    for content in report["sections"]:
        yield from section(content)
    yield PageBreak()
    for heading in ("分析师声明", "投资评级体系与评级定义", "免责声明"):
        yield Paragraph(heading, HEAD)
        yield from paragraphs(broker[heading].replace("{broker}", broker["name"]), SMALL)


@dataclass(frozen=True)
class Furniture:
    """What stands on a page around the flowing text; the methods are reportlab's page callbacks."""

    report: Content
    broker: str

    def page(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        """Watermark, header, footer and page number."""
        canvas.saveState()
        canvas.setFillColor(PALE)
        canvas.setFont(FONT, 38)
        canvas.translate(WIDTH / 2, HEIGHT / 2)
        canvas.rotate(45)
        canvas.drawCentredString(0, 0, self.report.get("watermark", ""))
        canvas.restoreState()
        canvas.saveState()
        canvas.setFont(FONT, 8)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN, HEIGHT - 14 * mm, f"{self.report['type']}  {self.report['field']}")
        canvas.drawRightString(WIDTH - MARGIN, HEIGHT - 14 * mm, self.broker)
        canvas.line(MARGIN, HEIGHT - 16 * mm, WIDTH - MARGIN, HEIGHT - 16 * mm)
        canvas.line(MARGIN, 15 * mm, WIDTH - MARGIN, 15 * mm)
        canvas.drawString(MARGIN, 11 * mm, f"请务必阅读尾页重要声明。{FICTION}")
        canvas.drawRightString(WIDTH - MARGIN, 11 * mm, str(document.page))
        canvas.restoreState()

    def front(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        """The same, with the title block and a panel that stands left of the text."""
        self.page(canvas, document)
        canvas.saveState()
        canvas.setFillColor(BLUE)
        canvas.setFont(FONT, 17)
        canvas.drawString(MARGIN, HEIGHT - 30 * mm, self.report["title"])
        canvas.setFont(FONT, 10.5)
        canvas.drawString(MARGIN, HEIGHT - 38 * mm, self.report["subtitle"])
        canvas.restoreState()
        if self.report["side"] == "left":
            self.panel(canvas, MARGIN)

    def front_end(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        """A panel that stands right of the text."""
        if self.report["side"] == "right":
            self.panel(canvas, WIDTH - MARGIN - SIDE)

    def panel(self, canvas: Canvas, x: float) -> None:
        frame(x, SIDE, FRONT).addFromList([*side_panel(self.report)], canvas)


def frame(x: float, width: float, height: float) -> Frame:
    return Frame(x, BOTTOM, width, height, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0, id="text")


def make(report: Content, broker: dict[str, str], target: Path) -> None:
    """Write one report as a PDF."""
    about = {
        "title": report["title"],
        "author": "、".join(analyst["name"] for analyst in report["analysts"]),
        "subject": FICTION,
        "creator": broker["name"],
    }
    document = BaseDocTemplate(str(target), pagesize=A4, invariant=1, **about)
    furniture = Furniture(report, broker["name"])
    x = MARGIN if report["side"] == "right" else MARGIN + SIDE + GAP
    text = frame(x, INNER - SIDE - GAP, FRONT)
    document.addPageTemplates(
        [
            PageTemplate("front", [text], onPage=furniture.front, onPageEnd=furniture.front_end),
            PageTemplate("plain", [frame(MARGIN, INNER, FULL)], onPage=furniture.page),
        ]
    )
    document.build([*story(report, broker)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the sample broker reports.")
    parser.add_argument("--font", default=DEFAULT_FONT, help="a Chinese TrueType font")
    pdfmetrics.registerFont(TTFont(FONT, parser.parse_args().font, subfontIndex=0))
    folder = HERE / "texts" / "reports"
    brokers = yaml.safe_load((folder / "brokers.yaml").read_text("utf-8"))
    for path in sorted(folder.glob("*_*.yaml")):
        report = yaml.safe_load(path.read_text("utf-8"))
        target = HERE / "reports" / f"{path.stem}.pdf"
        make(report, brokers[report["broker"]], target)
        print(f"{target.name}: {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
