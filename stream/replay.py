"""Stored documents once more through the models: what would today's model, or a new theme, have said of last month?

The documents are read from the store, in the order of their publication, and sent to `fengxiang.documents` marked as
history, so that nobody is alerted. Their new analyses replace the old ones; `analysis_history` keeps both.
A text that has been cut to an excerpt (stream.retention) stays as it was analysed.
A replay that was cut off goes on where it stopped: what it has sent, or what was analysed since it began, is left out.
`stream.replay_log` reads them from Kafka instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client

from models.records import Analyst, Document, Recommendation, Report, VendorTags
from stream.rows import microseconds

PAGE = 500


class Selection(msgspec.Struct, frozen=True):
    """Which stored documents: published from `start` until before `end`, and the rest where it isn't empty."""

    start: datetime
    end: datetime
    theme: str = ""
    source: str = ""
    model_version: str = ""  # that analysed them


class Cursor(msgspec.Struct, frozen=True):
    """How far a replay is. began: microseconds since 1970; (published_ms, id): the last document sent."""

    began: int
    published_ms: int = -(1 << 62)
    id: str = ""
    sent: int = 0


_CHOSEN = """
published_at >= {start:DateTime64(3, 'UTC')} AND published_at < {end:DateTime64(3, 'UTC')} AND version < {began:UInt64}
AND ({theme:String} = '' OR has(themes, {theme:String}))
AND ({source:String} = '' OR source = {source:String})
AND ({model_version:String} = '' OR model_version = {model_version:String})
"""
_WHERE = f"{_CHOSEN} AND ifNull(text_length, 0) = 0"
_AFTER = "(toUnixTimestamp64Milli(published_at), id) > ({published_ms:Int64}, {id:String})"
_DOCUMENT = (
    "id, source, kind, title, body, published_at, fetched_at, url, language, publisher, authors, vendor_securities,"
    " vendor_subjects, vendor_tone, vendor_level, page_offsets"
)
_REPORT = (
    "document_id, broker, report_type, industry, analysts, rating, rating_action, previous_rating, target_price,"
    " benchmark, report_date, period_start, period_end, related, recommendations"
)


def count(client: Client, selection: Selection, cursor: Cursor) -> int:
    """How many documents are still to be sent."""
    sql = f"SELECT count() FROM documents FINAL WHERE {_WHERE} AND {_AFTER}"
    return int(client.query(sql, parameters=_values(selection, cursor)).result_rows[0][0])


def held(client: Client, selection: Selection) -> tuple[list[str], list[str]]:
    """Themes that documents of the window have, and the versions of the models that analysed them."""
    sql = """
        SELECT arraySort(groupUniqArrayArray(themes)), arraySort(groupUniqArray(model_version)) FROM documents FINAL
        WHERE published_at >= {start:DateTime64(3, 'UTC')} AND published_at < {end:DateTime64(3, 'UTC')}"""
    values = {name: _text(getattr(selection, name)) for name in ("start", "end")}
    themes, versions = client.query(sql, parameters=values).result_rows[0]
    return list(themes), list(versions)


def count_cut(client: Client, selection: Selection, cursor: Cursor) -> int:
    """How many documents of the selection stay as they are, since only excerpts of their texts are left."""
    sql = f"SELECT count() FROM documents FINAL WHERE {_CHOSEN} AND text_length > 0"
    return int(client.query(sql, parameters=_values(selection, cursor)).result_rows[0][0])


def pages(client: Client, selection: Selection, cursor: Cursor) -> Iterator[tuple[list[Document], Cursor]]:
    """The documents page by page, each with the cursor to keep once the page was sent."""
    sql = f"SELECT {_DOCUMENT} FROM documents FINAL WHERE {_WHERE} AND {_AFTER} ORDER BY published_at, id LIMIT {PAGE}"
    while rows := client.query(sql, parameters=_values(selection, cursor)).result_rows:
        reports = _reports(client, [row[0] for row in rows])
        documents = [_document(row, reports.get(row[0])) for row in rows]
        last = documents[-1]
        published_ms = microseconds(last.published_at) // 1000
        cursor = Cursor(cursor.began, published_ms, last.id, cursor.sent + len(documents))
        yield documents, cursor


def _values(selection: Selection, cursor: Cursor) -> dict[str, Any]:
    values = msgspec.structs.asdict(selection) | msgspec.structs.asdict(cursor)
    return values | {name: _text(values[name]) for name in ("start", "end")}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _reports(client: Client, ids: Sequence[str]) -> dict[str, Report]:
    sql = f"SELECT {_REPORT} FROM reports FINAL WHERE document_id IN {{ids:Array(String)}}"
    return {row[0]: _report(row[1:]) for row in client.query(sql, parameters={"ids": list(ids)}).result_rows}


def _report(row: Sequence[Any]) -> Report:
    broker, type_, industry, analysts, rating, action, previous, price, benchmark, day, first, last, related, named = (
        row
    )
    return Report(
        broker=broker,
        report_type=type_,
        industry=industry,
        analysts=tuple(Analyst(*_parts(analyst)) for analyst in analysts),
        rating=rating,
        rating_action=action,
        previous_rating=previous,
        target_price=price,
        benchmark=benchmark,
        report_date=day.isoformat() if day else "",
        period_start=first.isoformat() if first else "",
        period_end=last.isoformat() if last else "",
        related=tuple(related),
        recommendations=tuple(
            Recommendation(name, reason, group) for name, _, reason, group in (_parts(item) for item in named)
        ),
    )


def _parts(item: Any) -> list[Any]:
    """A named tuple's values: the client gives a dict or a tuple."""
    return list(item.values()) if isinstance(item, dict) else list(item)


def _document(row: Sequence[Any], report: Report | None) -> Document:
    id_, source, kind, title, body, published, fetched, url, language, publisher, authors, *vendor, offsets = row
    securities, subjects, tone, level = vendor
    return Document(
        id=id_,
        source=source,
        kind=kind,
        title=title,
        body=body,
        published_at=published,
        fetched_at=fetched,
        url=url,
        language=language,
        publisher=publisher,
        authors=tuple(authors),
        vendor=VendorTags(securities=tuple(securities), subjects=tuple(subjects), tone=tone, level=level),
        report=report,
        page_offsets=tuple(offsets),
        backfill=True,
    )
