"""What of a document is read, and that spans survive the way into a window and back."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from models.reading import MAX_WINDOWS_LONG, WINDOW, boilerplate_start, headline, news_start, plain, read
from models.records import Span


@given(st.text(max_size=400))
def test_plain_keeps_length_and_can_be_encoded(text: str) -> None:
    made = plain(text)
    assert len(made) == len(text)
    made.encode("utf-8")


def test_plain_makes_traditional_and_full_width_ordinary() -> None:
    assert plain("騰訊發佈ＡＩ\u3000遊戲") == "腾讯发布AI 游戏"


def test_headlines_strung_together_say_nothing_first() -> None:
    assert headline("甲公司漲停", "正文") == "甲公司涨停"
    assert headline(" ", "乙公司股价下跌7.7%") == "乙公司股价下跌7.7%"
    assert headline("", "财联社5月22日电，丙公司承诺一年内不减持。" + "后" * 200).startswith("财联社5月22日电，丙公司")
    assert headline("", "财联社6月25日电，" + "丁公司营收增长超过四倍，" * 6).startswith("财联社6月25日电，丁公司")
    several = "丁公司(600901)控股股东承诺一年内不减持戊公司再陷官司 推迟股东大会之举引关注己公司(600902)高管辞职"
    assert headline("", several) == "" and headline(several, "") == several


@given(st.text(max_size=60), st.text(alphabet="甲乙，。；\n【】a1", max_size=900), st.data())
def test_spans_go_into_a_window_and_back(title: str, body: str, data: st.DataObject) -> None:
    spans = []
    for _ in range(data.draw(st.integers(0, 4))):
        if body:
            start = data.draw(st.integers(0, len(body) - 1))
            spans.append(Span("body", start, min(len(body), start + 3)))
    windows = read(title, body, spans)
    assert windows
    for window in windows:
        for piece in window.pieces:
            source = title if piece.field == "title" else body
            assert window.text[piece.at : piece.at + piece.end - piece.start] == source[piece.start : piece.end]
        for span in spans:
            if place := window.locate(span):
                assert window.source(*place) == span


def test_the_repeated_title_and_the_dateline_are_left_out() -> None:
    title = "某公司上半年净利增长"
    body = "【某公司上半年净利增长】财联社7月3日电，某公司公告，上半年净利增长两成。"
    assert body[news_start(title, body) :].startswith("某公司公告")
    assert read(title, body)[0].text.count("上半年净利增长") == 2  # the title, and the news itself


def test_a_wire_is_one_window() -> None:
    windows = read("标题", "短讯。" * 20)
    assert len(windows) == 1
    assert len(windows[0].text) <= WINDOW + 5


def test_a_company_named_far_down_is_read() -> None:
    body = "开头很长的一段话。" * 200 + "末段提到了某某科技中标。" + "结尾的话。" * 50
    at = body.index("某某科技")
    span = Span("body", at, at + 4)
    assert any(window.locate(span) for window in read("标题", body, [span]))


def test_a_long_report_is_read_by_a_handful_of_windows() -> None:
    rng = random.Random(1)
    body = "".join(f"第{i}节，公司{rng.randint(0, 99)}的收入变化。\n" for i in range(6000))
    spans = [Span("body", i, i + 3) for i in range(0, len(body) - 3, 997)]
    windows = read("行业周报", body, spans)
    assert 2 <= len(windows) <= MAX_WINDOWS_LONG
    assert all(len(window.text) <= WINDOW + 120 for window in windows)


def test_disclaimers_are_left_out() -> None:
    body = "正文内容，行业景气。\n" * 60 + "免责声明\n本报告仅供参考，投资有风险。" * 3
    assert boilerplate_start(body) < len(body)
    assert "仅供参考" not in "".join(w.text for w in read("周报", body))


def test_a_heading_that_only_begins_like_a_disclaimer_ends_nothing() -> None:
    chapter = "正文内容，行业景气。\n" * 60 + "一、信息披露义务人基本情况\n某某投资持有股份。"
    assert boilerplate_start(chapter) == len(chapter)
    disclaimer = "正文内容，行业景气。\n" * 60 + "  信息披露\n本公司持有股份。"
    assert boilerplate_start(disclaimer) < len(disclaimer)
