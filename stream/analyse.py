"""Documents in, analyses out: what the analysing agent does with a batch. Knows nothing of Faust; runs in a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from models.records import Analysis, Document
from stream.deadletters import Record, dead_letter
from stream.records import AnalysedDocument, BadMessage, DeadLetter, decode, encode
from stream.store import first_line
from stream.tries import MAX_TRIES, Tries

log = logging.getLogger(__name__)

FIRST_DAY, LAST_DAY = datetime(1925, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)  # what the store can hold


class Analyser(Protocol):
    """The text models (`models.analyse.Analyser`)."""

    def analyse(self, documents: Sequence[Document]) -> list[Analysis]: ...


class DeadlyText(RuntimeError):
    """A document on which the models hang, or the process dies."""


@dataclass(frozen=True)
class Outcome:
    """What became of a batch, in the batch's order."""

    analysed: list[AnalysedDocument]
    dead: list[DeadLetter]


class Reader:
    """Analyses batches of `fengxiang.documents`. Whatever is in a message, `read` doesn't raise because of it.

    epoch: of the documents topic; max_bytes: larger messages are refused; clock: aware datetimes; tries: finds texts
    that end the worker.
    """

    def __init__(
        self,
        analyser: Analyser,
        *,
        epoch: str,
        max_bytes: int,
        clock: Callable[[], datetime],
        tries: Tries | None = None,
    ) -> None:
        self._analyser, self._epoch, self._max_bytes, self._clock = analyser, epoch, max_bytes, clock
        self._tries = tries

    def read(self, records: Sequence[Record]) -> Outcome:
        """An analysis or a dead letter for every record."""
        dead: list[DeadLetter] = []
        good: list[tuple[Record, Document]] = []
        for record in records:
            try:
                good.append((record, self._decode(record)))
            except BadMessage as error:
                dead.append(self._bury(record, "decode", error))
        if not good:
            return Outcome([], dead)
        tried = self._tries.of([record for record, _ in good]) if self._tries else [0] * len(good)
        if any(tried):
            log.warning("a worker ended with some of %d documents in hand; reading them one by one", len(good))
        else:
            try:
                with self._holding([record for record, _ in good]):
                    return Outcome(self._analyse(good), dead)
            except Exception as error:  # noqa: BLE001 - one document's fault must not take the others along
                log.warning("a batch of %d failed (%s); trying one by one", len(good), first_line(error))
        analysed = []
        for (record, document), tries in zip(good, tried, strict=True):
            try:
                if tries >= MAX_TRIES:
                    raise DeadlyText(f"the worker hung or died {tries} times while it read this document")
                with self._holding([record]):
                    analysed += self._analyse([(record, document)])
            except Exception as culprit:
                log.exception("document %s can't be analysed", document.id, extra={"document_id": document.id})
                dead.append(self._bury(record, "analyse", culprit, document))
        return Outcome(analysed, dead)

    def _holding(self, records: Sequence[Record]) -> AbstractContextManager[None]:
        return self._tries.holding(records) if self._tries else nullcontext()

    def _decode(self, record: Record) -> Document:
        size = len(record.value or b"")
        if size > self._max_bytes:
            raise BadMessage(
                f"message of {size:,} bytes is larger than stream.max_message_bytes ({self._max_bytes:,}): "
                "split the document or raise the setting"
            )
        document = decode(record.value, Document)
        if not document.id:
            raise BadMessage("the document has no id: see models.records.document_id")
        for name, moment in (("published_at", document.published_at), ("fetched_at", document.fetched_at)):
            if moment.tzinfo is None:
                raise BadMessage(f"{name} {moment.isoformat()} has no time zone: write it as …+08:00")
            if not FIRST_DAY <= moment < LAST_DAY:
                raise BadMessage(f"{name} {moment.isoformat()} is not between {FIRST_DAY.year} and {LAST_DAY.year}")
        return document

    def _analyse(self, pairs: Sequence[tuple[Record, Document]]) -> list[AnalysedDocument]:
        documents = [document for _, document in pairs]
        analyses = self._analyser.analyse(documents)
        if [analysis.id for analysis in analyses] != [document.id for document in documents]:
            raise RuntimeError("the analyser's answers don't match the documents asked")
        now = self._clock()
        return [
            AnalysedDocument(
                document=document,
                analysis=analysis if analysis.analysed_at else msgspec.structs.replace(analysis, analysed_at=now),
                origin=record.origin(self._epoch),
            )
            for (record, document), analysis in zip(pairs, analyses, strict=True)
        ]

    def _bury(self, record: Record, stage: str, error: Exception, document: Document | None = None) -> DeadLetter:
        reason = first_line(error)
        if not isinstance(error, BadMessage):
            reason += "; `fengxiang dead replay` tries again"
        return dead_letter(
            record,
            stage,
            error,
            reason=reason,
            epoch=self._epoch,
            now=self._clock(),
            document_id=document.id if document else "",
            source=document.source if document else "",
        )

    def bury_refused(self, message: AnalysedDocument, words: str) -> DeadLetter:
        """The dead letter of a document whose analysis Kafka doesn't take."""
        document, origin = message.document, message.origin
        record = Record(origin.topic, origin.partition, origin.offset, None, encode(document))
        error = BadMessage(f"Kafka refuses the analysis for its size ({words}): raise the broker's message.max.bytes")
        return self._bury(record, "analyse", error, document)
