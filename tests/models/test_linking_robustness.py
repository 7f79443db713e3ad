"""Whatever a document holds, the linker answers, with offsets that hold."""

import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.linking import Linker, sentence_at
from models.linking.hits import Hit, longest
from models.linking.normalise import normalise
from models.linking.patterns import Pattern
from models.linking.sentences import LIMIT

LINKER = Linker.load()
PIECES = [
    "芒果超媒",
    "机器人",
    "（300413）",
    "*ST华嵘",
    "、",
    "。",
    "\n",
    " ",
    "　",
    "Meta",
    "股价",
    "【",
    "】",
    "：",
    "退",
    "N",
    "𠮷",
    "😀",
    "\x00",
    "\ud800",
]
PIECES += [
    "有限公司",
    "以下简称“",
    "”",
    "简称",
    "(",
    ")",
    "投资建议",
    "风险提示",
    "臺積電",
    "新",
    "华",
    "都",
    "腾讯",
    "赛",
    "苹果",
    "-W",
    "a",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map("".join)


def check(title, body, result):
    order = []
    for item in (*result.links, *result.abstentions):
        field = title if item.field == "title" else body
        assert 0 <= item.start < item.end <= len(field)
        assert field[item.start : item.end] == item.surface
    for link in result.links:
        assert 0 < link.confidence <= 1
        assert 0 <= link.relevance <= 1
        order.append((link.field != "title", link.start, link.end))
    assert order == sorted(order)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in itertools.pairwise(order))
    for open_ in result.abstentions:
        first, last = open_.window
        assert 0 <= first <= open_.start < open_.end <= last <= len(title if open_.field == "title" else body)


@settings(max_examples=400, deadline=None)
@given(texts, texts, st.sampled_from(["wire", "news", "announcement", "report", "?"]))
def test_any_text_is_answered_with_true_offsets(title, body, kind):
    check(title, body, LINKER.link(title, body, kind=kind))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\x00" * 1000,
        "\ufeff\ufffe\ud83d" * 1000,
        bytes(range(256)).decode("latin-1") * 100,
        "😀" * 10_000,
        "芒果超媒" * 50_000,
        "机器人、" * 50_000,
        "（以下简称“芒果”）芒果超媒股份有限公司" * 5_000,
        "【" * 100_000,
        "(" * 100_000 + "芒果超媒",
        "a" * 5_000_000,
        "芒果超媒公告，公司拟投资短剧。\n" * 100_000,
        "风险提示芒果超媒\n" * 50_000,
        "太阳能股份有限公司" * 50_000,
    ],
    ids=lambda body: f"{body[:4]!r}x{len(body)}",
)
def test_garbage_and_great_size_are_answered(body):
    check("标题", body, LINKER.link("标题", body, kind="report"))


def test_threads_get_the_answers_of_one():
    documents = [(f"芒果超媒第{i}次回购", f"完美世界（002624）与机器人、三花智控、埃斯顿{i}") for i in range(50)]
    expected = [LINKER.link(*document) for document in documents]
    answers = {}

    def work(number):
        answers[number] = [LINKER.link(*document) for document in documents]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(answer == expected for answer in answers.values())


@given(st.text())
def test_the_matching_form_knows_its_way_back(text):
    form = normalise(text)
    places = form.places()
    assert len(places) == len(form.text)
    assert list(places) == sorted(set(places))
    assert all(0 <= place < len(text) for place in places)
    for place, character in zip(places, form.text, strict=True):
        if text[place].isascii() and text[place].isprintable():
            assert character == text[place].lower()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=12))
def test_the_longest_hits_never_overlap(spans):
    hits = sorted({Hit(start, start + size, Pattern("x" * size)) for start, size in spans}, key=lambda h: h.end)
    chosen = longest(hits)
    assert chosen == sorted(chosen, key=lambda h: h.start)
    assert all(a.end <= b.start for a, b in itertools.pairwise(chosen))
    for hit in hits:  # a hit is left out only for one that overlaps it and is no shorter
        rivals = [c for c in chosen if c.start < hit.end and hit.start < c.end]
        assert any(c.end - c.start >= hit.end - hit.start for c in rivals)


@pytest.mark.parametrize(
    ("text", "mention", "sentence"),
    [
        ("行情回暖。芒果超媒大涨！其余下跌。", "芒果超媒", "芒果超媒大涨！"),
        ("芒果超媒", "芒果超媒", "芒果超媒"),
        ("净利润增长3.5%的芒果超媒，受关注", "芒果超媒", "净利润增长3.5%的芒果超媒，受关注"),
        ("第一行\n  芒果超媒上涨  \n第三行", "芒果超媒", "芒果超媒上涨"),
    ],
)
def test_the_sentence_of_a_mention(text, mention, sentence):
    start = text.index(mention)
    first, last = sentence_at(text, start, start + len(mention))
    assert text[first:last] == sentence


@given(st.text(alphabet="芒果。！\n a,，", max_size=1500), st.integers(0, 1499), st.integers(1, 20))
def test_a_sentence_holds_its_mention_and_is_bounded(text, start, size):
    end = min(len(text), start + size)
    if start >= end:
        return
    first, last = sentence_at(text, start, end)
    assert 0 <= first <= start < end <= last <= len(text)
    assert last - first <= LIMIT
