"""Find the companies of a document.

One pass of the automaton over title and body together, then Python on the candidates alone: the longest span wins,
an unambiguous name is a link, an ambiguous one needs evidence (`evidence`), else the linker abstains and says why.
`link` keeps no state and may be called from several threads.
"""

from __future__ import annotations

from datetime import datetime

from models.linking.abbreviations import introduced
from models.linking.hits import Hit, longest, whole
from models.linking.normalise import normalise
from models.linking.patterns import Patterns
from models.linking.reading import JOINT, Reading
from models.linking.records import LinkResult
from models.securities import SecuritiesTable, load

_EMPTY = LinkResult()


class Linker:
    """The linker over one securities table."""

    def __init__(self, table: SecuritiesTable) -> None:
        self.version = table.version
        self._patterns = Patterns(table)

    @classmethod
    def load(cls) -> Linker:
        """The linker over the table in use."""
        return cls(load())

    def link(self, title: str, body: str, *, kind: str = "wire", published_at: datetime | None = None) -> LinkResult:
        """Every occurrence of a listed company, and every one left open. Never raises, whatever the strings hold.

        `kind` is the document's (wire, news, announcement, report); on `published_at` depends which company bore a
        name that has changed hands.
        """
        text = f"{title}{JOINT}{body}"
        form = normalise(text)
        items = self._patterns.items
        found = [Hit(start, end, items[index]) for start, end, index in self._patterns.find(form.text)]
        if not found:
            return _EMPTY
        body, places = form.text, form.places()
        solid = form.points is None  # no blanks at all: only Latin words may run over
        hits = longest([hit for hit in found if (solid and not hit.pattern.latin) or whole(hit, body, places, text)])
        reading = Reading(text, len(title), body, places, kind, published_at.date() if published_at else None)
        accepted, left = reading.judge(hits)
        if accepted and "简称" in body:
            accepted = introduced(body, accepted)
        return reading.report(accepted, left)
