"""How every process writes its log: lines for people, or a JSON object a line for a log collector (`log.format`).

A JSON line has `time` (UTC), `level`, `service`, `logger` and `message`; `document_id` where it is about a document
(`log.error("…", extra={"document_id": id})`); and `error`, the traceback, where there is one.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from deploy.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a record."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if document_id := getattr(record, "document_id", ""):
            fields["document_id"] = str(document_id)
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def configure(settings: Settings, service: str) -> None:
    """Log to standard error from `log_level` on, in the form of `log.format`. Call once, when the process starts."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(service) if settings.log.format == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=settings.log_level, handlers=[handler])


def as_json(service: str, line: str, now: datetime) -> str:
    """A line that a process printed, as a JSON line; one that is JSON already stays as it is."""
    if line.startswith("{"):
        return line
    fields = {"time": now.isoformat(timespec="milliseconds"), "level": "INFO", "service": service, "message": line}
    return json.dumps(fields, ensure_ascii=False)
