"""Scores of the model and of the baselines on every set, as one plain object (what the JSON report holds)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from models.analyse import Analyser
from models.evaluate import baselines, metrics
from models.evaluate.predict import Answers, GivenLinks, analyse, answers
from models.evaluate.sets import EvaluationSet
from models.reading import plain, read
from models.records import Analysis

ERRORS = 12  # samples of each set

Progress = Callable[[str], None]


def embedder(analyser: Analyser) -> Callable[[Sequence[str]], np.ndarray]:
    """Embeddings of texts by the analyser's encoder, (n, D); a text that stands in several sets is read once."""
    known: dict[str, np.ndarray] = {}

    def embed(texts: Sequence[str]) -> np.ndarray:
        new = list(dict.fromkeys(text for text in texts if text not in known))
        known.update(zip(new, analyser.embed([read("", plain(text))[0].text for text in new]), strict=True))
        return np.stack([known[text] for text in texts])

    return embed


def evaluate(
    analyser: Analyser,
    links: GivenLinks,
    sets: Sequence[EvaluationSet],
    now: datetime,
    *,
    compare: bool = True,
    progress: Progress = lambda line: None,
) -> dict[str, Any]:
    """Score `analyser` (whose linker must be `links`) on the sets; `compare`: baselines too (needs scikit-learn)."""
    known: dict[int, Analysis] = {}  # by the example's id: sets share examples
    report: dict[str, Any] = {
        "made_at": now.isoformat(timespec="seconds"),
        "model": analyser.versions.model,
        "taxonomy": analyser.versions.taxonomy,
        "sets": [],
    }
    for item in sets:
        began = time.perf_counter()
        new = [e for e in item.test if id(e) not in known]
        analyser.user_themes = analyser.own(item.own) if item.own else None
        known.update(zip(map(id, new), analyse(analyser, links, new), strict=True))
        found = answers(item, [known[id(e)] for e in item.test])
        result = score(item, found)
        if compare:
            truth = found.truth
            guesses = {"lexicon": baselines.lexicon(item)}
            if item.train:
                guesses |= {"tfidf": baselines.tfidf(item), "frozen": baselines.frozen(item, embedder(analyser))}
            result["baselines"] = {name: round(_metric(item)(truth, guess), 4) for name, guess in guesses.items()}
        result["seconds"] = round(time.perf_counter() - began, 1)
        report["sets"].append(result)
        progress(f"{item.name}: {result['score']:.3f} of {result['questions']} questions, {result['seconds']} s")
    return report


def _metric(item: EvaluationSet) -> metrics.Metric:
    return metrics.micro_f1 if item.task == "themes" else metrics.macro_f1


def score(item: EvaluationSet, found: Answers) -> dict[str, Any]:
    """Everything that the report shows of one set, but for the baselines."""
    metric = _metric(item)
    low, high = metrics.bootstrap(metric, found.truth, found.guess)
    result: dict[str, Any] = {
        "name": item.name,
        "title": item.title,
        "task": item.task,
        "classes": list(item.classes),
        "bar": item.bar,
        "metric": "micro-F1" if item.task == "themes" else "macro-F1",
        "questions": len(found.truth),
        "score": round(metric(found.truth, found.guess), 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }
    if item.task == "themes":
        sure, right = found.confidence[found.guess], found.truth[found.guess]
        result["per_class"] = {
            name: {
                "f1": round(metrics.f1(found.truth[:, k], found.guess[:, k]), 4),
                "precision": round(
                    float((found.truth[:, k] & found.guess[:, k]).sum() / max(1, found.guess[:, k].sum())), 4
                ),
                "recall": round(
                    float((found.truth[:, k] & found.guess[:, k]).sum() / max(1, found.truth[:, k].sum())), 4
                ),
                "given": int(found.truth[:, k].sum()),
            }
            for k, name in enumerate(item.classes)
        }
        wrong = (found.truth != found.guess).any(1)

        def show(row: np.ndarray) -> str:
            return ", ".join(name for name, yes in zip(item.classes, row, strict=True) if yes) or "none"

    else:
        sure, right = found.confidence, found.truth == found.guess
        result["accuracy"] = round(float(right.mean()), 4)
        result["confusion"] = metrics.confusion(found.truth.tolist(), found.guess.tolist(), item.classes)
        result["per_class"] = {
            name: {
                "f1": round(metrics.f1(found.truth == name, found.guess == name), 4),
                "given": int((found.truth == name).sum()),
            }
            for name in item.classes
        }
        wrong = ~right

        def show(row: np.ndarray) -> str:
            return str(row)

    result["calibration_error"] = round(metrics.calibration_error(sure, right), 4)
    result["reliability"] = [[round(a, 4), round(b, 4), n] for a, b, n in metrics.reliability(sure, right)]
    pick = np.random.default_rng(0).permutation(np.flatnonzero(wrong))[:ERRORS]
    result["errors"] = [
        {"text": found.texts[i][:160], "truth": show(found.truth[i]), "guess": show(found.guess[i])} for i in pick
    ]
    return result
