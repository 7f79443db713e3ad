"""Tone: probabilities to records, and the rules that leave no doubt."""

from __future__ import annotations

import numpy as np
import pytest

from models.sentiment import TONES, sentiment, with_rule
from models.sentiment_rules import matches, title_rule


@pytest.mark.parametrize(
    ("probabilities", "label"),
    [
        ([0.7, 0.2, 0.1], "negative"),
        ([0, 0, 0], "neutral"),
        ([np.nan, 1, 3], "positive"),
        ([1 / 3, 1 / 3, 1 / 3], "neutral"),
    ],
)
def test_probabilities_sum_to_one_and_agree_with_label_and_score(probabilities: list[float], label: str) -> None:
    found = sentiment(probabilities)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert set(found.probabilities) == set(TONES)
    assert found.score == pytest.approx(found.probabilities["positive"] - found.probabilities["negative"])
    assert found.probabilities[found.label] == max(found.probabilities.values())
    if probabilities[0] != probabilities[1]:
        assert found.label == label


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("上半年净利润3.2亿元，同比减少30%", "negative"),
        ("前三季度净利润同比增长12.5%", "positive"),
        ("上半年由盈转亏，亏损1.1亿元", "negative"),
        ("预计全年扭亏为盈", "positive"),
        ("预计净亏损2亿元，同比减亏40%", "positive"),
        ("亏损同比扩大", "negative"),
        ("业绩不及市场预期", "negative"),
        ("订单大超预期", "positive"),
        ("利空出尽，估值修复", "positive"),
        ("利好兑现，资金离场", "negative"),
        ("控股股东拟减持不超2%股份", "negative"),
        ("减持期满，股东未减持公司股份", "neutral"),
        ("实控人承诺一年内不减持", "positive"),
        ("大行上调目标价至80元", "positive"),
        ("评级由买入下调至中性", "negative"),
        ("维持中性评级", "neutral"),
        ("维持买入评级", "positive"),
        ("被证监会立案调查", "negative"),
        ("免于行政处罚", "positive"),
        ("2025年净亏损1.09亿港元 同比降73.92%", "positive"),
        ("净利润亏损6.95亿元，同比下降289%", "negative"),
        ("首发申请获上市委会议通过，过会后待注册", "positive"),
        ("拟在香港IPO募资9亿港元", "neutral"),
        ("向港交所递表", "neutral"),
        ("KOSPI指数转涨，此前一度跌近2%", "positive"),
        ("今日大宗交易折价成交165万股", "negative"),
        ("美国国债收益率维持下跌", "neutral"),
    ],
)
def test_a_rule_decides_what_leaves_no_doubt(text: str, tone: str) -> None:
    rule = title_rule(text)
    assert rule is not None
    assert rule.tone == tone


@pytest.mark.parametrize("text", ["", "公司召开临时股东会", "美国非农就业超预期", "发布新产品", "逆转跌势"])
def test_no_rule_speaks_where_there_is_doubt(text: str) -> None:
    assert matches(text) is None


def test_parts_that_disagree_leave_the_title_to_the_model() -> None:
    assert title_rule("上半年净利润同比增长20%，控股股东拟减持3%股份") is None


def test_a_rule_outweighs_an_unsure_model_and_keeps_probabilities() -> None:
    mixed = with_rule(np.array([0.2, 0.3, 0.5]), matches("业绩不及预期"))
    assert mixed.sum() == pytest.approx(1)
    assert int(mixed.argmax()) == 0
    unsure = np.array([0.2, 0.3, 0.5])
    assert with_rule(unsure, None) is unsure
