"""Which themes a document is about: the heads' scores and the cues together, calibrated, with evidence.

Built-in themes have a head of their own. A user's theme has none: see `models.user_themes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.heads import Scores, sigmoid
from models.reading import Window
from models.records import Span, ThemeScore
from models.themes import Cue, Taxonomy

LEAD = 160  # characters of the body whose cues weigh more
SHORT = 4  # characters: a text of fewer has a theme only by a cue
LATER = 0.7  # logits taken from a window that is not the first
# A report on the whole market names many sectors and is about none of them.
MARKET_WRAP = re.compile(
    r"^(?:A股|港股|美股)?(?:[收午早]评|开盘|收盘)|三大(?:股)?指数|沪指|深成指|创业板指|恒生指数|恒指|科创50指"
)
EVIDENCE = 5  # spans given for a theme


@dataclass(frozen=True)
class Calibration:
    """How model and cues add up to a logit: each weight times its feature (`cue_features`), plus the theme's bias."""

    model: float = 1.0
    wide: float = 0.0  # the n-grams' logit
    memory: float = 0.0  # the share of the neighbours that have the theme
    title: float = 0.7
    lead: float = 0.3
    count: float = 0.1
    none: float = 0.0  # no cue anywhere
    bias: tuple[float, ...] = ()
    threshold: float = 0.5

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Calibration:
        """From `model.json`."""
        return cls(**{**values, "bias": tuple(values.get("bias", ()))})


def cue_features(cues: Mapping[str, Sequence[Cue]], theme: int) -> tuple[float, float, float, float]:
    """(in title, in lead, log of the count, none at all) for one theme; `cues` by field."""
    title = [c for c in cues.get("title", ()) if c.theme == theme]
    body = [c for c in cues.get("body", ()) if c.theme == theme]
    count = len(title) + len(body)
    return (
        float(bool(title)),
        float(any(c.start < LEAD for c in body)),
        float(np.log1p(min(count, 10))),
        float(count == 0),
    )


def document_logits(windows: Sequence[Scores]) -> np.ndarray:
    """The heads' theme logits of a document: the strongest window, later ones counting less."""
    first = windows[0].themes
    later = [w.themes - LATER for w in windows[1:]]
    return np.asarray(np.maximum.reduce([first, *later]))


def assign(
    taxonomy: Taxonomy,
    calibration: Calibration,
    cues: Mapping[str, Sequence[Cue]],
    windows: Sequence[Window],
    scores: Sequence[Scores],
    wide: np.ndarray,
    vote: np.ndarray,
    offsets: Sequence[np.ndarray],
) -> tuple[ThemeScore, ...]:
    """Themes of a document, best first.

    `wide`: the n-grams' logits; `vote`: the neighbours' shares; `offsets`: (T,2) of each window's tokens.
    """
    if any(MARKET_WRAP.search(piece) for piece in _headline(windows[0])):
        return ()
    logits = document_logits(scores)
    short = sum(len(window.text.strip()) for window in windows) < SHORT
    found = []
    for theme, name in enumerate(taxonomy.ids[: len(logits)]):
        title, lead, count, none = cue_features(cues, theme)
        c = calibration
        logit = (
            c.model * logits[theme]
            + c.wide * wide[theme]
            + c.memory * vote[theme]
            + c.title * title
            + c.lead * lead
            + c.count * count
            + c.none * none
        )
        score = float(sigmoid(np.asarray(logit + (c.bias[theme] if c.bias else 0.0))))
        if score >= c.threshold and not (short and none):
            found.append(ThemeScore(name, round(score, 4), evidence(theme, cues, windows, scores, offsets)))
    return tuple(sorted(found, key=lambda t: -t.score))


def _headline(window: Window) -> list[str]:
    """The title in a window, if it holds one."""
    return [window.text[p.at : p.at + p.end - p.start] for p in window.pieces if p.field == "title"]


def evidence(
    theme: int,
    cues: Mapping[str, Sequence[Cue]],
    windows: Sequence[Window],
    scores: Sequence[Scores],
    offsets: Sequence[np.ndarray],
) -> tuple[Span, ...]:
    """The theme's cues, or the sentence that its head looked at most where the text has no cue."""
    spans = [Span("title", c.start, c.end) for c in cues.get("title", ()) if c.theme == theme]
    spans += [Span("body", c.start, c.end) for c in cues.get("body", ()) if c.theme == theme]
    if spans:
        return tuple(spans[:EVIDENCE])
    best = int(np.argmax([s.themes[theme] for s in scores]))
    attention, places = scores[best].attention[:, theme].copy(), offsets[best]
    attention[places[:, 1] <= places[:, 0]] = 0  # special tokens have no place
    if not attention.any():
        return ()
    start, end = places[int(attention.argmax())]
    span = windows[best].source(*windows[best].clause(int(start), int(end)))
    return (span,) if span else ()
