"""The heads in numpy: from the token states of one window to raw scores.

Parameters are those of `models.train.network.Network`, by the same names; D is the width, K the built-in themes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Scores:
    """Raw scores of a window with M targets."""

    style: Array  # 2: probability of post, of news
    tone: Array  # 2, 3: log-probabilities as a post, as news
    themes: Array  # K logits
    attention: Array  # T, K: where each theme looked; sums to 1 over T
    embedding: Array  # D, unit length
    target: Array  # M, 3 log-probabilities
    company: Array  # M probabilities


def softmax(x: Array, axis: int = -1) -> Array:
    """Probabilities of logits."""
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def log_softmax(x: Array) -> Array:
    """Log-probabilities of logits over the last axis."""
    x = x - x.max(-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(-1, keepdims=True)))


def sigmoid(x: Array) -> Array:
    """Logistic function, safe at both ends."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


_erf = np.vectorize(math.erf, otypes=[np.float32])


def gelu(x: Array) -> Array:
    """The exact GELU."""
    return np.asarray(0.5 * x * (1 + _erf(x / math.sqrt(2))))


class Heads:
    """All heads; read-only after loading."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self._p: dict[str, Array] = {name: stored[name].astype(np.float32) for name in stored.files}

    def _linear(self, name: str, x: Array) -> Array:
        return np.asarray(x @ self._p[f"{name}.weight"].T + self._p[f"{name}.bias"])

    def score(self, states: Array, targets: Sequence[tuple[Sequence[int], Sequence[int]]] = ()) -> Scores:
        """`states`: T, D. `targets`: for each company its tokens and those of the sentences around them."""
        mean = states.mean(0)
        both = np.concatenate([states[0], mean])
        style = softmax(self._linear("style", both))
        tone = log_softmax(self._linear("tone_out", np.tanh(self._linear("tone_in", both))).reshape(2, 3))
        attention = softmax(states @ self._p["theme_query"].T, 0)
        themes = ((attention.T @ states) * self._p["theme_value"]).sum(-1) + self._linear("theme_mean", mean)
        embedding = self._linear("embed", mean)
        embedding /= max(float(np.linalg.norm(embedding)), 1e-9)
        if targets:
            places = np.stack([states[list(at)].mean(0) for at, _ in targets])
            clauses = np.stack([states[list(around)].mean(0) for _, around in targets])
            features = np.concatenate([places, clauses, np.broadcast_to(mean, places.shape)], 1)
            toward = log_softmax(self._linear("target_out", gelu(self._linear("target_in", features))))
            company = sigmoid(self._linear("company", features[:, : 2 * len(mean)])[:, 0])
        else:
            toward, company = np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
        return Scores(style, tone, themes, attention, embedding, toward, company)
