"""Where in a document a mention stands, what part the company plays there, and how much the document is about it."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from models.linking.records import Role, Section
from models.records import Field
from models.securities import Security

LEAD = 120  # characters of the body that count as its lead
LONG = 400  # shorter bodies have no sections
_HEADINGS: dict[Section, str] = {
    "boilerplate": r"分析师(?:声明|承诺)|(?:免责|法律|重要)声明|(?:投资)?评级(?:说明|体系|标准|的?定义)|公司业务资格",
    "risk": r"(?:\d[.、]\s*)?风险(?:提示|因素)",
    "recommendation": r"(?:[一二三四五六七八九十\d]+[.、])?(?:投资建议|重点推荐|建议关注|推荐标的|相关标的|受益标的)",
}
_HEADING = {section: re.compile(rf"^\W{{0,4}}(?:{text})", re.MULTILINE) for section, text in _HEADINGS.items()}
_LINE_ENDS = re.compile(r"\n")
_SENTENCE_ENDS = re.compile(r"[。！？][^\S\n]*(?:\n|\Z)")
_LATE = 2 / 3  # of a body: a disclaimer that begins later holds to its end
_GOES_ON = re.compile(r"[^:：。，\n]{0,20}(?:[:：][^\S\n]*\S|[。，])")  # the line of a heading, with text on it
_RECOMMENDING = ("建议关注", "重点关注", "推荐", "标的", "首选", "继续看好")
_COMPARING = ("竞争对手", "同行", "对标", "可比公司", "友商", "类似于", "不及", "超越", "对比", "相较于", "比肩")
_RECOMMENDED = re.compile(
    r"建议(?:重点)?关注|重点关注(?!包括)|(?:重点|首次|强烈|继续)推荐|推荐(?:标的|买入|组合|关注|:)|(?:受益|相关|推荐)标的|"
    r"首选(?:股|标的|为|:)|继续看好"
)
_PEER = re.compile(rf"(?:{'|'.join(_COMPARING)})[^,。;:\x01【】\n]{{0,8}}$")
_CREDIT_BEFORE = re.compile(r"(?:(?:据|来源:?|援引)(?:[\u4e00-\u9fff]{2,6}[、和]){0,3}|\(|:)$")
_CREDIT_AFTER = re.compile(
    r"\)|(?:[、和][\u4e00-\u9fff]{2,5}){0,3}(?:app|财经|choice|ifind)?(?:消息|讯|报道|数据|记者|网讯|研究中心|客户端|微信|问财)"
)
_CREDIT = re.compile(
    r"(?:choice|ifind|app)?(?:统计|金融终端)?数据(?:显示|统计)|记者|网讯|(?:[\u4e00-\u9fff]{2,8})?\d+月\d+日(?:电|讯)"
)
_CREDITORS = frozenset(("新华网", "人民网", "东方财富", "同花顺", "指南针", "大智慧", "财富趋势", "纽约时报", "微博"))
_EXCHANGES = frozenset(("香港交易所",))
_OWN_NEWS_AFTER = re.compile(
    r"(?:集团)?(?:\(.{1,12}\))?(?:股价|[收大]?[涨跌]|净|营|业绩|盈利|溢利|[多少]赚|市值|[首第]?[一二三四]季|首季|首[三六九]个?月|中期|全年|上半年|前三季|主席|行政总裁|ceo|推出|宣布|获|拟|计划)"
)
_OWN_FIGURES = "净利|营收|业绩|收入|费用"  # a bank also guides to its own
_COMMENT_AFTER = re.compile(
    r"(?:\(.{1,12}\)|\))?(?:证券|银行|集团|公司|国际|亚洲|中国|全球(?:研究)?|财富管理)?的?(?:近日)?(?:发布|发表)?(?:最新)?的?"
    r"(?:研报|报告|研究|分析师|策略|经济学家|认为|指出|预测|上调|下调|给出|(?:仍|在)?维持|恢复|承认|看[好多空淡]|唱[多空]|警告称|(?:还|目前|最新|同步)(?:预计(?!净利|全年净|上半年)|上调|下调)|(?:直接)?建议|预警|测算|大幅(?:上调|下调)|(?:[、和][^、。]{2,6}){1,3}(?:上调|下调|维持)[^。]{0,24}(?:评级|目标价|预期|预测|配置|股票|股市)|"
    r"[在对].{2,24}(?:持股|多头|空头)|在(?:(?!年度|半年|季度|中期|财务|责任|可持续|\d年报告)[^,。]){0,14}?(?:报告|研报)中|"
    rf"[将把](?![被于])(?:(?!{_OWN_FIGURES})[^,。;]){{2,30}}?(?:目标(?:股?价|价[格位]|值|点位)|评级|"
    r"(?:预期|预测)[^,。;]{0,12}?(?:上调|下调|上修|下修|调[高低升降]|[升降]至)|列入[^,。;]{0,12}(?:名单|清单|首选|买入|推荐|关注|观察))|"
    r"首席(?!执行|财务|运营|技术|信息|合规|风险)|维持|重申|予|给予|团队|固收|宏观)"
)
_ADVISES_BEFORE = re.compile(
    r"(?:保荐(?:人|机构)|承销商|牵头行|牵头银行|质权人|管理人|顾问)(?:为|是|系|-)?[^。;]{0,30}$"
)
_OWN_NEWS = r"净利|营收|股东|回购|董事|行长|公告|获批|拟|分红|派|业绩|公司|发行|收到|罚|聘任|辞|股份|不良|亏|成立"
_SPEAKS_AFTER = re.compile(rf"(?:表示|称|预计(?!\d|上半年|净利|一季|前三)|:(?!.{{0,24}}?(?:{_OWN_NEWS})))")
_BROKER = re.compile(r"证券|中金|银河|国泰海通|中信建投|申万宏源")
_PORTALS = frozenset(("腾讯控股", "网易", "搜狐", "百度", "阿里巴巴", "京东", "美团-W", "携程", "贝壳"))
_PORTAL_AFTER = re.compile(r"(?:[\u4e00-\u9fff]{0,4}研究院|新闻|财经|科技讯|体育讯|娱乐讯|证券讯|网讯|号\))")
_CITED = _PORTALS | _CREDITORS | _EXCHANGES
_COMMENTATORS = frozenset(
    ("证券", "银行", "金融行业", "金融业", "资管", "国有大型银行", "股份制银行", "城商行", "农商行", "评级")
)
_WEIGHTS = {"title": 0.9, "lead": 0.6, "body": 0.4, "recommendation": 0.5, "risk": 0.2, "boilerplate": 0.02}


class Layout(NamedTuple):
    """The sections of a body, by where each begins."""

    title_end: int  # end of a 【headline】 that opens the body
    starts: tuple[tuple[int, Section | None], ...]  # None: lead or body, by the place

    @classmethod
    def of(cls, text: str, joint: int, kind: str) -> Layout:
        """Layout of the body that follows the joint at `joint`; only long reports and articles have headings.

        A heading with text on its line holds what the line says only, and the section before it goes on; but of
        disclaimers only early ones and 重要声明, which stands in the footers of pages.
        """
        first = joint + 1
        title_end = 0
        if text.startswith("【", first):
            title_end = max(0, text.find("】", first, first + 120) - first)
        starts: list[tuple[int, Section | None]] = []
        if kind != "wire" and len(text) - first > LONG:
            found = ((m, section) for section, heading in _HEADING.items() for m in heading.finditer(text, first))
            current: Section | None = None
            for match, section in sorted(found, key=lambda mark: mark[0].start()):
                starts.append((match.start() - first, section))
                late = match.start() - first > (len(text) - first) * _LATE
                if not _GOES_ON.match(text, match.end()) or (
                    section == "boilerplate" and late and "重要" not in match[0]
                ):
                    current = section
                    continue
                ends = _LINE_ENDS if section == "boilerplate" else _SENTENCE_ENDS  # a sentence may go on over lines
                end = ends.search(text, match.end())
                starts.append(((end.start() if end else len(text)) - first, current))
        return cls(title_end, tuple(starts))

    def section(self, field: Field, start: int) -> Section:
        """The section of a mention at `start` of `field`."""
        if field == "title" or start < self.title_end:
            return "title"
        before = bisect_right(self.starts, start, key=lambda mark: mark[0])
        section = self.starts[before - 1][1] if before else None
        return section or ("lead" if start < self.title_end + LEAD else "body")


class Roles:
    """The parts that companies play in one text, given in matching form."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._recommends = _holds(text, _RECOMMENDING)
        self._compares = _holds(text, _COMPARING)

    def role(self, start: int, end: int, section: Section, security: Security) -> Role:
        """The part of the company at [start, end): its subject unless the words beside it say other."""
        if section == "risk":
            return "risk"
        if section == "boilerplate" or (
            (security.industry in _COMMENTATORS or security.name in _CITED)
            and _credited(self.text, start, end, security)
        ):
            return "source_credit"
        if section == "recommendation":
            return "recommended"
        if self._recommends and _RECOMMENDED.search(self.text, self._sentence(start), start):
            return "recommended"
        if self._compares and _PEER.search(self.text, max(self._sentence(start), start - 16), start):
            return "peer"
        return "subject"

    def _sentence(self, start: int) -> int:
        low = max(start - 120, 0)
        return max(low, *(self.text.rfind(end, low, start) for end in "。\n】\x01"))


def _holds(text: str, words: tuple[str, ...]) -> bool:
    """Whether any of `words` stands in `text`: plain search is many times faster than an alternation."""
    for word in words:  # noqa: SIM110  and a loop faster than a generator
        if word in text:
            return True
    return False


def _credited(text: str, start: int, end: int, security: Security) -> bool:
    """Whether the text only cites it: a medium that reports, a broker that comments, an exchange as a place."""
    if security.name in _PORTALS:
        return _PORTAL_AFTER.match(text, end) is not None
    if security.name in _EXCHANGES:
        return not _OWN_NEWS_AFTER.match(text, end)
    if security.name in _CREDITORS:
        if start and text[start - 1] == "(" and text[end : end + 1] == ")":
            return True
        if _CREDIT.match(text, end):
            return True
        return bool(_CREDIT_AFTER.match(text, end) and _CREDIT_BEFORE.search(text, max(0, start - 24), start))
    if _COMMENT_AFTER.match(text, end) or _ADVISES_BEFORE.search(text, max(0, start - 40), start):
        return True
    speaks = security.exchange in ("US", "HK") or _BROKER.search(security.name) is not None
    return speaks and _SPEAKS_AFTER.match(text, end) is not None


def relevance_of(section: Section, role: Role, count: int, companies: int) -> float:
    """0..1: high in a title and with repetition, low in long lists, next to nothing as a source credit."""
    if role == "source_credit":
        return 0.02
    weight = _WEIGHTS[section] + (0.1 * min(count - 1, 3) if count > 1 else 0.0)
    if companies > 3 and section != "title":
        weight *= max(0.35, 3 / companies)
    return round(min(1.0, weight), 3)
