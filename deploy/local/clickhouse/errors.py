"""ClickHouse's errors: one exception type, the code in an engine's message, the HTTP status of each code."""

from __future__ import annotations

import re

CODE = re.compile(r"Code: (\d+)\. ")
NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)")

UNKNOWN_EXCEPTION = 1002

# As ClickHouse's own HTTP server maps them (exceptionCodeToHTTPStatus); every other code is a 500.
STATUS: dict[int, int] = {
    **dict.fromkeys((6, 7, 25, 26, 27, 33, 36, 38, 41, 42, 43, 44, 53, 62, 67, 69, 70, 72, 117, 130, 131), 400),
    **dict.fromkeys((354, 386, 456, 457), 400),
    194: 401,  # REQUIRED_PASSWORD
    **dict.fromkeys((192, 193, 497, 511, 516), 403),
    **dict.fromkeys((16, 46, 47, 50, 56, 60, 63, 79, 81, 115, 218, 390), 404),
    159: 408,  # TIMEOUT_EXCEEDED
    381: 411,  # HTTP_LENGTH_REQUIRED
    412: 413,  # QUERY_IS_TOO_LARGE
    202: 429,  # TOO_MANY_SIMULTANEOUS_QUERIES
    48: 501,  # NOT_IMPLEMENTED
    **dict.fromkeys((76, 209), 503),
}


class ChError(Exception):
    """An error in ClickHouse's own words: `Code: 62. DB::Exception: reason. (SYNTAX_ERROR)`."""

    def __init__(self, code: int, reason: str, name: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {reason}. ({name})")
        self.code = code

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return STATUS.get(self.code, 500)


def from_engine(error: Exception) -> ChError:
    """The engine's exception (any type, with the code in its text) as a `ChError`; never raises."""
    if isinstance(error, ChError):
        return error
    text = str(error).strip()
    found = CODE.search(text)
    if found is None:
        return ChError(UNKNOWN_EXCEPTION, text or type(error).__name__, "UNKNOWN_EXCEPTION")
    known = ChError(int(found.group(1)), "", "")
    known.args = (text[found.start() :],)
    return known
