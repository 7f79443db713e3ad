"""What turns raw scores into probabilities: how network, n-grams, memory and cues add up, and how sure they are.

Fitted on texts that the network was not trained on: our own dev labels, and the posts held back from FinFE.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from models.analyse import Analyser
from models.evaluate.context import measure
from models.evaluate.metrics import f1, micro_f1
from models.evaluate.predict import WHEN, GivenLinks
from models.reading import plain
from models.records import Document
from models.targets import Reading, company_tones, document_tone
from models.themes import Theme, built_in
from models.theming import LEAD, cue_features, document_logits
from models.train import own_sets, tone_sets
from models.train.examples import NEGATIVE, NEUTRAL, NEWS, POSITIVE, POST, Example, without_cues
from models.user_themes import Likeness, View

_FITTED = ("blends", "themes", "likeness", "company")  # what the calibration writes into model.json


def readings(analyser: Analyser, links: GivenLinks, examples: list[Example]) -> list[Reading]:
    """Raw scores of examples, their companies given."""
    made: list[Reading] = []
    for at in range(0, len(examples), 128):
        part = examples[at : at + 128]
        links.known = {(e.title, e.body): e for e in part}
        documents = [
            Document(id=e.key, source="", kind="wire", title=e.title, body=e.body, published_at=WHEN, fetched_at=WHEN)
            for e in part
        ]
        made += [reading for group, _ in analyser.read(documents) for reading in group]
    return made


def blend(voices: Sequence[np.ndarray], truth: np.ndarray) -> dict[str, Any]:
    """The `Blend` with the lowest loss. `voices`: each n,3, in the order of its weights; `truth`: n class numbers.

    A rare class weighs more, by the root of its rarity: the classes are to be told equally well (macro-F1).
    """
    rarity = np.bincount(truth, minlength=3).clip(1)[truth] ** -0.5
    weight = rarity / rarity.sum()

    def loss(x: np.ndarray) -> float:
        z = sum((w * voice for w, voice in zip(x[3:], voices, strict=True)), x[:3])
        z = z - z.max(1, keepdims=True)
        loss = -np.sum(weight * (z[np.arange(len(truth)), truth] - np.log(np.exp(z).sum(1))))
        return float(loss + 0.01 * (x[:3] ** 2).sum() + 0.001 * (x[3:] ** 2).sum())

    first = (1.0, 0.3, 0.3)[: len(voices)]
    best = [round(float(v), 4) for v in minimize(loss, np.array([0.0, 0.0, 0.0, *first])).x]
    return dict(zip(("deep", "wide", "memory"), best[3:], strict=False)) | {"bias": best[:3]}


def theme_features(found: list[Reading]) -> np.ndarray:
    """n,k,f features of `theming.Calibration`: its weights in order, then which theme it is."""
    k = len(built_in().ids)
    logits = np.stack([document_logits([r.scores[i] for i in range(len(r.windows))])[:k] for r in found])
    cues = np.array([[cue_features(r.cues, theme) for theme in range(k)] for r in found])  # n,k,4
    who = np.broadcast_to(0.5 * np.eye(k), (len(found), k, k))
    wide = np.stack([r.wide["themes"] for r in found])
    votes = np.stack([r.vote.themes for r in found])
    return np.concatenate([logits[..., None], wide[..., None], votes[..., None], cues, who], -1)


def theme_calibration(
    found: list[Reading], masked: list[Reading], examples: list[Example]
) -> tuple[dict[str, Any], float]:
    """Weights of `theming.Calibration`, and the micro-F1 that they reach in five-fold cross-validation.

    Each text counts twice, as it is and with its cues overwritten (`masked`): a theme's usual words are known then to
    be missing now and then, and the transformer is trusted more.
    """
    k = len(built_in().ids)
    truth = np.array([[bool(e.themes.get(theme)) for theme in range(k)] for e in examples])
    features, hidden = theme_features(found), theme_features(masked)

    def fit(rows: np.ndarray) -> LogisticRegression:
        both = np.concatenate([features[rows], hidden[rows]])
        return LogisticRegression(C=1.0, max_iter=2000).fit(
            both.reshape(-1, both.shape[-1]), np.tile(truth[rows].ravel(), 2)
        )

    out = np.zeros(truth.shape)
    for train, test in KFold(5, shuffle=True, random_state=0).split(out):
        out[test] = fit(train).predict_proba(features[test].reshape(-1, features.shape[-1]))[:, 1].reshape(-1, k)
    grid = np.arange(0.3, 0.61, 0.02)
    threshold = round(float(max(grid, key=lambda t: micro_f1(truth, out >= t))), 2)
    whole = fit(np.arange(len(found)))
    weights = [round(float(v), 4) for v in whole.coef_[0]]
    names = ("model", "wide", "memory", "title", "lead", "count", "none")
    bias = [round(0.5 * w + float(whole.intercept_[0]), 4) for w in weights[len(names) :]]
    return dict(zip(names, weights[: len(names)], strict=True)) | {"bias": bias, "threshold": threshold}, micro_f1(
        truth, out >= threshold
    )


def likeness_calibration(
    analyser: Analyser, links: GivenLinks, themes: Sequence[Theme], examples: list[Example]
) -> Likeness:
    """How likeness to a user's themes is weighed, fitted on themes as users might add them, with cues and without."""
    found = readings(analyser, links, examples)
    features, truth = [], []
    for given in (own_sets.bare(themes), themes):
        own = analyser.own(given)
        for reading, example in zip(found, examples, strict=True):
            view = View(reading.scores[0].embedding, reading.grams)
            features.append(own.features(plain(example.title), plain(example.body[:LEAD]), view))
            truth.append([bool(example.themes[k]) for k in range(len(themes))])
    x, y = np.concatenate(features), np.concatenate(truth)
    fitted = LogisticRegression(C=100.0, max_iter=2000).fit(x, y)
    scores = fitted.predict_proba(x)[:, 1]
    threshold = float(max(np.arange(0.1, 0.61, 0.02), key=lambda t: f1(y, scores >= t)))
    return Likeness(*(round(float(v), 4) for v in (*fitted.coef_[0], fitted.intercept_[0], threshold)))


def _tone(reading: Reading) -> np.ndarray:
    """Log-probabilities (2, 3) of the tone as a post and as news."""
    return document_tone([reading.scores[i] for i in range(len(reading.windows))])


def version(folder: Path, description: dict[str, Any]) -> str:
    """Eight hex digits that change with any answer: of the weights, and of how they are weighed."""
    parts = [(folder / name).read_bytes() for name in ("encoder.onnx", "heads.npz", "ngrams.npz", "memory.npz")]
    weighed = {name: description[name] for name in _FITTED}
    digest = hashlib.blake2b(b"".join(parts) + json.dumps(weighed, sort_keys=True).encode(), digest_size=4)
    return digest.hexdigest()


def calibrate(folder: Path, data: Path, labels: Path) -> dict[str, Any]:
    """Fit and write into `folder/model.json`; returns what was written."""
    path = folder / "model.json"
    description = json.loads(path.read_text())
    for name in _FITTED:
        description.pop(name, None)
    path.write_text(json.dumps(description))
    links = GivenLinks()
    analyser = Analyser.load(str(folder), linker=links)
    _, dev = own_sets.silver(labels, data)
    posts = [e for e in tone_sets.finfe(data / "labels")[0] if e.key.startswith("hold")]
    found, held = readings(analyser, links, dev), readings(analyser, links, posts)
    index = {NEGATIVE: 0, NEUTRAL: 1, POSITIVE: 2}
    heard: dict[str, list[tuple[np.ndarray, ...]]] = {"news": [], "post": [], "toward": []}  # each text's voices
    truth: dict[str, list[int]] = {name: [] for name in heard}
    for r, e in zip(held, posts, strict=True):
        heard["post"].append((_tone(r)[POST], r.wide["post"]))
        truth["post"].append(index[e.tone.allowed])
    for r, e in zip(found, dev, strict=True):
        if e.tone:
            heard["news"].append((_tone(r)[NEWS], r.wide["news"], r.vote.tone))
            truth["news"].append(index[e.tone.allowed])
        for code, log_p in company_tones(r).items():
            heard["toward"].append((log_p, r.near[code]))
            truth["toward"].append(index[e.targets[int(code)].tone.allowed])
    description["blends"] = {
        name: blend([np.stack(voice) for voice in zip(*voices, strict=True)], np.array(truth[name]))
        for name, voices in heard.items()
    }
    hidden = readings(analyser, links, [without_cues(e, "某") for e in dev])
    description["themes"], reached = theme_calibration(found, hidden, dev)
    themes, wires = own_sets.own_themes(data)
    like = likeness_calibration(analyser, links, themes, wires) if wires else Likeness()
    description["likeness"] = asdict(like)
    path.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    description["company"] = {"threshold": measure(data, str(folder), threads=1)["threshold"]}
    description["version"] = version(folder, description)
    path.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    return description | {"themes_cross_validated": round(reached, 4)}
