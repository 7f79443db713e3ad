"""One address that a user gives: a web page's article, a PDF, a feed, or a file of rows.

The address is fetched politely and from the public internet only (`ingest.polite`), then read by what it is: the
declared type first, the suffix of its name where the type is unknown or says little.
"""

from __future__ import annotations

import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest import pages
from ingest.encoding import decode
from ingest.feeds.base import ShapeChanged
from ingest.feeds.rss import entries_of
from ingest.fields import RowError, to_document
from ingest.files import SUFFIXES, Item, Reader, format_of, rejection
from ingest.polite import Fetched, Fetcher, FetchError, host_of

_SUFFIX_OF = {
    "": ".html",
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
    "text/markdown": ".md",
    "application/rss+xml": ".xml",
    "application/atom+xml": ".xml",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "text/plain": ".txt",
}

_VAGUE = ("", "text/plain")
_GZIP = b"\x1f\x8b"
_NAME_BYTES = 200  # of the 255 that file systems take, as the suffix comes on top


def read_url(url: str, fetch: Fetcher, reader: Reader) -> Iterator[Item]:
    """Documents of an address; what can't be fetched or read is a dead letter that names it."""
    try:
        answer = fetch.get(url)
        yield from _read(answer, reader)
    except (FetchError, RowError, ShapeChanged) as error:
        yield rejection(url, 0, error, url, source=reader.options.source or _source(url), now=reader.options.now)


def _source(url: str) -> str:
    """The host's name stands for the source of what it serves."""
    return host_of(url) or "web"


def _read(answer: Fetched, reader: Reader) -> Iterator[Item]:
    options, host = reader.options, _source(answer.url)
    declared = answer.headers.get("content-type", "")
    kind = declared.split(";")[0].strip().lower()
    path = Path(unquote(urlsplit(answer.url).path))
    suffix = _SUFFIX_OF.get(kind, "")
    if (not suffix or kind in _VAGUE) and format_of(path) in SUFFIXES:
        suffix = format_of(path)
    if not suffix:
        raise RowError(f"{kind} is not read; known are pages, feeds, and files of {', '.join(sorted(SUFFIXES))}")
    body = _unpacked(answer.body, reader.max_bytes) if answer.body.startswith(_GZIP) else answer.body
    if suffix == ".html":
        charset = declared.partition("charset=")[2].strip(" \"';")
        row = pages.article(decode(body, charset), url=answer.url)
        row.setdefault("published_at", options.published_at or options.now)
        yield to_document(row, options, default_source=host)
    elif suffix == ".xml":
        for number, row in enumerate(entries_of(answer._replace(body=body)), 1):
            row["published_at"] = row["published_at"] or options.now
            try:
                yield to_document(row, options, default_source=host)
            except RowError as error:
                yield rejection(answer.url, number, error, str(row), source=host, now=options.now)
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{_stem(path) or host}{suffix}"
            file.write_bytes(body)
            yield from reader.read(file)


def _unpacked(data: bytes, most: int) -> bytes:
    """What gzip holds. Raises `RowError`, also for more than `most` bytes."""
    try:
        with gzip.open(io.BytesIO(data)) as packed:
            found = packed.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise RowError(f"not readable as gzip: {error}") from error
    if len(found) > most:
        raise RowError(f"unpacks to more than ingest.max_file_mb allows ({most:,} bytes)")
    return found


def _stem(path: Path) -> str:
    """The name in the address without suffixes, as far as a file can have it."""
    stem = Path(path.name.removesuffix(".gz")).stem.replace("\0", "")
    return stem.encode()[:_NAME_BYTES].decode(errors="ignore")
