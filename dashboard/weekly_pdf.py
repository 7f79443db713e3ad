"""The weekly digest as a PDF of A4 pages.

Its font is one of those that every PDF reader brings along or stands in for (Adobe's STSong-Light), so that neither a
font file nor the network is needed and a digest stays small.
"""

from __future__ import annotations

from io import BytesIO

from markupsafe import escape
from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, TableStyle
from reportlab.platypus import Table as Grid

from dashboard.weekly import Cell, Digest, Table

FONT = "STSong-Light"
MARGIN = 20 * mm
PADDING = 6  # of ReportLab's frames, which stand this much within the margins
WIDTH = A4[0] - 2 * MARGIN
FIGURE = 26 * mm  # width of a column of figures
INK, SOFT, LINE, ACCENT = "#1b2430", "#6b7684", "#e3e8ef", "#2f6fed"
COLOURS = {"fx-up": "#c9252d", "fx-down": "#14783d", "fx-flat": SOFT}  # as in weekly.css

TEXT = ParagraphStyle("text", fontName=FONT, fontSize=9.5, leading=14, textColor=INK, wordWrap="CJK")
RIGHT = ParagraphStyle("right", TEXT, alignment=TA_RIGHT)
HEAD = ParagraphStyle("head", TEXT, fontSize=8.5, textColor=SOFT)
HEAD_RIGHT = ParagraphStyle("head-right", HEAD, alignment=TA_RIGHT)
TITLE = ParagraphStyle("title", TEXT, fontSize=20, leading=28)
SECTION = ParagraphStyle("section", TEXT, fontSize=13, leading=18, spaceBefore=14, spaceAfter=4)


def pdf(made: Digest) -> bytes:
    """The digest's file."""
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN - PADDING,
        rightMargin=MARGIN - PADDING,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=made.title,
        author="Fengxiang",
        lang="zh-CN" if made.language == "zh" else "en",
    )
    intro = Paragraph(f"{escape(made.intro)} {_text(made.change)}", TEXT)
    flow = [Paragraph(escape(made.title), TITLE), intro]
    for table in made.tables:
        flow += _section(table)

    def footer(canvas: Canvas, _: SimpleDocTemplate) -> None:
        canvas.setFont(FONT, 8)
        canvas.setFillColor(SOFT)
        canvas.drawString(MARGIN, 11 * mm, made.title)
        canvas.drawRightString(A4[0] - MARGIN, 11 * mm, str(canvas.getPageNumber()))

    document.build(flow, onFirstPage=footer, onLaterPages=footer)
    return file.getvalue()


def _section(table: Table) -> list[Paragraph | Grid | KeepTogether]:
    title = Paragraph(escape(table.title), SECTION)
    if not table.lines:
        return [KeepTogether([title, Paragraph(escape(table.empty), HEAD)])]
    styles, heads = (TEXT, RIGHT), (HEAD, HEAD_RIGHT)
    cells = [[Paragraph(escape(head), heads[i > 0]) for i, head in enumerate(table.heads)]]
    cells += [[Paragraph(_text(cell), styles[i > 0]) for i, cell in enumerate(line)] for line in table.lines]
    figures = len(table.heads) - 1
    grid = Grid(
        cells,
        colWidths=[WIDTH - figures * FIGURE] + [FIGURE] * figures,
        repeatRows=1,
        style=TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.HexColor(LINE)),
                ("LINEABOVE", (0, 0), (-1, 0), 1.2, colors.HexColor(ACCENT)),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 3),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ]
        ),
    )
    title.keepWithNext = True
    return [title, grid]


def _text(cell: Cell) -> str:
    """A cell in ReportLab's markup, whatever it says shown as it stands."""
    text = str(escape(cell.text)).replace("−", "-")  # a minus sign is as wide as a character in this font
    if cell.css:
        text = f'<font color="{COLOURS[cell.css]}">{text}</font>'
    return f'{text} <font size="8" color="{SOFT}">{escape(cell.note)}</font>' if cell.note else text
