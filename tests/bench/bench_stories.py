"""Placing wires into stories: how fast, and how right on pairs that were read and judged.

    python -m tests.bench.bench_stories WIRES.jsonl.gz [COUNT]    documents per second
    python -m tests.bench.bench_stories WIRES.jsonl.gz --pairs    120 pairs to judge, as JSON lines with their texts
    python -m tests.bench.bench_stories WIRES.jsonl.gz --judged   precision and recall on tests/models/data

Seconds are the processor's, of one core. `datasketch` is the obvious alternative; without it (pip install datasketch)
its row is left out. Pairs come from whole days, in three groups: `close` joined with the least likeness, `joined` all
the others, and `apart`: a document that began a story, and the earlier one of that day that is most like it by the
characters that both use.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import msgspec
from sklearn.feature_extraction.text import TfidfVectorizer

from models import fingerprint
from models.stories import StoryIndex, compare

Wire = tuple[str, str, str, datetime]  # id, title, body, time
JUDGED = Path(__file__).parents[1] / "models" / "data" / "story_pairs.jsonl"
DAYS = 12
DRAWN = {"close": 40, "joined": 30, "apart": 50}
CLOSE = 0.8  # likeness below which a joined pair is close to the threshold
LIKE = 0.35  # cosine from which a pair that is apart might have been joined


class Pair(msgspec.Struct, frozen=True):
    """Two wires of one day, the group that they were drawn from, and how many pairs of that group they stand for."""

    a: str
    b: str
    group: str
    weight: float
    same: bool | None = None  # whether they tell the same news


def read(path: Path, count: int | None) -> list[Wire]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = sorted((json.loads(line) for line in file), key=lambda row: row["datetime"])[:count]
    return [
        (f"{r['source']}:{r['id']}", r["title"] or "", r["content"] or "", datetime.fromisoformat(r["datetime"]))
        for r in rows
    ]


def ours(rows: list[Wire]) -> tuple[float, int]:
    index, started = StoryIndex(), time.process_time()
    joined = sum(index.place(*row).copy_number > 1 for row in rows)
    return time.process_time() - started, joined


def datasketch(rows: list[Wire]) -> tuple[float, int] | None:
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        return None
    lsh, joined, started = MinHashLSH(threshold=0.55, num_perm=128), 0, time.process_time()
    for document_id, title, body, _ in rows:
        text, sketch = fingerprint.reduce(fingerprint.plain(body or title)), MinHash(num_perm=128)
        sketch.update_batch([text[i : i + 5].encode() for i in range(max(len(text) - 4, 1))])
        joined += bool(lsh.query(sketch))
        lsh.insert(document_id, sketch, check_duplication=False)
    return time.process_time() - started, joined


# ---------------------------------------------------------------------- judged pairs


def days_of(rows: list[Wire]) -> dict[date, list[Wire]]:
    """The days that pairs come from, always the same ones."""
    by_day: defaultdict[date, list[Wire]] = defaultdict(list)
    for row in rows:
        by_day[row[3].date()].append(row)
    return {day: by_day[day] for day in sorted(random.Random(5).sample(sorted(by_day), DAYS))}


def draw(rows: list[Wire]) -> Iterator[Pair]:
    """Pairs to judge."""
    groups: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for wires in days_of(rows).values():
        index, began = StoryIndex(), []
        for place, wire in enumerate(wires):
            entry = index._describe(*wire)
            scored = [(compare(entry, other)[0], other.id) for other in index._candidates(entry)]
            likeness, nearest = max(scored, default=(0.0, ""))
            if likeness:
                groups["close" if likeness < CLOSE else "joined"].append((nearest, wire[0]))
            else:
                began.append(place)
            index.place(*wire)
        grams = TfidfVectorizer(analyzer="char", ngram_range=(2, 2)).fit_transform(f"{w[1]} {w[2]}" for w in wires)
        for place in began:
            if place:
                cosines = (grams[:place] @ grams[place].T).toarray().ravel()
                if cosines.max() >= LIKE:
                    groups["apart"].append((wires[int(cosines.argmax())][0], wires[place][0]))
    chance = random.Random(7)
    for group, count in DRAWN.items():
        for a, b in chance.sample(groups[group], count):
            yield Pair(a, b, group, round(len(groups[group]) / count, 2))


def judge(rows: list[Wire], pairs: Sequence[Pair]) -> str:
    """Precision and recall of today's code on judged pairs."""
    story: dict[str, str] = {}
    for wires in days_of(rows).values():
        index = StoryIndex()
        story |= {wire[0]: index.place(*wire).story_id for wire in wires}
    lines = [f"{'group':<10}{'pairs':>7}{'stand for':>11}{'same news':>11}{'joined':>8}{'both':>6}"]
    for group in DRAWN:
        of = [pair for pair in pairs if pair.group == group]
        joined = [pair for pair in of if story[pair.a] == story[pair.b]]
        same, both = (sum(bool(pair.same) for pair in some) for some in (of, joined))
        stand = sum(pair.weight for pair in of)
        lines.append(f"{group:<10}{len(of):>7}{stand:>11.0f}{same:>11}{len(joined):>8}{both:>6}")
    weigh = lambda keep: sum(pair.weight for pair in pairs if keep(pair))  # noqa: E731
    joined_weight = weigh(lambda pair: story[pair.a] == story[pair.b])
    right = weigh(lambda pair: pair.same and story[pair.a] == story[pair.b])
    precision, recall = right / joined_weight, right / weigh(lambda pair: pair.same)
    return "\n".join([*lines, f"weighted by what each pair stands for: precision {precision:.3f}, recall {recall:.3f}"])


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("wires", type=Path)
    options.add_argument("count", type=int, nargs="?", default=20_000)
    options.add_argument("--pairs", action="store_true")
    options.add_argument("--judged", action="store_true")
    chosen = options.parse_args()
    rows = read(chosen.wires, None if chosen.pairs or chosen.judged else chosen.count)
    if chosen.pairs:
        texts = {row[0]: f"{row[3]:%d %H:%M} {row[1]} | {row[2]}" for row in rows}
        for pair in draw(rows):
            shown = {"a": texts[pair.a], "b": texts[pair.b]}
            print(json.dumps({"pair": msgspec.to_builtins(pair), "texts": shown}, ensure_ascii=False))
        return
    if chosen.judged:
        lines = JUDGED.read_text(encoding="utf-8").splitlines()
        print(judge(rows, [msgspec.json.decode(line, type=Pair) for line in lines]))
        return
    print(f"{'method':<28}{'documents':>10}{'seconds':>9}{'per second':>12}{'joined':>9}")
    for name, run in (("StoryIndex", ours), ("datasketch LSH, no checks", datasketch)):
        result = run(rows)
        if result:
            seconds, joined = result
            print(f"{name:<28}{len(rows):>10}{seconds:>9.1f}{len(rows) / seconds:>12.0f}{joined:>9}")


if __name__ == "__main__":
    main()
