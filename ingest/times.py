"""Publication times as Chinese sources write them, to zone-aware datetimes.

A time without a zone is Beijing's (Asia/Shanghai). Known: ISO 8601, `2026-10-01 00:37:09:681`, `2026/6/1 9:05`,
`2026年6月1日 9时5分`, `20260601`, `20260601093000`, RFC 2822, epoch seconds to nanoseconds, datetime objects. `CST` is
China's standard time.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

from models.trading import SHANGHAI

_PARTS = re.compile(
    r"(?P<y>\d{4})\s*[-/.年]\s*(?P<mo>\d{1,2})\s*[-/.月]\s*(?P<d>\d{1,2})\s*日?"
    r"(?:[T\s,，]*(?P<h>\d{1,2})\s*[:：时点]\s*(?P<mi>\d{1,2})\s*分?(?:\s*[:：]?\s*(?P<s>\d{1,2})\s*秒?)?(?:[.:](?P<f>\d{1,9}))?)?\s*"
)
_CST = re.compile(r"\s*(?<![A-Za-z])CST\b")  # RFC 2822 means America's; here it is Beijing's, as where no zone is given
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_EPOCH = {9: 1, 10: 1, 12: 1e3, 13: 1e3, 16: 1e6, 19: 1e9}  # digits -> units a second
_FIRST, _LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def parse_time(value: object) -> datetime:
    """The time in `value`, zone-aware. Raises ValueError, which names the value."""
    time = _aware(_read(value))
    if not _FIRST <= time < _LAST:
        raise ValueError(f"time {value!r} is outside 1990-2099")
    return time


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=SHANGHAI)


def _read(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e20:
        whole = str(int(value))
        if isinstance(value, float) and len(whole) in (9, 10):
            return datetime.fromtimestamp(value, UTC)
        return _digits(whole)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a time")
    text = _CST.sub("", value).strip()
    if text.isascii() and text.isdigit():
        return _digits(text)
    for reader in (datetime.fromisoformat, _parts, _rfc_2822):
        try:
            return reader(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    raise ValueError(
        f"{value!r} is not a time; known are ISO 8601, 2026-06-01 09:05, 2026年6月1日, RFC 2822, epoch seconds"
    )


def _digits(text: str) -> datetime:
    """Compact dates and epochs; of equal length, a plausible date wins."""
    if len(text) in _COMPACT and text.startswith(("19", "20")):
        try:
            return datetime.strptime(text, _COMPACT[len(text)])
        except ValueError:
            pass
    if len(text) not in _EPOCH:
        raise ValueError(f"{text!r} is neither a date nor an epoch time")
    return datetime.fromtimestamp(int(text) / _EPOCH[len(text)], UTC)


def _parts(text: str) -> datetime:
    found = _PARTS.fullmatch(text)
    if not found:
        raise ValueError(text)
    number = {name: int(part) for name, part in found.groupdict().items() if part and name != "f"}
    micro = int((found["f"] or "0").ljust(6, "0")[:6])
    return datetime(
        number["y"], number["mo"], number["d"], number.get("h", 0), number.get("mi", 0), number.get("s", 0), micro
    )


def _rfc_2822(text: str) -> datetime:
    time = parsedate_to_datetime(text)
    # -0000 is UTC with nothing said of the writer's own zone (`email.utils.formatdate` writes it); the parser drops it.
    if time.tzinfo is None and "-0000" in text.split():
        return time.replace(tzinfo=UTC)
    if time.tzinfo is None and text[-1:].isalpha():
        raise ValueError(f"{text!r} is in a time zone that nobody knows")
    return time
