"""Reading order of a page: pieces of text with boxes to lines and paragraphs, by recursive cuts (XY-cut).

A page is cut at its widest gutter (columns, side panels) or, where no gutter runs through, at its widest horizontal
gap; then each part again. A table's gutters are no columns: where the rows of both sides line up and one side is
ragged, or there are three gutters and more, the part is read by rows. Coordinates are points, y upwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

GUTTER = 8.0  # points: narrower than this is a space between words
LEADING = 2.0
MAX_DEPTH = 12
_BULLET = re.compile(r"^\s*(?:[•●■◆▶➢▪\-–—*·□○◼]|[（(]?[\d一二三四五六七八九十]{1,3}(?:[)）、．]|\.(?!\d))|[①-⑳])")
_END = re.compile(r"[。！？!?；;：:]$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters on one baseline."""

    left: float
    bottom: float  # the baseline
    right: float
    top: float
    size: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line in reading order; `column` is the (left, right) of the part of the page that it stands in."""

    left: float
    right: float
    bottom: float
    size: float
    text: str
    column: tuple[float, float]


def reading_order(pieces: Sequence[Piece]) -> list[Line]:
    """The page's lines, in the order in which a person reads them."""
    return _cut(list(pieces), _extent(pieces), 0) if pieces else []


def paragraphs(lines: Sequence[Line]) -> list[str]:
    """Lines joined where the sentence runs on: the first fills its column and the next starts at the margin."""
    out: list[str] = []
    before: Line | None = None
    for line in lines:
        text = line.text.strip()
        if not text:
            continue
        if before is not None and _runs_on(before, line):
            glue = " " if out[-1][-1:].isascii() and text[0].isascii() and out[-1][-1:].isalnum() else ""
            out[-1] += glue + text
        else:
            out.append(text)
        before = line
    return out


def _runs_on(line: Line, following: Line) -> bool:
    size = max(line.size, 1.0)
    if line.column != following.column:  # from the foot of a column to the head of the next
        return (
            abs(line.size - following.size) < 0.05 * size
            and following.bottom > line.bottom
            and line.column[1] - line.right < 1.2 * size
            and following.column[1] - following.right < 1.2 * size
            and following.left - following.column[0] < 1.2 * size
            and not _END.search(line.text)
            and not _BULLET.match(following.text)
        )
    return (
        line.column == following.column
        and abs(line.size - following.size) < 0.15 * size
        and 0 < line.bottom - following.bottom < 2.4 * size
        and line.column[1] - line.right < 2.2 * size
        and (
            following.left - line.column[0] < 1.2 * size
            or bool(_BULLET.match(line.text))
            or following.left <= line.left
        )
        and not _BULLET.match(following.text)
        and not ("\t" in line.text or "\t" in following.text)
    )


def _unfinished(line: Line) -> bool:
    """Whether a long line stops in the middle of a sentence (its column may be wider than its text block)."""
    low, high = line.column
    return line.right - low > 0.8 * (high - low) and not _END.search(line.text)


# ---------------------------------------------------------------------- cuts


def _cut(pieces: list[Piece], column: tuple[float, float], depth: int) -> list[Line]:
    if len(pieces) < 2 or depth > MAX_DEPTH:
        return _rows(pieces, column)
    gutters = _gaps(((p.left, p.right) for p in pieces), GUTTER)
    if gutters:
        _, at = max(gutters)
        left, right = [p for p in pieces if p.right <= at], [p for p in pieces if p.left >= at]
        if len(gutters) < 3 and not _is_table(left, right):
            return _cut(left, _extent(left), depth + 1) + _cut(right, _extent(right), depth + 1)
    gaps = _gaps(((p.bottom, p.top) for p in pieces), LEADING)
    if gaps:
        _, at = max(gaps)
        upper, lower = [p for p in pieces if p.bottom >= at], [p for p in pieces if p.bottom < at]
        return _cut(upper, column, depth + 1) + _cut(lower, column, depth + 1)
    return _rows(pieces, column)


def _gaps(spans: object, least: float) -> list[tuple[float, float]]:
    """(width, middle) of the gaps between spans that are wider than `least`."""
    ordered = sorted(spans)  # type: ignore[call-overload]
    found, end = [], ordered[0][1]
    for low, high in ordered[1:]:
        if low - end > least:
            found.append((low - end, (low + end) / 2))
        end = max(end, high)
    return found


def _is_table(left: list[Piece], right: list[Piece]) -> bool:
    """Whether two sides of a gutter are cells of the same rows, or one side is a single row."""
    rows_left, rows_right = {round(p.bottom / 2) for p in left}, {round(p.bottom / 2) for p in right}
    fewest = min(len(rows_left), len(rows_right))
    if fewest < 2:
        return True
    if len(rows_left & rows_right) < 0.75 * fewest:
        return False

    def fill(side: list[Piece]) -> float:
        low, high = _extent(side)
        return median(p.right - p.left for p in side) / max(1.0, high - low)

    return min(fill(left), fill(right)) < 0.6 or fewest < 4


def _rows(pieces: Sequence[Piece], column: tuple[float, float]) -> list[Line]:
    """Pieces by rows from the top, cells of a row parted by tabs."""
    lines: list[Line] = []
    row: list[Piece] = []
    for piece in sorted(pieces, key=lambda p: -p.bottom):
        if row and abs(row[0].bottom - piece.bottom) > 0.4 * max(row[0].size, piece.size):
            lines.append(_line(row, column))
            row = []
        row.append(piece)
    return [*lines, _line(row, column)] if row else lines


def _line(row: list[Piece], column: tuple[float, float]) -> Line:
    row = sorted(row, key=lambda p: p.left)
    text = row[0].text
    for before, piece in pairwise(row):
        gap = piece.left - before.right
        text += ("\t" if gap > GUTTER else " " if gap > 0.25 * piece.size else "") + piece.text
    size = max(row, key=lambda p: len(p.text)).size
    return Line(row[0].left, max(p.right for p in row), row[0].bottom, size, text, column)


def _extent(pieces: Sequence[Piece]) -> tuple[float, float]:
    return (min((p.left for p in pieces), default=0.0), max((p.right for p in pieces), default=0.0))


# ---------------------------------------------------------------------- running heads and watermarks

_MARGIN = 0.08  # of the page's height
_NUMBER = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"^[-–—\s]*(?:第?\s*\d{1,4}\s*页?(?:\s*[/共]\s*\d{1,4}\s*页?)?)[-–—\s]*$")
_NOTICE = re.compile(r"(?:请|敬请).{0,12}(?:正文|尾页|末页|报告).{0,12}(?:声明|免责|说明|条款|披露)")


def without_running_text(pages: Sequence[tuple[float, Sequence[Piece]]]) -> list[list[Piece]]:
    """Pages (height, pieces) without headers, footers, page numbers, and watermarks that repeat in place."""
    heads: dict[str, int] = {}
    places: dict[tuple[str, int, int], int] = {}
    for height, pieces in pages:
        for text in {_shape(p) for p in pieces if _in_margin(p, height)}:
            heads[text] = heads.get(text, 0) + 1
        for place in {_place(p) for p in pieces}:
            places[place] = places.get(place, 0) + 1
    often = max(2, len(pages) * 0.4)
    always = max(3, len(pages) * 0.8)

    def runs(piece: Piece, height: float) -> bool:
        text = piece.text.strip()
        if _in_margin(piece, height) and (
            heads[_shape(piece)] >= often or _PAGE_NUMBER.match(text) or (_NOTICE.search(text) and len(text) < 50)
        ):
            return True
        return places[_place(piece)] >= always

    return [[p for p in pieces if not runs(p, height)] for height, pieces in pages]


def _in_margin(piece: Piece, height: float) -> bool:
    return piece.bottom > height * (1 - _MARGIN) or piece.bottom < height * _MARGIN


def _shape(piece: Piece) -> str:
    return _NUMBER.sub("#", piece.text).strip()


def _place(piece: Piece) -> tuple[str, int, int]:
    return piece.text.strip(), round(piece.left / 4), round(piece.bottom / 4)


def turned(piece: Piece, quarter: int, width: float, height: float) -> Piece:
    """A piece of a page that is printed turned by `quarter` * 90 degrees, as on the page held upright."""
    if quarter == 1:
        return replace(piece, left=piece.bottom, right=piece.top, bottom=width - piece.right, top=width - piece.left)
    if quarter == 2:
        return replace(
            piece,
            left=width - piece.right,
            right=width - piece.left,
            bottom=height - piece.top,
            top=height - piece.bottom,
        )
    if quarter == 3:
        return replace(piece, left=height - piece.top, right=height - piece.bottom, bottom=piece.left, top=piece.right)
    return piece
