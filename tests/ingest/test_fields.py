from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.fields import Options, RowError, canonical_url, clean, to_document
from models.records import document_id
from tests.ingest.make import NOW

OPTIONS = Options(now=NOW)
ROW = {"id": "7", "title": "标题", "content": "正文", "datetime": "2026-06-18T10:00:00+08:00"}


def read(row: dict[str, Any], options: Options = OPTIONS) -> Any:
    return to_document(row, options, default_source="file")


def test_a_wire_row_keeps_the_vendor_tags() -> None:
    document = read(
        ROW
        | {
            "source": "ths",
            "level": "重要",
            "subjects": ["A股"],
            "stocks": [{"code": "", "name": "天振股份"}, {"code": "300413", "name": "芒果超媒"}],
            "tagInfo": [["煤炭", "0.804"]],
            "color": "2",
        }
    )
    assert (document.kind, document.source, document.id) == ("wire", "ths", document_id("ths", "7"))
    assert document.vendor.securities == ("天振股份", "300413")
    assert document.vendor.subjects == ("A股", "煤炭")
    assert (document.vendor.level, document.vendor.tone) == ("重要", "2")
    assert document.published_at == NOW - timedelta(hours=1)
    assert not document.backfill


def test_chinese_columns_and_a_mapping() -> None:
    row = {"标题": "甲", "正文": "乙", "发布时间": "2026年6月1日", "媒体": "样例报", "主题句": "丙"}
    document = read(row)
    assert (document.title, document.body, document.publisher, document.kind) == ("甲", "乙", "样例报", "news")
    assert document.backfill
    assert read(row, Options(now=NOW, names={"title": "主题句"})).title == "丙"


def test_the_sample_shape() -> None:
    document = read(
        {
            "id": "s1", "source": "sample-wire", "kind": "report", "title": "甲", "body": "乙",
            "published_at": "2026-06-09T09:02:00+08:00", "publisher": "样例快讯", "url": "https://x.invalid/1",
            "vendor": {"securities": ["300418.SZ"]},
        }
    )  # fmt: skip
    assert (document.kind, document.vendor.securities, document.url) == (
        "report",
        ("300418.SZ",),
        "https://x.invalid/1",
    )


def test_ids_come_from_the_row_the_address_or_the_text() -> None:
    no_id = {k: v for k, v in ROW.items() if k != "id"}
    first = read(no_id | {"url": "https://Example.com/a?utm_source=x&b=1&a=2#top"})
    assert (
        first.id
        == read(no_id | {"url": "https://example.com/a?a=2&b=1"}).id
        == document_id("file", canonical_url(first.url))
    )
    assert read(no_id).id == read(no_id).id != read(no_id | {"content": "别的"}).id


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": "", "content": " "}, "no title and no body"),
        ({"datetime": ""}, "no publication time"),
        ({"datetime": "昨天"}, "昨天"),
        ({"datetime": "2036-01-01"}, "future"),
    ],
)
def test_a_bad_row_is_named_with_a_remedy(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read(ROW | change)


def test_an_unknown_mapping_names_the_fields() -> None:
    with pytest.raises(RowError, match="titel"):
        Options(now=NOW, names={"titel": "x"})


def test_html_fragments_become_text() -> None:
    assert clean("<p><em>芒果超媒</em>&nbsp;获增持<br/>第二段</p>") == "芒果超媒\xa0获增持\n第二段"
    assert clean("涨幅<5%，市值>100亿") == "涨幅<5%，市值>100亿"
    assert clean("a\x00b\ud800c") == "abc"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = st.sampled_from(["id", "title", "content", "datetime", "url", "stocks", "tagInfo", "vendor", "level", "source"])


@given(st.dictionaries(KEYS | st.text(max_size=5), JSON, max_size=8))
def test_any_row_gives_a_document_or_a_reason(row: dict[str, Any]) -> None:
    try:
        document = read(row)
    except RowError as error:
        assert str(error)
    else:
        json.dumps(document.title + document.body).encode("utf-8")
        assert document.published_at.tzinfo is not None
