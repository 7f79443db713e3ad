"""What the labelled texts most like a text were labelled: a vote beside the transformer and the n-grams.

The transformer has to answer for all texts by the same weights; the vote speaks of the few that are alike, and corrects
it where labels are few. Only vectors are kept, no text: embeddings, the directions shortened in which all texts differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NEIGHBOURS = 16
SHARPNESS = 10.0  # a neighbour weighs exp(SHARPNESS * cosine)
FLOOR = 0.03  # share of a tone that no neighbour has
ROWS = 32  # texts compared at once: each takes sixteen bytes for every labelled text
UNKNOWN = 3  # stands for the tone of a labelled text that was given none; 0 to 2 are negative, neutral, positive


@dataclass(frozen=True)
class Vote:
    """What the neighbours of a text say."""

    themes: np.ndarray  # K, the share of them that has each theme
    tone: np.ndarray  # 3, log of the share of each tone


NOBODY = Vote(np.zeros(0), np.zeros(3))  # before a text has been read


class Memory:
    """The labelled texts; read-only after loading, so several threads may ask.

    The file holds `centre` (D), `project` (D, R), and of each text `vectors` (n, R), `themes` (n, K), `tones` (n).
    """

    def __init__(self, path: Path) -> None:
        """Raises what numpy raises, and `ValueError` where the arrays don't fit."""
        with np.load(path) as stored:
            self._centre, self._project = (stored[name].astype(np.float32) for name in ("centre", "project"))
            vectors = stored["vectors"].astype(np.float32)
            self._themes = stored["themes"].astype(np.float32)  # n, K
            self._tones = np.eye(UNKNOWN + 1, 3, dtype=np.float32)[stored["tones"]]  # n, 3; all 0 where unknown
        if len({len(vectors), len(self._themes), len(self._tones)}) > 1 or vectors.shape[1:] != self._project.shape[1:]:
            raise ValueError("its arrays are of different lengths")
        self.vectors = unit(vectors)

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings (n, D) as the texts are held here: (n, R), unit length."""
        return unit((embeddings - self._centre) @ self._project)

    def votes(self, embeddings: Sequence[np.ndarray]) -> list[Vote]:
        """A vote on each text, by its embedding (D)."""
        made: list[Vote] = []
        for at in range(0, len(embeddings), ROWS):
            like = self.project(np.stack(embeddings[at : at + ROWS])) @ self.vectors.T
            count = min(NEIGHBOURS, like.shape[1])
            near = np.argpartition(-like, count - 1, axis=1)[:, :count] if count else np.zeros((len(like), 0), int)
            weight = np.exp(SHARPNESS * np.take_along_axis(like, near, axis=1))[..., None]
            themes = (weight * self._themes[near]).sum(1) / weight.sum(1).clip(1e-9)
            tones = (weight * self._tones[near]).sum(1)
            shares = tones / tones.sum(1, keepdims=True).clip(1e-9)
            made += [Vote(t, np.log(s + FLOOR)) for t, s in zip(themes, shares, strict=True)]
        return made


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9))
