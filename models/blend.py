"""Deep and wide together: what the transformer and the n-grams say, weighed once on held-back labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.heads import softmax


@dataclass(frozen=True)
class Blend:
    """P = softmax(deep * log P(transformer) + wide * logits(n-grams) + bias), over the three tones."""

    deep: float = 1.0
    wide: float = 0.0
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __call__(self, log_p: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Three probabilities from the transformer's log-probabilities and the n-grams' logits."""
        return softmax(self.deep * log_p + self.wide * logits + np.array(self.bias))


@dataclass(frozen=True)
class Blends:
    """One blend for each kind of question."""

    news: Blend = field(default_factory=Blend)
    post: Blend = field(default_factory=Blend)
    toward: Blend = field(default_factory=Blend)

    @classmethod
    def of(cls, values: Mapping[str, Mapping[str, Any]]) -> Blends:
        """From `model.json`."""
        return cls(**{name: Blend(v["deep"], v["wide"], _three(v["bias"])) for name, v in values.items()})


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    a, b, c = (float(v) for v in values)
    return a, b, c
