"""The evaluation sets: a task, training texts for the baselines, and test texts that no weights were fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.themes import Theme, built_in
from models.train import own_sets, tone_sets
from models.train.examples import NEGATIVE, NEUTRAL, POSITIVE, Example, without_cues

Task = Literal["tone", "toward", "themes"]
SILVER = own_sets.LABELS / "silver.jsonl"
GOLD = SILVER.with_name("gold.jsonl")
FILLER = "□"
LINKING = "linking"  # named like a set, but measured without one: `models.evaluate.linking`
REMEDY = "--data names the folder that holds labels/, wires/ and reports/"


@dataclass(frozen=True)
class EvaluationSet:
    """`classes`: names of the classes the truth has; a tone set may know only negative and positive."""

    name: str
    title: str
    task: Task
    classes: tuple[str, ...]
    train: tuple[Example, ...]
    test: tuple[Example, ...]
    bar: float = 0.0
    metric: Literal["macro", "micro"] = "macro"
    own: tuple[Theme, ...] = ()  # a user's themes, which this set asks for


class DataError(ValueError):
    """A data folder that lacks what the evaluation reads; the text names it."""


THREE = ("negative", "neutral", "positive")


def label_sets(data: Path) -> Path:
    """The label sets of the data folder. Raises `DataError` where there are none."""
    folder = data / "labels"
    if not folder.is_dir():
        raise DataError(f"{data} has no labels/ folder: {REMEDY}")
    return folder


def load(data: Path, only: Sequence[str] = ()) -> list[EvaluationSet]:
    """Every set that the data folder allows, in the order of the report. Raises `DataError`."""
    folder = label_sets(data)
    made = []
    train, dev = own_sets.silver(SILVER, data)
    if dev:
        taxonomy = built_in()
        hidden = tuple(without_cues(e, FILLER) for e in dev)
        toned = tuple(e for e in dev if e.tone)
        named = tuple(e for e in dev if e.targets)
        made += [
            EvaluationSet(
                "themes", "Themes, own labels", "themes", taxonomy.ids, tuple(train), tuple(dev), 0.88, "micro"
            ),
            EvaluationSet(
                "themes_masked", "Themes, cue words masked", "themes", taxonomy.ids, tuple(train), hidden, 0, "micro"
            ),
            EvaluationSet(
                "tone", "Document tone, own labels", "tone", THREE, tuple(e for e in train if e.tone), toned, 0.82
            ),
            EvaluationSet("toward", "Tone toward companies, own labels", "toward", THREE, tuple(train), named, 0.80),
        ]
        wires = tuple(e for e in named if len({t.tone.allowed for t in e.targets if t.tone}) > 1)
        if wires:
            made.append(
                EvaluationSet("toward_mixed", "The same, companies differ", "toward", THREE, tuple(train), wires)
            )
    if gold := own_sets.gold(GOLD, data):
        named = tuple(e for e in gold if e.targets)
        mixed = tuple(e for e in named if len({t.tone.allowed for t in e.targets if t.tone}) > 1)
        made += [
            EvaluationSet(
                "gold_themes", "Gold: themes", "themes", built_in().ids, tuple(train), tuple(gold), 0.88, "micro"
            ),
            EvaluationSet("gold_tone", "Gold: document tone", "tone", THREE, tuple(train), tuple(gold), 0.82),
            EvaluationSet("gold_toward", "Gold: tone toward companies", "toward", THREE, tuple(train), named, 0.80),
            EvaluationSet("gold_mixed", "The same, companies differ", "toward", THREE, tuple(train), mixed),
        ]
    themes, labelled = own_sets.own_themes(data)
    for name, given, told in (
        ("own_themes", own_sets.bare(themes), "name, description, three examples"),
        ("own_themes_cues", themes, "with cue words"),
    ):
        if labelled:
            asked = tuple(replace(e) for e in labelled)  # each set's apart: its themes are others
            ids = tuple(theme.id for theme in themes)
            title = f"User themes: {told}"
            made.append(EvaluationSet(name, title, "themes", ids, (), asked, metric="micro", own=given))
    if (folder / "finfe").is_dir():
        posts, test = tone_sets.finfe(folder)
        made.append(EvaluationSet("finfe", "FinFE posts", "tone", THREE, tuple(posts), tuple(test), 0.72))
    if (folder / "xueqiu_news").is_dir():
        titles, test = tone_sets.company_titles(folder)
        two = ("negative", "positive")
        made.append(
            EvaluationSet(
                "company_titles", "Company news titles, newest fifth", "tone", two, tuple(titles), tuple(test), 0.965
            )
        )
        made.append(
            EvaluationSet("company_toward", "The same, toward the company", "toward", two, tuple(titles), tuple(test))
        )
    if (folder / "finnsp").is_dir():
        texts, test = tone_sets.finnsp(folder)
        two = ("negative", "other")
        made.append(
            EvaluationSet("finnsp", "FinNSP, negative toward a company", "toward", two, tuple(texts), tuple(test), 0.83)
        )
        mixed = tuple(e for e in test if len({t.tone.allowed for t in e.targets if t.tone}) > 1)
        made.append(
            EvaluationSet("finnsp_mixed", "The same, companies differ", "toward", two, tuple(texts), mixed, 0.70)
        )
    unknown = set(only) - {s.name for s in made}
    if unknown:
        known = ", ".join([*(s.name for s in made), LINKING])
        raise DataError(f"no set named {', '.join(sorted(unknown))} in {data}; there are: {known}")
    return [s for s in made if not only or s.name in only]


def label_of(allowed: int) -> str:
    """The class that a label's bits name."""
    return {NEGATIVE: "negative", NEUTRAL: "neutral", POSITIVE: "positive"}.get(allowed, "other")
