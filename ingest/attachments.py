"""The PDFs that lists of reports and announcements point to: fetched once, read, and joined to the listed document.

A PDF that can't be had or read leaves the document with what the list says, and is tried again in the next polls, up
to `TRIES` times. Where the host is away, broken or busy, nothing was tried: it is left alone for the rest of the poll,
and the next one begins with the others. What was tried and done is noted in the outbox, after the outbox has the
document.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import asdict, replace

from ingest.fields import Options
from ingest.outbox import Outbox
from ingest.pdf import ReportReader
from ingest.polite import Fetcher, FetchError, host_of
from models.records import Document, Report

log = logging.getLogger(__name__)

TRIES = 3
FORGET_SECONDS = 86_400.0  # between looks for notes of documents that are no longer listed


class Attachments:
    """For one source's thread: `attach`, then add the documents to the outbox, then `done`.

    fetch: of public addresses only, since a vendor's answer chooses them; clock: seconds.
    """

    def __init__(
        self, fetch: Fetcher, pdfs: ReportReader, outbox: Outbox, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch, self._pdfs, self._outbox, self._clock = fetch, pdfs, outbox, clock
        self._notes: dict[str, dict[str, object]] = {}
        self._listed: list[str] = []
        self._put_off: set[str] = set()  # at which a host failed: the last to be asked for, lest they hold up others
        self._forgot_at = float("-inf")

    def attach(self, documents: Sequence[Document], addresses: Mapping[str, str]) -> list[Document]:
        """The documents with the text of their PDFs; those that already had it in an earlier poll are left out."""
        kept = []
        failing: set[str] = set()
        self._listed = [f"pdf {id_}" for id_ in addresses]
        self._put_off &= addresses.keys()
        for document in sorted(documents, key=lambda document: document.id in self._put_off):
            address = addresses.get(document.id)
            note = self._outbox.note(f"pdf {document.id}") if address else {}
            if note.get("done"):
                continue
            tries = int(str(note.get("tries", 0)))
            if address and tries < TRIES and host_of(address) not in failing:
                try:
                    joined = self._joined(document, address)
                except FetchError as error:
                    log.warning("%s: PDF of %s: %s; later", document.source, document.title, error)
                    failing.add(host_of(address))
                    self._put_off.add(document.id)
                else:
                    self._notes[document.id] = {"tries": tries + 1, "done": joined is not None}
                    document = joined or document
            kept.append(document)
        return kept

    def done(self) -> None:
        """Remember what `attach` did."""
        for id_, note in self._notes.items():
            self._outbox.set_note(f"pdf {id_}", note, lasting=False)
        self._notes.clear()
        if self._clock() - self._forgot_at >= FORGET_SECONDS:
            self._outbox.forget_notes("pdf ", self._listed)
            self._forgot_at = self._clock()

    def _joined(self, document: Document, address: str) -> Document | None:
        """The document with its PDF's text; None where that can't be had. Raises `FetchError` where the host fails."""
        try:
            data = self._fetch.get(address).body
            read = self._pdfs.read(data, address, Options(now=document.fetched_at, source=document.source))
        except Exception as error:  # whatever is wrong with one PDF costs that PDF only
            if isinstance(error, FetchError) and error.of_host:
                raise
            log.warning("%s: PDF of %s: %s: %s", document.source, document.title, type(error).__name__, error)
            return None
        return replace(
            document,
            body=read.body,
            page_offsets=read.page_offsets,
            authors=document.authors or read.authors,
            report=merged(document.report, read.report),
        )


def merged(listed: Report | None, printed: Report | None) -> Report | None:
    """What the report prints, and where it prints nothing, what the list says."""
    if listed is None or printed is None:
        return printed or listed
    return Report(**{name: value or getattr(listed, name) for name, value in asdict(printed).items()})
