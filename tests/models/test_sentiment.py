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
        ("一季度减亏，年度任务完成过半", "positive"),
        ("减亏明显好于目标", "positive"),
        ("公司提前完成减亏目标", "positive"),
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
        ("澄清二季度业绩严重不及预期、订单大幅减少的市场传言", "neutral"),
        ("否认净利润同比下降的传闻", "neutral"),
        ("免于行政处罚", "positive"),
        ("2025年净亏损1.09亿港元 同比降73.92%", "positive"),
        ("净利润亏损6.95亿元，同比下降289%", "negative"),
        ("首发申请获上市委会议通过，过会后待注册", "positive"),
        ("拟在香港IPO募资9亿港元", "neutral"),
        ("向港交所递表", "neutral"),
        ("KOSPI指数转涨，此前一度跌近2%", "positive"),
        ("今日大宗交易折价成交165万股", "negative"),
        ("美国国债收益率维持下跌", "neutral"),
        ("某地产：上半年净亏损119亿元，上年同期亏损98亿元", "negative"),
        ("某燃气：2026年度亏损约1.59亿元，上年同期亏损约19.16亿元", "positive"),
        ("预计上半年亏损800-1200万元，上年同期亏损4322万元", "positive"),
        ("预计上半年亏损1.4亿-1亿元，上年同期亏损5415.49万元", "negative"),
        ("预计净利润亏损2000万元，上年同期净利润亏损5,000万元", "positive"),
        ("预计净利润1.65亿元–2.15亿元，上年同期亏损691.12万元", "positive"),
        ("美团一季报亏损收窄超预期", "positive"),
        ("净亏损好于市场预期", "positive"),
        ("股东减持计划提前终止", "neutral"),
        ("减持计划期限已届满 实际减持0.40%股份", "negative"),
        ("部分高管减持计划时间届满，某基金减持0.54%股份", "negative"),
        ("股东减持计划实施完毕", "negative"),
        ("未能实现扭亏为盈", "negative"),
        ("财年净亏损9701亿日元，上年同期亏损1.7万亿日元", "positive"),
        ("净亏损1.2万亿日元，上年同期亏损6709亿日元", "negative"),
        ("二季度营收超预期 资本支出高于预期", "positive"),
        ("成本高于预期致业绩不及预期", "negative"),
        ("净亏损超预期收窄", "positive"),
        ("减持计划提前终止 累计减持2%股份", "negative"),
        ("子公司亏损拖累业绩，上半年净利润2亿元，上年同期亏损1亿元", "positive"),
        ("公司不存在因信披违规被立案调查的情况", "neutral"),
        ("未收到证监会立案通知", "neutral"),
        ("因未按规定披露被立案", "negative"),
        ("市场监管总局终止对通富微电的反垄断调查", "positive"),
        ("摘帽申请未获通过", "negative"),
        ("不良贷款率降至0.76%", "positive"),
        ("不良率连续三季上升", "negative"),
        ("拟计提商誉减值15亿元", "negative"),
        ("亏损小于预期", "positive"),
        ("公司破产传闻不实", "neutral"),
        ("以估值过高为理由下调目标价", "negative"),
    ],
)
def test_a_rule_decides_what_leaves_no_doubt(text: str, tone: str) -> None:
    rule = title_rule(text)
    assert rule is not None
    assert rule.tone == tone


@pytest.mark.parametrize(
    "text",
    [
        "",
        "公司召开临时股东会",
        "美国非农就业超预期",
        "发布新产品",
        "逆转跌势",
        "2026年减亏增效目标为3亿元",
        "力争完成减亏任务",
        "上半年亏损2200万元-3000万元，上年同期亏损2638.93万元",
        "上半年净亏损119亿元，上年同期亏损9",  # cut off
        "某汽车三季度净亏损超市场预期",
        "净亏损低于预期 某汽车美股盘前涨6%",
        "裁员规模高于预期",
        "减值损失超预期",
        "跌幅未超预期",
        "控股股东未来12个月内不减持公司股份",
        "控股股东暂无减持计划",
        "董事减持计划期限届满",
        "销售额同比降幅收窄",
        "净利润同比下降幅度有所收窄",
        "净利润同比减少幅度收窄",
        "减持计划未终止",
        "业绩下滑超预期",
        "光伏装机超预期回落",
        "集采降价幅度超预期",
        "控制权变更等传闻均为不实信息",
        "瑞穗上调微软目标价 下调高通目标价",
        "没有理由下调美国债务评级",
        "股价扭转跌势",
        "利空出尽还为时尚早",
        "业绩利好兑现 净利大增三倍",
        "净利下降4.9% 三季度环比增13.7%",
        "股东可减持25%股份",
        "不良率未下降",
        "计提减值准备同比下降50%",
    ],
)
def test_no_rule_speaks_where_there_is_doubt(text: str) -> None:
    assert matches(text) is None
    assert title_rule(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "提前终止减持计划，已减持0.32%股份",
        "郑晓玲减持20000股，其余董高未减持",
        "花旗将目标价从264美元下调至228美元，维持中性评级",
        "净利润同比下降12%，低于市场预期",
        "净利润同比下降10%，不良率下降至1.2%",
    ],
)
def test_what_is_told_outweighs_what_stands_beside_it(text: str) -> None:
    rule = matches(text)
    assert rule is not None and rule.tone == "negative"


def test_a_mention_is_judged_by_the_figures_too() -> None:
    smaller = matches("某燃气2026年度亏损约1.59亿元，上年同期亏损约19.16亿元")
    assert smaller is not None and smaller.tone == "positive"


def test_many_burdens_and_expectations_are_read_in_a_moment() -> None:
    assert matches("下滑aaa" * 1200 + "不及预期" * 1200) is not None


def test_parts_that_disagree_leave_the_title_to_the_model() -> None:
    assert title_rule("上半年净利润同比增长20%，控股股东拟减持3%股份") is None


def test_a_rule_outweighs_an_unsure_model_and_keeps_probabilities() -> None:
    mixed = with_rule(np.array([0.2, 0.3, 0.5]), matches("业绩不及预期"))
    assert mixed.sum() == pytest.approx(1)
    assert int(mixed.argmax()) == 0
    unsure = np.array([0.2, 0.3, 0.5])
    assert with_rule(unsure, None) is unsure
