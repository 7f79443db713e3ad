"""Regular expressions of rules, whose time grows with the text alone, whatever a user writes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from stream.alerts.text import RuleError

MAX_EXPRESSION = 500  # characters


@lru_cache(maxsize=2000)
def expression(pattern: str) -> Any:
    """A compiled RE2 expression. Raises `RuleError`."""
    if len(pattern) > MAX_EXPRESSION:
        raise RuleError(f"the expression has {len(pattern)} characters; at most {MAX_EXPRESSION}")
    options = re2.Options()
    options.log_errors, options.dot_nl, options.max_mem = False, True, 1 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise RuleError(
            f"the expression {pattern!r} can't be read ({reason}); look-around and \\1 don't exist"
        ) from None
