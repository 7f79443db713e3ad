"""The table in memory: two CSV files read into immutable structs.

`securities.csv` has one row a security, `names.csv` one row for every other name (former names with dates, aliases,
brands, full names). Both are plain text, sorted, so that a diff between two builds reads well.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import msgspec

DATA = Path(__file__).with_name("data")

BEFORE_LISTING = timedelta(days=183)  # how long before its first day a company is already news as a stock

_BARE = re.compile(
    r"(?:(?P<market>sh|sz|bj|hk)[.:]?)?(?P<digits>\d{1,6})(?:[.](?P<suffix>sh|ss|sz|bj|hk))?", re.IGNORECASE
)
_AMERICAN = re.compile(r"(?P<ticker>[A-Za-z][A-Za-z._]{0,5})[.](?:us|o|n|oq)", re.IGNORECASE)


class SecuritiesError(ValueError):
    """A table that can't be read or built; the text names the file and the remedy."""


class DatedName(msgspec.Struct, frozen=True):
    """A name and the days on which it held; None: open, or not known."""

    name: str
    start: date | None = None
    end: date | None = None


class Security(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A listed company. Names are as printed, without ST or ex-dividend prefixes unless `name` carries one today."""

    code: str
    exchange: str  # SH, SZ, BJ, HK, US
    name: str
    names: tuple[DatedName, ...] = ()  # former short names
    full_name: str = ""
    aliases: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()  # products and subsidiaries that stand for the company
    english_name: str = ""
    industry: str = ""
    listed: date | None = None
    delisted: date | None = None
    also: tuple[str, ...] = ()  # its former codes and its other listings

    def on_market(self, day: date) -> bool:
        """Whether its names mean a listed company on `day`: from shortly before the listing until it is gone.

        A company with other listings may have been listed elsewhere before: only its leaving counts.
        """
        if self.delisted is not None and day >= self.delisted:
            return False
        return self.listed is None or bool(self.also) or day >= self.listed - BEFORE_LISTING


class SecuritiesTable:
    """All securities, by code. Immutable; safe to share between threads."""

    def __init__(self, securities: list[Security], version: str) -> None:
        self.version = version
        self._securities = tuple(sorted(securities, key=lambda s: s.code))
        self._by_code = {s.code: s for s in self._securities}
        for security in self._securities:
            for code in security.also:
                self._by_code.setdefault(code, security)

    def by_code(self, code: str) -> Security | None:
        """The security of a code in any usual form: 300413, 300413.SZ, sz300413, 700.HK, BABA, BABA.US, 833575.BJ."""
        return self._by_code.get(code) or self._by_code.get(normal_code(code))

    def __iter__(self) -> Iterator[Security]:
        return iter(self._securities)

    def __len__(self) -> int:
        return len(self._securities)


def normal_code(code: str) -> str:
    """`code` with its market suffix; as it came when no market can be told from it."""
    text = code.strip()
    if match := _BARE.fullmatch(text):
        digits, market = match["digits"], (match["suffix"] or match["market"] or "").upper().replace("SS", "SH")
        if market == "HK" or (not market and len(digits) < 6):
            return f"{digits.zfill(5)}.HK" if len(digits) < 6 else f"{digits}.HK"
        return f"{digits}.{market or market_of(digits)}"
    if match := _AMERICAN.fullmatch(text):
        return f"{match['ticker'].upper()}.US"
    return f"{text.upper()}.US" if text.isascii() and text.isalpha() else text.upper()


def market_of(digits: str) -> str:
    """SH, SZ or BJ for a six-digit mainland code."""
    if digits.startswith(("92", "43", "83", "87", "88")):
        return "BJ"
    return "SH" if digits[0] in "69" else "SZ"


def read(folder: Path) -> SecuritiesTable:
    """The table in `folder`. Raises `SecuritiesError` where a file is missing or broken."""
    names: dict[str, dict[str, list[DatedName]]] = {}
    digest = hashlib.blake2b(digest_size=4)
    try:
        for row in _rows(folder / "names.csv", digest):
            dated = DatedName(row["name"], _day(row["start"]), _day(row["end"]))
            names.setdefault(row["code"], {}).setdefault(row["kind"], []).append(dated)
        securities = [_security(row, names.get(row["code"], {})) for row in _rows(folder / "securities.csv", digest)]
        as_of = (folder / "VERSION").read_text(encoding="utf-8").strip()
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise SecuritiesError(
            f"the securities table in {folder} can't be read ({error}): run `fengxiang securities rebuild`"
        ) from error
    return SecuritiesTable(securities, f"{as_of}.{digest.hexdigest()}")


@lru_cache(maxsize=1)
def load() -> SecuritiesTable:
    """The table in use: the one in the package, as shipped, rebuilt or refreshed. Read once a process."""
    return read(DATA)


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Short name by code, of all securities in the table in use."""
    return {security.code: security.name for security in load()}


def _rows(path: Path, digest: hashlib.blake2b) -> Iterator[dict[str, str]]:
    content = path.read_bytes()
    digest.update(content)
    return iter(csv.DictReader(content.decode("utf-8").splitlines()))


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _security(row: dict[str, str], names: dict[str, list[DatedName]]) -> Security:
    full = names.get("full_name", [])
    return Security(
        code=row["code"],
        exchange=row["code"].rpartition(".")[2],
        name=row["name"],
        names=tuple(names.get("former", ())),
        full_name=full[0].name if full else "",
        aliases=tuple(n.name for n in names.get("alias", ())),
        brands=tuple(n.name for n in names.get("brand", ())),
        english_name=row["english_name"],
        industry=row["industry"],
        listed=_day(row["listed"]),
        delisted=_day(row["delisted"]),
        also=tuple(filter(None, row["also"].split("|"))),
    )
