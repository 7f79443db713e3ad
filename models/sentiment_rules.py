"""Phrases whose tone is certain: figures, ratings, reversals and their negations.

A rule speaks only where Chinese business prose leaves little doubt; elsewhere the model is alone. Rules are tried on
one clause, the most specific first, and the first that matches counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.records import Tone

_NUMBER = r"[约超近逾达]{0,2}\d"
_PROFIT = r"(?:净利润?|归母净利润?|利润总额|盈利|营收|营业收入|收入|业绩|毛利润?|经营利润|销售额|净收益)"
_RATING = r"(?:评级|目标股?价|评等|投资级别)"
_BULL = r"(?:买入|增持|跑赢行业|跑赢大市|强烈推荐|推荐|优于大市|超配|强推)"
_BEAR = r"(?:卖出|减持|跑输行业|跑输大市|回避|弱于大市|低配)"
_HOLD = r"(?:中性|持有|同步大市|观望|区间操作|与大市同步)"
_SAME_PERIOD = r"(?:同比|环比|较上年同期|按年)"
_MUCH = r"(?:预计|大幅|小幅|略)?"
_EXPECTED = r"(?:市场|机构|此前|分析师|普遍)?(?:的)?(?:预期|预估|预测|指引)"
_UNLESS_EASING = r"(?!(?:幅度?)?(?:有所|明显|进一步)?(?:收窄|缩小|缩窄|放缓|趋缓))"
_NOT_UP, _NOT_DOWN = r"[^增升涨]", r"[^降减跌滑]"
_LOSS = r"(?:亏损|净亏)"
_YEAR_BEFORE = r"(?:上年|去年)同期"
_BAD_NEWS = r"(?:立案|调查|裁员|造假|违约|破产(?!重)|[暴爆]雷|停产|断供|停供|封锁|失联|离职|辞职|处罚|被罚)"
_FIGURE = r"(\d+(?:,\d{3})*(?:\.\d+)?)(?![\d.%]|$)(万亿|[万亿]|百万|千万)?"  # at the end of a text it may be cut off


@dataclass(frozen=True)
class Rule:
    """A pattern and the tone it decides; `strength` is the weight of the rule's say beside the model's (0..1)."""

    name: str
    tone: Tone
    pattern: re.Pattern[str]
    strength: float


def _rule(name: str, tone: Tone, *patterns: str, strength: float = 0.85) -> Rule:
    return Rule(name, tone, re.compile("|".join(patterns)), strength)


# Order matters: what cancels or reverses a phrase stands before the phrase itself.
RULES: tuple[Rule, ...] = (
    # Holders: not selling, ceasing to sell, selling.
    _rule(
        "sale_stopped", "neutral",
        r"(?:提前)?(?:终止|取消|停止)(?:实施)?(?:本次|股份|其)?减持(?!.{0,40}减持(?!0[股%])\d)",
        r"减持计划(?!.{0,4}未).{0,4}终止(?!.{0,40}减持(?!0[股%])\d)", strength=0.6,
    ),
    _rule("promise_not_to_sell", "positive", r"承诺.{0,12}不减持", r"不减持.{0,6}承诺", r"自愿延长.{0,8}锁定"),
    _rule("sold", "negative", r"(?<![拟不无未止过有可])减持(?:了|约)?(?!0[股%])\d[\d.]*(?:万?股|%)"),
    _rule("not_sold", "neutral", r"(?:未|没有)(?:实施)?减持|未通过.{0,12}减持|减持计划.{0,10}未实施", strength=0.6),
    _rule(
        "sale", "negative",
        r"(?<![不无])(?:拟|计划|合计|累计|被动|超额|拟被)减持",
        # A plan that has run out tells nothing until a sale is told too.
        r"(?<![不无])(?<!不会)减持(?:公司|股份|不超|计划(?!.{0,4}(?:期满|届满|终止)(?!.{0,40}减持(?!0[股%])\d))|套现)",
    ),
    # What is denied may be any of what follows.
    _rule(
        "denial", "neutral",
        rf"{_BAD_NEWS}.{{0,16}}(?:不实|不属实|系谣言|没有依据)",
        rf"(?:否认|澄清|辟谣).{{0,30}}(?:{_BAD_NEWS}|(?:不及预期|下降|下滑|减少|亏损).{{0,12}}(?:传闻|传言|报道))",
        strength=0.6,
    ),
    # The irony of expectations.
    _rule(
        "bad_news_out", "positive",
        r"利空(?:出尽|落地|消除|(?:已|已经|基本)?(?:充分)?(?:释放|消化))(?!.{0,4}(?:[？?吗]|太早|尚早|为时|[再续大收杀]跌|跌停))",
        r"靴子落地(?!.{0,16}(?:[续大收杀齐]跌|跌停|下挫|跳水|走低))",
    ),
    _rule("good_news_out", "negative", r"利好(?:出尽|兑现(?!.{0,16}(?:涨|增|升|走强))|落空|透支)"),
    _rule("fear_gone", "positive", r"(?:担忧|疑虑|风险|隐患)(?:已|基本|逐步)?(?:消除|解除|化解)"),
    _rule("loss_below", "positive", rf"(?:亏损|跌幅|降幅)(?:小于|少于){_EXPECTED}"),
    _rule("loss_above", "negative", rf"亏损(?:大于|多于){_EXPECTED}"),
    _rule("not_below", "neutral", r"(?:并未|未|没有|并非)(?:不及|低于|逊于)(?:市场)?预期"),
    _rule("not_above", "negative", rf"(?:未能?|没有|难以)(?:超出?|达到?|好于|优于){_EXPECTED}"),
    _rule("below", "negative", rf"(?:不及|低于|逊于|不如|差于|弱于){_EXPECTED}"),
    _rule(
        "above", "positive",
        rf"(?<!不)(?:大超|超出?|好于|优于|高于|强于){_EXPECTED}"
        r"(?!的?[^，,；;。！？\s]{0,3}(?:跌|降|下滑|放缓|走弱|恶化|疲软|低迷|回落|萎缩)|的?亏)",
    ),
    # Losses and turns.
    _rule("turn_to_loss", "negative", r"由盈(?:转|变)亏|盈转亏|转盈为亏|首亏|首次亏损"),
    _rule(
        "no_turn", "negative",
        r"(?:未能?|不能|难以|无法|尚未)(?:如期)?(?:实现)?(?:扭亏|由亏|转亏为盈)", strength=0.6,
    ),
    _rule(
        "turn_to_profit", "positive",
        r"(?<!能否)扭亏(?!无望|乏力|失败|压力|遥遥|存疑|后[又再]|的)|由亏(?:转|变)盈|转亏为盈|亏转盈",
    ),
    _rule(
        "smaller_loss", "positive",
        r"(?<![未没有以法能争保])(?:完成|实现)减亏|减亏(?!(?:增效|\d[\d.]*亿?元?)?的?(?:目标(?!价)|任务))|亏损.{0,10}(?:收窄|缩小|缩窄)|(?<!利润)亏损.{0,10}(?:减少|下降)|(?:收窄|减少)亏损",
        rf"净亏损[^，,；。]{{0,16}}{_SAME_PERIOD}{_MUCH}(?:减少|下降|降|减){_NUMBER}",
    ),
    _rule("larger_loss", "negative", r"增亏|亏损.{0,10}(?:扩大|加剧|增加|走阔|加大)"),
    _rule("loss_after_profit", "negative", rf"亏损.{{0,24}}{_YEAR_BEFORE}.{{0,4}}(?:盈利|净利(?!润?亏))"),
    # The larger or the smaller loss, which only the figures tell: `_larger_or_smaller`.
    _rule(
        "loss_again", "negative",
        rf"{_LOSS}(?:(?!盈利|净利(?!润?亏))[^；;。！？\n]){{0,40}}{_YEAR_BEFORE}.{{0,4}}亏",
    ),
    _rule("profit_after_loss", "positive", rf"{_YEAR_BEFORE}(?:净)?亏损(?!.{{0,20}}(?:仍|继续|净亏))"),
    # Ratings.
    _rule(
        "cut", "negative",
        rf"下调(?:至|为|到).{{0,3}}(?:{_HOLD}|{_BEAR})",
        rf"(?<![不未])(?<!不会)(?<!没有理由)(?:下调|调降|下修).{{0,24}}{_RATING}",
        rf"{_RATING}.{{0,4}}(?:遭|被)?下调", rf"{_RATING}(?:由|从)[^，,；;。]{{1,14}}(?:下调|调低|降)至",
    ),
    _rule(
        "raise", "positive",
        rf"上调(?:至|为|到).{{0,3}}{_BULL}", rf"(?:上调|(?<!下)调高|上修|调升).{{0,24}}{_RATING}",
        rf"{_RATING}.{{0,4}}(?:获)?上调", rf"{_RATING}(?:由|从)[^，,；;。]{{1,14}}(?:上调|调高|升)至",
    ),
    _rule("keep_hold", "neutral", rf"(?:维持|重申|给予|首予).{{0,20}}{_HOLD}.{{0,4}}{_RATING}", strength=0.6),
    _rule("keep_sell", "negative", rf"(?:维持|重申|给予|首予).{{0,20}}{_BEAR}.{{0,4}}{_RATING}"),
    _rule("keep_buy", "positive", rf"(?:维持|重申|给予|首予|首次覆盖).{{0,24}}{_BULL}.{{0,4}}{_RATING}", strength=0.6),
    # Listings: a filing is a step, a permission is good news.
    _rule(
        "listing_passed", "positive",
        r"(?:通过|过).{0,6}(?:上市委|聆讯|发审)|(?:IPO|首发|上市)(?:申请)?.{0,6}(?:过会|注册生效)", strength=0.6,
    ),
    _rule(
        "listing_filed", "neutral",
        r"递表|(?:递交|提交).{0,8}(?:招股|上市申请|IPO申请)|启动招股",
        r"(?:拟|寻求|计划|考虑).{0,10}(?:IPO|首次公开募股|上市).{0,8}(?:募资|融资|筹资|定价)", strength=0.6,
    ),
    # Markets: where a price has turned to, and yields, which are good for one and bad for another.
    _rule("turned_up", "positive", r"(?<![逆扭翻])转涨|翻红|抹去.{0,6}跌幅", strength=0.6),
    _rule("turned_down", "negative", r"(?<![逆扭翻])转跌|翻绿|抹去.{0,6}涨幅", strength=0.6),
    _rule("sold_below_market", "negative", r"大宗交易折价|折价(?:配售|配股)", strength=0.6),
    _rule("yields", "neutral", r"^.{0,12}(?:国债|美债|公债)收益率(?!.*债市)", strength=0.6),
    # Law.
    _rule(
        "not_cleared", "negative",
        r"(?:不满足|不符合|未能|无法|难以)[^，,；;。]{0,10}(?:摘帽|撤销)",
        r"(?:摘帽|撤销.{0,6}警示)[^，,；;。]{0,6}(?:被否|未获|未通过|无望|失败)",
    ),
    _rule(
        "cleared", "positive",
        r"(?<![不未求])(?<!不会)(?:终止|撤销|结束|终结)(?:对|针对)(?!原产)[^，,；;。]{1,16}调查"
        r"(?!结论|.{0,20}(?:罚|违反|指控|裁定))",
        r"(?:不予|免于|免予|无须|不再)(?:行政)?处罚", r"撤销.{0,6}(?:退市风险|其他风险)警示",
        r"摘帽|终止调查|未发现违法",
    ),
    _rule(
        "not_investigated", "neutral",
        r"(?:未|没有)(?:因[^，,；;。]{1,6})?被[^，,；;。]{0,4}(?:立案|处罚|行政处罚|警示)",
        r"(?:未|没有)收到[^，,；;。]{0,16}(?:立案|警示函|监管函|处罚)",
        r"不存在[^，,；;。]{0,20}(?:立案|处罚|退市|逾期|违约|占用|造假|平仓)", strength=0.6,
    ),
    _rule(
        "investigated", "negative",
        r"[被遭](?:证监会|公安)?(?:立案|处罚|警示|行政处罚)", r"收到.{0,12}(?:立案|警示函|监管函|处罚)",
    ),
    # Figures.
    _rule(
        "fell", "negative",
        rf"{_PROFIT}{_NOT_UP}{{0,24}}{_SAME_PERIOD}{_MUCH}(?:减少|下降|下滑|降(?!幅)|减(?!少)|跌|预减){_UNLESS_EASING}",
    ),
    _rule(
        "rose", "positive",
        rf"{_PROFIT}{_NOT_DOWN}{{0,24}}{_SAME_PERIOD}{_MUCH}(?:增长?|增加|升|上[升涨]|提升|预增){_NUMBER}",
    ),
    # Banks' loans and what is written off, where nothing is told of the profit.
    _rule(
        "impaired", "negative",
        r"(?<![未不少])(?<!无需)(?<!同期)计提[^，,；;。]{0,16}(?:减值|跌价)(?!.{0,8}(?:充分|转回|冲回|减少|同比下降))",
    ),
    _rule("bad_loans_down", "positive", r"不良(?:贷款)?率[^，,；;。未]{0,16}(?:下降(?!幅)|降至|降低|下行|连降)"),
    _rule("bad_loans_up", "negative", r"不良(?:贷款)?率[^，,；;。未]{0,16}(?:上升(?!幅)|升至|走高|攀升)"),
)  # fmt: skip

_RULE = {rule.name: rule for rule in RULES}

# A macro figure above expectations may be good or bad news: only the model can tell.
_MACRO = re.compile(r"非农|CPI|PPI|GDP|PMI|就业|通胀|失业|初请|零售销售|贸易|进口|出口|库存")
# Nor is more of these better, or less worse; 好于 and 逊于 speak for themselves.
_BURDEN = re.compile(
    r"(?:(?:亏损|跌幅|降幅|减值|裁员|成本|费用|支出|不良)(?!.{0,2}(?:收窄|缩小|减少|下降|控制|改善))"
    r"|(?<!成本)(?<!费用)(?<!支出)(?<!亏损)(?<!减值)(?<!不良)(?<!不良率)(?:下滑|下降|降价|下跌|回落|放缓|恶化|萎缩)(?!.{0,4}[，,])).{0,4}?"
    rf"(?:超出?|高于|低于|不及|达到?){_EXPECTED}(?!的?(?:收窄|缩小|减少|下降))"
)
_TWO_LOSSES = re.compile(
    rf"{_LOSS}[^\d，,；。盈利]{{0,8}}{_FIGURE}(?:[^\d，,；。]{{0,4}}[-–—~至到]约?{_FIGURE})?[^；;。！？\n]{{0,30}}?"
    rf"{_YEAR_BEFORE}.{{0,4}}?亏损?[^\d，,；。]{{0,6}}{_FIGURE}"
)
_UNITS = {None: 1.0, "万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "万亿": 1e12}
_CLAUSE = re.compile(r"[^，,；;。！？\n]+[，,；;。！？\n]?")


def matches(text: str) -> Rule | None:
    """The first rule that the text (a clause or a short title) meets, or None."""
    rule = _decided(text)
    if rule and rule.name in ("above", "below", "not_above", "not_below") and _BURDEN.search(text):
        return _decided(_BURDEN.sub("", text))  # the rest may tell of something else
    return rule


def _decided(text: str) -> Rule | None:
    rule = next((rule for rule in RULES if rule.pattern.search(text)), None)
    if rule and rule.name == "cut" and _RULE["raise"].pattern.search(text):
        return None  # one up, one down
    if rule and rule.name == "loss_again":
        return _larger_or_smaller(text)
    if rule and rule.name in ("above", "below") and _MACRO.search(text):
        return None
    return rule


def cut_and_raised(text: str) -> bool:
    """Whether a rating or target is cut and another raised: then `matches` decides neither."""
    return all(_RULE[name].pattern.search(text) for name in ("cut", "raise"))


def title_rule(title: str) -> Rule | None:
    """The rule that decides a title, or None where none does, or where two parts of it disagree."""
    rules = [rule for part in _CLAUSE.findall(title) if (rule := matches(part))]
    if _RULE["loss_again"].pattern.search(title):  # the part with the year before would pass for a profit now
        sized = _larger_or_smaller(title)
        rules = [rule for rule in rules if rule.name != "profit_after_loss"] + ([sized] if sized else [])
    if len({rule.tone for rule in rules}) == 1:
        return rules[0]
    return matches(title) if not rules else None


def _larger_or_smaller(text: str) -> Rule | None:
    """Which of two losses, this year's and that of the year before, is larger; None where a range holds the other."""
    found = _TWO_LOSSES.search(text)
    if found is None:
        return None
    low, low_unit, high, high_unit, other, unit = found.groups()
    now = [_amount(low, low_unit or high_unit)] + ([_amount(high, high_unit)] if high else [])
    before = _amount(other, unit)
    if max(now) < before:
        return _RULE["smaller_loss"]
    return _RULE["larger_loss"] if min(now) > before else None


def _amount(figure: str, unit: str | None) -> float:
    return float(figure.replace(",", "")) * _UNITS[unit]
