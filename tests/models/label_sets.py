"""Label sets in miniature, in the shape of the real ones, with sentences of our own."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from models.themes import read_themes
from models.train import own_sets
from models.train.examples import jsonl

WORDS = ("甲", "乙", "丙", "丁", "戊", "己", "庚", "辛")
GOOD, BAD = ("净利润同比增长", "中标大单", "获股东增持"), ("净利润同比下降", "被立案调查", "遭股东减持")


def _jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _csv(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)


def write_label_sets(data: Path) -> Path:
    """The folder that `--data` names, small enough to train on within seconds."""
    labels = data / "labels"
    posts = [
        {"text": f"{w}股{'要涨了' if i % 3 == 2 else '跌惨了' if i % 3 == 0 else '在开会'}{i}", "label": i % 3}
        for i, w in enumerate(WORDS * 8)
    ]
    _jsonl(labels / "finfe/train.jsonl", posts)
    _jsonl(labels / "finfe/test.jsonl", posts[:9])
    _jsonl(
        labels / "guba_9k/all.jsonl", [{"text": f"大{'涨' if i % 2 else '跌'}{i}", "label": i % 2} for i in range(20)]
    )
    titles = [
        {
            "date": f"2018年{1 + i % 12}月{1 + i % 28}日",
            "target": f"公司{w}",
            "code": "1",
            "title": f"公司{w}：{(GOOD if i % 2 else BAD)[i % 3]}{i}%",
            "label": i % 2,
        }
        for i, w in enumerate(WORDS * 5)
    ]
    _jsonl(labels / "xueqiu_news/seed.jsonl", titles)
    _jsonl(
        labels / "xueqiu_news/expanded_test.jsonl",
        [{**row, "title": row["title"] + "续", "text": row["title"] + "。"} for row in titles[:8]],
    )
    entities = [
        {
            "id": f"{i:08x}",
            "text": f"公司甲{BAD[i % 3]}，公司乙{GOOD[i % 3]}。{i}",
            "target": f"公司{'甲乙'[k]}",
            "label": 1 - k,
        }
        for i in range(24)
        for k in (0, 1)
    ]
    _jsonl(labels / "finnsp/train_entity.jsonl", entities)
    _jsonl(labels / "finnsp/train.jsonl", [{"id": f"{i:08x}", "text": "", "label": 1} for i in range(24)])
    _jsonl(
        labels / "finese/train.jsonl",
        [{"id": str(i), "text": f"公司丙被处罚{i}", "label": "涉嫌违法", "target": "公司丙"} for i in range(10)],
    )
    headlines = [{"text": f"校园足球赛第{i}轮机器人表演", "label": "sports"} for i in range(10)]
    _jsonl(labels / "thucnews_headlines/dev.jsonl", headlines)
    _jsonl(labels / "thucnews_headlines/test.jsonl", headlines)
    _csv(
        data / "reports/titles.csv",
        ["title", "org", "date", "industry"],
        [[f"{'游戏' if i % 2 else '煤炭'}行业周报第{i}期", "某券商", "2024-01-01", "煤炭行业"] for i in range(30)],
    )
    _csv(data / "securities/a_share_master.csv", ["short_name", "active"], [[f"公司{w}", "True"] for w in WORDS])
    _csv(data / "securities/ambiguous_names.csv", ["m"], [["机器人"], ["太阳能"]])
    wires = data / "wires" / "sample.jsonl.gz"
    wires.parent.mkdir()
    with gzip.open(wires, "wt", encoding="utf-8") as out:
        for i in range(48):
            topic = ("游戏新品上线，玩家增多", "大模型发布新版本", "央行开展逆回购", "影片票房破亿")[i % 4]
            row = {
                "source": "cls",
                "id": str(i),
                "title": f"公司甲：{topic}{i}",
                "content": f"公司甲公告，{topic}。第{i}条消息正文。",
                "subjects": [],
                "stocks": [],
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
        for row in own_theme_wires(60):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return data


def own_theme_wires(count: int) -> list[dict[str, Any]]:
    """Wires under the names of those that `own_themes.jsonl` labels, each saying what its themes' examples say."""
    examples = {theme.id: theme.examples for theme in read_themes(own_sets.LABELS / "own_themes.yaml")}
    made = []
    for number, label in enumerate(jsonl(own_sets.LABELS / "own_themes.jsonl")[:count]):
        _, source, id_ = label["ref"].split(":", 2)
        told = "；".join(examples[name][number % 3] for name in label["themes"]) or f"气象台发布第{number}号天气预报"
        made.append({"source": source, "id": id_, "title": told, "content": f"{told}。", "subjects": [], "stocks": []})
    return made
