"""All voices together: what transformer, n-grams and memory say, weighed once on held-back labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.heads import softmax


@dataclass(frozen=True)
class Blend:
    """The three tones' probabilities: the softmax of the sum of all voices, each times its weight, and the bias."""

    deep: float = 1.0  # of the transformer's log-probabilities
    wide: float = 0.0  # of the n-grams' logits
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    memory: float = 0.0  # of the log-shares of the neighbours

    def __call__(self, log_p: np.ndarray, logits: np.ndarray, vote: np.ndarray | float = 0.0) -> np.ndarray:
        """What transformer, n-grams and neighbours say together."""
        return softmax(self.deep * log_p + self.wide * logits + self.memory * vote + np.array(self.bias))


@dataclass(frozen=True)
class Blends:
    """One blend for each kind of question."""

    news: Blend = field(default_factory=Blend)
    post: Blend = field(default_factory=Blend)
    toward: Blend = field(default_factory=Blend)

    @classmethod
    def of(cls, values: Mapping[str, Mapping[str, Any]]) -> Blends:
        """From `model.json`."""
        return cls(
            **{n: Blend(v["deep"], v["wide"], _three(v["bias"]), v.get("memory", 0.0)) for n, v in values.items()}
        )


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    a, b, c = (float(v) for v in values)
    return a, b, c
