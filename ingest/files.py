"""Files and folders to documents: JSONL, JSON, CSV, TSV, Parquet (each also gzipped), PDF, HTML, txt, md.

`read` yields a `Document` for each row or page, or a `DeadLetter` of stage `ingest` whose reason names the file, the
row and the remedy. One bad row, or one bad file of a folder, never ends the reading. Rows are streamed: the size of
a file of rows is not limited, that of one row or one page of text is.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from ingest import pages
from ingest.encoding import decode, encoding_of, readable
from ingest.fields import NAMES, Options, RowError, clean, to_document
from models.records import Document, document_id
from stream.records import MAX_PAYLOAD, DeadLetter

ROW_LIMIT = 12_000_000  # bytes of one row
JSON_LIMIT = 200_000_000  # bytes of a .json file, which is read whole
_HEAD = 65_536
_ROWS = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"}
_TEXTS = {".txt", ".md", ".html", ".htm", ".xhtml", ".pdf"}
SUFFIXES = _ROWS | _TEXTS
PARTIAL = re.compile(r"^[.~]|\.(?:part|partial|tmp|crdownload|swp)$|~$", re.IGNORECASE)  # somebody still writes it
_DECODER = msgspec.json.Decoder()
csv.field_size_limit(ROW_LIMIT)

Item = Document | DeadLetter
# (data, file name, options) -> item; raises ValueError with the reason
PdfReader = Callable[[bytes, str, Options], Document]


class FileError(ValueError):
    """A path that can't be read at all; the text names it and the remedy."""


@dataclass(frozen=True)
class Reader:
    """Reads paths. max_bytes: of one PDF, HTML or text file; pdf: extracts a PDF's document."""

    options: Options
    max_bytes: int
    pdf: PdfReader

    def read(self, path: Path) -> Iterator[Item]:
        """Everything in a file, or in a folder and its folders, in order of names. Raises `FileError`."""
        if not path.exists():
            raise FileError(f"{path}: no such file or folder")
        if path.is_dir():
            for file in sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path))):
                yield from self._file(file)
        else:
            yield from self._file(path)

    def _file(self, path: Path) -> Iterator[Item]:
        kind = format_of(path)
        try:
            if kind in _ROWS:
                yield from self._rows(path, kind)
            elif kind in _TEXTS:
                yield self._text(path, kind)
            else:
                suffix = readable(path.suffix) or "a name without suffix"
                raise RowError(f"{suffix} is not a known format; known are {_known()}")
        except Exception as error:  # the file is untrusted: whatever is odd in it costs a dead letter  # noqa: BLE001
            yield self._reject(path, 0, error, "")

    # ------------------------------------------------------------------ rows

    def _rows(self, path: Path, kind: str) -> Iterator[Item]:
        source = _plain_stem(path)
        for number, raw, row in _ROW_READERS[kind](path):
            try:
                if isinstance(row, Exception):
                    raise row
                if not isinstance(row, Mapping):
                    raise RowError(f"a row must be an object of fields, not {type(row).__name__}")
                yield to_document(row, self.options, default_source=source)
            except Exception as error:  # so is the row  # noqa: BLE001
                yield self._reject(path, number, error, raw or _as_text(row))

    # ------------------------------------------------------------------ texts

    def _text(self, path: Path, kind: str) -> Item:
        size = path.stat().st_size
        if size > self.max_bytes:
            raise RowError(
                f"{size:,} bytes are more than ingest.max_file_mb allows ({self.max_bytes:,}): raise it or split"
            )
        with _open(path) as file:
            data = file.read(self.max_bytes + 1)
        if len(data) > self.max_bytes:
            raise RowError(f"unpacks to more than ingest.max_file_mb allows ({self.max_bytes:,} bytes)")
        if not data.strip():
            raise RowError("the file is empty")
        if kind == ".pdf":
            return self.pdf(data, readable(path.name), self.options)
        modified = datetime.fromtimestamp(path.stat().st_mtime, self.options.now.tzinfo)
        if kind in (".txt", ".md"):
            row = plain_text(decode(data), _plain_stem(path))
        else:
            row = pages.article(decode(data), url="")
        row.setdefault("published_at", self.options.published_at or min(modified, self.options.now))
        return to_document(row, self.options, default_source="files")

    def _reject(self, path: Path, number: int, error: Exception, payload: str) -> DeadLetter:
        source = self.options.source or _plain_stem(path)
        name = readable(path.name)
        return rejection(name, number, explained(error), payload, source=source, now=self.options.now)


def rejection(name: str, number: int, error: Exception, payload: str, *, source: str, now: datetime) -> DeadLetter:
    """The dead letter of a row (from 1; 0: the whole) of a file or request, with the same id for the same text."""
    mark = hashlib.blake2b(payload.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return DeadLetter(
        document_id=document_id("rejected", f"{name}#{number}#{mark}"),
        stage="ingest",
        reason=f"{name} row {number}: {error}".replace("\n", " ") if number else f"{name}: {error}".replace("\n", " "),
        error=type(error).__name__,
        source=source,
        payload=payload[:MAX_PAYLOAD],
        failed_at=now,
    )


def explained(error: Exception) -> Exception:
    """What a rejection says of an error: the foreseen ones speak for themselves, the others get a remedy."""
    if isinstance(error, RowError | OSError | EOFError | zlib.error):
        return error
    return RowError(f"can't be read ({type(error).__name__}: {error}): correct it, or leave it out")


def rejected_whole(item: Item) -> bool:
    """Whether an item of a `Reader` is the rejection of a whole file, which has no payload."""
    return isinstance(item, DeadLetter) and not item.payload


def plain_text(text: str, name: str) -> dict[str, Any]:
    """Fields of a text file: a short first line is the title, otherwise the file's name is."""
    lines = text.strip().split("\n")
    first = lines[0].strip().lstrip("# ").strip()
    if len(lines) > 1 and 0 < len(first) <= 80:
        return {"title": first, "body": "\n".join(lines[1:]).strip()}
    return {"title": name, "body": text.strip()}


def format_of(path: Path) -> str:
    """Lower-case suffix, that of the packed file for .gz."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _plain_stem(path: Path) -> str:
    name = readable(path.name)
    return name.split(".")[0] or name


def _hidden(relative: Path) -> bool:
    return any(PARTIAL.search(part) for part in relative.parts)


def _known() -> str:
    return ", ".join(sorted(suffix[1:] for suffix in SUFFIXES)) + ", and .gz of them"


def _as_text(row: object) -> str:
    try:
        return msgspec.json.encode(row).decode()
    except (TypeError, ValueError):
        return repr(row)[:10_000]


# ---------------------------------------------------------------------- formats

Row = tuple[int, str, Any]  # number from 1, raw text, the row or what is wrong with it


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _json_lines(path: Path) -> Iterator[Row]:
    with _open(path) as file:
        number = 0
        while line := file.readline(ROW_LIMIT + 1):
            number += 1
            if len(line) > ROW_LIMIT:
                while line and not line.endswith(b"\n"):
                    line = file.readline(ROW_LIMIT)
                yield number, "", RowError(f"the row is longer than {ROW_LIMIT:,} bytes")
                continue
            text = decode(line).strip()
            if text:
                yield number, text, _json(text)


def _json(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return RowError(f"not JSON: {error}")


def _json_file(path: Path) -> Iterator[Row]:
    """A .json file: an array of rows, an object that holds one, one row, or (misnamed) JSON lines."""
    with _open(path) as file:
        data = file.read(JSON_LIMIT + 1)
    if len(data) > JSON_LIMIT:
        raise RowError(f"a JSON file of more than {JSON_LIMIT:,} bytes: write JSON lines, one object a line, as .jsonl")
    whole = _json(decode(data))
    if isinstance(whole, RowError):
        yield from _json_lines(path)
        return
    for number, row in enumerate(_rows_in(whole), 1):
        yield number, "", row


def _rows_in(whole: Any) -> list[Any]:
    if isinstance(whole, list):
        return whole
    held = next((value for value in whole.values() if _is_rows(value)), None) if isinstance(whole, dict) else None
    return [whole] if held is None or _is_document(whole, held) else list(held)


def _is_document(whole: dict[str, Any], held: list[Any]) -> bool:
    """Whether an object is a document that holds a list (of securities, of related news), and no envelope of rows.

    An envelope may have a title, a word or a time, but its rows have titles or texts of their own.
    """
    if _has(held[0], "title", "body"):
        return all(_has(whole, field) for field in ("title", "body", "published_at"))
    return _has(whole, "title", "body")


def _has(row: dict[str, Any], *fields: str) -> bool:
    values = {name.lower(): value for name, value in row.items()}
    return any(clean(values.get(name)) for field in fields for name in NAMES[field])


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value[:10])


def _csv(path: Path) -> Iterator[Row]:
    with _open(path) as file:
        head = file.read(_HEAD)
    encoding = encoding_of(head)
    first = head.decode(encoding, "replace").split("\n", 1)[0]
    delimiter = max("\t,;|", key=first.count) if path.suffix.lower() != ".tsv" else "\t"
    with _open(path) as file, io.TextIOWrapper(file, encoding, errors="replace", newline="") as text:
        # restkey None: no column can have that name; "" is that of pandas' index.
        rows = csv.DictReader(text, delimiter=delimiter, restkey=None, restval="")
        number = 1
        while True:
            number += 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, "", RowError(f"not CSV: {error}")
                continue
            if surplus := row.pop(None, None):
                yield (
                    number,
                    _as_text([*row.values(), *surplus]),
                    RowError("more columns than the header names: quote texts with delimiters"),
                )
                continue
            yield number, "", row


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with _open(path) as file:  # opened here: pyarrow takes no name that isn't UTF-8
            source = pa.BufferReader(file.read()) if path.suffix.lower() == ".gz" else file
            number = 0
            for batch in pq.ParquetFile(source).iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, "", row
    except pa.ArrowException as error:
        raise RowError(f"not a readable Parquet file: {error}") from error


_ROW_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_file,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
}
