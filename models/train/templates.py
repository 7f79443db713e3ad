"""Sentences made from templates, for what the label sets show too seldom: negation, irony, ratings, contrasts.

Each template is (text, tone of the whole, tones toward {a} and {b}); numbers and names are drawn at random.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from models.train.examples import NEGATIVE, NEUTRAL, NEWS, POSITIVE, Example, Label, Target, places

P, U, N = POSITIVE, NEUTRAL, NEGATIVE
TEMPLATES: tuple[tuple[str, int, int | None, int | None], ...] = (
    ("{a}：{q}净利润{m}亿元，同比增长{p}%", P, P, None),
    ("{a}：{q}净利润{m}亿元，同比减少{p}%", N, N, None),
    ("{a}：{q}净利润同比下降{p}%至{m}亿元", N, N, None),
    ("{a}{q}营收{m}亿元，同比增{p}%，净利润同比降{r}%", N, N, None),
    ("{a}{q}由盈转亏，亏损{m}亿元", N, N, None),
    ("{a}：{q}净亏损{m}亿元，上年同期盈利{s}亿元", N, N, None),
    ("{a}{q}扭亏为盈，净利润{m}亿元", P, P, None),
    ("{a}：预计{q}实现扭亏", P, P, None),
    ("{a}：{q}净利润{m}亿元，上年同期亏损{s}亿元", P, P, None),
    ("{a}{q}亏损同比收窄{p}%", P, P, None),
    ("{a}：{q}预计亏损{m}亿元，同比减亏{p}%", P, P, None),
    ("{a}：{q}预亏{m}亿元，亏损同比扩大{p}%", N, N, None),
    ("{a}{q}业绩不及预期", N, N, None),
    ("{a}{q}业绩超预期，毛利率提升", P, P, None),
    ("{a}{q}业绩符合预期", U, U, None),
    ("{a}{q}营收低于市场预期，股价盘后跌{r}%", N, N, None),
    ("{a}：业绩不及预期的担忧消除，订单好于预期", P, P, None),
    ("{a}利空出尽，业绩拐点已至", P, P, None),
    ("机构：{a}利空已充分释放，看好后续修复", P, P, None),
    ("{a}利好兑现，资金高位离场", N, N, None),
    ("{a}：利好出尽，股价冲高回落", N, N, None),
    ("{a}：控股股东拟减持不超{r}%股份", N, N, None),
    ("{a}：股东提前终止减持计划", P, P, None),
    ("{a}：减持计划期满，股东未减持公司股份", U, U, None),
    ("{a}：控股股东承诺一年内不减持公司股份", P, P, None),
    ("{a}：控股股东拟增持{m}亿元公司股份", P, P, None),
    ("{a}：拟以{m}亿元回购股份", P, P, None),
    ("{a}：终止回购股份方案", N, N, None),
    ("{a}：终止重大资产重组", N, N, None),
    ("{a}：不存在应披露未披露的重大信息", U, U, None),
    ("{a}：否认被立案调查，公司经营正常", U, U, None),
    ("{a}澄清：网传裁员消息不实", U, U, None),
    ("{a}：收到证监会立案告知书", N, N, None),
    ("{a}：证监会决定对公司不予处罚，调查终结", P, P, None),
    ("{a}：撤销退市风险警示，股票复牌", P, P, None),
    ("{a}：股票可能被实施退市风险警示", N, N, None),
    ("{a}：未能按期兑付债券本息", N, N, None),
    ("{a}：债券本息已足额兑付", U, U, None),
    ("{a}胜诉，对方被判赔偿{m}亿元", P, P, None),
    ("{a}一审败诉，需赔偿{m}亿元", N, N, None),
    ("{a}：中标{m}亿元项目", P, P, None),
    ("{a}：未中标{m}亿元项目", N, N, None),
    ("{a}：与客户签订{m}亿元合同", P, P, None),
    ("{a}：聘任新任董事会秘书", U, U, None),
    ("{a}：将于下周召开临时股东会", U, U, None),
    ("{a}：拟变更注册地址", U, U, None),
    ("{a}：办公地址变更", U, U, None),
    ("{a}在互动平台表示，公司暂无相关产品", U, U, None),
    ("{a}：股票交易异常波动，无应披露事项", U, U, None),
    ("{a}：成交额{m}亿元，换手率{r}%", U, U, None),
    ("{a}涨{r}%，成交额{m}亿元", P, P, None),
    ("{a}跌{r}%，成交额{m}亿元", N, N, None),
    ("{a}涨停，封单{m}亿元", P, P, None),
    ("{a}闪崩跌停", N, N, None),
    ("券商上调{a}评级至买入", P, P, None),
    ("券商下调{a}评级至减持", N, N, None),
    ("券商将{a}评级由买入下调至中性", N, N, None),
    ("券商将{a}评级由中性上调至增持", P, P, None),
    ("券商：维持{a}买入评级，目标价{m}元", P, P, None),
    ("券商：维持{a}中性评级", U, U, None),
    ("券商：维持{a}卖出评级", N, N, None),
    ("券商：维持{a}增持评级，但下调目标价至{m}元", U, U, None),
    ("券商首次覆盖{a}，给予买入评级", P, P, None),
    ("大行上调{a}目标价至{m}元", P, P, None),
    ("大行下调{a}目标价至{m}元", N, N, None),
    ("{a}{q}净利同比增长{p}%；{b}{q}亏损扩大至{m}亿元", U, P, N),
    ("{a}被立案调查，{b}中标{m}亿元大单", U, N, P),
    ("{a}涨停，{b}跌停", U, P, N),
    ("{a}跌{r}%，{b}涨{s}%", U, N, P),
    ("受益于行业回暖，{a}订单饱满，而{b}因产品召回遭调查", U, P, N),
    ("{a}市场份额被{b}抢走，销量大跌", U, N, P),
    ("{a}起诉{b}侵权，索赔{m}亿元", N, U, N),
    ("{a}将供应商由{b}换成其他厂商", U, U, N),
    ("{a}向{b}采购{m}亿元设备", U, None, P),
    ("与{b}的惨淡相比，{a}{q}利润翻倍", P, P, N),
    ("{a}拟收购{b}部分股权", U, U, None),
    ("{a}与{b}签署战略合作协议", P, P, None),
    ("机构上调{a}评级，同时下调{b}评级", U, P, N),
    ("{a}、{b}跌超{r}%", N, N, N),
    ("{a}、{b}涨超{r}%", P, P, P),
)
_PERIODS = ("一季度", "上半年", "前三季度", "2025年", "2026年上半年", "第三季度", "全年", "中期", "")


def examples(names: Sequence[str], ambiguous: Sequence[str], rng: random.Random, count: int) -> list[Example]:
    """`count` sentences, one name in six also a word; half of them in the body, where posts and short wires are."""
    made: list[Example] = []
    while len(made) < count:
        text, tone, toward_a, toward_b = TEMPLATES[len(made) % len(TEMPLATES)]
        a, b = rng.sample(list(names), 2)
        if rng.random() < 0.17:
            a = rng.choice(ambiguous)
        values = {"a": a, "b": b, "q": rng.choice(_PERIODS), "m": f"{rng.uniform(0.1, 90):.{rng.randint(0, 2)}f}"}
        values |= {
            "p": f"{rng.uniform(1, 300):.{rng.randint(0, 2)}f}",
            "r": f"{rng.uniform(1, 12):.{rng.randint(0, 2)}f}",
        }
        values["s"] = f"{rng.uniform(0.1, 30):.{rng.randint(0, 2)}f}"
        line = text.format(**values)
        title, body = (line, "") if rng.random() < 0.5 else ("", line)
        targets = [
            Target(places(name, title, body), Label(label), True if a in ambiguous else None)
            for name, label in ((a, toward_a), (b, toward_b))
            if label is not None
        ]
        made.append(Example("templates", str(len(made)), title, body, NEWS, Label(tone), tuple(targets), weight=0.5))
    return made
