"""Rules that tell a company from the word, brand or place of the same name.

All work on the matching form around one hit (half-width, lower case, no blanks). Each gives a confidence, or 0.0
where it has nothing to say; the linker abstains where none speaks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.linking.hits import Hit
from models.linking.patterns import Pattern
from models.securities import Security, normal_code

REACH = 40  # characters on each side in which a sentence's cues count

_CODE_AFTER = re.compile(
    r"(?:-(?:sw?|w|uw?|b|p)|[ab]股?)?(?:[(\[](?:(?:股票|证券)?代码:?|a股:?|h股:?)?(?:sh|sz|bj|hk)?[:.]?|[\"”],)"
    r"(?:(?P<digits>\d{4,6})(?:[.](?P<market>sh|ss|sz|bj|hk))?"
    r"|(?:nasdaq|nyse|纳斯达克|纽交所)?[:]?(?P<ticker>[a-z]{1,5})(?:[.](?:us|o|n))?)(?=[)\],，、;/])"
)
_MARK_BEFORE = re.compile(r"(?:(?:^|[^a-z])(?:s?\*?st|xd|xr|dr)|退市)$")
_INCORPORATED = re.compile(r"(?:集团)?(?:股份|控股)?(?:\(?集团\)?)?(?:股份)?有限(?:责任)?公司")
_PLACE = (
    "中国|北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|"
    "甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门|深圳|广州|杭州|南京|苏州|宁波|厦门|青岛|大连|成都|武汉|西安|长沙|柳州"
)
_NAME_BEGINS = re.compile(rf"(?:^|[^\u4e00-\u9fff]|省|市|{_PLACE})$")
_PRICE = (
    r"股价|涨停(?!潮|板块)|跌停|封板|一字板|\d+cm|\d+连板|\(?\d+天\d+板|\(\d+板|(?:上|下)?[涨跌](?:超|逾|近|至|幅|\d)|[大收]涨|[大收]跌|"
    r"高开|低开|[+-]\d|目标价|a股|h股|港股|美股|市值|盘前|盘后|冲高|走高|走低"
)
_DISCLOSURE = (
    r"第[一二三四]季|公告|披露|发布公告|在(?:互动平台|业绩|投资者|机构调研|港交所|上证e|深交所|上交所|北交所)|一季|二季|三季|四季|上半年|前三季度|"
    r"\d{4}年(?:度|上半年|一季|半年|前三|三季)|净利|营收|业绩|财报|董事|股东|控股股东|实际控制人|实控人|监事|拟\d|拟以|拟向|拟收购|拟发行|"
    r"拟投|回购|中标|复牌|停牌|增持|减持|质押|解禁|定增|募资|获.{0,8}增持|遭.{0,8}减持|ipo|上市"
)
_RESULTS = r"(?:发布|公布|披露)[^,。]{0,10}(?:财报|业绩|季报|年报|中报)"
_WHEN = r"(?:\(.{1,14}?\))?(?:今日|昨日|今天|昨天|早盘|午后|盘中|尾盘|晚间?|近日|日前|此前|\d+月\d+日(?:晚间?)?)*"
_STRONG_AFTER = re.compile(rf"(?:股份)?{_WHEN}(?:{_PRICE}|{_DISCLOSURE}|{_RESULTS})")
_ACTOR_AFTER = re.compile(
    r"(?:公司|集团|股份|方面|官方|官微|中国|ceo|cfo|coo|首席|总裁|高管|创始人|联合创始人|董秘|董事|旗下|系|们)?"
    r"(?:发布|推出|宣布|表示|称|回应|透露|指出|计划|据悉|据称|正在|正与|已|将|拟|再|与.{2,12}(?:合作|签署|达成|和解|联合|共建|签约)|收购|投资|签署|获|新增|"
    r"否认|证实|确认|起诉|被|裁员|召回|上调|下调|首席|总裁|高管|创始人|ceo|cfo|董事|旗下|股东|员工|成立|完成|启动|出售|买入|布局)"
)
_CUE = re.compile(
    r"股价|股票|股份|股东|涨|跌|净利|营收|公告|市值|证券|财报|募资|ipo|上市公司|亿元|亿美元|亿欧元|万股|收购|评级|目标价|分析师|季度|订单|"
    r"业绩|持股|持仓|概念股|个股|板块|研报|投资者|融资|估值|龙头|厂商|巨头|供应商|客户|走[高低强弱]|拉升|下挫|盘[前中后]|[高低]开|美股|港股"
)
_HEADLINE_CUE = re.compile(
    rf"{_CUE.pattern}|补贴|资金|万元|控股|经理|子公司|立案|收到|中标|合同|产能|分红|派|回购|减持|增持|项目|专利|证书|注册|批准|公司|诉讼|"
    r"辞职|聘任|担保|拟|终止|解禁|停牌|复牌|调研"
)
_SENTENCE_END = re.compile(r"[。！？!?;\n\x01】]")
_AFTER_LIST = re.compile(r"等|涨|跌|领涨|跟涨|封|触及|均|也|以及|和|居前|概念|股|,|。|;|$|\n|、|\(|\)")
_LIMIT = re.compile(r"等?(?:均|双双|纷纷|集体|封|一字)?(?:涨停|跌停|封板|\d+连板)(?!潮|板|股|家)")
_OTHER_BODY = re.compile(r"(?:职业|技术|科技){0,2}学院|大学|中学|小学|博物馆|协会|学会")
_CONTEST = re.compile(
    r"[^,。:;、]{0,6}?(?:公开赛|冠军赛|大师赛|锦标赛|联谊赛|邀请赛|高尔夫|杯赛|车队|车手|战队|球迷|主场)"
)
_PARTNERSHIP = re.compile(
    r"(?:(?![等成设立参持收认出与和及])[\u4e00-\u9fff]){0,12}(?:\([\u4e00-\u9fff]{2,6}\))?合伙企业"
)
_FUND = re.compile(r"基金|etf|混合|债|lof|指数|联接|理财|转债")


def code_after(text: str, end: int) -> tuple[str, int]:
    """The code printed right after a name that ends at `end`, with its market where printed, and the code's end."""
    match = _CODE_AFTER.match(text, end) if end < len(text) and text[end] in '([-ab"”' else None
    if match is None:
        return "", end
    digits, market = match["digits"], match["market"]
    if match["ticker"]:
        code = f"{match['ticker'].upper()}.US"
    elif market == "hk":
        code = f"{digits[-5:].zfill(5)}.HK"
    else:
        code = f"{digits}.{market.upper()}" if market else digits
    return code, match.end()


def carries(security: Security, code: str) -> bool:
    """Whether `code`, as printed, is one of the security's."""
    full = normal_code(code)
    return full == security.code or full in security.also


def is_mainland(code: str) -> bool:
    """Whether a printed code is of a mainland exchange."""
    return code[:6].isdigit() and len(code) >= 6 and not code.endswith(".HK")


def marked(text: str, start: int) -> bool:
    """Whether ST, *ST, XD, XR, DR or 退市 stands right before `start`."""
    before = text[max(0, start - 4) : start]
    return bool(before) and before[-1] in "tdr市" and _MARK_BEFORE.search(before) is not None


def ends_word(text: str, end: int) -> bool:
    """Whether 退 at the end of a name is the delisting mark and no verb: 元道退(今日)跌停, but 金地退地."""
    return end >= len(text) or not "\u4e00" <= text[end] <= "\u9fff" or text[end] in "涨跌股公今将已的在盘收报封"


def bracketed(text: str, start: int, end: int) -> bool:
    """Whether the name fills 【】."""
    return start > 0 and end < len(text) and text[start - 1] == "【" and text[end] == "】"


def borrows_names(text: str) -> bool:
    """Whether the text may speak of sport or partnerships, where a company's name may be another body's or a part."""
    return (
        "赛" in text
        or "车队" in text
        or "车手" in text
        or "战队" in text
        or "球迷" in text
        or "主场" in text
        or "合伙企业" in text
    )


def barred(text: str, start: int, end: int, pattern: Pattern) -> str:
    """Why a hit can't be the company, or nothing: a work's title, part of a foreign name, words of its own list."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before == "《" and after == "》" and pattern.level != "safe":
        return "title_of_a_work"
    if "·" in (before, after) and "·" not in pattern.text and len(pattern.text) < 4:
        return "part_of_a_name"
    if pattern.bar is not None and pattern.bar.match(text, end):
        return "other_meaning"
    if pattern.rival is not None and pattern.rival.search(_sentence(text, start, end)):
        return "other_meaning"
    if pattern.level != "noun" and _CONTEST.match(text, end):
        return "other_meaning"  # the sponsor's name on a contest or a team
    if _OTHER_BODY.match(text, end) or _PARTNERSHIP.match(text, end):
        return "other_meaning"
    if pattern.text.endswith("银行") and after in ("业", "间"):
        return "other_meaning"
    return ""


def incorporated(text: str, start: int, end: int, pattern: Pattern) -> int:
    """End of the legal form (股份有限公司) that follows a name, or `end`.

    An ambiguous name must also begin the company's name, a place aside: 优艾智合机器人股份有限公司 isn't 机器人.
    """
    if end < len(text) and text[end] in "集股控有(":
        match = _INCORPORATED.match(text, end)
        before = text[max(0, start - 4) : start]
        if match and (pattern.level == "safe" or ("股份" in match[0] and _NAME_BEGINS.search(before))):
            return match.end()
    return end


def namesake(text: str, start: int, end: int, legal_end: int) -> bool:
    """Whether a name with its legal form only ends a longer one: 宁波东方集团有限公司 is its own company."""
    return "股份" not in text[end:legal_end] and "\u4e00" <= text[start - 1 : start] <= "\u9fff"


def headline(text: str, start: int, end: int, pattern: Pattern) -> float:
    """The name opens a headline and a colon follows: 太阳能:一季度净利润."""
    if text[end : end + 1] != ":" or not _opens(text, start):
        return 0.0
    if pattern.level == "brand" or _HEADLINE_CUE.search(text, end, end + 40):
        return 0.93
    return 0.0


def beside(text: str, start: int, end: int, pattern: Pattern) -> float:
    """Confidence from the words right beside an ambiguous name."""
    if _STRONG_AFTER.match(text, end):
        return 0.9 if pattern.level != "noun" or _opens(text, start) else 0.0
    if pattern.level == "brand" and _ACTOR_AFTER.match(text, end):
        return 0.85
    return 0.0


def in_sentence(text: str, start: int, end: int, pattern: Pattern) -> float:
    """Confidence from the sentence of a name that is otherwise a brand or an organisation."""
    if pattern.level != "brand":
        return 0.0
    around = _sentence(text, start, end)
    return 0.8 if _CUE.search(around) or (pattern.cue and pattern.cue.search(around)) else 0.0


def _sentence(text: str, start: int, end: int) -> str:
    """What stands around [start, end) in its sentence, within reach; the name itself is left out."""
    low = max(0, start - REACH)
    for match in _SENTENCE_END.finditer(text, low, start):
        low = match.end()
    stop = _SENTENCE_END.search(text, end, end + REACH)
    return f"{text[low:start]} {text[end : stop.start() if stop else end + REACH]}"


def in_list(text: str, start: int, end: int, linked: set[int], pattern: Pattern) -> float:
    """Confidence from the neighbours in an enumeration of companies. `linked`: starts and ends of sure links."""
    left = start > 1 and text[start - 1] == "、"
    right = end + 1 < len(text) and text[end] == "、"
    near = (left and _linked_before(text, start - 1, linked)) + (right and end + 1 in linked)
    if not near:
        return 0.0
    if pattern.level == "noun":  # every neighbour must be a company, and the list must not go on with a noun
        enough = near == left + right and (right or _AFTER_LIST.match(text, end) is not None)
        return 0.85 if enough and (left or _NAME_BEGINS.search(text[max(0, start - 1) : start])) else 0.0
    return 0.88


def at_limit(text: str, hits: Sequence[Hit]) -> set[int]:
    """Where the names begin that make up a list at the price limit: 机器人、太阳能涨停. `hits`: all, in order.

    Trades don't hit the limit, shares do; but every item must be some company's name.
    """
    found: set[int] = set()
    if not ("停" in text or "板" in text):
        return found
    chain: list[int] = []  # starts of the items that lead to the limit, last first
    for start, end, _ in reversed(hits):
        if not (chain and end + 1 == chain[-1] and text[end] == "、"):
            chain = []
            if not _LIMIT.match(text, end):
                continue
        chain.append(start)
        if len(chain) > 1 and text[start - 1 : start] != "、":
            found.update(chain)
    return found


def _linked_before(text: str, end: int, linked: set[int]) -> bool:
    """Whether a sure link ends at `end`, a bracket (code, change) aside."""
    if end in linked:
        return True
    if text[end - 1] == ")":
        opening = text.rfind("(", max(0, end - 24), end)
        return opening in linked
    return False


def _opens(text: str, start: int) -> bool:
    """Whether the name opens a sentence or follows the agency's line (…日电,)."""
    return (
        start == 0
        or text[start - 1] in "\x01【】\n。;:"
        or text[max(0, start - 2) : start] in ("电,", "讯,", "日,", "息,", "间,")
    )


def bare_code(text: str, start: int, end: int, exchange: str) -> bool:
    """Whether six digits are printed as a security's code."""
    before, after = text[max(0, start - 16) : start], text[end : end + 3]
    market = exchange.lower()
    if after[:1] == "." and after[1:3].isalpha() and after[1:3] != market and after[1:3] != "ss":
        return False
    if after == f".{market}" or (after == ".ss" and market == "sh"):
        return True
    if before.endswith((market, f"{market}.", f"{market}:")) or "代码" in before[-8:]:
        return True
    return before.endswith("(") and after[:1] in ")、,;" and not _FUND.search(before)
