"""What turns raw scores into probabilities: how network, n-grams and cues add up, and how sure they are together.

Fitted on texts that the network was not trained on: our own dev labels, and the posts held back from FinFE.
"""

from __future__ import annotations

import hashlib
import json
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
from models.records import Document
from models.targets import Reading, company_tones, document_tone
from models.themes import built_in
from models.theming import cue_features, document_logits
from models.train import own_sets, tone_sets
from models.train.examples import NEGATIVE, NEUTRAL, POSITIVE, Example, without_cues
from models.user_themes import likeness, prototypes


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
        made += analyser.read(documents)[0]
    return made


def blend(log_p: np.ndarray, logits: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """The `Blend` with the lowest loss. `log_p`, `logits`: n,3; `truth`: n class numbers.

    A rare class weighs more, by the root of its rarity: the classes are to be told equally well (macro-F1).
    """
    rarity = np.bincount(truth, minlength=3).clip(1)[truth] ** -0.5
    weight = rarity / rarity.sum()

    def loss(x: np.ndarray) -> float:
        z = x[0] * log_p + x[1] * logits + x[2:]
        z = z - z.max(1, keepdims=True)
        loss = -np.sum(weight * (z[np.arange(len(truth)), truth] - np.log(np.exp(z).sum(1))))
        return float(loss + 0.01 * (x[2:] ** 2).sum() + 0.001 * (x[:2] ** 2).sum())

    best = minimize(loss, np.array([1.0, 0.3, 0.0, 0.0, 0.0])).x
    return {
        "deep": round(float(best[0]), 4),
        "wide": round(float(best[1]), 4),
        "bias": [round(float(v), 4) for v in best[2:]],
    }


def theme_features(found: list[Reading]) -> np.ndarray:
    """n,k,f features of `theming.Calibration`: its weights in order, then which theme it is."""
    k = len(built_in().ids)
    logits = np.stack([document_logits([r.scores[i] for i in range(len(r.windows))])[:k] for r in found])
    cues = np.array([[cue_features(r.cues, theme) for theme in range(k)] for r in found])  # n,k,4
    who = np.broadcast_to(0.5 * np.eye(k), (len(found), k, k))
    wide = np.stack([r.wide["themes"] for r in found])
    return np.concatenate([logits[..., None], wide[..., None], cues, who], -1)


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
    bias = [round(0.5 * w + float(whole.intercept_[0]), 4) for w in weights[6:]]
    names = ("model", "wide", "title", "lead", "count", "none")
    return dict(zip(names, weights[:6], strict=True)) | {"bias": bias, "threshold": threshold}, micro_f1(
        truth, out >= threshold
    )


def likeness_calibration(analyser: Analyser, found: list[Reading], examples: list[Example]) -> dict[str, Any]:
    """Weights of `user_themes.Likeness`: each built-in theme taken as if a user had just added it."""
    vectors = np.stack([r.scores[0].embedding for r in found])
    features, truth = [], []
    for index, theme in enumerate(built_in().themes):
        like = likeness(vectors, prototypes(theme, analyser.embed))
        for r, value, example in zip(found, like, examples, strict=True):
            title, lead, _, _ = cue_features(r.cues, index)
            features.append([value, title, lead])
            truth.append(bool(example.themes.get(index)))
    x, y = np.array(features), np.array(truth)
    fitted = LogisticRegression(C=100.0, max_iter=2000).fit(x, y)
    scale, title, lead = (float(v) for v in fitted.coef_[0])
    scores = fitted.predict_proba(x)[:, 1]
    threshold = float(max(np.arange(0.2, 0.61, 0.02), key=lambda t: f1(y, scores >= t)))
    offset = -float(fitted.intercept_[0]) / max(scale, 1e-6)
    values = {"scale": scale, "offset": offset, "title": title, "lead": lead, "threshold": threshold}
    return {name: round(value, 4) for name, value in values.items()}


def version(folder: Path, description: dict[str, Any]) -> str:
    """Eight hex digits that change with any answer: of the weights, and of how they are weighed."""
    parts = [(folder / name).read_bytes() for name in ("encoder.onnx", "heads.npz", "ngrams.npz")]
    weighed = {name: description[name] for name in ("blends", "themes", "likeness", "company")}
    digest = hashlib.blake2b(b"".join(parts) + json.dumps(weighed, sort_keys=True).encode(), digest_size=4)
    return digest.hexdigest()


def calibrate(folder: Path, data: Path, labels: Path) -> dict[str, Any]:
    """Fit and write into `folder/model.json`; returns what was written."""
    path = folder / "model.json"
    description = json.loads(path.read_text())
    description.pop("blends", None)
    description.pop("themes", None)
    description.pop("likeness", None)
    description.pop("company", None)
    path.write_text(json.dumps(description))
    links = GivenLinks()
    analyser = Analyser.load(str(folder), linker=links)
    _, dev = own_sets.silver(labels, data)
    posts = [e for e in tone_sets.finfe(data / "labels")[0] if e.key.startswith("hold")]
    found, held = readings(analyser, links, dev), readings(analyser, links, posts)
    index = {NEGATIVE: 0, NEUTRAL: 1, POSITIVE: 2}
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray, int]]] = {"news": [], "post": [], "toward": []}
    for name, row, group, examples in (("post", 0, held, posts), ("news", 1, found, dev)):
        for r, e in zip(group, examples, strict=True):
            if e.tone:
                tone = document_tone([r.scores[i] for i in range(len(r.windows))])[row]
                pairs[name].append((tone, r.wide[name], index[e.tone.allowed]))
    for r, e in zip(found, dev, strict=True):
        for code, log_p in company_tones(r).items():
            pairs["toward"].append((log_p, r.near[code], index[e.targets[int(code)].tone.allowed]))
    description["blends"] = {
        name: blend(np.stack([a for a, _, _ in p]), np.stack([b for _, b, _ in p]), np.array([c for _, _, c in p]))
        for name, p in pairs.items()
    }
    hidden = readings(analyser, links, [without_cues(e, "某") for e in dev])
    description["themes"], reached = theme_calibration(found, hidden, dev)
    description["likeness"] = likeness_calibration(analyser, found, dev)
    path.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    description["company"] = {"threshold": measure(data, str(folder), threads=1)["threshold"]}
    description["version"] = version(folder, description)
    path.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    return description | {"themes_cross_validated": round(reached, 4)}
