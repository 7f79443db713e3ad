"""From documents to analyses: companies, themes and tone, each text read once.

    analyser = Analyser.load()
    for analysis in analyser.analyse(documents): ...

Any text is accepted: empty, huge, binary, in traditional characters. What can't be read comes out neutral.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from zipfile import BadZipFile

import msgspec
import numpy as np

from models.blend import Blends
from models.encoder import REMEDY, Encoder, ModelError, described, weights_folder
from models.heads import Heads, Scores
from models.linking.context import decided, questions
from models.linking.records import LinkResult
from models.memory import Memory
from models.ngrams import Ngrams, around
from models.reading import LONG, TITLE, headline, plain, read
from models.records import Analysis, Document, Field, Kind, Mention, Span, ThemeScore, Versions
from models.securities import names
from models.sentiment import sentiment, with_rule
from models.sentiment_rules import title_rule
from models.targets import (
    Reading,
    clause_rule,
    companies_in,
    company_probabilities,
    company_tones,
    document_tone,
    first_cues,
    first_of_each,
    first_places,
    named,
    page_of,
)
from models.themes import Taxonomy, Theme, built_in
from models.theming import LEAD, Calibration, assign
from models.user_themes import Likeness, UserThemes, View
from models.user_themes_file import Correction, read_corrections, read_own, weights_path

TITLE_SCAN = 1000  # characters of a title searched for cues
CUE_SCAN = 60_000  # characters of a body searched for cues
GROUP = 32  # documents that go through the models together, if the encoder's batches aren't larger
UNREAD = 0.5  # share of the document's tone that a company outside every window takes

Part = TypeVar("Part")


class Links(Protocol):
    """What finds companies: `models.linking.Linker`."""

    def link(self, title: str, body: str, *, kind: Kind, published_at: datetime | None) -> LinkResult: ...


@dataclass(frozen=True)
class _Group:
    """Documents that the encoder is reading."""

    readings: list[Reading]
    windows: list[tuple[Reading, int]]  # whose window each is, and which of its
    targets: list[list[tuple[list[int], list[int]]]]  # of each window: tokens of each company, and of what is around it
    states: Generator[tuple[int, np.ndarray], None, None]
    linking: float  # seconds spent so far
    reading: float


class Analyser:
    """Reads documents, the windows of many side by side; several threads may call."""

    def __init__(
        self,
        encoder: Encoder,
        heads: Heads,
        ngrams: Ngrams,
        memory: Memory,
        taxonomy: Taxonomy,
        calibration: Calibration,
        blends: Blends,
        linker: Links,
        versions: Versions,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.versions = versions
        self.taxonomy = taxonomy
        self._encoder = encoder
        self._heads = heads
        self._ngrams = ngrams
        self._memory = memory
        self._blends = blends
        self.calibration = calibration
        self._linker = linker
        self._clock = clock
        self.like = Likeness()
        self.user_themes: UserThemes | None = None
        self.company_threshold: float | None = None  # from which the model decides that it is the company; None: never

    @classmethod
    def load(
        cls,
        path: str = "",
        threads: int = 0,
        device: Literal["cpu", "cuda"] = "cpu",
        batch_size: int = 1,
        user_themes: str = "",
        *,
        linker: Links | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Analyser:
        """From a folder of weights ("" for the shipped one). Raises `ModelError` and `ThemeError`, naming the input."""
        folder = weights_folder(path)
        description = described(folder, "model.json")
        if linker is None:
            from models.linking import Linker

            linker = Linker.load()
        taxonomy = built_in()
        versions = Versions(
            model=str(description.get("version", "")),
            taxonomy=taxonomy.version,
            securities=str(getattr(linker, "version", "")),
            code=version("fengxiang"),
        )
        encoder = Encoder(folder, threads=threads, device=device, batch_size=batch_size)
        heads = _part(Heads, folder / "heads.npz")
        ngrams = _part(Ngrams, folder / "ngrams.npz")
        memory = _part(Memory, folder / "memory.npz")
        try:
            calibration = Calibration.of(description.get("themes", {}))
            blends = Blends.of(description.get("blends", {}))
            like = Likeness.of(description.get("likeness", {}))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"model {folder / 'model.json'} is of another version ({error}): {REMEDY}") from error
        analyser = cls(encoder, heads, ngrams, memory, taxonomy, calibration, blends, linker, versions, clock)
        try:
            (vote,) = memory.votes(list(analyser.embed(["公司"])))
            if len(vote.themes) != len(taxonomy.ids):
                raise ValueError(f"a memory of {len(vote.themes)} themes for {len(taxonomy.ids)}")
        except (KeyError, ValueError) as error:
            raise ModelError(f"model {folder} holds parts of different weights ({error}): {REMEDY}") from error
        analyser.company_threshold = description.get("company", {}).get("threshold")
        analyser.like = like
        if user_themes:
            analyser.follow(Path(user_themes))
        return analyser

    def follow(self, path: Path) -> None:
        """Give a user's themes too, with what was trained for these weights. Raises `ThemeError`."""
        corrections = read_corrections(path, self.versions.model)
        self.user_themes = self.own(read_own(path), corrections, str(weights_path(path)))
        both = f"{self.versions.taxonomy}+{self.user_themes.taxonomy.version}"
        self.versions = msgspec.structs.replace(self.versions, taxonomy=both)

    def analyse(self, documents: Sequence[Document]) -> list[Analysis]:
        """An analysis of each document, in order."""
        return [self._conclude(reading, timings) for readings, timings in self.read(documents) for reading in readings]

    def read(self, documents: Sequence[Document]) -> Iterator[tuple[list[Reading], dict[str, float]]]:
        """Raw scores of the documents, group by group, in order, and the mean seconds that a stage took of one.

        The encoder has the next group to read while one is scored and concluded.
        """
        size = max(GROUP, self._encoder.batch_size)
        ahead: _Group | None = None
        with ExitStack() as reading:
            for at in range(0, len(documents), size):
                begun = self._begin(documents[at : at + size])
                reading.enter_context(closing(begun.states))
                if ahead:
                    yield self._score(ahead)
                ahead = begun
            if ahead:
                yield self._score(ahead)

    def own(
        self, themes: Sequence[Theme], trained: Mapping[str, Correction] | None = None, source: str = ""
    ) -> UserThemes:
        """A user's themes as these weights tell them. `source`: where `trained` comes from, for its errors."""
        return UserThemes(themes, self.view, self._memory, self._ngrams, self.like, trained or {}, source)

    def view(self, texts: Sequence[str]) -> list[View]:
        """What a user's themes see of short texts, each a title."""
        made = [plain(text) for text in texts]
        return [
            View(vector, self._ngrams.read(text, text[:TITLE]))
            for vector, text in zip(self.embed(made), made, strict=True)
        ]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit embeddings of short texts, (n, D). Made plain, as documents are."""
        encoded = self._encoder.tokens.encode([plain(text) for text in texts])
        vectors: dict[int, np.ndarray] = {}
        for i, states in self._encoder.states(encoded):
            vectors[i] = self._heads.score(states).embedding
        return np.stack([vectors[i] for i in range(len(texts))]) if texts else np.zeros((0, 0), np.float32)

    def _prepare(self, document: Document) -> Reading:
        title, body = plain(document.title), plain(document.body)
        dated = document.published_at != document.fetched_at  # else it had no time of its own: names of any time count
        day = document.published_at if dated else None
        found = self._linker.link(document.title, document.body, kind=document.kind, published_at=day)
        links, asked = found.links, () if self.company_threshold is None else questions(found, names())
        cues = {"title": self.taxonomy.find(title[:TITLE_SCAN]), "body": self.taxonomy.find(body[:CUE_SCAN])}
        spans = [Span(link.field, link.start, link.end) for link in first_of_each((*links, *asked))]
        spans += [Span("body", cue.start, cue.end) for cue in first_cues(cues["body"])] if len(body) > LONG else []
        return Reading(document, links, asked, cues, read(title, body, spans))

    def _begin(self, documents: Sequence[Document]) -> _Group:
        """Link the documents, give their windows to the encoder, and count n-grams while it reads."""
        began = time.perf_counter()
        readings = [self._prepare(document) for document in documents]
        linked = time.perf_counter()
        flat = [(reading, i) for reading in readings for i in range(len(reading.windows))]
        encoded = self._encoder.tokens.encode([reading.windows[i].text for reading, i in flat])
        targets: list[list[tuple[list[int], list[int]]]] = []
        for (reading, i), (_, offsets) in zip(flat, encoded, strict=True):
            names, weights = companies_in((*reading.links, *reading.asked), reading.windows[i], offsets)
            reading.encoded.append(encoded[len(targets)])
            reading.codes.append(names)
            targets.append(weights)
        states = self._encoder.states(encoded)
        for reading in readings:
            title = plain(reading.document.title)[:TITLE]
            reading.grams = self._ngrams.read(reading.windows[0].text, title)
            reading.wide = self._ngrams.score(reading.grams, ("themes", "news", "post"))
            for code, window, places in first_places(reading):
                near = self._ngrams.read(*around(window.text, places))
                reading.near[code] = self._ngrams.score(near, ("toward",))["toward"]
        return _Group(readings, flat, targets, states, linked - began, time.perf_counter() - linked)

    def _score(self, group: _Group) -> tuple[list[Reading], dict[str, float]]:
        """Heads and neighbours on what the encoder read."""
        began = time.perf_counter()
        for at, states in group.states:
            reading, i = group.windows[at]
            reading.scores[i] = self._heads.score(states, group.targets[at])
        votes = self._memory.votes([reading.scores[0].embedding for reading in group.readings])
        for reading, vote in zip(group.readings, votes, strict=True):
            reading.vote = vote
            if reading.asked and self.company_threshold is not None:
                reading.links += decided(reading.asked, company_probabilities(reading), self.company_threshold)
        seconds = {"link": group.linking, "read": group.reading + time.perf_counter() - began}
        return group.readings, {stage: round(spent / len(group.readings), 6) for stage, spent in seconds.items()}

    def _conclude(self, reading: Reading, timings: dict[str, float]) -> Analysis:
        document = reading.document
        scores = [reading.scores[i] for i in range(len(reading.windows))]
        post, news = document_tone(scores)
        style = scores[0].style
        tone = style[0] * self._blends.post(post, reading.wide["post"])
        tone = tone + style[1] * self._blends.news(news, reading.wide["news"], reading.vote.tone)
        tone = with_rule(tone, title_rule(headline(document.title, document.body)) if style[1] > 0.5 else None)
        offsets = [places for _, places in reading.encoded]
        return Analysis(
            id=document.id,
            themes=self._themes(reading, scores, offsets),
            sentiment=sentiment(tone),
            mentions=self._mentions(reading, scores, tone),
            versions=self.versions,
            analysed_at=self._clock(),
            timings=timings,
        )

    def _themes(self, reading: Reading, scores: list[Scores], offsets: list[np.ndarray]) -> tuple[ThemeScore, ...]:
        if not any(window.text.strip() for window in reading.windows):
            return ()
        found = assign(
            self.taxonomy,
            self.calibration,
            reading.cues,
            reading.windows,
            scores,
            reading.wide["themes"],
            reading.vote.themes,
            offsets,
        )
        if self.user_themes is None:
            return found
        title, body = plain(reading.document.title)[:TITLE_SCAN], plain(reading.document.body[:LEAD])
        own = self.user_themes.assign(title, body, View(scores[0].embedding, reading.grams))
        return tuple(sorted([*found, *own], key=lambda theme: -theme.score))

    def _mentions(self, reading: Reading, scores: list[Scores], tone: np.ndarray) -> tuple[Mention, ...]:
        toward = company_tones(reading)
        texts: dict[Field, str] = {"title": plain(reading.document.title), "body": plain(reading.document.body)}
        names = {field: named(reading.links, field) for field in texts}
        several = len({link.code for link in reading.links}) > 1
        said: dict[str, Any] = {}
        mentions = []
        for link in reading.links:
            if link.code not in said:
                if link.code in toward:
                    own = self._blends.toward(toward[link.code], reading.near[link.code])
                else:
                    own = UNREAD * tone + (1 - UNREAD) * np.array([0.0, 1.0, 0.0])
                rule = clause_rule(texts[link.field], link, names[link.field], several)
                said[link.code] = sentiment(with_rule(own, rule))
            mentions.append(
                Mention(
                    code=link.code,
                    name=link.name,
                    surface=link.surface,
                    field=link.field,
                    start=link.start,
                    end=link.end,
                    sentiment=said[link.code],
                    relevance=link.relevance,
                    confidence=link.confidence,
                    evidence=link.evidence,
                    role=link.role,
                    section=link.section,
                    page=page_of(reading.document, link),
                )
            )
        return tuple(mentions)


def _part(kind: Callable[[Path], Part], path: Path) -> Part:
    """A part of the weights. Raises `ModelError`."""
    try:
        return kind(path)
    except (OSError, ValueError, KeyError, EOFError, IndexError, BadZipFile, zlib.error) as error:
        raise ModelError(f"model {path} can't be read ({error}): {REMEDY}") from error
