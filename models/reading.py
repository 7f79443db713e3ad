"""What of a document the encoder reads: title, lead, and the sentences that name a company or hold a theme's cue.

Reading less is where the speed comes from: a wire is one short window, a forty-page report is a handful. Each
window remembers where its pieces came from, so that spans can be carried into a window and back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from models.records import Field, Span

WINDOW = 176  # characters; about 125 tokens of Chinese
TITLE = 80
HEAD = 80  # characters of a body without a title that stand for one
LEAD_SHARE = 0.6  # of the window, before sentences further down compete for the rest
SENTENCE = 120  # longer ones are cut, for texts without punctuation
LONG = 3000  # characters of body from which a document is read by more windows
MAX_WINDOWS, MAX_WINDOWS_LONG = 4, 10
SCAN = 120_000  # characters of a body looked at for sentences; spans beyond are still read

_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;\n]*")
# White space is taken once only: two neighbours that could share a long stretch of it would try every way to.
_DATELINE = re.compile(
    r"\s*+(?:[\u4e00-\u9fff]{2,8}(?:社|网|报|讯|日报|时报)?)?\s*(?:北京时间)?(?:\d{1,2}月)?\d{1,2}日(?:电|讯|消息)[，,：:]?\s*"
)
_BOILERPLATE = re.compile(
    r"(?:^|\n)[^\S\n]*(?:[一二三四五六七八九十\d]+[、.．]\s*)?"
    r"(?:免责声明|法律声明|重要声明|特别声明|分析师声明|分析师承诺|分析师简介|投资评级说明|评级说明|一般声明|版权声明|"
    r"信息披露(?=\s*(?:[:：]|\n|$)))"  # alone: 信息披露义务人 is a party, and has a chapter
)
# One character to one character, so that offsets hold: full-width forms, exotic spaces, controls, lone surrogates.
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code) not in "，：；！？（）"}
_PLAIN |= dict.fromkeys([0x3000, 0xA0, 0xFEFF, 0x200B, 0x200C, 0x200D, 0xFFFD, *range(0x2000, 0x200B)], 0x20)
_PLAIN |= dict.fromkeys([*(c for c in range(0x20) if c != 0x0A), *range(0x7F, 0xA0)], 0x20)
_TRADITIONAL = Path(__file__).with_name("linking") / "data" / "traditional.txt"
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Piece:
    """Characters `start` to `end` of a field, standing at `at` in a window."""

    field: Field
    start: int
    end: int
    at: int


@dataclass(frozen=True)
class Window:
    """A text for the encoder, and where it came from."""

    text: str
    pieces: tuple[Piece, ...]

    def locate(self, span: Span) -> tuple[int, int] | None:
        """The span's place in this window, or None where it isn't wholly inside."""
        for piece in self.pieces:
            if piece.field == span.field and piece.start <= span.start and span.end <= piece.end:
                return span.start - piece.start + piece.at, span.end - piece.start + piece.at
        return None

    def source(self, start: int, end: int) -> Span | None:
        """The document's span of a stretch of the window, cut to the piece that holds its start."""
        for piece in self.pieces:
            stop = piece.at + piece.end - piece.start
            if piece.at <= start < stop:
                return Span(piece.field, start - piece.at + piece.start, min(end, stop) - piece.at + piece.start)
        return None

    def clause(self, start: int, end: int) -> tuple[int, int]:
        """The sentence of the window around a stretch of it."""
        left = max(self.text.rfind(mark, 0, start) for mark in "。！？；\n") + 1
        rights = [i for mark in "。！？；\n" if (i := self.text.find(mark, end)) >= 0]
        return left, min(rights, default=len(self.text))


@lru_cache(maxsize=1)
def _table() -> dict[int, int]:
    _, traditional, simplified = _TRADITIONAL.read_text(encoding="utf-8").splitlines()
    return {ord(a): ord(b) for a, b in zip(traditional, simplified, strict=True)} | _PLAIN


def plain(text: str) -> str:
    """The text in simplified characters, with full-width forms, odd spaces and controls made plain; offsets hold."""
    return _SURROGATE.sub(" ", text.translate(_table()))


def headline(title: str, body: str) -> str:
    """What a text says first: its title, else the beginning of its prose; of headlines strung together, none."""
    if title.strip():
        return plain(title)
    prose = len(body) <= HEAD // 2 or any(mark in body[: 2 * HEAD] for mark in "。！？!?") or news_start("", body)
    return plain(body[:HEAD]) if prose else ""


def boilerplate_start(body: str) -> int:
    """Where the disclaimers begin (they run to the end), or the body's length."""
    match = _BOILERPLATE.search(body, len(body) // 3)
    return match.start() if match and len(body) > 400 else len(body)


def news_start(title: str, body: str) -> int:
    """Where a wire's news begins: after the title repeated in 【】 and the dateline."""
    start = 0
    if body.startswith("【") and (close := body.find("】", 0, 160)) > 0:
        head = body[1:close]
        if title and (head in title or title in head or len(set(head) & set(title)) > 0.7 * len(set(head))):
            start = close + 1
    match = _DATELINE.match(body, start)
    return match.end() if match else start


def sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Sentences of `text[start:end]` as offsets, none longer than SENTENCE."""
    found: list[tuple[int, int]] = []
    for match in _SENTENCE.finditer(text, start, end):
        for cut in range(match.start(), match.end(), SENTENCE):
            stop = min(cut + SENTENCE, match.end())
            if not text[cut:stop].isspace():
                found.append((cut, stop))
    return found


def _window(title: str, body: str, title_end: int, parts: Iterable[tuple[int, int]]) -> Window:
    text, pieces = title[:title_end], [Piece("title", 0, title_end, 0)] if title_end else []
    for start, end in parts:
        last = pieces[-1] if pieces else None
        if last and last.field == "body" and last.end == start:  # neighbours: one piece, so that spans across them hold
            pieces[-1] = Piece("body", last.start, end, last.at)
        else:
            text += "\n" if text else ""
            pieces.append(Piece("body", start, end, len(text)))
        text += body[start:end]
    return Window(text, tuple(pieces))


def read(title: str, body: str, spans: Sequence[Span] = ()) -> list[Window]:
    """Windows of a document: the first holds title and lead, later ones the sentences of spans not yet covered.

    `title` and `body` are `plain`; `spans` are what must be read (mentions first, then cues), in order of weight.
    Always at least one window, which may be empty.
    """
    title_end = min(len(title), TITLE if body.strip() else WINDOW)
    start, end = news_start(title, body), boilerplate_start(body)
    lines = sentences(body, start, min(end, start + SCAN))
    room = WINDOW - title_end
    if end - start <= room:
        lead, lines = lines, []
    else:
        lead = []
        while lines and (not lead or sum(e - s for s, e in lead) + lines[0][1] - lines[0][0] <= room * LEAD_SHARE):
            lead.append(lines.pop(0))
    # A sentence is wanted by the first span in it; spans past the scanned part get a stretch of their own.
    wanted: list[tuple[int, int]] = []
    for span in spans:
        if span.field != "body" or span.start >= end or any(s <= span.start < e for s, e in [*lead, *wanted]):
            continue
        home = next(((s, e) for s, e in lines if s <= span.start < e), None)
        wanted.append(home or (max(0, span.start - 40), min(len(body), span.end + 60)))
    used = sum(e - s for s, e in lead)
    fill = [line for line in wanted if line in lines]
    first: list[tuple[int, int]] = []
    for line in fill or lines:
        if used + line[1] - line[0] > room:
            break
        first.append(line)
        used += line[1] - line[0]
    windows = [_window(title, body, title_end, [*lead, *sorted(first)])]
    rest = sorted(line for line in wanted if line not in first)
    limit = MAX_WINDOWS_LONG if len(body) > LONG else MAX_WINDOWS
    group: list[tuple[int, int]] = []
    for line in rest:
        if group and sum(e - s for s, e in group) + line[1] - line[0] > WINDOW:
            windows.append(_window(title, body, 0, group))
            group = []
        if len(windows) >= limit:
            break
        group.append(line)
    if group and len(windows) < limit:
        windows.append(_window(title, body, 0, group))
    return windows
