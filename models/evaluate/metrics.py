"""Scores of predictions, in plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
Metric = Callable[[Array, Array], float]


def f1(truth: Array, guess: Array) -> float:
    """F1 of a yes-or-no question (boolean arrays); 0 where nothing is right."""
    right = float(np.sum(truth & guess))
    return 2 * right / max(float(truth.sum() + guess.sum()), 1e-9)


def macro_f1(truth: Array, guess: Array) -> float:
    """Mean F1 of the classes that occur in the truth."""
    return float(np.mean([f1(truth == c, guess == c) for c in np.unique(truth)]))


def micro_f1(truth: Array, guess: Array) -> float:
    """F1 over all cells of two boolean matrices (texts, labels)."""
    return f1(truth.astype(bool).ravel(), guess.astype(bool).ravel())


def bootstrap(metric: Metric, truth: Array, guess: Array, rounds: int = 500, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a metric, over resampled texts."""
    rng = np.random.default_rng(seed)
    n = len(truth)
    values = []
    for _ in range(rounds):
        pick = rng.integers(0, n, n)
        values.append(metric(truth[pick], guess[pick]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def calibration_error(confidence: Array, right: Array, bins: int = 10) -> float:
    """Expected calibration error: the mean gap between how sure and how often right, over equal bins."""
    edges = np.clip((np.asarray(confidence) * bins).astype(int), 0, bins - 1)
    gap = 0.0
    for b in range(bins):
        inside = edges == b
        if inside.any():
            gap += inside.mean() * abs(float(np.mean(confidence[inside])) - float(np.mean(right[inside])))
    return float(gap)


def reliability(confidence: Array, right: Array, bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean confidence, share right, count) of each bin that holds anything: the calibration plot."""
    edges = np.clip((np.asarray(confidence) * bins).astype(int), 0, bins - 1)
    return [
        (float(confidence[edges == b].mean()), float(right[edges == b].mean()), int((edges == b).sum()))
        for b in range(bins)
        if (edges == b).any()
    ]


def confusion(truth: Sequence[str], guess: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
    """Rows: truth; columns: guess."""
    at = {label: i for i, label in enumerate(labels)}
    table = [[0] * len(labels) for _ in labels]
    for t, g in zip(truth, guess, strict=True):
        table[at[t]][at[g]] += 1
    return table
