"""A user's own themes: told by likeness to their description and examples at once, by a trained direction later.

The likeness of a document to a theme is half its cosine with the nearest of the theme's texts, half that with their
mean; `Likeness` turns it into a probability, fitted on the built-in themes treated as if they were a user's. Labelled
examples train a small correction on top, which belongs to one version of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.heads import sigmoid
from models.records import Span, ThemeScore
from models.themes import Cue, Taxonomy, Theme, ThemeError
from models.user_themes_file import AGAIN, Correction, read_corrections, read_own, weights_path

MIN_LABELLED = 8  # of each kind, to train
Embed = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Likeness:
    """P(theme) = sigmoid(scale * (likeness - offset) + cue boosts); given from `threshold` on."""

    scale: float = 18.0
    offset: float = 0.45
    title: float = 2.0
    lead: float = 1.0
    threshold: float = 0.5

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Likeness:
        """From `model.json`."""
        return cls(**values)


def prototypes(theme: Theme, embed: Embed) -> np.ndarray:
    """Unit embeddings of a theme's name with description, and of its examples, (m, D)."""
    return embed([f"{theme.name}：{theme.description}", *theme.examples])


def likeness(vectors: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Of documents (n, D) to a theme's texts (m, D): n numbers within -1..1."""
    cosines = vectors @ texts.T
    middle = texts.mean(0)
    middle = middle / max(float(np.linalg.norm(middle)), 1e-9)
    return np.asarray(0.5 * cosines.max(1) + 0.5 * (vectors @ middle))


class UserThemes:
    """A user's themes, ready to score documents."""

    def __init__(
        self, themes: Sequence[Theme], embed: Embed, like: Likeness, trained: Mapping[str, Correction]
    ) -> None:
        self.taxonomy = Taxonomy(themes)
        self._texts = [prototypes(theme, embed) for theme in themes]
        self._like = like
        self._trained = dict(trained)

    @classmethod
    def load(cls, path: Path, embed: Embed, like: Likeness, model: str) -> UserThemes:
        """Themes of a file with what was trained for these weights. Raises `ThemeError`."""
        own = cls(read_own(path), embed, like, read_corrections(path, model))
        for name, texts in zip(own.taxonomy.ids, own._texts, strict=True):
            extra = own._trained.get(name)
            if extra and len(extra.weights) != texts.shape[1]:
                raise ThemeError(
                    f"{weights_path(path)}: {name!r} has {len(extra.weights)} weights for embeddings of "
                    f"{texts.shape[1]} numbers: {AGAIN}"
                )
        return own

    def untrained(self, theme: int, vector: np.ndarray, title: Sequence[Cue] = (), lead: Sequence[Cue] = ()) -> float:
        """The theme's score by likeness and cues alone, before the logistic; `vector` is a unit embedding."""
        like = self._like
        logit = like.scale * (float(likeness(vector[None], self._texts[theme])[0]) - like.offset)
        logit += like.title * any(c.theme == theme for c in title) + like.lead * any(c.theme == theme for c in lead)
        return logit

    def logit(self, theme: int, vector: np.ndarray, title: Sequence[Cue] = (), lead: Sequence[Cue] = ()) -> float:
        """The theme's score before the logistic, with what was trained; `vector` is a document's unit embedding."""
        logit = self.untrained(theme, vector, title, lead)
        if extra := self._trained.get(self.taxonomy.ids[theme]):
            logit += float(extra.weights @ vector) + extra.bias
        return logit

    @property
    def threshold(self) -> float:
        """Score from which a theme is given."""
        return self._like.threshold

    def score(self, theme: int, title: str, lead: str, vector: np.ndarray) -> float:
        """Probability that a text has a theme."""
        logit = self.logit(theme, vector, self.taxonomy.find(title), self.taxonomy.find(lead))
        return float(sigmoid(np.asarray(logit)))

    def assign(self, title: str, body: str, vector: np.ndarray) -> list[ThemeScore]:
        """The user's themes of a document: `title` and the first part of `body`."""
        in_title, in_body = self.taxonomy.find(title), self.taxonomy.find(body)
        found = []
        for theme, name in enumerate(self.taxonomy.ids):
            score = float(sigmoid(np.asarray(self.logit(theme, vector, in_title, in_body))))
            if score >= self.threshold:
                spans = [Span("title", c.start, c.end) for c in in_title if c.theme == theme]
                spans += [Span("body", c.start, c.end) for c in in_body if c.theme == theme]
                if not spans and title:
                    spans = [Span("title", 0, len(title))]
                found.append(ThemeScore(name, round(score, 4), tuple(spans[:5])))
        return found


def train(
    themes: UserThemes, theme: int, vectors: np.ndarray, truth: np.ndarray, *, strength: float = 0.3
) -> Correction:
    """A correction from labelled documents (vectors (n, D), truth (n,) of 0 and 1), pulled toward none at all."""
    yes, no = int(truth.sum()), int(len(truth) - truth.sum())
    if min(yes, no) < MIN_LABELLED:
        raise ThemeError(
            f"training needs at least {MIN_LABELLED} documents that have the theme and {MIN_LABELLED} that don't, "
            f"got {yes} and {no}: add some"
        )
    base = np.array([themes.untrained(theme, vector) for vector in vectors])  # the new one replaces an older correction
    weight = np.where(truth > 0, 0.5 / yes, 0.5 / no) * len(truth)
    w, b = np.zeros(vectors.shape[1]), 0.0
    for _ in range(800):  # plain gradient descent: convex, and small
        gap = weight * (sigmoid(base + vectors @ w + b) - truth) / len(truth)
        w -= 2.0 * (vectors.T @ gap + strength * 0.01 * w)
        b -= 2.0 * float(gap.sum())
    return Correction(w.astype(np.float32), round(b, 4))
