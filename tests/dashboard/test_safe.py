"""The escape helpers: whatever a document holds, it comes out as text."""

from __future__ import annotations

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from dashboard.lists import found_in
from dashboard.safe import html, join, label, marked, plain, web_address


@given(st.text())
def test_values_in_html_are_escaped(text: str) -> None:
    made = html("<b>{text}</b>", text=text)
    inner = str(made)[3:-4]
    assert "<" not in inner and ">" not in inner and '"' not in inner and "'" not in inner
    assert unescape(inner) == text or "\r" in text or "\x00" in text or unescape(inner) == unescape(text)


def test_markup_is_not_escaped_twice() -> None:
    assert html("<p>{a}</p>", a=join([html("<i>{x}</i>", x="<"), Markup("<br>")])) == "<p><i>&lt;</i><br></p>"


@given(
    st.text(max_size=60), st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 70), st.just("theme")), max_size=6)
)
def test_marked_text_loses_nothing(text: str, spans: list[tuple[int, int, str]]) -> None:
    made = marked(text, spans)
    assert made.replace(Markup('<mark class="theme">'), "").replace(Markup("</mark>"), "") == Markup.escape(text)


def test_marked_counts_code_points() -> None:
    assert marked("😀涨停了", [(1, 3, "positive")]) == '😀<mark class="positive">涨停</mark>了'


def test_overlapping_spans_keep_the_first() -> None:
    assert marked("abcd", [(0, 2, "a"), (1, 3, "b")]) == '<mark class="a">ab</mark>cd'


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.com/a?b=c", True),
        ("http://例子.中国/", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,<script>", False),
        ("file:///etc/passwd", False),
        ("//example.com", False),
        ("https://[broken", False),
        ("", False),
    ],
)
def test_only_web_addresses_become_links(url: str, kept: bool) -> None:
    assert bool(web_address(url)) is kept


def test_plain_drops_what_rewrites_the_line_and_cuts() -> None:
    assert plain("a\u202eb\u200bc\n d\x00") == "abc d"
    assert plain("一二三四五", 4) == "一二三…"


def test_label_escapes_markdown() -> None:
    assert label("**a** [b](c) $d$ :e: <f>") == r"\*\*a\*\* \[b\]\(c\) \$d\$ \:e\: \<f\>"


def test_search_words_are_marked_whatever_their_case() -> None:
    assert found_in("AIGC 与 aigc", ["aigc"]) == '<mark class="theme">AIGC</mark> 与 <mark class="theme">aigc</mark>'
    assert "<b>" not in found_in("<b>涨</b>", ["涨"])
