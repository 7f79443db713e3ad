"""Broker reports, and other PDFs, to documents: text in reading order, page offsets, sections and metadata."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import PurePath

from ingest.fields import DAY, Options, RowError, language_of
from ingest.pdf.extract import PdfError
from ingest.pdf.metadata import is_report, report_of
from ingest.pdf.worker import Extractor
from models.records import Document, Kind, Report, document_id
from models.trading import SHANGHAI


class ReportReader:
    """Reads PDFs through a worker process of its own; `close` it."""

    def __init__(self, extractor: Extractor | None = None) -> None:
        self._extractor = extractor or Extractor()

    def close(self) -> None:
        self._extractor.close()

    def read(self, data: bytes, name: str, options: Options) -> Document:
        """The document in a PDF; `name` is its file's. Raises `RowError`, which says why there is none."""
        try:
            found = self._extractor.extract(data)
        except PdfError as error:
            raise RowError(str(error)) from error
        title, report = report_of(found.text, found.headings)
        broker_report = is_report(found.text)
        published_at = _published_at(report, options)
        source = options.source or "files"
        return Document(
            id=document_id(source, hashlib.blake2b(data, digest_size=16).hexdigest()),
            source=source,
            kind=_kind(options.kind, title, broker_report),
            title=title or PurePath(name).stem,
            body=found.text,
            published_at=published_at,
            fetched_at=options.now,
            language=language_of(found.text),
            publisher=report.broker,
            authors=tuple(analyst.name for analyst in report.analysts),
            report=report if broker_report else None,
            page_offsets=found.page_offsets,
            backfill=published_at < options.now - DAY,
        )


def _kind(given: Kind | None, title: str, broker_report: bool) -> Kind:
    if broker_report:
        return "report"
    return given or ("announcement" if "公告" in title else "news")


def _published_at(report: Report, options: Options) -> datetime:
    """The printed date at midnight in Beijing, the given time, or now; never after now."""
    if report.report_date:
        printed = datetime.fromisoformat(report.report_date).replace(tzinfo=SHANGHAI)
        if printed <= options.now:
            return printed
    return options.published_at or options.now
