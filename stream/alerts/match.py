"""Which rules a document fulfils, and why. Pure.

A thousand rules are not tried one by one: most name a theme or a security without which they can't hold, and are
filed under it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from stream.alerts.expressions import expression
from stream.alerts.items import Item, Named
from stream.alerts.rules import Condition, Rule, codes

Key = tuple[str, str]


def holds(condition: Condition, item: Item) -> bool:
    """Whether the condition holds of the document."""
    c = condition
    return bool(
        (not c.source or item.source in c.source)
        and (not c.kind or item.kind in c.kind)
        and (not c.publisher or item.publisher in c.publisher)
        and (not c.tone or item.tone in c.tone)
        and (c.tone_below is None or item.score < c.tone_below)
        and (c.tone_above is None or item.score > c.tone_above)
        and (not c.novelty or item.novelty >= c.novelty)
        and (not c.theme or any(item.themes.get(theme, -1.0) >= c.theme_score for theme in c.theme))
        and (not c.of_mention or any(_of_mention(c, codes(c), mention) for mention in item.mentions))
        and (not c.rating or _rated(c, item))
        and (not c.keyword or any(_fold(word) in item.folded[c.within] for word in c.keyword))
        and (not c.regex or expression(c.regex).search(item.text(c.within)) is not None)
        and all(holds(inner, item) for inner in c.all)
        and (not c.any or any(holds(inner, item) for inner in c.any))
        and (c.not_ is None or not holds(c.not_, item))
    )


def named(condition: Condition, item: Item) -> list[Named]:
    """The mentions that fulfil the condition, or a part of it; what a `not` names is left out."""
    found = [m for m in item.mentions if condition.of_mention and _of_mention(condition, codes(condition), m)]
    for inner in (*condition.all, *condition.any):
        found += [mention for mention in named(inner, item) if mention not in found]
    return found


def needs(condition: Condition) -> frozenset[Key] | None:
    """Keys of which a document must have one for the condition to hold; None: it needs none."""
    options: list[frozenset[Key]] = []
    if condition.theme:
        options.append(frozenset(("theme", theme) for theme in condition.theme))
    if own := codes(condition):
        options.append(frozenset(("code", code) for code in own))
    if condition.source:
        options.append(frozenset(("source", source) for source in condition.source))
    options += [found for inner in condition.all if (found := needs(inner)) is not None]
    if condition.any:
        inner_needs = [needs(inner) for inner in condition.any]
        if all(found is not None for found in inner_needs):
            options.append(frozenset().union(*(found for found in inner_needs if found)))
    return min(options, key=lambda keys: (any(kind == "source" for kind, _ in keys), len(keys)), default=None)


def keys(item: Item) -> list[Key]:
    """The keys that a document has."""
    themes = [("theme", theme) for theme in item.themes]
    return [*themes, *(("code", code) for code in item.codes), ("source", item.source)]


class Matcher:
    """Rules by an id of the caller's, filed by what they need."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = {id_: rule.when for id_, rule in rules.items() if rule.kind == "document"}
        self._filed: defaultdict[Key, list[str]] = defaultdict(list)
        self._always: list[str] = []
        for id_, condition in self._rules.items():
            found = needs(condition)
            if found is None:
                self._always.append(id_)
            for key in found or ():
                self._filed[key].append(id_)

    def match(self, item: Item) -> list[str]:
        """The ids of the rules that the document fulfils."""
        candidates = dict.fromkeys(self._always)
        for key in keys(item):
            candidates.update(dict.fromkeys(self._filed.get(key, ())))
        return [id_ for id_ in candidates if holds(self._rules[id_], item)]


def sentences(condition: Condition, item: Item, limit: int = 3) -> list[str]:
    """The sentences that show why: of the mentions, of the words, of the themes, or else how the text begins."""
    found = [mention.sentence for mention in named(condition, item)]
    for part in _parts(condition):
        for word in part.keyword:
            place = item.body.lower().find(word.lower())
            found += [around(item.body, place)] if place >= 0 else []
        for theme in part.theme:
            found += [around(item.body, place) for place in item.theme_places.get(theme, ())[:1]]
    found = [text for text in dict.fromkeys(filter(None, found)) if text != item.title]
    return found[:limit] or ([around(item.body, 0)] if item.body else [])


def around(text: str, place: int, limit: int = 160) -> str:
    """The sentence around a place, at most about `limit` characters."""
    start = max((text.rfind(mark, max(0, place - limit), place) + 1 for mark in "。！？；\n"), default=0)
    start = start or max(0, place - limit)
    ends = [end + 1 for mark in "。！？；\n" if (end := text.find(mark, place, place + limit)) >= 0]
    return text[start : min(ends, default=place + limit)].strip()


def _parts(condition: Condition) -> Iterable[Condition]:
    yield condition
    for inner in (*condition.all, *condition.any):
        yield from _parts(inner)


def _of_mention(c: Condition, own: frozenset[str], mention: Named) -> bool:
    return (
        (mention.code in own or not (c.security or c.basket))  # an unknown basket holds of none
        and (not c.mention_tone or mention.tone in c.mention_tone)
        and (c.mention_below is None or mention.score < c.mention_below)
        and (c.mention_above is None or mention.score > c.mention_above)
        and mention.relevance >= c.relevance
        and (not c.role or mention.role in c.role)
        and (not c.section or mention.section in c.section)
    )


def _rated(c: Condition, item: Item) -> bool:
    rating = item.rating
    return rating is not None and (rating.action in c.rating or ("changed" in c.rating and rating.changed))


def _fold(word: str) -> bytes:
    return word.encode("utf-8", "replace").lower()
