"""The linker on text that others have labelled: gold mentions, vendors' tags, and headlines from outside business.

Gold: of the companies that a text names, how many are linked, and how many links are right. One company counts once a
text, and any of its listings will do. Companies that are only the source count apart, and so do markets without a
code. The report holds measures (rows of the main table) and everything else as plain data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.evaluate import context
from models.evaluate.sets import GOLD
from models.linking import Link, Linker
from models.linking.evaluate import company, false_alarms, read_headlines, read_wires, vendor_recall
from models.securities import SecuritiesTable, load
from models.train import own_sets
from models.train.examples import Example, all_wires, jsonl

ROUNDS = 500
PRECISION, RECALL, VENDORS, ALARMS = 0.98, 0.95, 0.97, 0.003  # the bars
LISTED_ELSEWHERE = ("", "-")  # codes of gold mentions without a code of ours: neither wanted nor wrong


class Text(NamedTuple):
    """A gold text: what stands in it, and when it came out."""

    example: Example
    mentions: Sequence[dict[str, Any]]
    published_at: datetime | None

    @property
    def kind(self) -> str:
        """As the linker knows kinds."""
        return "wire" if self.example.key.startswith("wires:") else "report"


# What of one text was found, made up and missed; sources given, linked, and linked as a source.
TALLIES = ("right", "extra", "missed", "credits", "credits_linked", "credits_known")


def evaluate(
    data: Path, model: str = "", threads: int = 0, *, progress: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """All measures of the linker that the data folder allows, JSON-ready. `measures` are rows for the main table.

    `model`: the folder of weights whose head is weighed against the rules alone.
    """
    linker, table = Linker.load(), load()
    result: dict[str, Any] = {"securities": linker.version, "measures": []}
    if texts := gold_texts(data):
        result["gold"] = gold(linker, table, texts)
        result["measures"] += result["gold"].pop("measures")
    paths = sorted((data / "wires").glob("*.jsonl.gz"))
    if paths:
        vendors = vendor_recall(linker, table, chain.from_iterable(map(read_wires, paths)))
        result["vendors"] = vendors
        if n := vendors["tags_in_text"]:
            result["measures"].append(share("Linking: vendors' tags", n, "recall", vendors["vendor_recall"], VENDORS))
    if (data / "labels/thucnews_headlines").is_dir():
        headlines = false_alarms(linker, read_headlines(data / "labels/thucnews_headlines"))
        result["headlines"] = headlines
        title = "Linking: headlines outside business"
        result["measures"].append(share(title, headlines["count"], "false alarms", headlines["rate"], ALARMS, "≤ "))
    if paths and (data / "securities/ambiguous_names.csv").is_file():
        result["context"] = context.measure(data, model, threads)
    for item in result["measures"]:
        progress(f"{item['title']}: {item['metric']} {item['score']:.4f} of {item['questions']}")
    return result


def gold_texts(data: Path) -> list[Text]:
    """The gold texts that lie in the data folder."""
    rows = {row["ref"]: row for row in jsonl(GOLD)}
    days = {ref: datetime.fromisoformat(wire["datetime"]) for ref, wire in all_wires(data) if ref in rows}
    return [Text(e, rows[e.key]["mentions"], days.get(e.key)) for e in own_sets.gold(GOLD, data)]


def gold(linker: Linker, table: SecuritiesTable, texts: Sequence[Text]) -> dict[str, Any]:
    """Precision and recall over companies and texts, with a bootstrap over texts, and every error."""
    counts: list[list[int]] = []
    errors: list[dict[str, Any]] = []
    for text in texts:
        e = text.example
        links = linker.link(e.title, e.body, kind=text.kind, published_at=text.published_at).links
        count, wrong = compare(text, links, table)
        counts.append([count[tally] for tally in TALLIES])
        errors += wrong
    whole = np.array(counts)
    right, extra, missed, credits, linked, known = (int(v) for v in whole.sum(0))
    picks = np.random.default_rng(0).integers(0, len(whole), (ROUNDS, len(whole)))
    sums = whole[picks].sum(1)
    precisions, recalls = (sums[:, 0] / np.maximum(1, sums[:, 0] + sums[:, k]) for k in (1, 2))
    return {
        "texts": len(texts),
        "right": right,
        "extra": extra,
        "missed": missed,
        "credits": {"given": credits, "linked": linked, "as_source": known},
        "measures": [
            measure("Linking: gold", right + extra, "precision", right / max(1, right + extra), precisions, PRECISION),
            measure("Linking: gold", right + missed, "recall", right / max(1, right + missed), recalls, RECALL),
        ],
        "errors": errors,
    }


def compare(text: Text, links: Sequence[Link], table: SecuritiesTable) -> tuple[Counter[str], list[dict[str, Any]]]:
    """One text's figures and errors."""

    def key(code: str) -> str:
        security = table.by_code(code)
        return company(security) if security else code

    count: Counter[str] = Counter()
    errors: list[dict[str, Any]] = []
    found: dict[str, Link] = {}
    for link in links:
        found.setdefault(key(link.code), link)
    surfaces = {link.surface: name for name, link in found.items()}
    sources = {key(link.code) for link in links if link.role == "source_credit"}
    whole = f"{text.example.title} {text.example.body}".strip()
    excused = [m["surface"] for m in text.mentions if m["code"] in LISTED_ELSEWHERE]
    wanted: set[str] = set()
    for mention in text.mentions:
        if mention["code"] in LISTED_ELSEWHERE:
            continue
        name = key(mention["code"])
        if name == mention["code"]:  # a listing that the table lacks: another of the same company will do
            name = surfaces.get(mention["surface"], name)
        wanted.add(name)
        if mention["credit"]:
            count["credits"] += 1
            count["credits_linked"] += name in found
            count["credits_known"] += name in sources
        elif name in found:
            count["right"] += 1
        else:
            count["missed"] += 1
            errors.append({"error": "missed", "name": mention["surface"], "code": mention["code"], "text": whole[:160]})
    for name, link in found.items():
        other = any(link.surface in surface or surface in link.surface for surface in excused)
        if name in wanted or other or link.role == "source_credit":
            continue
        count["extra"] += 1
        near = (text.example.title if link.field == "title" else text.example.body)[max(0, link.start - 40) :][:120]
        errors.append({"error": "extra", "name": link.surface, "code": link.code, "text": near})
    return count, errors


def measure(
    title: str, n: int, metric: str, score: float, spread: np.ndarray, bar: float, sign: str = ""
) -> dict[str, Any]:
    """A row of the main table, with the 95 % interval of `spread`."""
    low, high = np.percentile(spread, [2.5, 97.5])
    return {
        "title": title,
        "questions": n,
        "metric": metric,
        "score": round(score, 5),
        "low": round(float(low), 5),
        "high": round(float(high), 5),
        "bar": bar,
        "bar_sign": sign,
    }


def share(title: str, n: int, metric: str, score: float, bar: float, sign: str = "") -> dict[str, Any]:
    """The same for a share of n independent questions, whose bootstrap is a binomial."""
    spread = np.random.default_rng(0).binomial(n, score, ROUNDS) / n
    return measure(title, n, metric, score, spread, bar, sign)
