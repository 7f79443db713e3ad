"""Stories: which documents tell the same news, who told it first, and how new each one is.

A document joins the story of its nearest earlier near-duplicate within a sliding window of event time (72 hours).
Near-duplicate means: the same headline within half a day; or most of the text is the same (Jaccard), or nearly all of
the shorter text stands in the longer one (containment, for truncated copies), and the figures agree, because market
wires share whole sentences and differ in the numbers. Four kinds of look-alike are kept apart: short wires that recur
every day ("KOSPI falls 2 %"), a round-up that quotes an earlier wire but is mostly new, short wires with other
figures, and documents whose body only points elsewhere ("see the attachment"). Candidates come from MinHash bands, and
from the title and the lead for truncated copies.

`StoryIndex` is in memory and not thread-safe; `restore` refills it from stored documents, so that a restart or a
rebalance forgets nothing. It remembers the latest `capacity` arrivals (about 9 kB each) rather than the latest event
times, so that history and live news may arrive side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import fingerprint
from models.fingerprint import Hashes

WINDOW = timedelta(hours=72)
CAPACITY = 20_000
MIN_JACCARD = 0.55
MIN_CONTAINMENT = 0.80
MIN_SHINGLES = 12  # shorter texts are compared by equality alone
MIN_SHARED_NUMBERS = 0.6
SHORT = 120  # reduced characters: such a wire says one thing, so all its figures must agree ...
RECURS_AFTER = timedelta(hours=12)  # ... and after that long it is said anew
MAX_NEW = 0.7  # a longer text with more than this share of its own is a story of its own
LEAD = 24  # reduced characters
MIN_TITLE = 10  # reduced characters: a shorter title ("日韩股市集体收涨") tells too little
MAX_UNTOLD = 0.1  # share of a title in a short text up to which the text tells nothing of it ("详情请见附件。")
MAX_CANDIDATES = 64  # the latest ones; a template that files hundreds under one key stops paying


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a document stands: its story, the how-manieth copy it is, and the share of it that is new (0..1)."""

    story_id: str
    copy_number: int
    novelty: float


@dataclass(slots=True)
class _Entry:
    id: str
    published_at: datetime
    title: str
    hashes: Hashes
    numbers: frozenset[str]
    keys: list[bytes]
    text: str
    placement: Placement


class StoryIndex:
    """Places documents into stories, one after the other, in the order of arrival."""

    def __init__(self, window: timedelta = WINDOW, capacity: int = CAPACITY) -> None:
        self._window, self._capacity = window, capacity
        self._by_key: dict[bytes, str | list[str]] = {}  # mostly one id a key: a list for each takes time and room
        self._entries: dict[str, _Entry] = {}
        self._copies: dict[str, int] = {}  # story -> the highest copy number given
        self._members: dict[str, int] = {}  # story -> its documents in memory

    def __len__(self) -> int:
        return len(self._entries)

    def place(self, document_id: str, title: str, body: str, published_at: datetime) -> Placement:
        """The document's story. Placing an id again gives the same story and changes nothing."""
        known = self._entries.get(document_id)
        if known is not None:
            return known.placement
        entry = self._describe(document_id, title, body, published_at)
        nearest, novelty = self._nearest(entry)
        story_id = nearest.placement.story_id if nearest else document_id
        entry.placement = Placement(story_id, self._copies.get(story_id, 0) + 1, novelty)
        self._file(entry)
        return entry.placement

    def restore(self, documents: Iterable[tuple[str, str, str, datetime, Placement]]) -> None:
        """Refill from stored rows (id, title, body, published_at, placement), oldest first."""
        for document_id, title, body, published_at, placement in documents:
            if document_id not in self._entries:
                entry = self._describe(document_id, title, body, published_at)
                entry.placement = placement
                self._file(entry)

    # ------------------------------------------------------------------

    def _describe(self, document_id: str, title: str, body: str, published_at: datetime) -> _Entry:
        if not title and body.startswith("【"):  # some vendors put the headline there
            title = body[1:].partition("】")[0]
        plain_title, plain_body = fingerprint.plain(title), fingerprint.plain(body)
        reduced_title = fingerprint.reduce(plain_title)
        text = fingerprint.reduce(plain_body) or reduced_title or _other_script(plain_title, plain_body)
        hashes = fingerprint.shingles(text)
        keys = [b"=" + text.encode()[:400]]
        if len(hashes) >= MIN_SHINGLES:
            keys += fingerprint.bands(fingerprint.signature(hashes))
            keys.append(b"l" + text[:LEAD].encode())
        if len(reduced_title) >= MIN_TITLE:
            keys.append(b"t" + reduced_title.encode())
        alone = Placement(document_id, 1, 1.0)
        numbers = fingerprint.numbers(f"{plain_title} {plain_body}")
        return _Entry(document_id, published_at, reduced_title, hashes, numbers, keys, text, alone)

    def _candidates(self, entry: _Entry) -> list[_Entry]:
        seen: dict[str, None] = {}
        for key in entry.keys:
            filed = self._by_key.get(key)
            if filed is None:
                continue
            if isinstance(filed, str):
                seen[filed] = None
            else:
                for document_id in filed[-MAX_CANDIDATES:]:
                    seen[document_id] = None
        found = (self._entries[i] for i in seen if i != entry.id)
        return [e for e in found if abs(e.published_at - entry.published_at) <= self._window]

    def _nearest(self, entry: _Entry) -> tuple[_Entry | None, float]:
        best, best_score, novelty = None, 0.0, 1.0
        for candidate in self._candidates(entry):
            score, new = compare(entry, candidate)
            novelty = min(novelty, new)
            if score > best_score:
                best, best_score = candidate, score
        return best, round(novelty, 3)

    def _file(self, entry: _Entry) -> None:
        self._entries[entry.id] = entry
        story_id = entry.placement.story_id
        self._copies[story_id] = max(self._copies.get(story_id, 0), entry.placement.copy_number)
        self._members[story_id] = self._members.get(story_id, 0) + 1
        for key in entry.keys:
            filed = self._by_key.setdefault(key, entry.id)
            if isinstance(filed, list):
                filed.append(entry.id)
            elif filed is not entry.id:
                self._by_key[key] = [filed, entry.id]
        if len(self._entries) > self._capacity:
            self._forget(next(iter(self._entries)))

    def _forget(self, document_id: str) -> None:
        entry = self._entries.pop(document_id)
        for key in entry.keys:
            filed = self._by_key.get(key)
            if isinstance(filed, list):
                filed.remove(document_id)
                if len(filed) == 1:
                    self._by_key[key] = filed[0]
            elif filed == document_id:
                del self._by_key[key]
        story_id = entry.placement.story_id
        self._members[story_id] -= 1
        if not self._members[story_id]:
            del self._members[story_id], self._copies[story_id]


def compare(a: _Entry, b: _Entry) -> tuple[float, float]:
    """(how alike, 0 when not the same story; the share of `a` that is not in the earlier `b`)."""
    apart = abs(a.published_at - b.published_at) > RECURS_AFTER
    short = min(len(a.text), len(b.text)) < SHORT
    if short and apart:
        return 0.0, 1.0
    if a.text == b.text:
        return (0.0, 1.0) if short and _only_titles_tell(a, b) else (1.0, 0.0)
    jaccard, containment = fingerprint.overlap(a.hashes, b.hashes)
    common = jaccard * (len(a.hashes) + len(b.hashes)) / (1 + jaccard)
    new = 1.0 - common / max(len(a.hashes), 1)
    if a.title == b.title and len(a.title) >= MIN_TITLE and not apart:
        return max(jaccard, containment, MIN_JACCARD), new
    if min(len(a.hashes), len(b.hashes)) < MIN_SHINGLES or new > MAX_NEW:
        return 0.0, new
    if jaccard < MIN_JACCARD and containment < MIN_CONTAINMENT:
        return 0.0, new
    smaller, larger = sorted((a.numbers, b.numbers), key=len)
    if smaller and len(smaller & larger) / len(smaller) < (1.0 if short else MIN_SHARED_NUMBERS):
        return 0.0, new
    return max(jaccard, containment), new


def _only_titles_tell(a: _Entry, b: _Entry) -> bool:
    """Whether the text that both share is a stub that says nothing of their titles, which differ. Figures tell."""
    if a.title == b.title or any(c.isdigit() for c in a.text) or min(len(a.title), len(b.title)) < MIN_TITLE:
        return False
    told = (fingerprint.overlap(fingerprint.shingles(title), a.hashes)[1] for title in (a.title, b.title))
    return max(told) <= MAX_UNTOLD


def _other_script(title: str, body: str) -> str:
    """What can be compared of a document in neither Chinese nor Latin letters: all of it."""
    return f"{title}\n{body}".strip().encode(errors="replace").decode()
