"""A PDF's bytes to text in reading order, with the offset of each page. Runs inside `ingest.pdf.worker`.

Text that is turned against the page (watermarks) is dropped; a page that is turned as a whole is read upright.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter

import msgspec
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ingest.pdf.layout import Line, Piece, paragraphs, reading_order, turned, without_running_text

MAX_PAGES = 600
MAX_CHARACTERS = 3_000_000
_PASSWORD_ERROR, _FORMAT_ERROR, _SECURITY_ERROR = 4, 3, 5
_JUNK = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufeff\ufffe\uffff]")


class Extracted(msgspec.Struct, frozen=True):
    """Text of a PDF; `page_offsets` are the starts of its pages in `text`; `headings`: its largest lines on page 1."""

    text: str
    page_offsets: tuple[int, ...]
    headings: tuple[str, ...]
    pages: int


class PdfError(ValueError):
    """Why a PDF gives no text: one line, with the remedy."""


def extract(data: bytes) -> Extracted:
    """Text of a PDF. Raises `PdfError`."""
    if b"%PDF-" not in data[:1024]:
        raise PdfError("not a PDF: the file does not begin with %PDF")
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code in (_PASSWORD_ERROR, _SECURITY_ERROR):
            raise PdfError("the PDF is encrypted: save it without a password") from error
        raise PdfError("the PDF is damaged or cut short: fetch it again") from error
    try:
        if not len(document):
            raise PdfError("the PDF has no pages")
        if len(document) > MAX_PAGES:
            raise PdfError(f"the PDF has {len(document)} pages, more than {MAX_PAGES}: split it")
        pages, characters = [], 0
        for number in range(len(document)):
            height, pieces, count = _page(document, number)
            characters += count
            if characters > MAX_CHARACTERS:
                raise PdfError(f"the PDF has more than {MAX_CHARACTERS:,} characters: split it")
            pages.append((height, pieces))
    finally:
        document.close()
    if characters < 20:
        raise PdfError(
            f"the PDF is scanned: {len(pages)} pages hold {characters} characters of text; run OCR on it first"
        )
    ordered = [reading_order(pieces) for pieces in without_running_text(pages)]
    return _joined(ordered)


def _joined(ordered: list[list[Line]]) -> Extracted:
    text, offsets = "", []
    for lines in ordered:
        text += "\n" if text else ""
        offsets.append(len(text))
        text += "\n".join(paragraphs(lines))
    largest = (
        sorted(((line.size, line.text.strip()) for line in ordered[0]), key=lambda item: -item[0]) if ordered else []
    )
    return Extracted(text, tuple(offsets), tuple(line for _, line in largest[:8] if line), len(ordered))


def _page(document: pdfium.PdfDocument, number: int) -> tuple[float, list[Piece], int]:
    try:
        page = document[number]
        text = page.get_textpage()
    except pdfium.PdfiumError as error:
        raise PdfError(f"page {number + 1} of the PDF is damaged: fetch it again") from error
    try:
        width, height = page.get_size()
        if text.count_chars() > MAX_CHARACTERS:
            raise PdfError(f"page {number + 1} has more than {MAX_CHARACTERS:,} characters")
        pieces = _pieces(text)
        quarters = Counter(quarter for quarter, piece in pieces for _ in piece.text)
        upright = quarters.most_common(1)[0][0] if quarters else 0
        if quarters and quarters[upright] < 0.7 * quarters.total():
            upright = 0
        kept = [turned(piece, upright, width, height) for quarter, piece in pieces if quarter == upright]
        return (width if upright in (1, 3) else height), kept, sum(len(piece.text) for piece in kept)
    finally:
        text.close()
        page.close()


def _pieces(text: pdfium.PdfTextPage) -> list[tuple[int, Piece]]:
    """(quarter turns, piece) of a page; text at other angles is left out."""
    handle, found = text.raw, []
    left, right, bottom, top, x, y = (ctypes.c_double() for _ in range(6))
    characters: list[str] = []
    start = (0.0, 0.0, 0, 0.0)  # left, baseline, quarter, size
    end = 0.0

    def flush() -> None:
        nonlocal characters
        joined = _JUNK.sub("", "".join(characters)).rstrip()
        if joined.strip():
            first, line, quarter, size = start
            box = Piece(first, line, end, line + size, size, joined)
            found.append((quarter, box if quarter == 0 else _upright_box(box, quarter, size)))
        characters = []

    for index in range(text.count_chars()):
        code = raw.FPDFText_GetUnicode(handle, index)
        if code in (0, 0xFFFE, 10, 13):
            if code in (10, 13):
                flush()
            continue
        quarter = _quarter(raw.FPDFText_GetCharAngle(handle, index))
        if quarter is None:
            flush()
            continue
        raw.FPDFText_GetCharBox(handle, index, left, right, bottom, top)
        raw.FPDFText_GetCharOrigin(handle, index, x, y)
        size = raw.FPDFText_GetFontSize(handle, index) or 10.0
        if quarter % 2:
            along, across, extent = y.value, x.value, top.value
        else:
            along, across, extent = x.value, y.value, right.value
        _, line, same, before = start
        joins = (
            characters
            and same == quarter
            and abs(line - across) < 0.3 * before
            and -before < along - end < 1.2 * before
        )
        if not joins:
            flush()
            if code == 32:
                continue
            start, end = (along, across, quarter, size), along
        characters.append(chr(code) if code < 0x110000 else "")
        end = max(end, extent if extent > along else along + size * 0.5)
    flush()
    return found


def _upright_box(box: Piece, quarter: int, size: float) -> Piece:
    """The box on the page of a run whose `left..right` is along its own direction."""
    if quarter == 1:  # reads upwards: its own right is the page's up
        return Piece(box.bottom - size, box.left, box.bottom, box.right, size, box.text)
    if quarter == 3:
        return Piece(box.bottom, box.right, box.bottom + size, box.left, size, box.text)
    return box


def _quarter(angle: float) -> int | None:
    """Quarter turns to the left of pdfium's angle, which grows to the right; None for one in between."""
    turns = -angle / (math.pi / 2)
    return round(turns) % 4 if abs(turns - round(turns)) < 0.05 else None
