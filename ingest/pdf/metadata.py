"""What a broker report prints about itself: broker, type, title, industry, analysts, dates, rating, target price,
related reports and the securities it recommends, from its text alone.

Every finder looks for the words that reports print beside the thing (行业：, SAC 编号:, 目标价) and gives nothing when
they are not there. Recommendations are names in 【】 or after words such as 建议关注, outside the boilerplate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from ingest.pdf.sections import split
from models.records import Analyst, Recommendation, Report

RATINGS = (
    "强烈推荐|审慎增持|谨慎增持|谨慎推荐|强于大市|弱于大市|同步大市|优于大市|弱于大市|跑赢行业|领先大市|落后大市|跑输行业|区间操作|"
    "买入|增持|推荐|看好|中性|持有|减持|卖出|看淡|回避|无评级|未评级"
)
_ACTION = "维持|上调|下调|首次覆盖|首次评级|首次|调高|调低"
_ACTIONS = {"调高": "上调", "调低": "下调", "首次覆盖": "首次", "首次评级": "首次"}
_Q = '[“”"‘’「」]?'
_DATE = r"(\d{4})\s*[-年./]\s*(\d{1,2})\s*[-月./]\s*(\d{1,2})\s*日?"

_RATING = (
    re.compile(
        rf"^(?:[^\n]{{0,10}}评级\s*[:：]\s*)?{_Q}({RATINGS}){_Q}\s*[（(\[]\s*({_ACTION})(?:评级)?\s*[)）\]]",
        re.MULTILINE,
    ),
    re.compile(rf"(?:投资|公司|行业|股票)?评级\s*[:：]\s*{_Q}({RATINGS}){_Q}()"),
    re.compile(
        rf"(?P<action>{_ACTION})(?:覆盖)?(?:[^\n，。；]{{0,14}}?)(?:至|给予|，给予)?\s*{_Q}(?P<rating>{RATINGS}){_Q}\s*(?:的)?(?:投资)?评级"
    ),
    re.compile(rf"评级由{_Q}(?:{RATINGS}){_Q}(?P<action>{_ACTION})(?:至|为){_Q}(?P<rating>{RATINGS})"),
)
_PREVIOUS = (
    re.compile(rf"(?:前次|上次|原|此前)(?:投资)?评级\s*[:：]?\s*{_Q}({RATINGS})"),
    re.compile(rf"由{_Q}({RATINGS}){_Q}(?:上调|下调|调高|调低)"),
)
_TARGET = re.compile(
    r"目标价(?:格|位)?\s*(?:为|至|[:：])?\s*(?:人民币|港币|美元|HK\$|US\$|¥|￥)?\s*(\d{1,6}(?:,\d{3})*(?:\.\d+)?)\s*(?:元|港元|美元)?"
)
_INDUSTRY = (
    re.compile(r"(?:所属)?行业\s*[:：]\s*([一-鿿A-Za-z/、]{2,12})"),
    re.compile(r"^[—\-–\s]*([一-鿿/]{2,8}?)(?:行业)(?:周|日|月|双周|点评|深度|专题|研究|跟踪)", re.MULTILINE),
)
_BENCHMARK = re.compile(
    r"(?:基准[^\n]{0,6}[:：]|与|相对|以)\s*((?:沪深\s*300|恒生|中证\s*\d+|标普\s*500|上证综合|创业板|纳斯达克综合)\s*(?:指数)?)"
)
_LICENCE = re.compile(r"(?<![A-Za-z0-9])([SABT]\d{13})(?!\d)", re.IGNORECASE)
_ANALYST = re.compile(
    r"(?:分析师|研究员|联系人|作者)\s*[:：\s]\s*([一-鿿·]{2,4}(?:[、，,/ \t]+[一-鿿·]{2,4}){0,5})(?![一-鿿])"
)
_NAME_BEFORE = re.compile(r"(?<![一-鿿])([一-鿿·]{2,4})\s*(?:[（(][^()（）]{0,12}[)）])?\s*$")
_REPORT_DATE = re.compile(rf"(?:报告|发布|撰写)?日期\s*[:：]\s*{_DATE}")
_ANY_DATE = re.compile(_DATE)
_PERIOD = re.compile(
    r"(\d{4})[.\-/年]?(\d{2})[.\-/月]?(\d{2})日?\s*(?:-|–|—|~|～|至)\s*(?:(\d{4})[.\-/年]?)?(\d{2})[.\-/月]?(\d{2})日?"
)
_RELATED_HEAD = re.compile(r"^(?:■\s*)?(?:近期)?相关(?:研究)?(?:报告)?\s*[:：]?\s*$", re.MULTILINE)
_RELATED = re.compile(r"《([^《》\n]{4,80})》")
_TYPES = {
    "双周报": "双周报",
    "周报": "周报|周观点|周策略",
    "日报": "日报|晨报",
    "晨会纪要": "晨会",
    "月报": "月报",
    "季报": "季度策略|季报综述",
    "年度策略": "年度(?:投资)?策略",
    "首次覆盖": "首次覆盖",
    "深度": "深度",
    "公告点评": "(?:公告|事件)点评",
    "业绩点评": "(?:年报|季报|中报|业绩|财报)点评",
    "专题": "专题",
    "点评": "点评",
    "策略": "策略",
    "快报": "快报|快评",
}
_BROKER = re.compile(
    r"([一-鿿]{2,8}?(?:证券|国际金融|金融控股|资本|国际))(?:股份有限公司|有限责任公司|有限公司|研究所|研究院|研究部|研究发展部|股份|[（(]|\s|$)"
)
_BROKERS_WITHOUT_SUFFIX = (
    "中金公司",
    "中国银河",
    "海通国际",
    "招银国际",
    "第一创业",
    "太平洋证券",
    "浦银国际",
    "交银国际",
    "建银国际",
    "申万宏源",
)
_TRIGGER = re.compile(
    r"(?:重点|持续|继续|优先|首推|积极|持续)?(?:建议关注|推荐关注|重点推荐|首推|推荐|关注|看好|受益标的[:：包括]*|相关标的[:：包括]*)"
)
_BRACKETED = re.compile(r"【([^【】\n]{2,20})】\s*(?:[（(]([^（）()\n]{1,60})[)）])?")
_LISTED = re.compile(r"(?:建议关注|推荐标的|受益标的|重点推荐|首推|建议重点关注)(?:标的)?\s*[:：]\s*([^。；\n]{4,200})")
_LIST_ITEM = re.compile(r"^\s*([一-鿿A-Za-z·*]{2,10})\s*(?:[（(]([^（）()]{1,40})[)）])?\s*(?:等)?\s*$")
_AGAINST = re.compile("低于预期|回避|下调|暂不|不建议|不推荐|谨慎|中性看待|减持")
_NUMBERING = re.compile(r"^[\s\-–•■]*(?:[（(]?[\d一二三四五六七八九十]{1,2}[)）、.．])?\s*")


def report_of(text: str, headings: Sequence[str] = ()) -> tuple[str, Report]:
    """Title and metadata of a report. headings: the largest lines of its first page, where the layout is known."""
    sections = split(text)
    boilerplate = next((s.start for s in sections if s.name in ("disclaimer", "rating_definition")), len(text))
    main = text[:boilerplate]
    front = main[:4000]
    rating, action = _rating(front)
    start, end = _period(front)
    previous = _first(_PREVIOUS, front) or (rating if action == "维持" else "")
    broker = _broker(text)
    return _title(front, headings, broker), Report(
        broker=broker,
        report_type=next((name for name, words in _TYPES.items() if re.search(words, front[:600])), ""),
        industry=_first(_INDUSTRY, front),
        analysts=_analysts(front),
        rating=rating,
        rating_action=action,
        previous_rating=previous,
        target_price=_target(main),
        benchmark=re.sub(r"\s", "", _first((_BENCHMARK,), text)),
        report_date=_date(front),
        period_start=start,
        period_end=end,
        related=_related(front),
        recommendations=tuple(_recommendations(main)),
    )


def is_report(text: str) -> bool:
    """Whether a text is a broker's report: it names a licence, or a rating and a disclaimer."""
    return bool(_LICENCE.search(text)) or (bool(_RATING[0].search(text[:4000])) and "免责声明" in text)


def _first(patterns: Sequence[re.Pattern[str]], text: str) -> str:
    return next((found[1].strip() for pattern in patterns if (found := pattern.search(text))), "")


def _rating(text: str) -> tuple[str, str]:
    for pattern in _RATING:
        if found := pattern.search(text):
            named = found.groupdict()
            rating, action = (named["rating"], named["action"]) if named else (found[1], found[2])
            return rating, _ACTIONS.get(action, action)
    return "", ""


def _target(text: str) -> float | None:
    found = _TARGET.search(text)
    return float(found[1].replace(",", "")) if found else None


def _iso(year: str, month: str, day: str) -> str:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:  # 2月30日: misprinted, or no date
        return ""


def _date(front: str) -> str:
    if found := _REPORT_DATE.search(front):
        return _iso(found[1], found[2], found[3])
    head = _RELATED_HEAD.split(front)[0]
    found = _ANY_DATE.search(head) or _ANY_DATE.search(front)
    return _iso(found[1], found[2], found[3]) if found else ""


def _period(front: str) -> tuple[str, str]:
    found = _PERIOD.search(front[:1500])
    if not found:
        return "", ""
    year, month, day, end_year, end_month, end_day = found.groups()
    return _iso(year, month, day), _iso(end_year or year, end_month, end_day)


def _analysts(front: str) -> tuple[Analyst, ...]:
    """Names with the licence that follows them, else without one, in order."""
    names = [
        (match.start(), name)
        for match in _ANALYST.finditer(front)
        for name in re.split(r"[、，,/ \t]+", match[1])
        if len(name) >= 2
    ]
    licences = [(match.start(), match[1].upper()) for match in _LICENCE.finditer(front)]
    found: dict[str, str] = {name: "" for _, name in names}
    for place, licence in licences:
        waiting = [name for at, name in names if at < place and not found[name]]
        if waiting:
            # Names of one line wait for their licences in order; otherwise a licence belongs to the name just above.
            together = len({at for at, name in names if name in waiting}) == 1
            found[waiting[0] if together else waiting[-1]] = licence
        elif beside := _NAME_BEFORE.search(front[max(0, place - 20) : place]):
            found[beside[1]] = licence
    return tuple(Analyst(name=name, licence=licence) for name, licence in found.items())


def _related(front: str) -> tuple[str, ...]:
    head = _RELATED_HEAD.search(front)
    if not head:
        return ()
    titles, misses = [], 0
    for line in front[head.end() :].split("\n"):
        found = _RELATED.findall(line)
        titles += found
        misses = 0 if found or _ANY_DATE.search(line) or not line.strip() else misses + 1
        if misses:
            break
    return tuple(dict.fromkeys(titles))


def _broker(text: str) -> str:
    """The house: named on the cover, or by whoever speaks in the disclaimer."""
    for part in (text[:600], text[-4000:]):
        for name in _BROKERS_WITHOUT_SUFFIX:
            if name in part:
                return name
        if found := _BROKER.search(part):
            return re.sub(r"^(?:本报告由|注明出处为|出处为|须注明|是|由|经|在|为|与)", "", found[1])
    return ""


_NO_TITLE = re.compile(
    rf"^[—\-–]|SECURITIES|证券$|研究(?:所|院|部|报告)$|^(?:{RATINGS})|声明|^[\d\s./年月日:-]+$|[:：]$|^[■●◆]"
    "|投资建议|主要观点|核心观点|投资要点"
)


def _title(front: str, headings: Sequence[str], broker: str) -> str:
    lines = [line.strip() for line in front.split("\n") if line.strip()]
    candidates = [*headings, *lines[:15]]
    return next(
        (line for line in candidates if 8 <= len(line) <= 80 and line != broker and not _NO_TITLE.search(line)), ""
    )


def _recommendations(text: str) -> Iterator[Recommendation]:
    """Names in brackets, or listed after a colon, in sentences that recommend."""
    seen: set[str] = set()
    for line in text.split("\n"):
        recommends = False  # a clause after a semicolon goes on recommending
        for sentence in re.split(r"[；。]", line):
            recommends = recommends or bool(_TRIGGER.search(sentence))
            for name, reason in _named(sentence) if recommends and not _AGAINST.search(sentence) else ():
                if name not in seen:
                    seen.add(name)
                    yield Recommendation(name=name, reason=reason or "", group=_group(sentence))


def _named(sentence: str) -> list[tuple[str, str]]:
    if bracketed := _BRACKETED.findall(sentence):
        return bracketed
    listed = _LISTED.search(sentence)
    if not listed:
        return []
    items = [_LIST_ITEM.match(part) for part in re.split(r"[、，,]", listed[1])]
    return (
        [(item[1].removesuffix("等"), item[2] or "") for item in items if item] if all(items) and len(items) > 1 else []
    )


def _group(sentence: str) -> str:
    """What the names have in common: between the recommending words and the first name, or before a colon."""
    head = _NUMBERING.sub("", sentence.split("【", 1)[0])
    label, colon, _ = head.partition("：")
    if colon and len(label) <= 14 and not _TRIGGER.search(label):
        return label.strip()
    found = _TRIGGER.search(head)
    group = head[found.end() :] if found else head
    return re.sub(r"[，、：:]*(?:如|包括|例如|分别为)?[：:，、]*$", "", group.strip("：: ，、")).strip("，、：: ")
