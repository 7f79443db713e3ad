"""Three-class tone from probabilities, with the rules' say where one is certain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.records import Sentiment, Tone
from models.sentiment_rules import Rule

TONES: tuple[Tone, Tone, Tone] = ("negative", "neutral", "positive")


def sentiment(probabilities: Sequence[float] | np.ndarray) -> Sentiment:
    """A record from three probabilities in the order of TONES (they are normalised)."""
    p = np.clip(np.nan_to_num(np.asarray(probabilities, dtype=float)), 0, None)
    p = p / p.sum() if p.sum() > 0 else np.array([0.0, 1.0, 0.0])
    rounded = [round(float(v), 4) for v in p]
    rounded[1] = round(1 - rounded[0] - rounded[2], 4)  # so that they sum to 1
    best = TONES[int(np.argmax(rounded))]
    return Sentiment(best, round(rounded[2] - rounded[0], 4), dict(zip(TONES, rounded, strict=True)))


NEUTRAL = sentiment([0.0, 1.0, 0.0])


def with_rule(probabilities: np.ndarray, rule: Rule | None) -> np.ndarray:
    """Model and rule together: a weighted mean, the rule's weight being its strength."""
    if rule is None:
        return probabilities
    say = np.array([tone == rule.tone for tone in TONES], dtype=float)
    return (1 - rule.strength) * probabilities + rule.strength * (0.9 * say + 0.1 / 3)
