"""Polling a feed: pages from the newest back to where the last poll ended, documents into the outbox, then the cursor.

A feed module turns one page of a vendor's payload into rows in the names of `ingest.fields`; everything else is
here. The cursor (a note in the outbox) moves only after the outbox has the documents on disk: a crash between the
two reads them again, and their ids make that harmless. Pages are read back to the newest item of the last poll less
`OVERLAP`, since vendors insert late items; when the vendor serves no page that old any more, or there are more than
`MAX_PAGES`, the missing stretch is recorded as a gap.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from ingest.attachments import Attachments
from ingest.entries import OutboxFull
from ingest.fields import Options, RowError, clean, to_document
from ingest.files import rejection
from ingest.health import Health, Report
from ingest.outbox import Outbox
from ingest.polite import Fetcher, FetchError, wait_after
from ingest.times import parse_time
from models.records import Document, Kind, document_id
from stream.records import DeadLetter

log = logging.getLogger(__name__)

Row = dict[str, Any]
MAX_PAGES = 20
BAD = "unreadable"  # marks a row of an item that the feed could not read
OVERLAP = timedelta(minutes=10)


class ShapeChanged(ValueError):
    """The payload is not what the vendor used to send; the text says what is missing."""


class Page(NamedTuple):
    """Rows, newest first, the token of the next older page (empty: there is none), and what to keep in the cursor.

    A row may have a `report` (`models.records.Report`) and a `pdf` (address) beside the names of `ingest.fields`.
    """

    rows: Sequence[Row]
    next: str = ""
    state: Mapping[str, object] = MappingProxyType({})


class Feed(Protocol):
    """One vendor's list. `source` and `kind` name its documents."""

    @property
    def source(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    def page(self, fetch: Fetcher, token: str, cursor: Mapping[str, object]) -> Page:
        """The page of a token (empty: the newest). Raises `FetchError`, `ShapeChanged`."""
        ...


@dataclass(frozen=True)
class Polled:
    """What a poll brought."""

    fetched: int
    new: int
    rejected: int
    newest: datetime | None
    gap: tuple[datetime, datetime] | None = None


def poll(
    feed: Feed, name: str, fetch: Fetcher, outbox: Outbox, now: datetime, attachments: Attachments | None = None
) -> Polled:
    """Poll once. Raises `FetchError`, `ShapeChanged`, `OutboxFull`."""
    note = f"cursor {name}"
    cursor = outbox.note(note)
    since = datetime.fromisoformat(str(cursor["newest"])) if cursor.get("newest") else None
    rows, oldest, complete, state = _pages(feed, fetch, cursor, since)
    documents, letters = _documents(rows, feed, now)
    if attachments:
        documents = attachments.attach(documents, {row_id(feed, row): row["pdf"] for row in rows if row.get("pdf")})
    added = outbox.add([*documents, *letters])
    if attachments:
        attachments.done()
    newest = max((document.published_at for document in documents), default=None)
    if newest and (since is None or newest > since):  # never in the future: that would hide what comes next
        cursor["newest"] = min(newest, now).isoformat()
    if documents or state:
        outbox.set_note(note, {**cursor, **state})
    gap = (since, oldest) if since and oldest and not complete and oldest > since else None
    return Polled(len(rows), added.new, len(letters), newest, gap)


def _pages(
    feed: Feed, fetch: Fetcher, cursor: Mapping[str, object], since: datetime | None
) -> tuple[list[Row], datetime | None, bool, Mapping[str, object]]:
    """Rows from the newest back to `since`, the oldest's time, whether none is missing, and the feed's state."""
    rows: list[Row] = []
    oldest: datetime | None = None
    token, state = "", dict[str, object]()
    for _ in range(MAX_PAGES):
        page = feed.page(fetch, token, cursor)
        rows += page.rows
        state.update(page.state)
        times = [time for row in page.rows if (time := _time(row))]
        oldest = min([*times, *([oldest] if oldest else [])], default=None)
        if since is None or (oldest and oldest <= since - OVERLAP):
            return rows, oldest, True, state
        if not page.rows or not page.next:
            return rows, oldest, oldest is None or oldest <= since, state
        token = page.next
    return rows, oldest, False, state


def _time(row: Row) -> datetime | None:
    try:
        return parse_time(row.get("published_at"))
    except ValueError:
        return None


def row_id(feed: Feed, row: Row) -> str:
    """The id of the document that a row becomes."""
    return document_id(feed.source, clean(row.get("id")))


def _documents(rows: Sequence[Row], feed: Feed, now: datetime) -> tuple[list[Document], list[DeadLetter]]:
    options = Options(now=now, source=feed.source, kind=feed.kind, published_at=now)
    documents, letters = [], []
    for number, row in enumerate(rows, 1):
        try:
            if row.get(BAD):
                raise RowError(f"an item of another shape than the vendor's usual: {row[BAD]}")
            document = to_document(row, options, default_source=feed.source)
            documents.append(replace(document, report=row["report"]) if row.get("report") else document)
        except RowError as error:
            payload = msgspec.json.encode(row).decode()
            letters.append(rejection(feed.source, number, error, payload, source=feed.source, now=now))
    return documents, letters


class Poller:
    """A source (`ingest.runner.Source`) that polls one feed every `interval` seconds."""

    def __init__(
        self,
        name: str,
        feed: Feed,
        fetch: Fetcher,
        health: Health,
        *,
        interval: float,
        attachments: Attachments | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._feed, self._fetch, self._health = feed, fetch, health
        self._interval = interval
        self._attachments = attachments
        self._clock = clock

    def run(self, outbox: Outbox, stop: threading.Event) -> None:
        """Poll until `stop`; failures are told to `health` and slow the polling down."""
        failures = 0
        while not stop.is_set():
            wait = 0.0
            try:
                found = poll(self._feed, self.name, self._fetch, outbox, self._clock(), self._attachments)
                failures = 0
                self._health.add(self._report(found))
            except (FetchError, ShapeChanged, OutboxFull) as error:
                failures += 1
                wait = getattr(error, "retry_after", 0.0)
                log.warning("source %s: %s", self.name, error)
                self._health.add(Report(self.name, self._clock(), "failing", errors=1, message=str(error)))
            except Exception as error:  # a payload that nobody thought of must be seen, too
                reason = f"{type(error).__name__}: {error}"
                self._health.add(Report(self.name, self._clock(), "failing", errors=1, message=reason[:300]))
                raise
            stop.wait(wait_after(failures, self._interval, wait))

    def _report(self, found: Polled) -> Report:
        state, message = "ok", f"{found.rejected} rejected" if found.rejected else ""
        if found.gap:
            state, message = "gap", f"not served any more: {found.gap[0].isoformat()} to {found.gap[1].isoformat()}"
            log.warning("source %s: %s", self.name, message)
        return Report(self.name, self._clock(), state, found.fetched, found.new, found.rejected, found.newest, message)


# ---------------------------------------------------------------------- payloads


def json_of(body: bytes, *path: str | int) -> Any:
    """What stands at `path` in a JSON body. Raises `ShapeChanged`, which names the first step that is missing."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ShapeChanged(f"the answer is not JSON ({error}); it begins {body[:60]!r}") from error
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise ShapeChanged(f"the answer has no {step!r} on the way {'.'.join(map(str, path))}") from None
    return value


def each(items: Sequence[Row], make: Callable[[Row], Row]) -> list[Row]:
    """A row of each item; one that `make` can't read is marked, and becomes a dead letter."""
    rows = []
    for item in items:
        try:
            rows.append(make(item))
        except (TypeError, AttributeError, ValueError, KeyError, IndexError) as error:
            rows.append({**item, BAD: f"{type(error).__name__}: {error}"})
    return rows


def rows_of(value: Any, *needed: str) -> list[Row]:
    """A list of objects that have the `needed` fields; null is an empty list. Raises `ShapeChanged`."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ShapeChanged("the answer's list is not a list of objects")
    for name in needed:
        if value and not any(name in row for row in value):
            raise ShapeChanged(f"no item has the field {name!r}; it has {', '.join(map(str, list(value[0])[:15]))}")
    return value
