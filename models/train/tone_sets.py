"""Tone as public label sets give it: posts, news titles, events that befell a company."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from models.train.examples import (
    NEGATIVE,
    NEUTRAL,
    NEWS,
    POSITIVE,
    POST,
    Example,
    Label,
    Target,
    jsonl,
    places,
    squeeze,
)


def _date(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(v) for v in re.findall(r"\d+", row.get("date") or "")[:3])


def finfe(labels: Path) -> tuple[list[Example], list[Example]]:
    """Forum posts, three classes; training posts that repeat a test post are left out.

    Three training posts in ten repeat another one, often with another label: each text counts once, with the label that
    most of its copies have, and not at all without such a one. Texts without a copy whose index is a multiple of 25
    are kept for calibration (`key` begins with "hold:").
    """
    train, test = jsonl(labels / "finfe/train.jsonl"), jsonl(labels / "finfe/test.jsonl")
    held = {squeeze(row["text"]) for row in test}
    copies: dict[str, list[int]] = {}
    for i, row in enumerate(train):
        if (text := squeeze(row["text"])) not in held:
            copies.setdefault(text, []).append(i)
    kept = []
    for at in copies.values():
        (label, most), *others = Counter(train[i]["label"] for i in at).most_common(2)
        if not others or most > others[0][1]:
            part = "hold" if len(at) == 1 and at[0] % 25 == 0 else "train"
            kept.append(_post(f"{part}:{at[0]}", train[at[0]]["text"], label))
    return kept, [_post(f"test:{i}", row["text"], row["label"]) for i, row in enumerate(test)]


def _post(key: str, text: str, label: int) -> Example:
    return Example("finfe", key, "", text, POST, Label(1 << label))


def guba(labels: Path) -> list[Example]:
    """Forum posts, negative or positive."""
    rows = jsonl(labels / "guba_9k/all.jsonl")
    return [
        Example(
            "guba",
            str(i),
            "",
            r["text"].replace("null", " "),
            POST,
            Label(POSITIVE if r["label"] else NEGATIVE, 5),
            weight=0.5,
        )
        for i, r in enumerate(rows)
    ]


def company_titles(labels: Path) -> tuple[list[Example], list[Example]]:
    """Company news titles, the newest fifth held out by date; bodies of the expanded set only from before that."""
    seen: set[str] = set()
    rows = []
    for row in sorted(jsonl(labels / "xueqiu_news/seed.jsonl"), key=_date):
        if row["title"] not in seen:
            seen.add(row["title"])
            rows.append(row)
    cut = int(len(rows) * 0.8)
    held, first_day = {squeeze(r["title"]) for r in rows[cut:]}, _date(rows[cut])

    def make(row: dict[str, Any], key: str, body: str = "") -> Example:
        tone = Label(POSITIVE if row["label"] else NEGATIVE)
        found = places(row["target"], row["title"], body)
        return Example("xueqiu", key, row["title"], body, NEWS, tone, (Target(found, tone),) if found else ())

    train = [make(r, f"seed:{i}") for i, r in enumerate(rows[:cut])]
    test = [make(r, f"test:{i}") for i, r in enumerate(rows[cut:])]
    for i, row in enumerate(jsonl(labels / "xueqiu_news/expanded_test.jsonl")):
        if squeeze(row["title"]) not in held and _date(row) < first_day:
            train.append(make(row, f"expanded:{i}", row["text"]))
    return train, test


def finnsp(labels: Path) -> tuple[list[Example], list[Example]]:
    """Which companies a text is negative about; every tenth document is held out."""
    documents: dict[str, list[dict[str, Any]]] = {}
    for row in jsonl(labels / "finnsp/train_entity.jsonl"):
        documents.setdefault(row["id"], []).append(row)
    whole = {row["id"]: row["label"] for row in jsonl(labels / "finnsp/train.jsonl")}
    train: list[Example] = []
    test: list[Example] = []
    for key, rows in documents.items():
        text = rows[0]["text"]
        targets = []
        for row in rows:
            found = places(row["target"], "", text)
            if found:
                targets.append(Target(found, Label(NEGATIVE if row["label"] else NEUTRAL | POSITIVE)))
        tone = Label(NEGATIVE if whole.get(key, 0) else NEUTRAL | POSITIVE)
        example = Example("finnsp", key, "", text, NEWS, tone, tuple(targets))
        (test if int(key, 16) % 10 == 0 else train).append(example)
    return train, test


def finese(labels: Path) -> list[Example]:
    """Events that befell a company: each is bad for it. One text may stand in several rows."""
    bad: dict[str, set[str]] = {}
    for row in jsonl(labels / "finese/train.jsonl"):
        if row["label"] != "其他" and row["target"] not in ("", "NaN") and row["target"] in row["text"]:
            bad.setdefault(row["text"], set()).add(row["target"])
    made = []
    for i, (text, names) in enumerate(bad.items()):
        targets = tuple(Target(places(name, "", text), Label(NEGATIVE)) for name in sorted(names))
        made.append(Example("finese", str(i), "", text, NEWS, None, targets, weight=0.5))
    return made
