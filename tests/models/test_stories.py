"""Stories: copies meet, look-alikes stay apart, and nothing is forgotten by a restart."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import fingerprint
from models.stories import StoryIndex

CST = timezone(timedelta(hours=8))
NINE = datetime(2026, 11, 3, 9, 0, tzinfo=CST)
WIRE = (
    "样例传媒公告称，公司拟与三家出版集团合作建设垂类语料库，首期投入2.6亿元，预计明年三季度上线，"
    "用于训练面向影视剧本的小模型。公司表示该项目不会对本年度业绩产生重大影响，后续将分批释放版权内容。"
    "项目团队由内容、算法与法务三方组成，已完成首轮数据清洗，年内还将引入两家海外版权机构参与共建。"
)


def place(index, document_id, body=WIRE, title="样例传媒：拟建垂类语料库", minutes=0.0):
    return index.place(document_id, title, body, NINE + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("what", "copy"),
    [
        ("the same text", WIRE),
        ("another agency's date line", f"【样例传媒：拟建垂类语料库】财联社11月3日电，{WIRE}"),
        ("cut short", WIRE[:75]),
        ("half-width punctuation and spaces", WIRE.replace("，", ", ").replace("。", ". ")),
        ("a word changed", WIRE.replace("首期投入", "初期投入").replace("预计", "有望于")),
        ("a sentence added", WIRE + "截至发稿，该股涨幅居前。"),
    ],
)
def test_a_copy_joins_the_story(what, copy):
    index = StoryIndex()
    first = place(index, "a")
    second = place(index, "b", copy, title="", minutes=7)
    assert (first.story_id, first.copy_number, first.novelty) == ("a", 1, 1.0)
    assert second.story_id == "a" and second.copy_number == 2, what
    assert second.novelty < 0.5


def test_the_same_headline_joins_even_when_told_in_other_words():
    index = StoryIndex()
    headline = "样例影业：新片定档元旦并启动预售"
    index.place("a", headline, "样例影业发布公告，旗下新片将于元旦上映，预售今日开启。", NINE)
    other = "记者获悉，由样例影业主出品的影片已经定档，片方表示首日排片情况好于预期。"
    assert index.place("b", "", f"【{headline}】{other}", NINE + timedelta(hours=2)).story_id == "a"
    assert index.place("c", headline, "又一次说起这部影片的长线放映安排。", NINE + timedelta(hours=30)).story_id == "c"


def test_three_copies_are_numbered():
    index = StoryIndex()
    assert [place(index, name, minutes=i).copy_number for i, name in enumerate("abc")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("what", "first", "second", "hours"),
    [
        (
            "other figures",
            "纽约期银日内大涨5%，现报89.88美元/盎司，为本周新高。",
            "纽约期银日内大涨6%，现报90.15美元/盎司，为本周新高。",
            0.2,
        ),
        (
            "a wire that recurs",
            "某指数跌幅扩大至2%，成交额较前一日放大。",
            "某指数跌幅扩大至2%，成交额较前一日放大。",
            24,
        ),
        ("other news", WIRE, "央行今日开展1000亿元逆回购操作，操作利率与此前持平，市场流动性保持合理充裕。", 0.1),
        (
            "a round-up that quotes the wire",
            WIRE[:60],
            WIRE[:60] + "另一家公司昨日盘后披露季报。" * 3 + "".join(chr(0x4E00 + 7 * i) for i in range(300)),
            1,
        ),
        ("after the window", WIRE, WIRE, 80),
    ],
)
def test_look_alikes_stay_apart(what, first, second, hours):
    index = StoryIndex()
    place(index, "a", first, title="")
    assert place(index, "b", second, title="", minutes=hours * 60).story_id == "b", what


ONE, OTHER = "样例传媒：关于控股股东股份质押的公告", "样例影业：关于签订日常经营合同的公告"


@pytest.mark.parametrize("stub", ["详情请见附件。", "阅读全文", "查看PDF原文，请点击链接下载公告全文。"])
def test_a_text_that_only_points_elsewhere_makes_no_copy_of_another_title(stub):
    index = StoryIndex()
    place(index, "a", stub, title=ONE)
    other = place(index, "b", stub, title=OTHER, minutes=1)
    assert (other.story_id, other.novelty) == ("b", 1.0)
    assert place(index, "c", stub, title=ONE, minutes=2).story_id == "a"


@pytest.mark.parametrize(
    "text",
    [
        WIRE,
        "样例影业签订日常经营合同，样例传媒控股股东股份质押。",
        "截至发稿，样例影业涨5.2%，报23.1元，成交额12亿元。",
    ],
)
def test_a_headline_may_change_over_a_text_that_tells_it(text):
    index = StoryIndex()
    place(index, "a", text, title=ONE)
    assert place(index, "b", text, title="样例影业签订日常经营合同", minutes=1).story_id == "a"


def test_texts_in_another_script_are_copies_only_where_they_are_the_same():
    index = StoryIndex()
    place(index, "a", "카카오 주가 상승", title="")
    assert place(index, "b", "네이버 주가 하락", title="").story_id == "b"
    assert place(index, "c", "카카오 주가 상승", title="").story_id == "a"
    assert place(index, "d", "\ud800！", title="").story_id == "d"


def test_placing_again_changes_nothing():
    index = StoryIndex()
    place(index, "a")
    second = place(index, "b", minutes=1)
    assert place(index, "b", minutes=1) == second
    assert place(index, "c", minutes=2).copy_number == 3


def test_restored_from_stored_rows():
    before = StoryIndex()
    rows = []
    for minute, name in enumerate("ab"):
        placement = place(before, name, minutes=minute)
        rows.append((name, "样例传媒：拟建垂类语料库", WIRE, NINE + timedelta(minutes=minute), placement))
    after = StoryIndex()
    after.restore(rows)
    assert place(after, "c", minutes=5) == place(before, "c", minutes=5)
    assert place(after, "c", minutes=5).copy_number == 3


def test_history_beside_live_news_finds_its_stories():
    index = StoryIndex()
    place(index, "live", minutes=60 * 24 * 150)
    place(index, "a")
    assert place(index, "b", minutes=3).story_id == "a"


def test_capacity_bounds_memory():
    index = StoryIndex(capacity=60)
    for i in range(300):
        text = "".join(chr(0x4E00 + (i * 97 + k * 31) % 5000) for k in range(200))
        index.place(str(i), "", text, NINE + timedelta(minutes=i))
    assert len(index) == 60
    assert len(index._by_key) < 60 * 40


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_placed(title, body):
    index = StoryIndex()
    placement = index.place("a", title, body, NINE)
    assert 0.0 <= placement.novelty <= 1.0
    assert index.place("b", title, body, NINE).story_id in ("a", "b")


def test_signatures_estimate_similarity():
    rng = np.random.default_rng(7)
    shared, own = rng.integers(0, 2**63, 800, dtype=np.uint64), rng.integers(0, 2**63, (2, 100), dtype=np.uint64)
    a, b = (np.unique(np.r_[shared, own[i]]) for i in range(2))
    jaccard, containment = fingerprint.overlap(a, b)
    estimate = np.mean(fingerprint.signature(a) == fingerprint.signature(b))
    assert jaccard == pytest.approx(0.8, abs=0.01) and containment == pytest.approx(8 / 9, abs=0.01)
    assert estimate == pytest.approx(jaccard, abs=0.15)
