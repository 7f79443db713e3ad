"""How fast the linker reads: `python -m tests.bench.bench_linking [FILE.jsonl[.gz]]`.

Megabytes of UTF-8 a second on one core, by CPU time, best of several rounds: normalising alone, with matching, and
all of it with rules and records. Without a file it reads made-up wires, one in two naming companies.
"""

import gzip
import json
import sys
import time
from pathlib import Path

from models.linking import Linker
from models.linking.normalise import normalise

ROUNDS = 7
MADE_UP = [
    (
        "芒果超媒：拟与三家出版集团共建语料库",
        "【芒果超媒：拟与三家出版集团共建语料库】芒果超媒公告，公司拟投资2.6亿元。" + "项目分三期。" * 20,
    ),
    ("", "国家统计局数据显示，上半年社会消费品零售总额同比增长，服务零售保持较快增长。" * 4),
    (
        "游戏板块走强",
        "游戏板块走强，完美世界、三七互娱、吉比特涨停，巨人网络、世纪华通跟涨。" + "消息面上，版号发放。" * 12,
    ),
    ("", "伊朗外交部发言人表示，谈判仍在继续，下一轮会谈的时间和地点尚未确定。" * 5),
]


def documents(path: str | None) -> list[tuple[str, str]]:
    if path is None:
        return MADE_UP * 1000
    with (
        gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else Path(path).open(encoding="utf-8") as lines
    ):
        rows = [json.loads(line) for number, line in enumerate(lines) if number % 8 == 0]
    return [(row.get("title", ""), row.get("content", "")) for row in rows]


def main() -> None:
    wires = documents(sys.argv[1] if len(sys.argv) > 1 else None)
    size = sum(len((title + body).encode()) for title, body in wires) / 1e6
    linker = Linker.load()
    links = sum(len(linker.link(*wire).links) for wire in wires)
    stages = {
        "normalise": lambda wire: normalise(wire[0] + wire[1]),
        "match": lambda wire: linker._patterns.find(normalise(wire[0] + wire[1]).text),
        "link": lambda wire: linker.link(*wire),
    }
    print(f"{len(wires)} documents, {size:.1f} MB, {links} links")
    for name, stage in stages.items():
        best = float("inf")
        for _ in range(ROUNDS):
            begun = time.process_time()
            for wire in wires:
                stage(wire)
            best = min(best, time.process_time() - begun)
        print(f"{name:10} {size / best:6.1f} MB/s {len(wires) / best:9,.0f} documents/s")


if __name__ == "__main__":
    main()
