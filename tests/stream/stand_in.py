"""A small analyser in place of the text models, and a worker that runs it: `python -m tests.stream.stand_in`.

It answers at once and always the same; its themes and mentions are read off the text (`#theme`, `@code`), so that a
test decides what it says. `!crash` in a title makes it raise, `!hang` makes it sleep.
"""

from __future__ import annotations

import os
import re
import time

from deploy.local.broker import create_topics
from deploy.logs import configure
from deploy.settings import load
from models.records import Analysis, Document, Mention, Sentiment, Span, ThemeScore, Versions
from stream.worker import Worker

NEUTRAL = Sentiment("neutral", 0.0, {"negative": 0.2, "neutral": 0.6, "positive": 0.2})
VERSIONS = Versions(model=os.environ.get("STAND_IN_VERSION", "stand-in"), taxonomy="t1", securities="s1", code="c1")


class StandIn:
    """Implements `stream.analyse.Analyser`."""

    def __init__(self, seconds_a_document: float = 0.0) -> None:
        self._seconds = seconds_a_document

    def analyse(self, documents: list[Document]) -> list[Analysis]:
        time.sleep(self._seconds * len(documents))
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> Analysis:
        if "!crash" in document.title:
            raise RuntimeError(f"the model fell over {document.id}")
        if "!hang" in document.title:
            time.sleep(3600)
        mentions = tuple(
            Mention(
                code=match[1],
                name=match[1],
                surface=match[0],
                field="body",
                start=match.start(),
                end=match.end(),
                sentiment=NEUTRAL,
                relevance=0.5,
                confidence=0.9,
            )
            for match in re.finditer(r"@(\w+\.\w\w)", document.body)
        )
        themes = tuple(
            ThemeScore(match[1], 0.8, (Span("body", match.start(), match.end()),))
            for match in re.finditer(r"#(\w+)", document.body)
        )
        return Analysis(
            id=document.id,
            themes=themes,
            sentiment=NEUTRAL,
            mentions=mentions,
            story_id=f"s-{document.id}",
            versions=VERSIONS,
        )


if __name__ == "__main__":
    settings = load()
    configure(settings, "worker")
    Worker(settings, load=StandIn, make_topics=lambda: create_topics(settings.kafka_servers, settings)).run()
