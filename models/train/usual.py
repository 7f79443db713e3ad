"""What is usual in news: mean and spread of each n-gram's value, by which a user's themes measure what is not."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from models.ngrams import SIZE
from models.train.examples import NEWS, Example, all_wires, jsonl
from models.train.own_sets import LABELS
from models.train.wide import document_text, matrix

WIRES = 5_000


def usual(path: Path, data: Path) -> None:
    """Write `mean` and `spread` into the n-grams of `path`, of other wires than those that user themes are measured on.

    A data folder without wires leaves them 0.
    """
    skip = {row["ref"] for row in jsonl(LABELS / "own_themes.jsonl")}
    with np.load(path) as stored:
        parts = dict(stored)
    wires = [(ref, wire["title"] or "", wire["content"] or "") for ref, wire in all_wires(data) if ref not in skip]
    wires = random.Random(0).sample(wires, min(WIRES, len(wires)))
    parts["mean"] = parts["spread"] = np.zeros(SIZE, np.float16)
    if wires:
        texts = [document_text(Example("wires", ref, title, body, NEWS)) for ref, title, body in wires]
        x = matrix(texts, parts["idf"].astype(np.float32))
        mean, square = np.asarray(x.mean(0)).ravel(), np.asarray(x.power(2).mean(0)).ravel()
        parts["mean"], parts["spread"] = mean.astype(np.float16), np.sqrt(square - mean**2).astype(np.float16)
    np.savez_compressed(path, **parts)
