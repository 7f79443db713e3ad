"""A condition as SQL over `documents`, for looking back and for windows; it holds where `match.holds` does.

Values are parameters, so nothing that a user writes becomes SQL.
"""

from __future__ import annotations

from typing import Any

from stream.alerts.rules import Condition, codes

PERIOD = "published_at >= {low:DateTime64(3, 'UTC')} AND published_at < {high:DateTime64(3, 'UTC')}"
_TEXTS = {"title": "lower(title)", "body": "lower(body)", "any": "lower(concat(title, '\\n', body))"}
_RAW = {"title": "title", "body": "body", "any": "concat(title, '\\n', body)"}


class Where:
    """Builds the clause and its parameters."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}

    def clause(self, condition: Condition) -> str:
        """An expression over a row of `documents`; sub-queries read the period of `PERIOD`."""
        c = condition
        terms: list[str] = []
        for column in ("source", "kind", "publisher"):
            if values := getattr(c, column):
                terms.append(f"{column} IN {self._list(values)}")
        if c.tone:
            terms.append(f"sentiment IN {self._list(c.tone)}")
        if c.tone_below is not None:
            terms.append(f"sentiment_score < {self._number(c.tone_below)}")
        if c.tone_above is not None:
            terms.append(f"sentiment_score > {self._number(c.tone_above)}")
        if c.novelty:
            terms.append(f"novelty >= {self._number(c.novelty)}")
        if c.theme:
            terms.append(self._theme(c))
        if c.of_mention:
            terms.append(self._mention(c))
        if c.rating:
            terms.append(self._rating(c))
        if c.keyword:
            words = [word.encode("utf-8", "replace").lower().decode() for word in c.keyword]
            terms.append("(" + " OR ".join(f"position({_TEXTS[c.within]}, {self._text(w)}) > 0" for w in words) + ")")
        if c.regex:
            terms.append(f"match({_RAW[c.within]}, {self._text(c.regex)})")
        terms += [self.clause(inner) for inner in c.all]
        if c.any:
            terms.append("(" + " OR ".join(self.clause(inner) for inner in c.any) + ")")
        if c.not_ is not None:
            terms.append(f"NOT {self.clause(c.not_)}")
        return "(" + (" AND ".join(terms) or "1") + ")"

    def of_one_mention(self, c: Condition) -> str:
        """What one mention must fulfil, as an expression over a row of `mentions` of the period."""
        terms = [PERIOD]
        if c.security or c.basket:
            terms.append(f"code IN {self._list(sorted(codes(c)))}")
        if c.mention_tone:
            terms.append(f"sentiment IN {self._list(c.mention_tone)}")
        if c.mention_below is not None:
            terms.append(f"sentiment_score < {self._number(c.mention_below)}")
        if c.mention_above is not None:
            terms.append(f"sentiment_score > {self._number(c.mention_above)}")
        if c.relevance:
            terms.append(f"relevance >= {self._number(c.relevance)}")
        for column in ("role", "section"):
            if values := getattr(c, column):
                terms.append(f"{column} IN {self._list(values)}")
        return " AND ".join(terms)

    # ------------------------------------------------------------------

    def _theme(self, c: Condition) -> str:
        themes = self._list(c.theme)
        if not c.theme_score:
            return f"hasAny(themes, {themes})"
        found = f"theme IN {themes} AND score >= {self._number(c.theme_score)}"
        return f"id IN (SELECT document_id FROM document_themes_now WHERE {PERIOD} AND {found})"

    def _mention(self, c: Condition) -> str:
        if (c.security or c.basket) and not c.mention_detail:
            return f"hasAny(codes, {self._list(sorted(codes(c)))})"
        return f"id IN (SELECT document_id FROM mentions_now WHERE {self.of_one_mention(c)})"

    def _rating(self, c: Condition) -> str:
        found = f"rating_action IN {self._list(c.rating)}"
        if "changed" in c.rating:
            found += " OR rating_action IN ('上调', '下调')"
            found += " OR (previous_rating != '' AND rating != '' AND previous_rating != rating)"
        return f"id IN (SELECT document_id FROM reports FINAL WHERE {PERIOD} AND ({found}))"

    def _add(self, value: Any, kind: str) -> str:
        name = f"v{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"

    def _list(self, values: Any) -> str:
        return self._add(list(values), "Array(String)")

    def _text(self, value: str) -> str:
        return self._add(value, "String")

    def _number(self, value: float) -> str:
        return self._add(value, "Float32")  # as the columns are, so that 0.6 is 0.6
