"""Our own labels: themes, tone and tone toward companies, labelled by hand in `models/train/labels/`."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from models.themes import Theme, built_in, read_themes
from models.train.examples import NEWS, TONES, Example, Label, Target, all_wires, jsonl, places

_STORED = {  # a ref's kind -> folder of labels/
    "cfbench": "cfbench_reports",
    "finnl": "finnl",
    "finna": "finna",
    "finese": "finese",
    "finre": "finre",
    "thuc": "thucnews_headlines",
}
LABELS = Path(__file__).with_name("labels")
_MARKS = re.compile(r"</?N>")  # that `finre` puts around its two names


def silver(path: Path, data: Path) -> tuple[list[Example], list[Example]]:
    """Our own labels, train and dev."""
    parts = _own(path, data)
    return parts["train"], parts["dev"]


def gold(path: Path, data: Path) -> list[Example]:
    """Our own labels for evaluation alone: read twice, settled, no story shared with the silver ones."""
    return _own(path, data)["gold"]


def own_themes(data: Path) -> tuple[tuple[Theme, ...], list[Example]]:
    """Themes as users might add them, and wires labelled with them: `themes` by the place in the first.

    Texts that the data folder lacks are left out.
    """
    themes = read_themes(LABELS / "own_themes.yaml")
    rows = {row["ref"]: row["themes"] for row in jsonl(LABELS / "own_themes.jsonl")}
    return themes, [
        Example(
            "own_themes", ref, wire["title"] or "", wire["content"] or "", NEWS,
            themes={k: int(theme.id in rows[ref]) for k, theme in enumerate(themes)},
        )
        for ref, wire in all_wires(data)
        if ref in rows
    ]  # fmt: skip


def bare(themes: Sequence[Theme]) -> tuple[Theme, ...]:
    """The same themes of only a name, a description and examples."""
    return tuple(msgspec.structs.replace(theme, cues=()) for theme in themes)


def written(path: Path) -> list[Example]:
    """News that we wrote ourselves: what no labelled text tells of companies, works and the borders of themes."""
    ids = built_in().ids
    return [
        Example(
            "written", f"written:{number}", row["title"], row["body"], NEWS, _tone(row),
            themes={i: int(name in row["themes"]) for i, name in enumerate(ids)}, embed=True,
        )
        for number, row in enumerate(jsonl(path) if path.exists() else ())
    ]  # fmt: skip


def _own(path: Path, data: Path) -> dict[str, list[Example]]:
    """Our own labels by split: `ref` names a text of the data folder; those whose text isn't there are left out."""
    rows = {row["ref"]: row for row in jsonl(path)} if path.exists() else {}
    texts: dict[str, tuple[str, str]] = {}
    if any(ref.startswith("wires:") for ref in rows):
        for ref, wire in all_wires(data):
            if ref in rows:
                texts[ref] = (wire["title"] or "", wire["content"] or "")
    if any(ref.startswith("titles:") for ref in rows) and (data / "reports/titles.csv").exists():
        with (data / "reports/titles.csv").open(encoding="utf-8") as lines:
            for number, line in enumerate(csv.DictReader(lines)):
                if (ref := f"titles:{number}") in rows:
                    texts[ref] = (line["title"], "")
    stored = {tuple(ref.split(":")[:2]) for ref in rows if ref.split(":")[0] in _STORED}
    for kind, stem in sorted(stored):
        source = data / "labels" / _STORED[kind] / f"{stem}.jsonl"
        for number, line in enumerate(jsonl(source) if source.exists() else ()):
            texts[f"{kind}:{stem}:{number}"] = (line.get("title") or "", _MARKS.sub("", line["text"]))
    ids = built_in().ids
    parts: dict[str, list[Example]] = {"train": [], "dev": [], "gold": []}
    for ref, row in rows.items():
        if ref not in texts:
            continue
        title, body = texts[ref][0], texts[ref][1][: row.get("read")]
        tones = {m["surface"]: m["tone"] for m in row.get("mentions", ()) if not m.get("credit")}
        targets = tuple(Target(places(n, title, body), Label(TONES[t])) for n, t in tones.items())
        themes = {i: int(name in row["themes"]) for i, name in enumerate(ids)}
        split = row.get("split", "gold")
        parts[split].append(Example("silver", ref, title, body, NEWS, _tone(row), targets, themes, embed=True))
    return parts


def _tone(row: dict[str, Any]) -> Label | None:
    """The tone that a row gives its text, if it gives one."""
    return Label(TONES[row["tone"]]) if row.get("tone") in TONES else None
