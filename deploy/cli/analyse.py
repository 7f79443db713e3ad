"""`fengxiang analyse`: JSONL in on standard input, one analysis a line out, in the same order.

A line that can't be read gives a line `{"id", "error"}`, a message on standard error and exit code 1 at the end.
Memory is bounded: documents are read, analysed and written in batches.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Annotated, Any

import msgspec
import typer

from models.analyse import Analyser
from models.encoder import ModelError
from models.records import Analysis, Document, Kind, Sentiment
from models.themes import ThemeError

BATCH_DOCUMENTS = 64
BATCH_BYTES = 4_000_000
NOT_UTF8 = "not UTF-8: convert it, as with `iconv -f gbk -t utf-8`"
KINDS: dict[str, Kind] = {"wire": "wire", "news": "news", "announcement": "announcement", "report": "report"}


@dataclass(frozen=True)
class Line:
    """One input line: its id as given, and the document, or what is wrong with it."""

    number: int
    id: Any
    document: Document | None = None
    error: str = ""


def parse(number: int, raw: bytes, now: datetime) -> Line:
    """A line of input. `title` or `body` may be missing, not both; `kind` and `published_at` are optional.

    A text without a time may be of any: names count that a company bore once, and companies that have left the market.
    """
    try:
        value = msgspec.json.decode(raw.decode())
    except UnicodeDecodeError:
        return Line(number, None, error=NOT_UTF8)
    except (msgspec.DecodeError, RecursionError) as error:
        return Line(number, None, error=f"not JSON: {error}")
    if not isinstance(value, dict):
        return Line(number, None, error=f"expected an object with id, title and body, got {type(value).__name__}")
    given = value.get("id")
    if "title" not in value and "body" not in value:
        return Line(number, given, error="no title and no body: the text belongs in fields of these names")
    texts = {}
    for key in ("title", "body"):
        text = value.get(key)
        if text is not None and not isinstance(text, str):
            return Line(number, given, error=f"{key} must be a string, got {type(text).__name__}")
        texts[key] = text or ""
    kind = value.get("kind") or "wire"
    if not isinstance(kind, str) or kind not in KINDS:
        return Line(number, given, error=f"kind {kind!r} is not one of {', '.join(KINDS)}")
    published = now
    if value.get("published_at"):
        try:
            published = datetime.fromisoformat(value["published_at"])
        except (TypeError, ValueError):
            return Line(number, given, error=f"published_at {value['published_at']!r} is not an ISO time")
        published = published if published.tzinfo else published.replace(tzinfo=UTC)
    document = Document(
        id="" if given is None else str(given),
        source="stdin",
        kind=KINDS[kind],
        title=texts["title"],
        body=texts["body"],
        published_at=published,
        fetched_at=now,
    )
    return Line(number, given, document)


def _sentiment(value: Sentiment) -> dict[str, Any]:
    return {"label": value.label, "score": value.score, "probabilities": value.probabilities}


def render(line: Line, analysis: Analysis) -> dict[str, Any]:
    """The output object of a line."""
    return {
        "id": line.id,
        "themes": [
            {"theme": t.theme, "score": t.score, "evidence": [msgspec.to_builtins(span) for span in t.evidence]}
            for t in analysis.themes
        ],
        "sentiment": _sentiment(analysis.sentiment),
        "mentions": [
            {
                "code": m.code,
                "name": m.name,
                "surface": m.surface,
                "field": m.field,
                "start": m.start,
                "end": m.end,
                "sentiment": _sentiment(m.sentiment),
                "relevance": m.relevance,
                "confidence": m.confidence,
                "evidence": m.evidence,
                "role": m.role,
                "section": m.section,
            }
            for m in analysis.mentions
        ],
        "versions": msgspec.to_builtins(analysis.versions),
    }


def batches(source: IO[bytes], now: datetime) -> Iterator[list[Line]]:
    """Lines in batches bounded by number and by size; blank lines are skipped, and so is the mark of UTF-8."""
    batch: list[Line] = []
    size = 0
    for number, raw in enumerate(source, 1):
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if not raw.strip():
            continue
        batch.append(parse(number, raw, now))
        size += len(raw)
        if len(batch) >= BATCH_DOCUMENTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def run(analyser: Analyser, source: IO[bytes], out: IO[bytes], now: datetime) -> int:
    """Analyse all lines; returns how many were bad."""
    bad = 0
    for batch in batches(source, now):
        good = [line.document for line in batch if line.document]
        analyses = iter(analyser.analyse(good))
        written = []
        for line in batch:
            if line.document:
                value = render(line, next(analyses))
            else:
                bad += 1
                value = {"id": line.id, "error": line.error}
                print(f"fengxiang analyse: line {line.number}: {line.error}", file=sys.stderr)
            written.append(msgspec.json.encode(value) + b"\n")
        _write(out, b"".join(written))
    return bad


def _write(out: IO[bytes], lines: bytes) -> None:
    from deploy.cli import UserError

    try:
        out.write(lines)
        out.flush()
    except BrokenPipeError:  # the reader has seen enough
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # nothing to flush into at exit
        raise UserError(f"standard output can't be written ({error}): make room, or send it elsewhere") from error


def command(
    model: Annotated[str, typer.Option(help="Folder of weights; empty: the setting model.path. 模型目录")] = "",
    threads: Annotated[int, typer.Option(min=0, help="0: all processors. 线程数")] = 0,
) -> None:
    """Read JSONL (id, title, body) on standard input, write one analysis a line. 逐行分析标准输入中的文本"""
    from deploy import settings
    from deploy.cli import UserError

    loaded = settings.load()
    chosen, themes = loaded.model, loaded.user_themes
    try:
        analyser = Analyser.load(
            model or chosen.path,
            threads or chosen.threads,
            chosen.device,
            chosen.batch_size,
            str(themes) if chosen.themes or themes.exists() else "",
        )
    except (ModelError, ThemeError) as error:
        raise UserError(str(error)) from error
    if run(analyser, sys.stdin.buffer, sys.stdout.buffer, datetime.now(UTC)):
        raise typer.Exit(1)
