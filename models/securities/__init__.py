"""The securities table: every company that a text may name, with the names it has had.

`load()` gives the table that ships with the package; `build` makes it from licensed sources and the curated files
beside it, `refresh` brings it up to date. Codes carry their market: 300413.SZ, 01119.HK, BABA.US. The table's version
changes with its content and is stamped into every analysis.
"""

from __future__ import annotations

from models.securities.table import DatedName, SecuritiesError, SecuritiesTable, Security, load, names, normal_code

__all__ = ["DatedName", "SecuritiesError", "SecuritiesTable", "Security", "load", "names", "normal_code"]
