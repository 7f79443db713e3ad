"""Fitting the linear n-gram heads (`models.ngrams`) on the same examples as the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression

from models.ngrams import SIZE, around, features
from models.reading import plain, read
from models.records import Span
from models.themes import built_in
from models.train.examples import ALL, NEGATIVE, NEUTRAL, NEWS, OWN, POSITIVE, POST, Example, without_cues

CLASS = {NEGATIVE: 0, NEUTRAL: 1, POSITIVE: 2}
Text = tuple[str, str]


def matrix(texts: Sequence[Text], idf: np.ndarray | None = None) -> csr_matrix:
    """One row a text (text, title)."""
    rows = [features(text, title, idf) for text, title in texts]
    ends = np.cumsum([0, *(len(at) for at, _ in rows)])
    return csr_matrix(
        (np.concatenate([v for _, v in rows]), np.concatenate([a for a, _ in rows]), ends), (len(rows), SIZE)
    )


def document_text(example: Example) -> Text:
    """What the heads of a document read: its first window, and its title."""
    title, body = plain(example.title), plain(example.body)
    return read(title, body)[0].text, title[:80]


def target_texts(example: Example) -> list[tuple[int, Text]]:
    """(index, what stands around it) of each company of an example."""
    title, body = plain(example.title), plain(example.body)
    spans = [Span(f, s, e) for t in example.targets for f, s, e in t.spans]
    window = read(title, body, spans)[0]
    made = []
    for index, target in enumerate(example.targets):
        places = [p for f, s, e in target.spans if (p := window.locate(Span(f, s, e)))]
        if places:
            made.append((index, around(window.text, places)))
    return made


def _head(x: csr_matrix, y: np.ndarray, weight: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    model = LogisticRegression(C=strength, max_iter=200, class_weight="balanced" if y.max() > 1 else None)
    model.fit(x, y, sample_weight=weight)
    return model.coef_.T, model.intercept_


def _three(example: Example) -> bool:
    """Whether a text has one of three tones; a set of two would tell the head that neutral is rare."""
    tone = example.tone
    return tone is not None and tone.allowed in CLASS and tone.among == ALL


def fit_wide(examples: Sequence[Example], path: Path) -> None:
    """Fit all heads and write them. Examples labelled by us count four times the others.

    For the themes each text that has one is read a second time with its cues overwritten.
    """

    def weight(e: Example) -> float:
        return 4.0 if e.source in OWN else e.weight

    unique = list({(e.source, e.key): e for e in examples}.values())
    texts = [document_text(e) for e in unique]
    counts = matrix(texts)
    idf = np.log((1 + len(texts)) / (1 + np.bincount(counts.indices, minlength=SIZE))).astype(np.float32) + 1
    x = matrix(texts, idf)
    stored: dict[str, np.ndarray] = {"idf": idf}
    columns = []
    covered = [without_cues(e, "某") for e in unique if max(e.themes.values(), default=0) >= 0.5]
    themed = unique + covered
    seen = vstack([x, matrix([document_text(e) for e in covered], idf)]).tocsr()
    for theme in range(len(built_in().ids)):
        rows = [i for i, e in enumerate(themed) if theme in e.themes]
        y = np.array([themed[i].themes[theme] >= 0.5 for i in rows]).astype(int)
        columns.append(_head(seen[rows], y, np.array([weight(themed[i]) for i in rows]), 20.0))
    stored["themes.weight"] = np.concatenate([w for w, _ in columns], 1)
    stored["themes.bias"] = np.concatenate([b for _, b in columns])
    for name, style, strength in (("news", NEWS, 10.0), ("post", POST, 3.0)):
        rows = [i for i, e in enumerate(unique) if e.style == style and _three(e)]
        y = np.array([CLASS[unique[i].tone.allowed] for i in rows])
        stored[f"{name}.weight"], stored[f"{name}.bias"] = _head(
            x[rows], y, np.array([weight(unique[i]) for i in rows]), strength
        )
    near: list[Text] = []
    toward: list[int] = []
    importance: list[float] = []
    for e in unique:
        for index, text in target_texts(e):
            tone = e.targets[index].tone
            if tone:  # "not negative" is nearest to neutral
                near.append(text)
                toward.append(CLASS.get(tone.allowed, 1))
                importance.append(weight(e))
    stored["toward.weight"], stored["toward.bias"] = _head(
        matrix(near, idf), np.array(toward), np.array(importance), 10.0
    )
    np.savez_compressed(path, **{name: np.asarray(value).astype(np.float16) for name, value in stored.items()})
