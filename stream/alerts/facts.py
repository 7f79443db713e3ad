"""What a message tells of one firing: what, why, how unusual, the sentences. Kept with the firing as JSON. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from msgspec import Struct

from models.trading import SHANGHAI
from stream.alerts.items import Item
from stream.alerts.match import named, sentences
from stream.alerts.rules import Rule, walk
from stream.alerts.subscriptions import Subscription
from stream.alerts.windows import Signal, window_of

TONES = {"negative": ("负面", "negative"), "neutral": ("中性", "neutral"), "positive": ("正面", "positive")}
KINDS = {
    "burst": ("报道激增", "burst"),
    "count": ("达到数量", "count"),
    "tone_turn": ("情绪转向", "tone turn"),
    "first_mention": ("久未提及后首次提及", "first mention"),
    "new_pair": ("首次同时提及", "named together for the first time"),
    "silent": ("来源静默", "source is silent"),
    "trouble": ("系统异常", "pipeline trouble"),
}
STATES = {
    "failing": ("来源失败", "source fails"),
    "silent": ("来源静默", "source is silent"),
    "gap": ("来源缺口", "gap"),
}


class Fact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One firing as the reader gets it. Text of others is raw here; `message` makes it safe for each channel."""

    title: str
    why: str = ""
    unusual: str = ""
    sentences: tuple[str, ...] = ()
    document_id: str = ""
    url: str = ""
    source: str = ""
    publisher: str = ""
    published_at: datetime | None = None
    tone: str = ""
    score: float = 0.0
    themes: tuple[str, ...] = ()
    securities: tuple[str, ...] = ()
    story_id: str = ""
    novelty: float = 1.0
    titles: tuple[str, ...] = ()  # the latest stories of a watch's window


def of_document(subscription: Subscription, item: Item, fired_lately: Sequence[datetime] = ()) -> Fact:
    """What a rule on documents says of this one."""
    zh = subscription.language == "zh"
    reasons = []
    wanted = {theme for _, c in walk(subscription.when) for theme in c.theme}
    for theme, score in sorted(item.themes.items(), key=lambda pair: -pair[1]):
        if theme in wanted:
            reasons.append(f"{'题材' if zh else 'theme'} {theme_name(theme, zh)} {score:.2f}")
    for mention in {mention.code: mention for mention in reversed(named(subscription.when, item))}.values():
        reasons.append(f"{mention.name} {mention.code} {_tone(mention.tone, zh)} {mention.score:+z.2f}")
    words = [w for _, c in walk(subscription.when) for w in c.keyword if w.encode().lower() in item.folded["any"]]
    reasons += [f"{'关键词' if zh else 'keyword'} {word}" for word in dict.fromkeys(words)]
    if item.rating and any(c.rating for _, c in walk(subscription.when)):
        before = f"{item.rating.previous} → " if item.rating.previous else ""
        reasons.append(f"{item.rating.broker} {before}{item.rating.rating} {item.rating.action}".strip())
    if any(c.tone or c.tone_below is not None or c.tone_above is not None for _, c in walk(subscription.when)):
        reasons.append(f"{'全文' if zh else 'document'} {_tone(item.tone, zh)} {item.score:+z.2f}")
    return Fact(
        title=item.title or (sentences(subscription.when, item) or ["(无标题)"])[0],
        why=("；" if zh else "; ").join(reasons[:8]) or subscription.name,
        unusual=_how_often(item, fired_lately, zh),
        sentences=tuple(sentences(subscription.when, item)),
        document_id=item.id,
        url=item.url,
        source=item.source,
        publisher=item.publisher,
        published_at=item.published_at,
        tone=item.tone,
        score=item.score,
        themes=tuple(item.themes),
        securities=tuple(sorted(item.codes)),
        story_id=item.story_id,
        novelty=item.novelty,
    )


def of_signal(subscription: Subscription, signal: Signal, documents: Sequence[Item], names: dict[str, str]) -> Fact:
    """What a watch says. names: code -> the security's name."""
    zh = subscription.language == "zh"
    kind = subscription.kind
    subject = subject_of(subscription, signal.key, names, zh)
    why, unusual = _watch_text(subscription, signal, zh)
    first = documents[0] if documents else None
    return Fact(
        title=f"{subject}：{KINDS[kind][0]}" if zh else f"{subject}: {KINDS[kind][1]}",
        why=why,
        unusual=unusual,
        sentences=tuple(sentences(subscription.when, first)) if first and kind != "silent" else (),
        document_id=first.id if first else "",
        url=first.url if first else "",
        source=first.source if first else "",
        published_at=datetime.fromtimestamp(signal.at, SHANGHAI),
        tone=first.tone if first else "",
        themes=tuple(first.themes) if first else (),
        securities=tuple(sorted(first.codes)) if first else (),
        titles=tuple(item.title or item.body[:60] for item in documents),
    )


def subject_of(rule: Rule, key: str, names: dict[str, str], zh: bool) -> str:
    """A watch's key for people."""
    if rule.kind == "trouble":
        return key.partition(" ")[2] or ("处理流程" if zh else "pipeline")
    if key == "all":
        known = [theme_name(theme, zh) for theme in rule.when.theme]
        known += [names.get(code, code) for code in rule.when.security]
        return "、".join(known[:4]) or ("全部文档" if zh else "all documents")
    if rule.per == "theme" and rule.kind not in ("first_mention", "new_pair", "silent"):
        return theme_name(key, zh)
    return " + ".join(f"{names[part]} {part}" if part in names else part for part in key.split(" "))


def _watch_text(rule: Rule, signal: Signal, zh: bool) -> tuple[str, str]:
    span = _span(window_of(rule), zh)
    if rule.burst:
        usual = max(signal.usual, 0.0)
        if zh:
            return f"{span}内 {signal.value:.0f} 条", f"这个时段通常约 {usual:.1f} 条，现为 {signal.strength:.1f} 倍"
        return (
            f"{signal.value:.0f} stories within {span}",
            f"usually {usual:.1f} at this time: {signal.strength:.1f} times",
        )
    if rule.count:
        unit = {"stories": "条", "documents": "篇", "publishers": "家媒体"}[rule.count.count]
        return (
            (f"{span}内 {signal.value:.0f} {unit}", "")
            if zh
            else (f"{signal.value:.0f} {rule.count.count} within {span}", "")
        )
    if rule.tone_turn:
        text = f"{signal.usual:+z.2f} → {signal.value:+z.2f}"
        return (
            (f"近{span}平均情绪 {text}", f"变化 {signal.value - signal.usual:+z.2f}")
            if zh
            else (f"mean tone {text}", f"within {span}")
        )
    if rule.first_mention or rule.new_pair:
        days = math.floor(signal.usual)
        return (f"此前 {days} 天没有", "") if zh else (f"not in the {days} days before", "")
    if rule.silent:
        hours = signal.value / 3600
        return (f"已 {hours:.1f} 小时没有新文档", "") if zh else (f"nothing new for {hours:.1f} hours", "")
    state, _, source = signal.key.partition(" ")
    if source:
        text = f"{STATES[state][0]}：{source}" if zh else f"{source}: {STATES[state][1]}"
        return text, signal.note[:300]
    if signal.key == "stuck":
        n = f"{signal.value:.0f}"
        return (f"采集到 {n} 篇新文档，均未入库", "") if zh else (f"{n} new documents were fetched, none is stored", "")
    if signal.key == "dead":
        share = f"{signal.value:.0%}"
        return (
            (f"{span}内 {share} 的文档无法处理", "")
            if zh
            else (f"{share} of the documents of {span} can't be read", "")
        )
    minutes = signal.value / 60
    return (f"处理延迟 {minutes:.1f} 分钟", "") if zh else (f"documents are {minutes:.1f} minutes late", "")


def _how_often(item: Item, fired_lately: Sequence[datetime], zh: bool) -> str:
    parts = []
    if item.copy_number > 1:
        parts.append(f"同一事件第 {item.copy_number} 条" if zh else f"copy {item.copy_number} of its story")
    elif item.novelty >= 0.95:
        parts.append("首发" if zh else "said for the first time")
    else:
        parts.append(f"新内容 {item.novelty:.0%}" if zh else f"{item.novelty:.0%} new")
    n = len(fired_lately)
    parts.append(f"此订阅 24 小时内第 {n + 1} 次" if zh else f"number {n + 1} of this subscription in 24 hours")
    return ("，" if zh else ", ").join(parts)


def _tone(label: str, zh: bool) -> str:
    return TONES.get(label, (label, label))[0 if zh else 1]


def _span(span: int, zh: bool) -> str:
    for size, unit, english in ((86400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if span >= size and span % size == 0:
            return f"{span // size} {unit}" if zh else f"{span // size} {english}"
    return f"{span} 秒" if zh else f"{span} s"


@lru_cache(maxsize=500)
def theme_name(theme: str, zh: bool) -> str:
    """A theme's name; its id where it is the user's own."""
    from models.themes import built_in

    known = next((t for t in built_in().themes if t.id == theme), None)
    return (known.name if zh else known.english or known.name) if known else theme
