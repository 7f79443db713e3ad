"""Weak labels: themes by cues, tone by vendor tags, on wires, report titles and headlines; names that are words."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.themes import built_in
from models.train.examples import (
    NEGATIVE,
    NEUTRAL,
    NEWS,
    POSITIVE,
    Example,
    Label,
    Target,
    all_wires,
    jsonl,
    places,
)

_NONE = dict.fromkeys(range(len(built_in().ids)), 0)  # of no theme
_TAG_TONES = {
    "业绩上升": POSITIVE, "业绩预增": POSITIVE, "股份回购": POSITIVE, "股东增持": POSITIVE, "重大合同": POSITIVE,
    "业绩下降": NEGATIVE, "业绩下滑": NEGATIVE, "业绩预亏": NEGATIVE, "股东减持": NEGATIVE, "立案调查": NEGATIVE,
    "风险提示": NEGATIVE, "行政处罚": NEGATIVE,
}  # fmt: skip
_NEUTRAL_SUBJECTS = {"时政新闻播报", "天气变化", "地震快讯", "外交部"}
_TONE_WORDS = re.compile(
    r"跌|涨|亏|增|减|降|升|罚|诉|案|险|警|利好|利空|超|暴|崩|违|新高|新低|突破|死|伤|灾|制裁|袭|战"
)
_MEDIA = {"游戏", "游戏Ⅱ", "影视院线", "互联网电商", "广告营销", "文化传媒", "互联网服务", "商业百货", "数字媒体"}
_THUC_THEMES = {"game": "game"}
_PRICE = re.compile(
    r"[涨跌](?:超|停|幅|近|约|\d|逾)|盘[前后中]|收[涨跌]|现报|成交额|主力资金|龙虎榜|股价|[高低]开|异动|融资买入|首选股|持仓|卸任|法定代表人"
)
_WRAP = re.compile(
    r"[收午早]评|收盘|三大指数|[沪深]指|创业板|A股|恒指|恒生|科创50|精选|早知道|电报解读|持仓跟踪|一览|要闻|盘面"
)
_SECTOR = re.compile(r"板块|概念")
_ABROAD = re.compile(
    r"(?:沙特|越南|印尼|泰国|马来西亚|巴西|墨西哥|匈牙利|德国|法国|英国|美国|日本|韩国|埃及|阿联酋|欧洲|东南亚|中东|北美|西班牙|智利|几内亚|哈萨克|"
    r"菲律宾|新加坡|意大利|澳大利亚|印度|土耳其|南非|非洲|拉美|海外|境外).{0,16}(?:中标|投建|建厂|工厂|基地|订单|合同|门店|首店|投产|上市销售|子公司|项目|授权)"
    r"|中标.{0,10}(?:沙特|越南|印尼|泰国|巴西|墨西哥|埃及|阿联酋|智利|海外|境外)"
)
_DOMESTIC = re.compile(r"^[^，：:]{2,8}[：:]")


def weak_themes(title: str, body: str) -> dict[int, int] | None:
    """Themes by cues: given where a cue stands in the title or three in the lead, not given without any.

    One or two passing cues say nothing (absent). Market wraps and share-price lines have no theme, unless they are
    about one sector. None: no theme is near.
    """
    taxonomy = built_in()
    if _WRAP.search(title) or (_PRICE.search(title) and not _SECTOR.search(title)):
        cues = taxonomy.find(title + body[:400])
        return dict.fromkeys(range(len(taxonomy.ids)), 0) if cues else None
    in_title = {c.theme for c in taxonomy.find(title)}
    counts: dict[int, int] = {}
    for cue in taxonomy.find(body[:400]):
        counts[cue.theme] = counts.get(cue.theme, 0) + 1
    labels: dict[int, int] = {}
    for theme in range(len(taxonomy.ids)):
        n = counts.get(theme, 0)
        if theme in in_title or n >= 3:
            labels[theme] = 1
        elif n == 0:
            labels[theme] = 0
    overseas = taxonomy.ids.index("overseas")
    if _ABROAD.search(title):
        labels.pop(overseas, None)
        if _DOMESTIC.match(title):
            labels[overseas] = 1
    return labels if any(labels.values()) or len(labels) < len(taxonomy.ids) else None


def balanced(examples: Sequence[Example], rng: random.Random, count: int) -> list[Example]:
    """About `count` of the examples, so that rare themes come whole and frequent ones share the rest."""
    order = list(examples)
    rng.shuffle(order)
    seen: dict[int, int] = {}
    picked, cap = [], count // 6
    for example in order:
        themes = [theme for theme, given in example.themes.items() if given]
        if any(seen.get(theme, 0) < cap for theme in themes) or (not themes and seen.get(-1, 0) < cap):
            picked.append(example)
            for theme in themes or [-1]:
                seen[theme] = seen.get(theme, 0) + 1
    return picked


def wire_examples(data: Path, rng: random.Random, near: int, far: int, skip: set[str]) -> list[Example]:
    """Wires near a theme, and some far from all; vendor tags and subjects as weak tone. `skip`: labelled by hand."""
    close: list[Example] = []
    rest: list[Example] = []
    toned: list[Example] = []
    neutral: list[Example] = []
    seen: set[str] = set()
    for key, row in all_wires(data):
        title, body = row["title"] or "", row["content"] or ""
        if key in skip or title in seen or len(body) < 15:
            continue
        seen.add(title)
        tags = {t[0] for t in row.get("tagInfo") or []}
        tones = {_TAG_TONES[t] for t in tags if t in _TAG_TONES}
        example = Example("wires", key, title, body, NEWS, weight=0.5, embed=True)
        labels = weak_themes(title, body)
        if len(tones) == 1 and len(tags) <= 4:
            toned.append(replace(example, tone=Label(tones.pop()), weight=0.4))
        elif set(row["subjects"]) & _NEUTRAL_SUBJECTS and not _TONE_WORDS.search(title + body[:150]):
            neutral.append(
                replace(
                    example,
                    tone=Label(NEUTRAL),
                    themes=labels or _NONE,
                )
            )
        elif labels:
            close.append(replace(example, themes=labels))
        else:
            rest.append(replace(example, themes=_NONE))
    pick = [rng.sample(x, min(n, len(x))) for x, n in ((rest, far), (toned, near // 6), (neutral, near // 8))]
    return balanced(close, rng, near) + [example for part in pick for example in part]


def title_examples(path: Path, rng: random.Random, near: int, far: int, skip: set[str]) -> list[Example]:
    """Broker report titles, by cues; those of media industries without a cue are left out: they may well be near."""
    close: list[Example] = []
    rest: list[Example] = []
    seen: set[str] = set()
    with path.open(encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            if f"titles:{number}" in skip or row["title"] in seen:
                continue
            seen.add(row["title"])
            example = Example("titles", f"titles:{number}", row["title"], "", NEWS, weight=0.5, embed=True)
            labels = weak_themes(row["title"], "")
            if labels:
                close.append(replace(example, themes=labels))
            elif row["industry"] not in _MEDIA:
                rest.append(replace(example, themes=_NONE))
    return balanced(close, rng, near) + rng.sample(rest, min(far, len(rest)))


def headline_examples(path: Path, rng: random.Random, count: int) -> list[Example]:
    """General headlines: far from finance; those about games are about games."""
    ids = built_in().ids
    made = []
    rows = [r for r in jsonl(path) if r["label"] not in ("entertainment",)]
    for i, row in enumerate(rng.sample(rows, min(count, len(rows)))):
        theme = _THUC_THEMES.get(row["label"])
        labels = dict(_NONE)
        labels |= weak_themes(row["text"], "") or {}
        if theme:
            labels[ids.index(theme)] = 1
        made.append(Example("headlines", f"headlines:{i}", row["text"], "", NEWS, themes=labels, weight=0.3))
    return made


def word_or_company(data: Path, rng: random.Random, count: int) -> list[Example]:
    """Names that are also words: a company where a vendor tags it and the title opens with it, a word elsewhere."""
    with (data / "securities/ambiguous_names.csv").open(encoding="utf-8") as lines:
        names = sorted({row["m"] for row in csv.DictReader(lines) if len(row["m"]) > 1}, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, names)))
    made: dict[bool, list[Example]] = {True: [], False: []}
    for row in jsonl(data / "labels/thucnews_headlines/test.jsonl"):
        if match := pattern.search(row["text"]):
            spans = places(match[0], row["text"], "")
            made[False].append(
                Example(
                    "words",
                    f"words:{len(made[False])}",
                    row["text"],
                    "",
                    NEWS,
                    None,
                    (Target(spans, None, False),),
                    weight=0.4,
                )
            )
    for _, wire in all_wires(data):
        title = wire["title"] or ""
        if not (match := pattern.search(title)):
            continue
        tagged = any(match[0] == stock.get("name") for stock in wire["stocks"])
        opens = match.start() == 0 and title[match.end() : match.end() + 1] in "：:"
        company = True if opens else None if tagged or any(stock.get("code") for stock in wire["stocks"]) else False
        if company is not None:
            target = Target(places(match[0], title, wire["content"]), None, company)
            made[company].append(
                Example("words", f"words:{wire['id']}", title, wire["content"], NEWS, None, (target,), weight=0.4)
            )
    return [example for part in made.values() for example in rng.sample(part, min(count // 2, len(part)))]
