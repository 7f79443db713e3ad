"""One address that a user gives: a web page's article, a PDF, a feed, or a file of rows.

The address is fetched politely and from the public internet only (`ingest.polite`), then read by what it is: the
declared type first, the address's suffix otherwise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ingest import pages
from ingest.encoding import decode
from ingest.feeds.base import ShapeChanged
from ingest.feeds.rss import entries_of
from ingest.fields import RowError, to_document
from ingest.files import SUFFIXES, Item, Reader, rejection
from ingest.polite import Fetched, Fetcher, FetchError

_SUFFIX_OF = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "text/csv": ".csv",
    "application/rss+xml": ".xml",
    "application/atom+xml": ".xml",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "text/plain": ".txt",
}

_VAGUE = ("", "text/plain", "application/octet-stream")


def read_url(url: str, fetch: Fetcher, reader: Reader) -> Iterator[Item]:
    """Documents of an address; what can't be fetched or read is a dead letter that names it."""
    try:
        answer = fetch.get(url)
        yield from _read(answer, reader)
    except (FetchError, RowError, ShapeChanged) as error:
        yield rejection(url, 0, error, url, source=reader.options.source or host_of(url), now=reader.options.now)


def host_of(url: str) -> str:
    """The host's name, which stands for the source of what it serves."""
    return urlsplit(url).hostname or "web"


def _read(answer: Fetched, reader: Reader) -> Iterator[Item]:
    options, host = reader.options, host_of(answer.url)
    declared = answer.headers.get("content-type", "")
    kind = declared.split(";")[0].strip().lower()
    path = PurePosixPath(unquote(urlsplit(answer.url).path))
    suffix = _SUFFIX_OF.get(kind, ".html")
    if kind in _VAGUE and path.suffix.lower() in SUFFIXES:
        suffix = path.suffix.lower()
    if suffix == ".html":
        charset = declared.partition("charset=")[2].strip(" \"';")
        row = pages.article(decode(answer.body, charset), url=answer.url)
        row.setdefault("published_at", options.published_at or options.now)
        yield to_document(row, options, default_source=host)
    elif suffix == ".xml":
        for number, row in enumerate(entries_of(answer), 1):
            row["published_at"] = row["published_at"] or options.now
            try:
                yield to_document(row, options, default_source=host)
            except RowError as error:
                yield rejection(answer.url, number, error, str(row), source=host, now=options.now)
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{path.stem or host}{suffix}"
            file.write_bytes(answer.body)
            yield from reader.read(file)
