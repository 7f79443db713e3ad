"""A user's own themes: told by likeness to their description and examples at once, by a trained direction later.

A document is like a theme by its embedding (half its cosine with the nearest of the theme's texts, half that with their
mean) and by its n-grams (the cosine with their mean). Each is counted in standard deviations above what is usual of a
text (the logarithm of one and so many), so that one measure holds for every theme; `Likeness` turns them into a
probability, fitted on themes that users might add. Labelled examples train a small correction on top, which belongs to
one version of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from models.heads import sigmoid
from models.memory import Memory, unit
from models.ngrams import SIZE, Ngrams, Sparse
from models.records import Span, ThemeScore
from models.themes import Taxonomy, Theme, ThemeError
from models.theming import LEAD
from models.user_themes_file import AGAIN, Correction

MIN_LABELLED = 8  # of each kind, to train
LEAST = 1e-3  # standard deviation of a likeness, where nothing tells it


@dataclass(frozen=True)
class View:
    """What a user's themes see of a text: its unit embedding (D), and its n-grams."""

    vector: np.ndarray
    grams: Sparse


@dataclass(frozen=True)
class Likeness:
    """P(theme) = sigmoid(deep * embedding's likeness + wide * n-grams' + cues + bias); given from `threshold` on."""

    deep: float = 2.05
    wide: float = 1.43
    title: float = 1.17
    lead: float = 2.61
    bias: float = -6.51
    threshold: float = 0.26

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Likeness:
        """From `model.json`."""
        return cls(**values)


class UserThemes:
    """A user's themes, ready to score documents. The name of each counts as one of its cues."""

    def __init__(
        self,
        themes: Sequence[Theme],
        view: Callable[[Sequence[str]], list[View]],
        memory: Memory,
        ngrams: Ngrams,
        like: Likeness,
        trained: Mapping[str, Correction],
        source: str = "",
    ) -> None:
        """`source`: the file that `trained` comes from. Raises `ThemeError`, naming it, where a correction misfits."""
        self.taxonomy = Taxonomy([with_name(theme) for theme in themes])
        self._memory, self._like = memory, like
        self._centre = memory.vectors.mean(0) if len(memory.vectors) else np.zeros(memory.vectors.shape[1])
        self._trained = np.zeros((len(themes), len(self._centre)))
        deep, wide = [], np.zeros((SIZE, len(themes)), np.float32)
        for k, theme in enumerate(themes):
            views = view([f"{theme.name}：{theme.description}", *theme.examples])
            deep.append(memory.project(np.stack([seen.vector for seen in views])))
            for seen in views:
                wide[seen.grams[0], k] += seen.grams[1]
            if extra := trained.get(theme.id):
                if len(extra.weights) != len(self._centre):
                    wrong = f"{len(extra.weights)} weights for {len(self._centre)} numbers"
                    raise ThemeError(f"{source}: {theme.id!r} has {wrong}: {AGAIN}")
                self._trained[k] = extra.weights
        wide /= np.linalg.norm(wide, axis=0).clip(1e-9)
        self._deep = deep
        background = np.stack([likeness(memory.vectors, texts) for texts in deep], 1) if deep else np.zeros((0, 0))
        self._deep_usual = _usual(background, len(themes))
        self._wide_usual = ngrams.mean @ wide, np.sqrt(ngrams.spread**2 @ wide**2).clip(LEAST)
        used = np.flatnonzero(wide.any(1))  # few of all n-grams: the rest share an empty row
        self._row = np.full(SIZE, len(used))
        self._row[used] = np.arange(len(used))
        self._wide = np.concatenate([wide[used], np.zeros((1, len(themes)), np.float32)])

    def features(self, title: str, body: str, view: View) -> np.ndarray:
        """(K, 4) of a text: how unusually like by embedding and by n-grams, a cue in the title, one in the lead."""
        made = np.zeros((len(self.taxonomy.ids), 4))
        (vector,) = self._memory.project(view.vector[None])
        deep = np.array([likeness(vector[None], texts)[0] for texts in self._deep])
        at, values = view.grams
        made[:, 0] = _above(deep, *self._deep_usual)
        made[:, 1] = _above(values @ self._wide[self._row[at]], *self._wide_usual)
        for cue in self.taxonomy.find(title):
            made[cue.theme, 2] = 1
        for cue in self.taxonomy.find(body[:LEAD]):
            made[cue.theme, 3] = 1
        return made

    def untrained(self, title: str, body: str, view: View) -> np.ndarray:
        """Each theme's score (K) by likeness and cues alone, before the logistic."""
        like = self._like
        return self.features(title, body, view) @ [like.deep, like.wide, like.title, like.lead] + like.bias

    def logits(self, title: str, body: str, view: View) -> np.ndarray:
        """Each theme's score (K) before the logistic, with what was trained."""
        return np.asarray(self.untrained(title, body, view) + self._trained @ self.unusual(view))

    def unusual(self, view: View) -> np.ndarray:
        """What of a text's embedding isn't usual of a text (R)."""
        return np.asarray(self._memory.project(view.vector[None])[0] - self._centre)

    @property
    def threshold(self) -> float:
        """Score from which a theme is given."""
        return self._like.threshold

    def scores(self, title: str, body: str, view: View) -> np.ndarray:
        """Each theme's probability (K)."""
        return sigmoid(self.logits(title, body, view))

    def assign(self, title: str, body: str, view: View) -> list[ThemeScore]:
        """The user's themes of a document: `title` and the first part of `body`."""
        in_title, in_body = self.taxonomy.find(title), self.taxonomy.find(body)
        found = []
        for k, (name, score) in enumerate(zip(self.taxonomy.ids, self.scores(title, body, view), strict=True)):
            if score >= self.threshold:
                spans = [Span("title", c.start, c.end) for c in in_title if c.theme == k]
                spans += [Span("body", c.start, c.end) for c in in_body if c.theme == k]
                if not spans and title:
                    spans = [Span("title", 0, len(title))]
                found.append(ThemeScore(name, round(float(score), 4), tuple(spans[:5])))
        return found


def likeness(vectors: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Of documents (n, R) to a theme's texts (m, R): n numbers within -1..1."""
    cosines = vectors @ texts.T
    (middle,) = unit(texts.mean(0, keepdims=True))
    return np.asarray(0.5 * cosines.max(1) + 0.5 * (vectors @ middle))


def with_name(theme: Theme) -> Theme:
    """The theme with its name among its cues."""
    return msgspec.structs.replace(theme, cues=(*theme.cues, theme.name)) if len(theme.name) > 1 else theme


def _above(value: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How far above what is usual: the logarithm of one and so many standard deviations."""
    return np.asarray(np.log1p(((value - mean) / spread).clip(0)))


def _usual(background: np.ndarray, themes: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (K) of the likeness of texts (n, K)."""
    if not len(background):
        return np.zeros(themes), np.full(themes, 0.1)
    return background.mean(0), background.std(0).clip(LEAST)


def train(
    themes: UserThemes,
    theme: int,
    texts: Sequence[tuple[str, str]],
    views: Sequence[View],
    truth: np.ndarray,
    *,
    strength: float = 1.0,
) -> Correction:
    """A correction from labelled documents, pulled toward none at all.

    `texts`: (title, first part of the body) of each, `views` what is seen of it, `truth` (n,) 0 or 1. How many of them
    have the theme says nothing of how many documents do: what that shifts is fitted, and left out.
    """
    yes, no = int(truth.sum()), int(len(truth) - truth.sum())
    if min(yes, no) < MIN_LABELLED:
        raise ThemeError(
            f"training needs at least {MIN_LABELLED} documents that have the theme and {MIN_LABELLED} that don't, "
            f"got {yes} and {no}: add some"
        )
    # The new one replaces an older correction.
    base = np.array([themes.untrained(*text, view)[theme] for text, view in zip(texts, views, strict=True)])
    vectors = np.stack([themes.unusual(view) for view in views])
    weight = np.where(truth > 0, 0.5 / yes, 0.5 / no)
    w, shift = np.zeros(vectors.shape[1]), 0.0
    for _ in range(800):  # plain gradient descent: convex, and small
        gap = weight * (sigmoid(base + vectors @ w + shift) - truth)
        w -= 4.0 * (vectors.T @ gap + strength * 0.01 * w)
        shift -= 2.0 * float(gap.sum())
    return Correction(w.astype(np.float32))
