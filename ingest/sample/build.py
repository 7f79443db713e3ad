"""Build `corpus.jsonl` and `expected.jsonl` from the hand-written texts in `texts/`: `python -m ingest.sample.build`.

A text file holds blocks of this form (lines `=` and `~` are optional, and so is everything after the publisher):

    @ 10-21 09:05 快讯 300058.SZ          day and time in 2026, publisher, the vendor's own stock tags
    title
    body, one paragraph a line
    = positive | aigc game | 蓝色光标+ 视觉中国- 焦点科技0 !机器人
    ~ 速递+3 电讯+7/60

The line `=` holds the expected tone, themes (`-` for none) and companies with the tone toward each (`!`: the word is no
company here). The line `~` asks for syndicated copies: publisher, minutes later, cut after so many characters.
The result depends on the texts alone. The format of the two outputs is described in README.md.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from models.trading import SHANGHAI

HERE = Path(__file__).parent
YEAR = 2026
MARKER = "（本文为虚构样例，仅供功能演示）"
PUBLISHERS = {  # short name in the texts: source, kind, publisher
    "快讯": ("sample-wire", "wire", "样例快讯"),
    "速递": ("sample-express", "wire", "样例速递"),
    "电讯": ("sample-telegraph", "wire", "样例电讯"),
    "财经": ("sample-news", "news", "样例财经"),
    "日报": ("sample-daily", "news", "样例日报"),
    "观察": ("sample-column", "news", "样例观察"),
    "公告": ("sample-filings", "announcement", "样例公告"),
}
TONES = {"+": "positive", "-": "negative", "0": "neutral"}
REWRITES = {  # the small edits of each vendor that carries others' wires
    "快讯": (("公告称", "公告显示"), ("近日", "日前"), ("披露，", "公布，")),
    "速递": (("表示，", "称，"), ("同比增长", "较上年同期增长"), ("今日", "今天")),
    "电讯": (("公告称，", "发布公告，"), ("公司预计", "预计"), ("今日", "当日")),
}


@dataclass(frozen=True)
class Text:
    """One hand-written block: a document, what is expected of its analysis, and its copies elsewhere."""

    at: datetime
    publisher: str
    title: str
    body: str
    tags: tuple[str, ...] = ()
    expected: str = ""
    copies: tuple[str, ...] = ()


def parse(block: str, where: str) -> Text:
    """The text in one block (without its leading `@`). Raises ValueError naming `where`."""
    head, *lines = (line.strip() for line in block.strip().splitlines())
    try:
        day, clock, publisher, *tags = head.split()
        at = datetime.strptime(f"{YEAR}-{day} {clock}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)
        PUBLISHERS[publisher]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{where}: header {head!r} is not 'MM-DD HH:MM publisher [codes]': {error}") from error
    prose = [line for line in lines if line and line[0] not in "=~"]
    if len(prose) < 2:
        raise ValueError(f"{where}: block {head!r} needs a title and a body")
    notes = {line[0]: line[1:].strip() for line in lines if line and line[0] in "=~"}
    body = "\n".join(prose[1:])
    return Text(at, publisher, prose[0], body, tuple(tags), notes.get("=", ""), tuple(notes.get("~", "").split()))


def read_texts(folder: Path = HERE / "texts") -> list[Text]:
    """All hand-written texts, by time."""
    blocks = ((path.name, block) for path in sorted(folder.glob("*.txt")) for block in split(path.read_text("utf-8")))
    return sorted((parse(block, name) for name, block in blocks), key=lambda text: text.at)


def split(content: str) -> list[str]:
    """Blocks of a text file; what stands before the first `@` is a comment."""
    return re.split(r"^@", content, flags=re.MULTILINE)[1:]


def copies_of(text: Text) -> Iterator[Text]:
    """The same item as other vendors carry it: own dateline, small edits, sometimes cut short or titled otherwise."""
    for order in text.copies:
        match = re.fullmatch(r"(\w+)\+(\d+)(?:/(\d+))?", order)
        if not match:
            raise ValueError(f"{text.title}: copy {order!r} is not 'publisher+minutes[/characters]'")
        publisher, minutes, limit = match[1], int(match[2]), int(match[3] or 0)
        at, body = text.at + timedelta(minutes=minutes), text.body
        for old, new in REWRITES[publisher]:
            body = body.replace(old, new)
        body = f"{body[:limit]}……" if limit else body
        title = body.partition("。")[0] if publisher == "电讯" else text.title
        body = f"{PUBLISHERS[publisher][2]}{at.month}月{at.day}日{'电' if publisher == '电讯' else '讯'}，{body}"
        yield replace(text, at=at, publisher=publisher, title=title, body=body, tags=(), expected="", copies=())


def document(text: Text, native_id: str) -> dict[str, Any]:
    """One line of corpus.jsonl."""
    source, kind, publisher = PUBLISHERS[text.publisher]
    return {
        "id": native_id,
        "source": source,
        "kind": kind,
        "title": text.title,
        "body": f"{text.body}\n{MARKER}" if kind != "wire" else f"{text.body}{MARKER}",
        "published_at": text.at.isoformat(),
        "publisher": publisher,
        "url": f"https://sample.invalid/{source}/{native_id}",
        "vendor": {"securities": list(text.tags)},
    }


def expectation(text: Text, doc: dict[str, Any], codes: dict[str, str]) -> dict[str, Any]:
    """One line of expected.jsonl: tone, themes, each company's first mention, and names that are no mention."""
    tone, themes, names = (part.strip() for part in text.expected.split("|"))
    mentions, absent = [], []
    for name in names.split():
        if name.startswith("!"):
            absent.append(codes[name[1:]])
            continue
        surface, sign = name[:-1], name[-1]
        field = "title" if surface in doc["title"] else "body"
        start = doc[field].find(surface)
        if start < 0:
            raise ValueError(f"{text.title}: expected mention {surface!r} does not occur")
        span = {"field": field, "start": start, "end": start + len(surface)}
        mentions.append({"code": codes[surface], "surface": surface, **span, "tone": TONES[sign]})
    return {
        "id": doc["id"],
        "source": doc["source"],
        "tone": tone,
        "themes": [] if themes == "-" else themes.split(),
        "mentions": mentions,
        "not_mentioned": absent,
    }


def build(texts: list[Text], codes: dict[str, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Documents and expectations, both by time. Ids are publisher, day, time and a number within that minute."""
    everything = sorted((item for text in texts for item in (text, *copies_of(text))), key=lambda text: text.at)
    seen: Counter[str] = Counter()
    documents, expected = [], []
    for text in everything:
        stem = f"{PUBLISHERS[text.publisher][0]}-{text.at:%m%d-%H%M}"
        seen[stem] += 1
        doc = document(text, f"{stem}-{seen[stem]}")
        documents.append(doc)
        if text.expected:
            expected.append(expectation(text, doc, codes))
    return documents, expected


def main() -> None:
    with (HERE / "texts" / "names.csv").open(encoding="utf-8") as table:
        codes = {row["name"]: row["code"] for row in csv.DictReader(table)}
    for name, rows in zip(("corpus.jsonl", "expected.jsonl"), build(read_texts(), codes), strict=True):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (HERE / name).write_text("".join(lines), encoding="utf-8")
        print(f"{name}: {len(rows)} lines")


if __name__ == "__main__":
    main()
