from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.fields import Options, RowError
from ingest.files import FileError, Item, Reader
from ingest.pages import article
from models.records import Document
from stream.records import DeadLetter, encode
from tests.ingest.make import NOW, in_gbk

ROWS = [{"id": str(n), "title": f"标题{n}", "content": "正文，含“逗号”", "time": "2026-06-17 10:00"} for n in range(3)]


def no_pdf(data: bytes, name: str, options: Options) -> Document:
    raise AssertionError("not asked for")


def read(path: Path, options: Options | None = None, max_bytes: int = 1_000_000) -> list[Item]:
    return list(Reader(options or Options(now=NOW), max_bytes=max_bytes, pdf=no_pdf).read(path))


def documents(items: list[Item]) -> list[Document]:
    assert all(isinstance(item, Document) for item in items), items
    return [item for item in items if isinstance(item, Document)]


def reasons(items: list[Item]) -> list[str]:
    return [item.reason for item in items if isinstance(item, DeadLetter)]


def lines(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write(path: Path, kind: str) -> Path:
    path = path / f"rows.{kind}"
    if kind == "jsonl":
        path.write_bytes(lines(ROWS))
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(lines(ROWS)))
    elif kind == "json":
        path.write_text(json.dumps({"code": 0, "data": ROWS}), encoding="utf-8")
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        delimiter = "\t" if kind == "tsv" else ","
        with path.open("w", encoding="gb18030" if kind == "csv" else "utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, ROWS[0].keys(), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(ROWS)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "json", "csv", "tsv", "parquet"])
def test_every_format_of_rows_gives_the_same_documents(tmp_path: Path, kind: str) -> None:
    found = documents(read(write(tmp_path, kind)))
    assert [(d.title, d.body, d.source) for d in found] == [(f"标题{n}", "正文，含“逗号”", "rows") for n in range(3)]
    assert [d.id for d in found] == [d.id for d in documents(read(write(tmp_path, "jsonl")))]


def test_a_bad_row_names_file_and_row_and_the_others_pass(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(lines(ROWS[:1]) + b"{broken\n\n[1]\n\xff\xfe\n" + lines([{"id": "9"}]) + lines(ROWS[1:]))
    items = read(path)
    assert sum(isinstance(item, Document) for item in items) == 3
    told = reasons(items)
    assert [reason.split(":")[0] for reason in told] == [f"mixed.jsonl row {n}" for n in (2, 4, 5, 6)]
    assert "not JSON" in told[0] and "object of fields" in told[1] and "--map title=COLUMN" in told[3]
    assert next(i.payload for i in items if isinstance(i, DeadLetter)) == "{broken"
    assert read(path) == items


def test_a_row_with_too_many_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,title,time\n1,甲,2026-06-01\n2,乙,2026-06-01,多\n", encoding="utf-8")
    assert ["row 3" in reason and "quote" in reason for reason in reasons(read(path))] == [True]


def test_an_index_column_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "frame.csv"  # as pandas' to_csv writes it
    path.write_text(",title,body,date\n0,甲,正文,2026-06-01\n1,乙,正文,2026-06-02,多\n", encoding="utf-8")
    first, second = read(path)
    assert isinstance(first, Document) and (first.title, first.body) == ("甲", "正文")
    assert isinstance(second, DeadLetter) and "quote" in second.reason
    assert json.loads(second.payload) == ["1", "乙", "正文", "2026-06-02", "多"]


DATED = {"title": "甲", "content": "正文", "time": "2026-06-17 10:00"}


@pytest.mark.parametrize(
    ("whole", "titles"),
    [
        (DATED | {"stock_list": [{"code": "300413", "name": "芒果超媒"}]}, ["甲"]),
        (DATED | {"related": [DATED | {"title": "乙"}]}, ["甲"]),
        ({"msg": "ok", "time": 1781744700, "data": [DATED, DATED | {"title": "乙"}]}, ["甲", "乙"]),
        ({"title": "某源", "description": "最新", "items": [DATED]}, ["甲"]),
        ({"content": [DATED], "totalElements": 1, "time": 1781744700}, ["甲"]),
        ({"code": 0, "description": "success", "timestamp": 1781744700, "data": [DATED]}, ["甲"]),
        ({"title": "早报", "date": "2026-06-17", "news": [DATED, DATED | {"title": "乙"}]}, ["甲", "乙"]),
    ],
)
def test_a_json_object_is_a_document_or_holds_rows(tmp_path: Path, whole: dict[str, object], titles: list[str]) -> None:
    (tmp_path / "x.json").write_text(json.dumps(whole), encoding="utf-8")
    assert [document.title for document in documents(read(tmp_path / "x.json"))] == titles


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_a_file_name_in_gbk(tmp_path: Path, kind: str) -> None:
    found = documents(read(write(tmp_path, kind).rename(in_gbk(tmp_path / f"快讯.{kind}"))))
    assert [(document.title, document.source) for document in found] == [(f"标题{n}", "快讯") for n in range(3)]


def test_a_file_name_in_gbk_is_told(tmp_path: Path) -> None:
    in_gbk(tmp_path / "报告.文档").write_bytes(b"x")
    (item,) = read(tmp_path)
    assert isinstance(item, DeadLetter) and item.reason.startswith("报告.文档: .文档 is not a known format")
    encode(item)


NOT_CHARSETS = ["rot13", "quopri", "base64", "zlib", "idna", "punycode", "unicode_escape", "utf-7", "undefined"]


@pytest.mark.parametrize("name", NOT_CHARSETS)
def test_only_a_charset_is_believed(tmp_path: Path, name: str) -> None:
    text = r"AI stocks rise +2AA- \u4e00 a-egbpdaj6bu4bxfgehfvwxn"
    (tmp_path / "x.txt").write_text(f"charset={name}\n{text}")
    assert documents(read(tmp_path / "x.txt"))[0].body == text


def test_the_charset_of_a_page_inside_a_row_is_not_the_file_s(tmp_path: Path) -> None:
    row = {"title": "芒果超媒公告", "body": '<meta charset="gb2312">产能释放', "date": "2026-06-01"}
    (tmp_path / "x.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    assert documents(read(tmp_path / "x.jsonl"))[0].title == "芒果超媒公告"


def test_what_nobody_foresaw_costs_one_file(tmp_path: Path) -> None:
    late = pa.table({"title": ["甲"], "time": pa.array([10**15], pa.timestamp("s"))})  # no datetime can hold it
    pq.write_table(late, tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_bytes(lines(ROWS))
    items = read(tmp_path)
    assert sum(isinstance(item, Document) for item in items) == 3
    (told,) = reasons(items)
    assert told.startswith("a.parquet: ") and "OverflowError" in told and "correct it" in told


@pytest.mark.parametrize("name", ["cut.jsonl.gz", "cut.parquet", "empty.txt", "x.docx", "page.html"])
def test_unreadable_files_are_rejected_by_name(tmp_path: Path, name: str) -> None:
    content = (
        gzip.compress(lines(ROWS))[:-9]
        if name.startswith("cut.jsonl")
        else b""
        if "empty" in name
        else b"<html></html>"
    )
    (tmp_path / name).write_bytes(content)
    told = reasons(read(tmp_path / name))
    assert len(told) == 1 and told[0].startswith(f"{name}: ")


def test_a_folder_is_read_whole_and_partial_files_are_left(tmp_path: Path) -> None:
    write(tmp_path, "jsonl")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "note.txt").write_text("短标题\n第一段。\n第二段。", encoding="gb18030")
    for name in (".hidden.txt", "x.txt.part", "~x.txt"):
        (tmp_path / name).write_text("不应读取", encoding="utf-8")
    found = documents(read(tmp_path))
    assert {d.title for d in found} == {"短标题", "标题0", "标题1", "标题2"}


def test_a_web_page_gives_its_article(tmp_path: Path) -> None:
    body = "".join(f"<p>第{n}段：芒果超媒发布公告，称旗下平台会员数继续增长，广告业务逐季改善。</p>" for n in range(5))
    page = f"""<html><head><meta charset="gb2312"><title>芒果超媒会员数增长 - 样例网</title>
    <meta property="article:published_time" content="2026-06-17T08:00:00+08:00"></head>
    <body><nav>首页 财经 股票</nav><article><h1>芒果超媒会员数增长</h1>{body}</article><footer>版权所有</footer>"""
    (tmp_path / "page.html").write_bytes(page.encode("gb18030"))
    (document,) = documents(read(tmp_path / "page.html"))
    assert document.title.startswith("芒果超媒会员数增长")
    assert document.body.count("芒果超媒发布公告") == 5 and "版权所有" not in document.body


def test_too_large_a_text_and_a_packed_bomb(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("长" * 1000, encoding="utf-8")
    (tmp_path / "bomb.txt.gz").write_bytes(gzip.compress(b"x" * 100_000))
    told = reasons(read(tmp_path, max_bytes=2000))
    assert len(told) == 2 and all("max_file_mb" in reason for reason in told)


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        read(tmp_path / "nothing")


HOSTILE = {
    "deep": "<div>" * 100_000 + "文字",
    "wide": "<p>文字</p>" * 200_000,
    "attributes": "<p " + "a=1 " * 100_000 + ">文字</p>",
    "nested tables": "<table><tr><td>" * 3_000 + "文字",
    "long script": "<script>" + "x" * 1_000_000,
    "huge": "文" * 6_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_is_a_dead_letter(tmp_path: Path, name: str) -> None:
    (tmp_path / "page.html").write_text(HOSTILE[name], encoding="utf-8")
    assert len(reasons(read(tmp_path, max_bytes=50_000_000))) == 1


TOKENS = [
    "<p>",
    "</p>",
    "<article>",
    "<table>",
    "<td>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&#0;",
    "&#xD800;",
    "&nbsp;",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(TOKENS) | st.text(max_size=20), max_size=30).map("".join))
def test_any_page_gives_an_article_or_a_reason(page: str) -> None:
    try:
        assert article(page, url="")["body"]
    except RowError as error:
        assert str(error)
