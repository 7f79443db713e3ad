"""How well the linker does on text that others have labelled.

Three measures, none of which needs our own labels: recall of the vendors' stock tags on wires (noisy: only tags whose
name or code stands in the text count), false alarms on headlines from outside business, and for each ambiguous name
how often it was linked and how often the linker abstained. The result is plain data with lists of the errors.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from models.linking.linker import Linker
from models.linking.normalise import normal_name, normalise
from models.linking.patterns import base_name, rows
from models.linking.records import LinkResult
from models.securities import SecuritiesTable, Security, load

# Headline classes in which companies are the news: finance, and trades whose companies are listed.
BUSINESS = frozenset(("stocks", "finance", "realty", "science", "game"))
ERRORS = 200  # errors listed, at most


class Wire(NamedTuple):
    """A wire with its vendor's tags as (code or empty, name or empty)."""

    title: str
    body: str
    published_at: datetime | None
    source: str
    tags: tuple[tuple[str, str], ...]


def evaluate_linking(
    wires: Path | None = None, headlines: Path | None = None, *, every: int = 1, linker: Linker | None = None
) -> dict[str, Any]:
    """All measures as JSON-ready data.

    `wires`: JSON lines (gzip or not) with title, content, source, datetime, stocks, stock_list. `headlines`: a folder
    or file of JSON lines with text and label. `every`: read only every n-th wire.
    """
    linker = linker or Linker.load()
    result: dict[str, Any] = {"securities": linker.version}
    if wires is not None:
        result |= vendor_recall(linker, load(), islice(read_wires(wires), 0, None, every))
    if headlines is not None:
        result["headlines"] = false_alarms(linker, read_headlines(headlines))
    return result


def read_wires(path: Path) -> Iterator[Wire]:
    """Wires of a JSON lines file."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            tags = [(tag.get("code", ""), tag.get("name", "")) for tag in row.get("stocks") or []]
            tags += [(tag.get("StockID", ""), tag.get("name", "")) for tag in row.get("stock_list") or []]
            published = datetime.fromisoformat(row["datetime"]) if row.get("datetime") else None
            yield Wire(row.get("title", ""), row.get("content", ""), published, row.get("source", ""), tuple(tags))


def read_headlines(path: Path) -> Iterator[tuple[str, str]]:
    """(text, class) of each headline."""
    for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield row["text"], row["label"]


def vendor_recall(linker: Linker, table: SecuritiesTable, wires: Iterable[Wire]) -> dict[str, Any]:
    """Share of the vendors' tags found, by source; ambiguous names linked and left open; tags of unlisted companies."""
    by_name = _names(table)
    present: Counter[str] = Counter()
    found: Counter[str] = Counter()
    linked: Counter[str] = Counter()
    left: Counter[tuple[str, str]] = Counter()
    unknown: Counter[str] = Counter()
    tagged: Counter[str] = Counter()
    tagged_found: Counter[str] = Counter()
    missed: list[dict[str, Any]] = []
    for wire in wires:
        result = linker.link(wire.title, wire.body, published_at=wire.published_at)
        _count_ambiguous(result, linked, left)
        if not wire.tags:
            continue
        body = normalise(f"{wire.title}\n{wire.body}").text
        companies = {company(security) for link in result.links if (security := table.by_code(link.code))}
        for security in _tagged(wire, table, by_name, body, unknown):
            present[wire.source] += 1
            name = base_name(security.name)
            tagged[name] += 1
            if company(security) in companies:
                found[wire.source] += 1
                tagged_found[name] += 1
            elif len(missed) < ERRORS:
                reasons = [a.reason for a in result.abstentions if security.code in a.codes]
                missed.append(
                    {"code": security.code, "name": security.name, "reasons": reasons, "text": wire.body[:200]}
                )
    tags = sum(present.values())
    ambiguous = {row["name"]: row["level"] for row in rows("ambiguous.csv")}
    return {
        "tags_in_text": tags,
        "vendor_recall": sum(found.values()) / tags if tags else None,
        "vendor_recall_by_source": {source: found[source] / present[source] for source in present},
        "missed": missed,
        "unknown_tags": dict(unknown.most_common(100)),
        "ambiguous": {
            name: {
                "level": level,
                "linked": linked[normal_name(name)],
                "left_open": sum(n for (surface, _), n in left.items() if surface == normal_name(name)),
                "tagged": tagged[normal_name(name)],
                "tagged_found": tagged_found[normal_name(name)],
            }
            for name, level in ambiguous.items()
        },
        "left_open": [
            {"surface": surface, "reason": reason, "count": n} for (surface, reason), n in left.most_common(ERRORS)
        ],
    }


def tagged_companies(wire: Wire, table: SecuritiesTable) -> set[str]:
    """Codes of every listing of the companies tagged whose name or code stands in the wire."""
    body = normalise(f"{wire.title}\n{wire.body}").text
    names = {company(s) for s in _tagged(wire, table, _names(table), body, Counter())}
    return {s.code for s in table if company(s) in names} if names else set()


def false_alarms(linker: Linker, headlines: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Share of the headlines with a mention, by class and outside business altogether, with every one of them."""
    total: Counter[str] = Counter()
    alarmed: Counter[str] = Counter()
    errors: list[dict[str, Any]] = []
    for text, label in headlines:
        total[label] += 1
        links = [link for link in linker.link(text, "").links if link.role != "source_credit"]
        if links:
            alarmed[label] += 1
            if label not in BUSINESS and len(errors) < ERRORS:
                errors.append({"class": label, "text": text, "links": [(link.surface, link.code) for link in links]})
    outside = [label for label in total if label not in BUSINESS]
    count = sum(total[label] for label in outside)
    return {
        "count": count,
        "rate": sum(alarmed[label] for label in outside) / count if count else None,
        "rate_by_class": {label: alarmed[label] / total[label] for label in sorted(total)},
        "errors": errors,
    }


def company(security: Security) -> str:
    """One key for all listings of a company."""
    return security.english_name or base_name(security.name)


@lru_cache(maxsize=2)
def _names(table: SecuritiesTable) -> dict[str, Security]:
    names: dict[str, Security] = {}
    for security in sorted(table, key=lambda s: s.exchange in ("HK", "US")):
        for name in (security.name, *security.aliases, *(d.name for d in security.names)):
            names.setdefault(base_name(name), security)
    return names


def _tagged(
    wire: Wire, table: SecuritiesTable, by_name: dict[str, Security], body: str, unknown: Counter[str]
) -> list[Security]:
    """The listed companies tagged whose name or code stands in the text, each once."""
    seen: dict[str, Security] = {}
    for code, name in wire.tags:
        security = table.by_code(code) if code and not code.startswith("BK") else None
        if name:  # a name is surer than a code, which may be a fund's
            security = by_name.get(base_name(name))
        if security is None:
            if name and base_name(name) in body:
                unknown[name] += 1
            continue
        digits = security.code.partition(".")[0].lower()
        forms = (security.name, *security.aliases, name)
        if any(form and base_name(form) in body for form in forms) or (digits.isdigit() and digits in body):
            seen[company(security)] = security
    return list(seen.values())


def _count_ambiguous(result: LinkResult, linked: Counter[str], left: Counter[tuple[str, str]]) -> None:
    linked.update(normal_name(link.surface) for link in result.links)
    left.update((normal_name(a.surface), a.reason) for a in result.abstentions)
