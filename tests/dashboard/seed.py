"""Analysed rows for page tests: documents with themes, tone and mentions assigned by plain keywords.

The pages only read tables, so what they show is checked against rows whose making is simple enough to see through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

THEME_CUES = {
    "aigc": ("AIGC", "大模型", "生成式", "文生视频", "人工智能"),
    "virtual_human": ("虚拟人", "虚拟主播", "数字分身"),
    "cross_border_ecommerce": ("跨境电商", "海外仓", "Temu", "SHEIN"),
    "game": ("游戏", "版号", "电竞"),
    "film_tv": ("电影", "影视", "票房", "短剧"),
    "publishing": ("出版", "图书", "教辅"),
    "ip": ("IP授权", "潮玩", "衍生品", "谷子"),
    "ecommerce_ops": ("代运营", "直播电商", "带货"),
    "advertising": ("广告", "营销", "投放"),
    "overseas": ("出海", "海外市场"),
    "social": ("社交", "微信", "小红书", "微博"),
}
GOOD = ("增长", "上涨", "大涨", "涨停", "超预期", "新高", "盈利", "中标", "获批", "上调", "突破", "回暖", "预增")
BAD = ("下跌", "大跌", "跌停", "亏损", "处罚", "下滑", "减持", "立案", "风险", "下调", "退市", "预减", "低于预期")
SENTENCE = re.compile(r"[^。！？!?\n]+[。！？!?\n]?")


def tone(text: str) -> dict[str, Any]:
    """Tone columns from counted cue words."""
    good, bad = sum(text.count(w) for w in GOOD), sum(text.count(w) for w in BAD)
    score = (good - bad) / (good + bad + 1)
    label = "positive" if score > 0.2 else "negative" if score < -0.2 else "neutral"
    positive, negative = max(score, 0) * 0.8 + 0.1, max(-score, 0) * 0.8 + 0.1
    return {
        "sentiment": label,
        "sentiment_score": positive - negative,
        "p_negative": negative,
        "p_neutral": 1 - positive - negative,
        "p_positive": positive,
    }


def sentence_at(text: str, start: int) -> tuple[str, int]:
    """The sentence of `text` around an offset, and where it starts."""
    for match in SENTENCE.finditer(text):
        if match.start() <= start < match.end():
            return match.group(), match.start()
    return text, 0


def themes_of(text: str) -> list[str]:
    return [theme for theme, cues in THEME_CUES.items() if any(cue in text for cue in cues)]


class Rows:
    """Rows by table, ready for `insert`. One analysed document at a time through `add`."""

    def __init__(self, names: Mapping[str, str], version: int = 1) -> None:
        self.names = names
        self.version = version
        self.tables: dict[str, list[dict[str, Any]]] = {
            t: [] for t in ("documents", "mentions", "document_themes", "reports", "dead_letters", "source_health")
        }
        self.stories: dict[str, tuple[str, int]] = {}
        self._pattern = re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True))) if names else None

    def _mentions(self, field: str, text: str) -> Iterable[dict[str, Any]]:
        for match in self._pattern.finditer(text) if self._pattern else ():
            sentence, sentence_start = sentence_at(text, match.start())
            recommended = "【" in text[max(match.start() - 1, 0) : match.start()]
            yield {
                "code": self.names[match.group()],
                "name": match.group(),
                "surface": match.group(),
                "field": field,
                "start": match.start(),
                "end": match.end(),
                "sentence": sentence,
                "sentence_start": sentence_start,
                "section": "title" if field == "title" else "recommendation" if recommended else "body",
                "page": 0,
                "relevance": 0.9 if field == "title" else 0.55,
                "confidence": 0.97 if recommended else 0.88,
                "evidence": "bracket" if recommended else "name",
                "role": "recommended" if recommended else "subject",
                **tone(sentence),
            }

    def add(self, document: Mapping[str, Any], report: Mapping[str, Any] | None = None) -> None:
        """Analyse `document` (id, source, kind, title, body, published_at and optionally url, publisher)."""
        at: datetime = document["published_at"]
        title, body = document["title"], document["body"]
        offset = len(self.tables["documents"])
        story, copies = self.stories.get(title, (document["id"], 0))
        self.stories[title] = (story, copies + 1)
        themes = themes_of(title + body)
        mentions = [*self._mentions("title", title), *self._mentions("body", body)]
        codes = list(dict.fromkeys(m["code"] for m in mentions))
        shared = {
            "published_at": at,
            "source": document["source"],
            "kind": document["kind"],
            "publisher": document.get("publisher", ""),
            "story_id": story,
            "copy_number": copies + 1,
            "version": self.version,
        }
        whole = tone(title * 2 + body)
        self.tables["documents"].append(
            shared
            | whole
            | {
                "id": document["id"],
                "title": title,
                "body": body,
                "url": document.get("url", ""),
                "language": "zh",
                "fetched_at": at + timedelta(seconds=4),
                "analysed_at": at + timedelta(seconds=5),
                "stored_at": at + timedelta(seconds=6),
                "novelty": 1.0 if copies == 0 else 0.05,
                "themes": themes,
                "codes": codes,
                "page_offsets": document.get("page_offsets", []),
                "backfill": False,
                "model_version": "test-1",
                "taxonomy_version": "themes-1",
                "securities_version": "securities-1",
                "code_version": "0.1.0",
                "topic": "fengxiang.documents",
                "partition": offset % 4,
                "offset": offset // 4,
            }
        )
        self.tables["mentions"] += [shared | m | {"document_id": document["id"], "themes": themes} for m in mentions]
        for theme in themes:
            self.tables["document_themes"].append(
                shared
                | {k: whole[k] for k in ("sentiment", "sentiment_score")}
                | {"theme": theme, "document_id": document["id"], "score": 0.9, "evidence": [], "codes": codes}
            )
        if report is not None:
            self.tables["reports"].append(
                {"document_id": document["id"], "published_at": at, "title": title, "version": self.version, **report}
            )

    def add_health(self, source: str, at: datetime, state: str = "ok", message: str = "") -> None:
        row = {"source": source, "checked_at": at, "state": state, "fetched": 30, "new": 3, "errors": 0}
        self.tables["source_health"].append(row | {"last_item_at": at, "message": message})

    def add_dead(self, document_id: str, reason: str, at: datetime) -> None:
        row = {"document_id": document_id, "stage": "decode", "reason": reason, "error": "BadMessage", "source": "push"}
        row |= {"topic": "fengxiang.documents", "partition": 0, "offset": 1, "payload": "{", "failed_at": at}
        self.tables["dead_letters"].append(row | {"version": self.version})

    def insert(self, client: Any) -> None:
        """Write every row through a clickhouse-connect client and forget them."""
        for table, rows in self.tables.items():
            if rows:
                columns = list(rows[0])
                client.insert(table, [[row[c] for c in columns] for row in rows], column_names=columns)
                rows.clear()


def as_time(text: str) -> datetime:
    """An aware time from ISO text; text without a zone is Shanghai time."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else (at - timedelta(hours=8)).replace(tzinfo=UTC)
