"""Bring a table up to date with today's list of mainland securities.

The list itself comes from outside (`fengxiang securities refresh` asks akshare): this module only tells new listings
and renames apart and writes the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from models.securities.build import TRANSIENT, Draft, abbreviates, plain, write
from models.securities.snapshots import clean
from models.securities.table import SecuritiesError, SecuritiesTable, Security, market_of

FEWEST = 4000  # a shorter list is a broken answer, not a market


def refresh(table: SecuritiesTable, listing: Mapping[str, str], day: date, out: Path) -> int:
    """Write `table`, updated by `listing` (six-digit code to short name, as of `day`), into `out`.

    Returns the number of securities. A name that has changed becomes a former name that ended on `day`; a security
    that `listing` lacks stays, for old texts still name it. Raises `SecuritiesError` for a list that is too short.
    """
    if len(listing) < FEWEST:
        raise SecuritiesError(f"the list holds only {len(listing)} securities, fewer than {FEWEST}: try again later")
    drafts = {security.code: _draft(security) for security in table}
    for digits, printed in listing.items():
        name, code = clean(printed), f"{digits}.{market_of(digits)}"
        draft = drafts.setdefault(code, Draft(TRANSIENT.sub("", name)))
        if TRANSIENT.match(name):  # ex dividend or just listed: cut short for the day
            continue
        before, now = plain(draft.name), plain(name)
        draft.name = name
        if abbreviates(now, before):
            draft.add("alias", before)
        elif now != before and not abbreviates(before, now):
            draft.add("former", before, end=day.isoformat())
    write(drafts, out, day)
    return len(drafts)


def _draft(security: Security) -> Draft:
    draft = Draft(
        security.name,
        industry=security.industry,
        english_name=security.english_name,
        listed=_iso(security.listed),
        delisted=_iso(security.delisted),
        also=list(security.also),
    )
    for kind, names in (("alias", security.aliases), ("brand", security.brands), ("full_name", (security.full_name,))):
        for name in names:
            draft.add(kind, name)
    for dated in security.names:
        draft.add("former", dated.name, _iso(dated.start), _iso(dated.end))
    return draft


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""
