"""Where several companies are named, each is judged by the words beside its own name."""

from __future__ import annotations

import time

import pytest

from models.beside import beside_rule
from models.linking import Linker
from models.reading import plain
from models.targets import clause_rule, named


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker.load()


def told(linker: Linker, text: str) -> dict[str, str | None]:
    """The tone that a rule decides of each company, by the name as first written."""
    links = linker.link("", text, kind="wire", published_at=None).links
    several = len({link.code for link in links}) > 1
    found: dict[str, str | None] = {}
    for link in links:
        rule = clause_rule(plain(text), link, named(links, "body"), several)
        found.setdefault(link.surface, rule.tone if rule else None)
    return found


UP, DOWN, FLAT = "positive", "negative", "neutral"


@pytest.mark.parametrize(
    ("text", "tones"),
    [
        # Prices.
        ("下跌方面，油气股震荡调整，潜能恒信、通源石油纷纷下挫。", {"潜能恒信": DOWN, "通源石油": DOWN}),
        ("恩捷股份跳水触及跌停；沧州明珠逆势封板", {"恩捷股份": DOWN, "沧州明珠": UP}),
        ("長和股價挫4%；長實集團升1%", {"長和": DOWN, "長實集團": UP}),
        ("英伟达跌2.81%，谷歌-A涨0.52%", {"英伟达": DOWN, "谷歌": UP}),
        (
            "腾讯控股(00700.HK)、小米集团-W(01810.HK)等10余股今日收涨3%",
            {"腾讯控股": UP, "小米集团-W": UP},
        ),
        ("寒武纪20cm涨停，海光信息20cm跌停", {"寒武纪": UP, "海光信息": DOWN}),
        ("宁德时代、比亚迪分别涨3%、5%", {"宁德时代": UP, "比亚迪": UP}),
        # No price of the company itself, or not known whose.
        ("宁德时代、比亚迪分别涨3%、跌2%", {"宁德时代": None, "比亚迪": None}),
        ("腾讯控股概念股大涨，比亚迪发布新车", {"腾讯控股": None, "比亚迪": None}),
        ("寒武纪20cm，海光信息涨停潮", {"寒武纪": None, "海光信息": None}),
        ("比亚迪走高端路线，小鹏汽车走低价路线", {"比亚迪": None, "小鹏汽车": None}),
        # Trades: the object, and the seller.
        ("伯克希尔减持苹果，增持谷歌", {"伯克希尔": FLAT, "苹果": DOWN, "谷歌": UP}),
        (
            "南向资金净买入阿里巴巴12亿港元，净卖出腾讯控股15亿港元、小米集团6亿港元",
            {"阿里巴巴": UP, "腾讯控股": DOWN, "小米集团": DOWN},
        ),
        ("伯里做空美光 加仓房利美", {"美光": DOWN, "房利美": UP}),
        ("桥水终止减持微软，未增持亚马逊", {"微软": FLAT, "亚马逊": None}),
        ("亿纬锂能：拟减持思摩尔国际不超过3.5%股份", {"亿纬锂能": FLAT, "思摩尔国际": DOWN}),
        # Suits.
        ("用友网络起诉金蝶国际侵犯著作权", {"用友网络": FLAT, "金蝶国际": DOWN}),
        ("用友网络撤回起诉金蝶国际", {"用友网络": None, "金蝶国际": None}),
        # Ratings of two in one title.
        ("瑞穗上调微软目标价 下调高通、Meta目标价", {"微软": UP, "高通": DOWN, "Meta": DOWN}),
        ("花旗下调美团目标价 上调京东目标价", {"花旗": DOWN, "美团": DOWN, "京东": UP}),
        # Not done, and no longer so.
        ("软银称不会减持阿里巴巴和腾讯控股", {"阿里巴巴": None, "腾讯控股": None}),
        ("基金不再增持宁德时代，比亚迪发布新车", {"宁德时代": None, "比亚迪": None}),
        ("腾讯控股盘中涨超5%后翻绿，美团也走弱", {"腾讯控股": DOWN, "美团": DOWN}),
        # The price is the subject's, not that of the name before the comma.
        ("寒武纪盘中超越贵州茅台，涨超10%", {"寒武纪": None, "贵州茅台": None}),
        # A company alone is left to its clause.
        ("比亚迪涨停", {"比亚迪": None}),
    ],
)
def test_a_company_is_judged_by_the_words_beside_its_name(
    linker: Linker, text: str, tones: dict[str, str | None]
) -> None:
    assert told(linker, text) == tones


@pytest.mark.parametrize(
    "fill", ["盘中", "，", "再度", " ", "甲、", "1", "(", "甲1亿元、", "股东", "减持", "上调目标价 下调目标价"]
)
def test_a_long_text_does_not_hold_up_a_rule(fill: str) -> None:
    count = 200_000
    text = "甲" + fill * count + "甲"
    names = [(0, 1), *((i, i + 1) for i in range(1, len(text)) if text[i] == "甲")]
    began = time.process_time()
    for place in (names[0], names[len(names) // 2], names[-1]):
        beside_rule(text, place, names)
    assert time.process_time() - began < 0.5
