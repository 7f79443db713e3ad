"""Which securities a text names: `Linker.load().link(title, body)`.

Links come with offsets, confidence, evidence, role and relevance; what the rules can't decide comes back as
abstentions with a reason and a window.
"""

from __future__ import annotations

from models.linking.linker import Linker
from models.linking.records import Abstention, Link, LinkResult
from models.linking.sentences import sentence_at

__all__ = ["Abstention", "Link", "LinkResult", "Linker", "sentence_at"]
