"""A message of one or several firings, in the reader's language and in the form that a channel shows. Pure.

Text is composed, never interpreted: there are no templates. What others wrote passes `escape` on its way in.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from stream.alerts import escape
from stream.alerts.escape import Format
from stream.alerts.facts import TONES, Fact
from stream.alerts.ledger import Firing

LISTED = 20  # firings of a summary that are written out


class Links(Struct, frozen=True):
    """Where the dashboard and the alerts' own pages are, and the key that makes their addresses unguessable."""

    dashboard: str
    pages: str
    key: str

    def document(self, id_: str) -> str:
        return f"{self.dashboard}/document?id={quote(id_)}" if id_ else ""

    def manage(self, subscription: str, message: str = "") -> str:
        """The page that mutes a subscription and acknowledges a message."""
        return f"{self.pages}/manage/{subscription}/{message or '-'}/{self.token('manage', subscription)}"

    def feed(self, subscription: str) -> str:
        return f"{self.pages}/feeds/{subscription}/{self.token('feed', subscription)}.atom"

    def token(self, use: str, subscription: str) -> str:
        text = f"{use}\0{subscription}".encode()
        return hmac.new(self.key.encode(), text, hashlib.sha256).hexdigest()[:32]


class Message(Struct, frozen=True, kw_only=True):
    """What is delivered. `id` is the idempotency key."""

    id: str
    subscription_id: str
    name: str
    language: str
    time_zone: str
    outcome: str
    facts: tuple[Fact, ...]
    document_links: tuple[str, ...]
    manage: str
    feed: str

    @property
    def title(self) -> str:
        """One line, safe as a header and as a title in every format."""
        name = escape.quiet(self.name, "markdown", 60)
        if len(self.facts) == 1:
            return f"【{name}】{escape.quiet(self.facts[0].title, 'markdown', 120)}"
        n = len(self.facts)
        return (
            f"【{name}】{n} 条提醒"
            if self.language == "zh"
            else f"[{name}] {n} alerts".replace("[", "【").replace("]", "】")
        )

    def body(self, form: Format) -> str:
        """The text, in a format that the channel shows."""
        lines = self._one(form) if len(self.facts) == 1 else self._several(form)
        lines += ["", self._say("静音或确认", "Mute or acknowledge") + f": {_link(self.manage, form)}"]
        return ("<br>\n" if form == "html" else "  \n" if form == "markdown" else "\n").join(lines)

    def payload(self) -> dict[str, Any]:
        """What a JSON webhook gets; `text` and `title` are made safe, `alerts` has the values as they are."""
        return {
            "id": self.id,
            "subscription": {"id": self.subscription_id, "name": self.name},
            "outcome": self.outcome,
            "title": self.title,
            "text": self.body("text"),
            "manage_url": self.manage,
            "feed_url": self.feed,
            "alerts": [
                {**msgspec.to_builtins(fact), "dashboard_url": link}
                for fact, link in zip(self.facts, self.document_links, strict=True)
            ],
        }

    # ------------------------------------------------------------------

    def _one(self, form: Format) -> list[str]:
        fact, link = self.facts[0], self.document_links[0]
        lines = [f"{self._say('原因', 'Why')}: {escape.quiet(fact.why, form)}"] if fact.why else []
        if fact.unusual:
            lines.append(f"{self._say('异常程度', 'How unusual')}: {escape.quiet(fact.unusual, form)}")
        lines += [f"“{escape.quiet(text, form, 200)}”" for text in fact.sentences]
        lines += [f"· {escape.quiet(text, form, 120)}" for text in fact.titles]
        if origin := self._origin(fact, form):
            lines.append(origin)
        if url := escape.address(fact.url):
            lines.append(f"{self._say('原文', 'Source')}: {_link(url, form)}")
        if link:
            lines.append(f"{self._say('看板', 'Dashboard')}: {_link(link, form)}")
        return lines

    def _several(self, form: Format) -> list[str]:
        lines = []
        for number, (fact, link) in enumerate(zip(self.facts[:LISTED], self.document_links, strict=False), 1):
            lines.append(f"{number}. {escape.quiet(fact.title, form, 120)}")
            lines.append(" · ".join(filter(None, [escape.quiet(fact.why, form, 120), self._origin(fact, form)])))
            if url := escape.address(fact.url) or link:
                lines.append(_link(url, form))
        if (rest := len(self.facts) - LISTED) > 0:
            lines.append(self._say(f"另有 {rest} 条", f"and {rest} more"))
        return lines

    def _origin(self, fact: Fact, form: Format) -> str:
        parts = [escape.quiet(fact.publisher or fact.source, form, 40)]
        if fact.published_at:
            parts.append(fact.published_at.astimezone(ZoneInfo(self.time_zone)).strftime("%m-%d %H:%M"))
        if fact.tone and not fact.titles:
            parts.append(self._say(*TONES.get(fact.tone, (fact.tone, fact.tone))))
        return " · ".join(filter(None, parts))

    def _say(self, chinese: str, english: str) -> str:
        return chinese if self.language == "zh" else english


def compose(
    id_: str, firings: Sequence[Firing], links: Links, *, language: str = "zh", time_zone: str = "Asia/Shanghai"
) -> Message:
    """The message of these firings: of each story once, of watches all they said, in the order in which they fired."""
    told = {(f.group_key if f.kind == "document" else f.id): msgspec.json.decode(f.facts, type=Fact) for f in firings}
    facts = list(told.values())
    first = firings[0]
    return Message(
        id=id_,
        subscription_id=first.subscription_id,
        name=first.name,
        language=language,
        time_zone=time_zone,
        outcome=first.outcome,
        facts=tuple(facts),
        document_links=tuple(links.document(fact.document_id) for fact in facts),
        manage=links.manage(first.subscription_id, id_),
        feed=links.feed(first.subscription_id),
    )


def test_message(subscription_id: str, name: str, links: Links, language: str, now: datetime) -> Message:
    """A message that says that a channel works."""
    text = "通道可用" if language == "zh" else "this channel works"
    return Message(
        id=f"test-{now.timestamp():.0f}",
        subscription_id=subscription_id,
        name=name,
        language=language,
        time_zone="Asia/Shanghai",
        outcome="test",
        facts=(Fact(title=text, published_at=now),),
        document_links=("",),
        manage=links.manage(subscription_id),
        feed=links.feed(subscription_id),
    )


def _link(url: str, form: Format) -> str:
    if form == "html":
        safe = url.replace("&", "&amp;").replace('"', "%22")
        return f'<a href="{safe}">{safe}</a>'
    return f"<{url}>" if form == "markdown" else url
