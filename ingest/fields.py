"""One row of somebody's file or feed to a `Document`: which field is what, by the names in use.

The first name of a field's list that the row has, and that isn't empty, gives its value; names compare without
case. `names` overrides the lists (`{"title": "headline"}`). What the source itself says of a document (its own
tags, tone, level) goes to `VendorTags`, apart from our results.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ingest.times import parse_time
from models.records import Document, Kind, VendorTags, document_id

NAMES: dict[str, tuple[str, ...]] = {
    name: tuple(aliases.split())
    for name, aliases in {
        "id": "id docid doc_id document_id news_id newsid art_code infocode 编号 guid",
        "title": "title headline 标题 题目 新闻标题",
        "body": "body content text 正文 内容 新闻内容 full_text fulltext article summary 摘要 description",
        "published_at": "published_at datetime publish_time published pub_time pubtime pubdate pub_date publishdate"
        " publish_date ctime showtime display_time create_time created_at timestamp time date"
        " 发布时间 发布日期 时间 日期",
        "url": "url link shareurl docurl uri 链接 网址 新闻链接",
        "source": "source 来源 src",
        "publisher": "publisher media medianame media_name 媒体 文章来源 orgsname 机构",
        "authors": "authors author 作者 researcher byline",
        "kind": "kind 类型 type",
        "language": "language lang 语言",
        "securities": "securities stocks stock_list stocklist codes symbols tickers 股票 证券",
        "subjects": "subjects topics tags keywords 标签 关键词",
        "plates": "plates 板块",
        "weighted_tags": "taginfo",
        "tone": "tone sentiment color 情感",
        "level": "level importance 重要性",
    }.items()
}
WIRES = frozenset({"cls", "eastmoney", "ths", "sina", "wallstreetcn", "10jqka", "jin10"})
KINDS = frozenset(get_args(Kind))
_CODE_KEYS = ("code", "StockID", "stock_code", "symbol", "name", "short_name", "subject_name")
_TAG = re.compile(r"<(?:/?[a-zA-Z][a-zA-Z0-9]*|!--)[^<>]{0,500}>")
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\s*/?>", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufeff\ufffe\uffff]")
_TRACKING = re.compile(r"^(?:utm_\w+|spm|from|share_token|wxshare\w*|timestamp)$", re.IGNORECASE)
DAY = timedelta(days=1)


class RowError(ValueError):
    """A row that can't become a document; the text names what is missing or wrong, and the remedy."""


@dataclass(frozen=True)
class Options:
    """How to read rows.

    source, kind, published_at: used where the row says nothing.
    names: field -> the row's name for it. now: the time of reading.
    """

    now: datetime
    source: str = ""
    kind: Kind | None = None
    published_at: datetime | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = self.names.keys() - NAMES.keys()
        if unknown:
            raise RowError(f"no field {', '.join(sorted(unknown))}; fields are {', '.join(NAMES)}")


def to_document(row: Mapping[str, Any], options: Options, *, default_source: str) -> Document:
    """The document in a row. Raises `RowError`."""
    values = {name.strip().lower(): value for name, value in row.items() if isinstance(name, str)}
    vendor = values.get("vendor")

    def get(name: str) -> Any:
        if name in options.names:
            return values.get(options.names[name].strip().lower())
        return next((values[alias] for alias in NAMES[name] if not _empty(values.get(alias))), None)

    title, body = clean(get("title")), clean(get("body"))
    if not (title or body):
        raise RowError(f"no title and no body among {_shown(row)}: name them with --map title=COLUMN --map body=COLUMN")
    source = clean(get("source")) or options.source or default_source
    url = clean(get("url"))
    native = clean(get("id")) or (canonical_url(url) if url else _content_hash(title, body))
    published_at = _published_at(get("published_at"), options, row)
    return Document(
        id=document_id(source, native),
        source=source,
        kind=_kind(get("kind"), options.kind, source),
        title=title,
        body=body,
        published_at=published_at,
        fetched_at=options.now,
        url=url,
        language=clean(get("language")) or language_of(title + body),
        publisher=clean(get("publisher")),
        authors=_texts(get("authors")),
        vendor=_vendor(vendor if isinstance(vendor, Mapping) else {}, get),
        backfill=published_at < options.now - DAY,
    )


def _published_at(value: Any, options: Options, row: Mapping[str, Any]) -> datetime:
    if _empty(value):
        if options.published_at is None:
            raise RowError(f"no publication time among {_shown(row)}: --map published_at=COLUMN or --date 2026-06-01")
        return options.published_at
    try:
        time = parse_time(value)
    except ValueError as error:
        raise RowError(f"publication time: {error}") from error
    if time > options.now + DAY:
        raise RowError(f"publication time {value!r} lies in the future: correct it, or this machine's clock")
    return time


def _kind(value: Any, given: Kind | None, source: str) -> Kind:
    if isinstance(value, str) and value.strip().lower() in KINDS:
        return cast(Kind, value.strip().lower())
    return given or ("wire" if source.lower() in WIRES else "news")


def _vendor(nested: Mapping[str, Any], get: Any) -> VendorTags:
    subjects = _texts(nested.get("subjects") or get("subjects")) + _texts(get("plates")) + _texts(get("weighted_tags"))
    return VendorTags(
        securities=_texts(nested.get("securities") or get("securities")),
        subjects=tuple(dict.fromkeys(subjects)),
        tone=clean(nested.get("tone") or get("tone")),
        level=clean(nested.get("level") or get("level")),
    )


# ---------------------------------------------------------------------- values


def clean(value: Any) -> str:
    """Text of a value: entities and tags of an HTML fragment resolved, control characters gone, ends trimmed."""
    if _empty(value) or isinstance(value, Mapping | list | tuple):
        return ""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if _TAG.search(text):
        text = html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _texts(value: Any) -> tuple[str, ...]:
    """A list of texts from a list, a list of objects or of (text, weight) pairs, or a text with separators."""
    if isinstance(value, str):
        value = [part for part in re.split(r"[,，;；、|]", value.strip("[] ")) if part.strip(" '\"")]
    if not isinstance(value, list | tuple):
        return (clean(value),) if not _empty(value) and not isinstance(value, Mapping) else ()
    found = []
    for item in value:
        if isinstance(item, Mapping):
            item = next((item[key] for key in _CODE_KEYS if item.get(key)), "")
        elif isinstance(item, list | tuple):
            item = item[0] if item else ""
        if text := clean(item).strip("'\""):
            found.append(text)
    return tuple(dict.fromkeys(found))


def _empty(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str | list | tuple | Mapping) and not value)


def _shown(row: Mapping[str, Any]) -> str:
    names = ", ".join(str(name) for name in list(row)[:12])
    return f"the fields ({names})" if names else "no fields"


def _content_hash(title: str, body: str) -> str:
    return hashlib.blake2b(f"{title}\0{body}".encode(), digest_size=16).hexdigest()


def canonical_url(url: str) -> str:
    """The URL that names the page: lower-case host, no fragment, no tracking parameters, the others sorted."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = sorted((k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.match(k))
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/") or "/", urlencode(query), ""))


def language_of(text: str) -> str:
    """`zh` where a tenth of the letters are Chinese, otherwise `en`."""
    letters = [c for c in text[:2000] if c.isalpha()]
    chinese = sum("\u3400" <= c <= "\u9fff" for c in letters)
    return "zh" if chinese * 10 >= len(letters) else "en"
