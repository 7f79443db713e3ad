"""The co-mention network: companies that are named in the same documents, laid out by springs. Pure but for colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard import look
from dashboard.text import say

ROUNDS = 120
NODES = 18


def layout(weights: np.ndarray) -> np.ndarray:
    """Places (n, 2) in -1..1 for a symmetric matrix of weights: Fruchterman and Reingold's springs, always the same."""
    n = len(weights)
    angle = 2 * np.pi * np.arange(n) / max(n, 1)
    place = np.column_stack([np.cos(angle), np.sin(angle)])
    pull = weights / max(float(weights.max()), 1.0)
    ideal = 2.4 / max(n, 1) ** 0.5
    for step in range(ROUNDS):
        gap = place[:, None] - place[None]
        distance = np.linalg.norm(gap, axis=2) + 1e-6
        force = ideal**2 / distance**2 - pull * distance / ideal
        moved = (gap * force[..., None]).sum(1) - place * 1.2
        length = np.linalg.norm(moved, axis=1, keepdims=True) + 1e-9
        place += moved / length * np.minimum(length, 0.12 * (1 - step / ROUNDS))
    place -= (place.max(0) + place.min(0)) / 2
    span = np.abs(place).max(0)
    return place / np.where(span > 0, span, 1.0)


def chart(pairs: pd.DataFrame, names: Mapping[str, str], height: int = 300) -> Any:
    """Nodes as large as they are connected, lines as thick as the pair is frequent. Columns of `pairs`: a, b, n."""
    strength: dict[str, int] = {}
    for a, b, n in pairs[["a", "b", "n"]].itertuples(index=False):
        strength[a] = strength.get(a, 0) + n
        strength[b] = strength.get(b, 0) + n
    nodes = sorted(strength, key=lambda c: (-strength[c], c))[:NODES]
    index = {code: i for i, code in enumerate(nodes)}
    weights = np.zeros((len(nodes), len(nodes)))
    edges = [(a, b, n) for a, b, n in pairs[["a", "b", "n"]].itertuples(index=False) if a in index and b in index]
    for a, b, n in edges:
        weights[index[a], index[b]] = weights[index[b], index[a]] = n
    place = layout(weights)
    points = pd.DataFrame({"code": nodes, "x": place[:, 0], "y": place[:, 1], "n": [strength[c] for c in nodes]})
    points["name"] = points["code"].map(lambda c: names.get(c, c))
    spans = [(*place[index[a]], *place[index[b]], f"{names.get(a, a)} — {names.get(b, b)}", n) for a, b, n in edges]
    lines = pd.DataFrame(spans, columns=["x", "y", "x2", "y2", "pair", "n"])
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-1.3, 1.3]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-1.15, 1.15]))
    count = alt.Tooltip("n:Q", title=say("documents"))
    ink = "#e4e9f1" if look.dark() else "#1b2430"
    drawn_lines = (
        alt.Chart(lines)
        .mark_rule(color=look.hue("grey"), opacity=0.5)
        .encode(
            x=x, y=y, x2="x2", y2="y2", strokeWidth=alt.StrokeWidth("n:Q", scale=alt.Scale(range=[0.6, 5]), legend=None)
        )
        .encode(tooltip=["pair:N", count])
    )
    base = alt.Chart(points).encode(x=x, y=y, tooltip=["name:N", "code:N", count])
    dots = base.mark_circle(color=look.hue("blue"), opacity=0.9).encode(
        size=alt.Size("n:Q", scale=alt.Scale(range=[50, 520]), legend=None)
    )
    labels = base.mark_text(dy=-19, fontSize=11.5, color=ink).encode(text="name:N")
    return (drawn_lines + dots + labels).properties(height=height).interactive(bind_x=False, bind_y=False)
