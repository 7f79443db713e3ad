"""Analysed documents for page tests: themes, tone and mentions assigned by plain keywords to the sample corpus.

The pages only read tables, so what they show is checked against rows whose making is simple enough to see through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

import ingest.sample
from models.records import (
    Analysis,
    Analyst,
    Document,
    Mention,
    Recommendation,
    Report,
    Sentiment,
    Span,
    ThemeScore,
    Versions,
    document_id,
)
from stream.records import AnalysedDocument, Origin
from stream.rows import Rows, columns
from stream.story_rows import keep_up

SAMPLE = Path(ingest.sample.__file__).parent
THEME_CUES = {
    "aigc": ("AIGC", "大模型", "生成模型", "文生视频", "智能体"),
    "virtual_human": ("虚拟人", "数字人", "虚拟主播"),
    "cross_border_ecommerce": ("跨境电商", "海外仓", "卖家"),
    "game": ("游戏", "版号", "电竞"),
    "film_tv": ("电影", "影视", "票房", "短剧"),
    "publishing": ("出版", "图书", "教辅"),
    "ip": ("授权", "潮玩", "衍生品"),
    "ecommerce_ops": ("代运营", "直播电商", "带货"),
    "advertising": ("广告", "营销", "投放"),
    "overseas": ("出海", "海外版"),
    "social": ("社交", "社区"),
}
GOOD = ("增长", "上涨", "大涨", "涨停", "高于预期", "新高", "盈利", "中标", "获批", "上调", "突破", "回暖", "预增")
BAD = ("下跌", "大跌", "跌停", "亏损", "处罚", "下滑", "减持", "立案", "下调", "退市", "预减", "低于预期")


def tone(text: str) -> Sentiment:
    """Tone from counted cue words."""
    good, bad = sum(text.count(w) for w in GOOD), sum(text.count(w) for w in BAD)
    balance = (good - bad) / (good + bad + 1)
    positive, negative = max(balance, 0) * 0.8 + 0.1, max(-balance, 0) * 0.8 + 0.1
    shares = {"negative": negative, "neutral": 1 - positive - negative, "positive": positive}
    label = "positive" if balance > 0.2 else "negative" if balance < -0.2 else "neutral"
    return Sentiment(label=label, score=positive - negative, probabilities=shares)


def themes(document: Document) -> Iterator[ThemeScore]:
    """A theme for every cue in the body or the title, with its first place as evidence."""
    for theme, cues in THEME_CUES.items():
        for field, text in (("title", document.title), ("body", document.body)):
            places = [(text.find(cue), cue) for cue in cues if cue in text]
            if places:
                start, cue = min(places)
                span = Span(field="title" if field == "title" else "body", start=start, end=start + len(cue))
                yield ThemeScore(theme=theme, score=0.9, evidence=(span,))
                break


def known_names() -> dict[str, str]:
    """Name -> code of the companies that the sample corpus is about."""
    expected = (json.loads(line) for line in (SAMPLE / "expected.jsonl").read_text(encoding="utf-8").splitlines())
    return {mention["surface"]: mention["code"] for item in expected for mention in item["mentions"]}


class Seed:
    """Analyses documents one after the other and writes their rows."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self.names = dict(names or known_names())
        self.rows = Rows()
        self.messages: list[AnalysedDocument] = []
        self._stories: dict[str, tuple[str, int]] = {}
        self._pattern = re.compile("|".join(sorted(map(re.escape, self.names), key=len, reverse=True)))

    def _mentions(self, document: Document) -> Iterator[Mention]:
        for field, text in (("title", document.title), ("body", document.body)):
            for match in self._pattern.finditer(text):
                bracket = text[max(match.start() - 1, 0) : match.start()] == "【"
                around = re.split(r"(?<=[。！？])", text)
                sentence = next((s for s in around if match.group() in s), text)
                yield Mention(
                    code=self.names[match.group()],
                    name=match.group(),
                    surface=match.group(),
                    field="title" if field == "title" else "body",
                    start=match.start(),
                    end=match.end(),
                    sentiment=tone(sentence),
                    relevance=0.9 if field == "title" else 0.55,
                    confidence=0.97 if bracket else 0.88,
                    evidence="bracket" if bracket else "name",
                    role="recommended" if bracket else "subject",
                    section="title" if field == "title" else "recommendation" if bracket else "body",
                )

    def add(self, document: Document) -> AnalysedDocument:
        """Analyse a document; one with the title of an earlier one is a copy of its story."""
        story, copies = self._stories.get(document.title, (document.id, 0))
        self._stories[document.title] = (story, copies + 1)
        analysis = Analysis(
            id=document.id,
            themes=tuple(themes(document)),
            sentiment=tone(document.title * 2 + document.body),
            mentions=tuple(self._mentions(document)),
            story_id=story,
            novelty=1.0 if copies == 0 else 0.05,
            copy_number=copies + 1,
            versions=Versions(model="model-1", taxonomy="themes-1", securities="securities-1", code="0.1.0"),
            analysed_at=document.fetched_at + timedelta(seconds=1),
        )
        number = len(self.messages)
        origin = Origin(topic="fengxiang.documents", partition=number % 4, offset=number // 4)
        message = AnalysedDocument(document=document, analysis=analysis, origin=origin)
        self.messages.append(message)
        self.rows.add(message)
        return message

    def add_corpus(self) -> None:
        for line in (SAMPLE / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            self.add(
                make(
                    **{k: item[k] for k in ("source", "kind", "title", "body", "url", "publisher")},
                    native_id=item["id"],
                    at=item["published_at"],
                )
            )

    def insert(self, client: Client) -> None:
        """Write the rows gathered since the last call, and those of their stories."""
        for table, rows in self.rows.tables.items():
            for names, values in columns(rows):
                client.insert(table, values, column_names=names, column_oriented=True)
        self.rows = Rows()
        keep_up(client)


def make(
    source: str, title: str, body: str, at: str | datetime, native_id: str = "", kind: str = "wire", **more: Any
) -> Document:
    """A document fetched four seconds after it was published; `at` without a zone is Shanghai time."""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    if moment.tzinfo is None:
        moment = (moment - timedelta(hours=8)).replace(tzinfo=UTC)
    return Document(
        id=document_id(source, native_id or title),
        source=source,
        kind=kind,  # type: ignore[arg-type]
        title=title,
        body=body,
        published_at=moment,
        fetched_at=moment + timedelta(seconds=4),
        **more,
    )


def weekly_report() -> Document:
    """A broker weekly with everything that can be printed on one."""
    return make(
        "sample-reports",
        "传媒行业周报：生成模型与游戏共振",
        "本周大模型与游戏板块上涨。建议关注【中文在线】、【吉比特】。",
        "2026-11-16T08:30:00",
        kind="report",
        publisher="样例证券",
        report=Report(
            broker="样例证券",
            report_type="行业周报",
            industry="传媒",
            analysts=(Analyst(name="王样例", licence="S0000526010001"),),
            rating="看好",
            rating_action="上调",
            previous_rating="中性",
            target_price=32.5,
            benchmark="沪深300",
            report_date="2026-11-16",
            period_start="2026-11-09",
            period_end="2026-11-15",
            recommendations=(
                Recommendation(name="中文在线", reason="生成模型落地", group="AIGC"),
                Recommendation(name="吉比特", reason="新游上线", group="游戏"),
            ),
        ),
    )
