"""Broker reports in PDF: text in reading order, sections and metadata."""

from __future__ import annotations

from ingest.fields import Options, RowError
from models.records import Document


def read_report(data: bytes, name: str, options: Options) -> Document:
    """The document in a PDF. Raises `RowError`, which names why there is none."""
    raise RowError("PDF extraction is not there yet")
