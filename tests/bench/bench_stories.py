"""Placing wires into stories: documents per second, against datasketch-like MinHash where that is installed.

    python -m tests.bench.bench_stories WIRES.jsonl.gz [COUNT]

Prints one table. `datasketch` is the obvious alternative; without it (pip install datasketch) its row is left out.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from datetime import datetime
from pathlib import Path

from models import fingerprint
from models.stories import StoryIndex


def read(path: Path, count: int) -> list[tuple[str, str, str, datetime]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = sorted((json.loads(line) for line in file), key=lambda row: row["datetime"])[:count]
    return [
        (f"{r['source']}:{r['id']}", r["title"] or "", r["content"] or "", datetime.fromisoformat(r["datetime"]))
        for r in rows
    ]


def ours(rows: list[tuple[str, str, str, datetime]]) -> tuple[float, int]:
    index, started = StoryIndex(), time.perf_counter()
    joined = sum(index.place(*row).copy_number > 1 for row in rows)
    return time.perf_counter() - started, joined


def datasketch(rows: list[tuple[str, str, str, datetime]]) -> tuple[float, int] | None:
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        return None
    lsh, joined, started = MinHashLSH(threshold=0.55, num_perm=128), 0, time.perf_counter()
    for document_id, title, body, _ in rows:
        text, sketch = fingerprint.reduce(body) or fingerprint.reduce(title), MinHash(num_perm=128)
        sketch.update_batch([text[i : i + 5].encode() for i in range(max(len(text) - 4, 1))])
        joined += bool(lsh.query(sketch))
        lsh.insert(document_id, sketch, check_duplication=False)
    return time.perf_counter() - started, joined


def main() -> None:
    rows = read(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
    print(f"{'method':<28}{'documents':>10}{'seconds':>9}{'per second':>12}{'joined':>9}")
    for name, run in (("StoryIndex", ours), ("datasketch LSH, no checks", datasketch)):
        result = run(rows)
        if result:
            seconds, joined = result
            print(f"{name:<28}{len(rows):>10}{seconds:>9.1f}{len(rows) / seconds:>12.0f}{joined:>9}")


if __name__ == "__main__":
    main()
