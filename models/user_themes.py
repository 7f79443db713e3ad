"""A user's own themes: told by likeness to their description and examples at once, by a trained direction later.

The likeness of a document to a theme is half its cosine with the nearest of the theme's texts, half that with their
mean; `Likeness` turns it into a probability, fitted on the built-in themes treated as if they were a user's. Labelled
examples train a small correction on top, which belongs to one version of the weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from models.heads import sigmoid
from models.records import Span, ThemeScore
from models.themes import Cue, Taxonomy, Theme, ThemeError, built_in, check, read_themes

MIN_EXAMPLES = 3
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


@dataclass(frozen=True)
class Correction:
    """A trained theme: added to the logit is `weights` · embedding + `bias`."""

    weights: np.ndarray
    bias: float


def prototypes(theme: Theme, embed: Embed) -> np.ndarray:
    """Unit embeddings of a theme's name with description, and of its examples, (m, D)."""
    return embed([f"{theme.name}：{theme.description}", *theme.examples])


def likeness(vectors: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Of documents (n, D) to a theme's texts (m, D): n numbers within -1..1."""
    cosines = vectors @ texts.T
    middle = texts.mean(0)
    middle = middle / max(float(np.linalg.norm(middle)), 1e-9)
    return np.asarray(0.5 * cosines.max(1) + 0.5 * (vectors @ middle))


def weights_path(themes: Path) -> Path:
    """Where the trained corrections of a themes file lie: beside it."""
    return themes.with_suffix(".trained.json")


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
        themes = read_themes(path)
        for theme in themes:
            check(theme, built_in().ids)
        return cls(themes, embed, like, read_corrections(path, model))

    def logit(self, theme: int, vector: np.ndarray, title: Sequence[Cue] = (), lead: Sequence[Cue] = ()) -> float:
        """The theme's score before the logistic; `vector` is a document's unit embedding."""
        like = self._like
        logit = like.scale * (float(likeness(vector[None], self._texts[theme])[0]) - like.offset)
        logit += like.title * any(c.theme == theme for c in title) + like.lead * any(c.theme == theme for c in lead)
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


def read_corrections(path: Path, model: str) -> dict[str, Correction]:
    """What was trained beside a themes file for this version of the weights; nothing for another version."""
    file = weights_path(path)
    if not file.exists():
        return {}
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored["model"] != model:
            return {}
        return {
            name: Correction(np.asarray(v["weights"], np.float32), float(v["bias"]))
            for name, v in stored["themes"].items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ThemeError(
            f"{file} can't be read ({error}): delete it and train again with `fengxiang themes train`"
        ) from error


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
    base = np.array([themes.logit(theme, vector) for vector in vectors])
    weight = np.where(truth > 0, 0.5 / yes, 0.5 / no) * len(truth)
    w, b = np.zeros(vectors.shape[1]), 0.0
    for _ in range(800):  # plain gradient descent: convex, and small
        gap = weight * (sigmoid(base + vectors @ w + b) - truth) / len(truth)
        w -= 2.0 * (vectors.T @ gap + strength * 0.01 * w)
        b -= 2.0 * float(gap.sum())
    return Correction(w.astype(np.float32), round(b, 4))


def save_correction(path: Path, model: str, name: str, correction: Correction) -> None:
    """Keep a trained correction beside the themes file."""
    file = weights_path(path)
    stored: dict[str, Any] = {"model": model, "themes": {}}
    if file.exists():
        previous = json.loads(file.read_text(encoding="utf-8"))
        if previous.get("model") == model:
            stored = previous
    stored["themes"][name] = {"weights": [round(float(v), 5) for v in correction.weights], "bias": correction.bias}
    file.write_text(json.dumps(stored), encoding="utf-8")


def add(path: Path, theme: Theme) -> None:
    """Append a theme to a user's file, made where it is not there. Raises `ThemeError`."""
    existing = read_themes(path) if path.exists() else ()
    check(theme, [*built_in().ids, *(t.id for t in existing)])
    if not theme.description.strip():
        raise ThemeError(f"theme {theme.id!r} has no description: say in a sentence what it is about")
    if len(set(theme.examples)) < MIN_EXAMPLES:
        raise ThemeError(
            f"theme {theme.id!r} has {len(set(theme.examples))} examples: give at least {MIN_EXAMPLES} different ones"
        )
    kept = [{k: list(v) if isinstance(v, tuple) else v for k, v in _filled(t).items()} for t in (*existing, theme)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"themes": kept}, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _filled(theme: Theme) -> dict[str, Any]:
    return {name: value for name in theme.__struct_fields__ if (value := getattr(theme, name))}
