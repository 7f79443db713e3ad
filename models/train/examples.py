"""Training examples from the label sets, each with only the labels that its set really gives.

A tone label is a pair of bit sets over (negative 1, neutral 2, positive 4): the classes it allows, and the classes
it chooses among. "Negative or not" allows {negative} or {neutral, positive} among all three; a set of posts without
a neutral class chooses among negative and positive only. So every set trains the same three-class heads.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.records import Field
from models.themes import built_in

NEGATIVE, NEUTRAL, POSITIVE, ALL = 1, 2, 4, 7
POST, NEWS = 0, 1
_NONE = dict.fromkeys(range(len(built_in().ids)), 0)  # of no theme
TONES = {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}


@dataclass(frozen=True)
class Label:
    """The classes a label allows, among those it chooses from."""

    allowed: int
    among: int = ALL


@dataclass(frozen=True)
class Target:
    """A company in the text with the tone toward it; all its places."""

    spans: tuple[tuple[Field, int, int], ...]
    tone: Label | None
    is_company: bool | None = None


@dataclass(frozen=True)
class Example:
    """One text with what is known of it. `themes`: theme index -> 1 or 0, or between where guessed; absent: unknown."""

    source: str
    key: str
    title: str
    body: str
    style: int
    tone: Label | None = None
    targets: tuple[Target, ...] = ()
    themes: Mapping[int, float] = field(default_factory=dict)
    weight: float = 1.0
    embed: bool = False


def jsonl(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def places(name: str, title: str, body: str) -> tuple[tuple[Field, int, int], ...]:
    """Every place of a name."""
    found: list[tuple[Field, int, int]] = []
    texts: tuple[tuple[Field, str], ...] = (("title", title), ("body", body))
    for where, text in texts:
        found += [(where, m.start(), m.end()) for m in re.finditer(re.escape(name), text)] if name else []
    return tuple(found)


def _date(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(v) for v in re.findall(r"\d+", row.get("date") or "")[:3])


def squeeze(text: str) -> str:
    """What two copies of a text share."""
    return re.sub(r"\s+", "", text)


# ---------------------------------------------------------------------------------------------- label sets


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


def without_cues(example: Example, filler: str) -> Example:
    """The example with every cue of the built-in themes overwritten with `filler`, one character; length kept."""

    def cover(text: str) -> str:
        chars = list(text)
        for cue in built_in().find(text):
            chars[cue.start : cue.end] = filler * (cue.end - cue.start)
        return "".join(chars)

    return replace(example, title=cover(example.title), body=cover(example.body))


# ---------------------------------------------------------------------------------------------- wires and report titles

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


def wires(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


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


def all_wires(data: Path) -> Iterator[dict[str, Any]]:
    """Wires of every file of the data folder."""
    for path in sorted((data / "wires").glob("*.jsonl.gz")):
        yield from wires(path)


def weak_themes(title: str, body: str) -> dict[int, int] | None:
    """Themes by cues: given where a cue stands in the title or at least twice in the lead, not given without any.

    A single passing cue says nothing (absent). Market wraps and share-price lines have no theme, unless they are
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
    for row in all_wires(data):
        key = f"wires:{row['source']}:{row['id']}"
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
    for wire in all_wires(data):
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


_STORED = {"cfbench": "cfbench_reports", "finnl": "finnl", "finna": "finna"}  # a ref's kind -> folder of labels/


def silver(path: Path, data: Path) -> tuple[list[Example], list[Example]]:
    """Our own labels, train and dev."""
    parts = _own(path, data)
    return parts["train"], parts["dev"]


def gold(path: Path, data: Path) -> list[Example]:
    """Our own labels for evaluation alone: read twice, settled, no story shared with the silver ones."""
    return _own(path, data)["gold"]


def _own(path: Path, data: Path) -> dict[str, list[Example]]:
    """Our own labels by split: `ref` names a text of the data folder; those whose text isn't there are left out."""
    rows = {row["ref"]: row for row in jsonl(path)} if path.exists() else {}
    texts: dict[str, tuple[str, str]] = {}
    if any(ref.startswith("wires:") for ref in rows):
        for wire in all_wires(data):
            ref = f"wires:{wire['source']}:{wire['id']}"
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
            texts[f"{kind}:{stem}:{number}"] = (line.get("title") or "", line["text"])
    ids = built_in().ids
    parts: dict[str, list[Example]] = {"train": [], "dev": [], "gold": []}
    for ref, row in rows.items():
        if ref not in texts:
            continue
        title, body = texts[ref][0], texts[ref][1][: row.get("read")]
        tones = {m["surface"]: m["tone"] for m in row.get("mentions", ()) if not m.get("credit")}
        targets = tuple(Target(places(n, title, body), Label(TONES[t])) for n, t in tones.items())
        themes = {i: int(name in row["themes"]) for i, name in enumerate(ids)}
        tone = Label(TONES[row["tone"]]) if row.get("tone") in TONES else None
        split = row.get("split", "gold")
        parts[split].append(Example("silver", ref, title, body, NEWS, tone, targets, themes, embed=True))
    return parts
