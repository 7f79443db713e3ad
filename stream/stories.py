"""Gives each analysis its place among the stories, as its rows are about to be stored.

The copies of a story must meet. They do, because `fengxiang.analyses` has one partition: one worker at a time reads
it, in order, while the reading of texts, which costs a hundred times as much, is spread over all workers. What that
worker remembers can be rebuilt from the store, since a message is acknowledged only when its rows are stored; it is
rebuilt whenever the offsets read don't follow on from the last ones (a start, a rebalance).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from models.fingerprint import MAX_TEXT
from models.stories import CAPACITY, Placement, StoryIndex
from stream.records import AnalysedDocument

log = logging.getLogger(__name__)

Query = Callable[[str, dict[str, Any]], Sequence[Sequence[Any]]]


class Placer:
    """Places analysed documents. `query(sql, parameters)` asks the store and may raise; then nothing has changed."""

    def __init__(self, query: Query, *, capacity: int = CAPACITY) -> None:
        self._query, self._capacity = query, capacity
        self._index: StoryIndex | None = None
        self._next: tuple[str, int, int] | None = None  # topic, partition and offset expected next

    def follow(self, topic: str, partition: int, first: int, last: int) -> None:
        """Say which offsets the next documents come from; forgets what it knows where they don't follow on."""
        if self._next is not None and (topic, partition) == self._next[:2] and first <= self._next[2]:
            self._next = (topic, partition, max(last + 1, self._next[2]))
            return
        self._index = None
        self._next = (topic, partition, last + 1)

    def place(self, messages: Sequence[AnalysedDocument], stored: Mapping[str, Placement]) -> list[AnalysedDocument]:
        """The messages with story, copy number and novelty. A document that is `stored` keeps its place."""
        index = self._restored()
        placed = []
        for message in messages:
            document = message.document
            known = stored.get(document.id)
            if known is not None and known.story_id:
                index.restore([(document.id, document.title, document.body, document.published_at, known)])
            spot = index.place(document.id, document.title, document.body, document.published_at)
            analysis = msgspec.structs.replace(
                message.analysis, story_id=spot.story_id, copy_number=spot.copy_number, novelty=spot.novelty
            )
            placed.append(msgspec.structs.replace(message, analysis=analysis))
        return placed

    def _restored(self) -> StoryIndex:
        if self._index is None:
            sql = (
                f"SELECT id, title, substringUTF8(body, 1, {MAX_TEXT}), published_at, story_id, copy_number, novelty"
                f" FROM documents FINAL ORDER BY stored_at DESC, id DESC LIMIT {self._capacity}"
            )
            rows = self._query(sql, {})
            index = StoryIndex(capacity=self._capacity)
            index.restore((*row[:4], Placement(*row[4:])) for row in reversed(rows))
            log.info("stories: remembering %d documents", len(index))
            self._index = index
        return self._index
