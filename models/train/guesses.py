"""What weights made before say of wires that nobody has labelled: more to learn from where labels are few.

Their whole answer (network, n-grams, cues, calibrated) is better than the network's alone, and the network learns to
give it with the cue words overwritten, too.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from models.analyse import Analyser
from models.evaluate.predict import GivenLinks, analyse
from models.records import Analysis
from models.themes import built_in
from models.train.examples import NEWS, TONES, Example, Label, all_wires
from models.train.weak_sets import balanced

SURE = 0.8  # a tone less probable is not learned from
FAR = 0.2  # share of wires without a cue


def examples(
    weights: Path, data: Path, skip: set[str], rng: random.Random, count: int, threads: int = 0
) -> list[Example]:
    """At most `count` wires with the weights' probabilities as labels; `skip`: labelled by hand, or held out."""
    near: list[Example] = []
    far: list[Example] = []
    wires = dict(all_wires(data))
    seen = {wires[key]["title"] for key in skip if key in wires}
    for key, row in wires.items():
        title, body = row["title"] or "", row["content"] or ""
        if key in skip or title in seen or len(body) < 15:
            continue
        seen.add(title)
        themes = {cue.theme: 1.0 for cue in built_in().find(title + body[:330])}
        made = Example("guesses", key, title, body, NEWS, themes=themes, weight=0.5, embed=True)
        (near if themes else far).append(made)
    away = int(count * FAR)
    picked = balanced(near, rng, count - away)[: count - away] + rng.sample(far, min(away, len(far)))
    links = GivenLinks()
    analyser = Analyser.load(str(weights), threads, linker=links)
    analyser.calibration = replace(analyser.calibration, threshold=0.0)
    return [_guessed(e, found) for e, found in zip(picked, analyse(analyser, links, picked), strict=True)]


def _guessed(example: Example, found: Analysis) -> Example:
    given = {theme.theme: theme.score for theme in found.themes}
    themes = {index: round(given.get(name, 0.0), 2) for index, name in enumerate(built_in().ids)}
    said = found.sentiment
    tone = Label(TONES[said.label]) if said.probabilities[said.label] >= SURE else None
    return replace(example, themes=themes, tone=tone)
