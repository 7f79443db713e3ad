"""Filling the memory (`models.memory`) with our own labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.analyse import Analyser
from models.evaluate.predict import GivenLinks
from models.memory import UNKNOWN
from models.themes import built_in
from models.train.calibrate import readings
from models.train.examples import Example
from models.train.wide import CLASS

WIDTH = 128  # directions kept of the embedding


def remember(folder: Path, examples: Sequence[Example]) -> None:
    """Write `memory.npz` into a folder of weights: vectors, themes and tones of examples that no score is taken on.

    The directions in which embeddings differ most are shortened, by the root of how much they differ there.
    """
    k = len(built_in().ids)
    themes = np.array([[bool(e.themes.get(theme)) for theme in range(k)] for e in examples], bool).reshape(-1, k)
    tones = np.array([CLASS.get(e.tone.allowed, UNKNOWN) if e.tone else UNKNOWN for e in examples], np.int8)
    path = folder / "memory.npz"
    with np.load(folder / "heads.npz") as heads:
        width = len(heads["embed.bias"])
    kept = min(WIDTH, width)
    empty = np.zeros((0, kept), np.int8)
    np.savez(
        path, centre=np.zeros(width), project=np.eye(width, kept), vectors=empty, themes=themes[:0], tones=tones[:0]
    )
    if not examples:
        return
    links = GivenLinks()
    found = readings(Analyser.load(str(folder), linker=links), links, list(examples))
    embeddings = np.stack([reading.scores[0].embedding for reading in found])
    centre = embeddings.mean(0)
    _, size, directions = np.linalg.svd(embeddings - centre, full_matrices=False)
    project = (directions[:kept] / np.sqrt(size[:kept, None].clip(1e-6))).T
    vectors = (embeddings - centre) @ project
    np.savez_compressed(
        path,
        centre=centre.astype(np.float32),
        project=project.astype(np.float32),
        vectors=np.round(127 * vectors / np.abs(vectors).max(1, keepdims=True).clip(1e-9)).astype(np.int8),
        themes=themes,
        tones=tones,
    )
