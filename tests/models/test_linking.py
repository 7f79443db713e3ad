"""The linker: the right company, at the right place, for a reason it can give, or none at all."""

from datetime import UTC, datetime

import pytest

from models.linking import Linker
from models.linking.evaluate import Wire, false_alarms, vendor_recall
from models.linking.normalise import normal_name
from models.linking.patterns import base_name, rows
from models.securities import load


@pytest.fixture(scope="module")
def linker():
    return Linker.load()


def codes(result):
    return [link.code for link in result.links]


@pytest.mark.parametrize(
    "text",
    [
        "机器人大赛",
        "太阳能发电",
        "一缕光线",
        "完美世界冠军",
        "值得买吗",
        "视觉中国行",
        "中国出版业",
        "新华都市报",
        "会说话的汤姆猫",
        "经济增长和通胀",
        "做强生产性服务业",
        "跨境金融创新",
        "高通胀",
        "旧金山联储",
        "西太平洋银行",
        "澎湃动力源",
        "北京东城区",
        "人形机器人概念走强",
        "农产品关税",
        "数字人民币",
        "汇丰高尔夫冠军赛次轮",
        "新里程碑",
        "中国移动互联网大会",
        "全球首次",
        "何小鹏",
        "伊利诺伊州",
        "美好未来",
        "苹果期货主力合约",
        "亚马逊雨林",
        "阿里·哈梅内伊",
        "meta-analysis",
        "海上力拓展新局",
        "杭州某某鸿智科技发展合伙企业（有限合伙）举牌",
        "苏州立讯精密投资（有限）合伙企业",
        "小米和玉米价格上涨",
        "茅台镇酱酒节",
        "寒武纪生命大爆发",
        "迅雷不及掩耳",
        "牌桌上同花顺利出手",
        "易中天讲三国",
        "商业航天发展势头良好",
        "三峡水利枢纽加大下泄",
        "一汽丰田下调指导价",
        "最美的海岸线",
        "八达岭长城景区",
        "东风汽车集团股价上涨",
        "中国黄金国际涨超1%",
        "南山铝业国际跌超6%",
        "超威电源集团股价上涨",
        "成都超纯应用材料股份有限公司上市",
        "华奥泰生物药业股份有限公司上市",
        "中国电科院发布报告",
        "摩根士丹利资本国际新兴市场指数上涨",
        "宁波世茂投资控股有限公司拟减持股份",
        "申万一级行业涨跌互现",
        "申万银行指数下跌",
        "RTX Spark芯片订单上升",
        "RTX 5090显卡订单上升",
        "美国寿险公司持仓上升",
        "主任林卫龙表示",
        "其中移动业务净利润",
        "其中电信业务营收增长",
        "中电信息股份涨停",
    ],
)
def test_a_word_a_place_or_a_person_is_no_company(linker, text):
    assert codes(linker.link(text, "")) == []
    assert codes(linker.link("", f"据报道，{text}引起关注。")) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("机器人(300024)", "300024.SZ"),
        ("机器人（300024.SZ）涨停", "300024.SZ"),
        ("太阳能：一季度净利润", "000591.SZ"),
        ("【值得买】", "300785.SZ"),
        ("芒果超媒发布公告", "300413.SZ"),
        ("快乐购：重组获批", "300413.SZ"),
        ("*ST华嵘被通报批评", "600421.SH"),
        ("XD农业银今日除息", "601288.SH"),
        ("新 华 都涨停", "002264.SZ"),
        ("ＴＣＬ科技发布财报", "000100.SZ"),
        ("臺積電法說會", "TSM.US"),
        ("貴州茅臺股價", "600519.SH"),
        ("腾讯控股(00700.HK)回购", "00700.HK"),
        ("阿里巴巴-W(09988.HK)高开", "09988.HK"),
        ("蔚来(NIO.US)跌超3%", "NIO.US"),
        ("中国平安(02318.HK)", "601318.SH"),
        ("诺思兰德(430047)", "920047.BJ"),
        ("SK 海力士涨超5%", "SKHY.US"),
        ("苹果公司召开发布会", "AAPL.US"),
        ("苹果股价上涨4%", "AAPL.US"),
        ("京东方面回应称", "JD.US"),
        ("未知公司(600519.SH)停牌", "600519.SH"),
        ("“宁王”市值再创新高", "300750.SZ"),
        ("迪王单月销量破五十万辆，股价却跌了3%", "002594.SZ"),
        ("百融云涨超5%", "06608.HK"),
        ("迅雷发布财报", "XNET.US"),
        ("騰訊音樂發佈財報", "TME.US"),
        ("Tencent Music发布财报", "TME.US"),
        ("Meituan公布季报", "03690.HK"),
        ("视觉中国与AI公司和解", "000681.SZ"),
        ("虎牙盘前走高", "HUYA.US"),
        ("微博发布三季度财报", "WB.US"),
        ("京东外卖日订单破千万", "JD.US"),
        ("小米YU7大定突破28万辆", "01810.HK"),
        ("库克称苹果将加大投入", "AAPL.US"),
        ("SH600519涨3%", "600519.SH"),
        ("sz000858跌3%", "000858.SZ"),
        ("（SH600519）涨停", "600519.SH"),
        ("HK.00700涨2%", "00700.HK"),
        ("HK：00700涨2%", "00700.HK"),
        ("$AAPL 盘前涨2.1%", "AAPL.US"),
        ("阿里（NYSE：BABA；HKEX：9988）公布业绩", "BABA.US"),
        ("子公司京东方能源科技股份有限公司上市", "000725.SZ"),
        ("最新思科财报超预期", "CSCO.US"),
        ("超威电脑涨超5%", "SMCI.US"),
        ("超威股价上涨5%", "AMD.US"),
        ("RTX 2025年营收增长", "RTX.US"),
        ("中海油田服务涨超3%", "601808.SH"),
        ("中移动股价上涨3%", "600941.SH"),
        ("中电信净利润增长", "601728.SH"),
        ("中联通发布财报", "600050.SH"),
        ("深圳长城开发科技股份有限公司公告", "000021.SZ"),
        ("东方航空物流股份有限公司公告", "601156.SH"),
        ("中海油能源发展股份有限公司公告", "600968.SH"),
        ("洛阳栾川钼业集团股份有限公司公告", "603993.SH"),
    ],
)
def test_a_company_is_found(linker, text, code):
    assert codes(linker.link(text, "")) == [code]
    assert codes(linker.link("", f"财联社5月14日电，{text}。")) == [code]


def test_every_link_carries_its_own_text_at_its_own_place(linker):
    title = "ＴＣＬ科技、新 华 都双双涨停"
    body = "【臺積電】与 芒果超媒（300413.SZ）合作。😀 *ST华嵘 表示，SK 海力士 与Meta 均将参与；芒果超媒股价大涨。"
    result = linker.link(title, body)
    found = [(link.field, link.surface, link.code) for link in result.links]
    assert found == [
        ("title", "ＴＣＬ科技", "000100.SZ"),
        ("title", "新 华 都", "002264.SZ"),
        ("body", "臺積電", "TSM.US"),
        ("body", "芒果超媒", "300413.SZ"),
        ("body", "*ST华嵘", "600421.SH"),
        ("body", "SK 海力士", "SKHY.US"),
        ("body", "Meta", "META.US"),
        ("body", "芒果超媒", "300413.SZ"),
    ]
    for link in result.links:
        assert (title if link.field == "title" else body)[link.start : link.end] == link.surface


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("芒果超媒（300413）", "code"),
        ("【芒果超媒】", "bracket"),
        ("芒果超媒发布公告", "name"),
        ("腾讯发布财报", "alias"),
        ("芒果超媒股份有限公司", "full_name"),
        ("完美世界股价创新高", "context"),
        ("阿里云宣布降价", "brand"),
    ],
)
def test_a_link_says_why(linker, text, evidence):
    (link,) = linker.link("", text).links
    assert link.evidence == evidence
    assert 0 < link.confidence <= 1


def test_an_abstention_says_why_and_gives_the_window(linker):
    (open_,) = linker.link("", "今年的机器人大会将在北京举办，参展的机器人超过百款。").abstentions
    assert open_.surface == "机器人"
    assert open_.codes == ("300024.SZ",)
    assert open_.reason == "common_word"
    assert open_.window[0] <= open_.start < open_.end <= open_.window[1]


def test_a_wrapped_line_does_not_hide_a_name(linker):
    body = "我们建议关注具备内容储备与技术能力的平台型公司，其中芒果\n超媒的短剧业务值得跟踪。\n中国\n移动的车队"
    (link,) = linker.link("", body).links
    assert link.code == "300413.SZ"
    assert body[link.start : link.end] == link.surface == "芒果\n超媒"


def test_a_code_of_another_company_beats_the_name(linker):
    assert codes(linker.link("新世界(00017.HK)中期业绩", "")) != ["600628.SH"]
    assert codes(linker.link("太阳能(600519)", "")) in ([], ["600519.SH"])


def test_neighbours_in_a_list_settle_a_common_word(linker):
    assert "300024.SZ" in codes(linker.link("", "三花智控、机器人、埃斯顿涨停。"))
    assert "300024.SZ" not in codes(linker.link("", "三花智控布局新能源、机器人、低空经济。"))


def test_a_list_at_the_price_limit_is_one_of_companies(linker):
    assert codes(linker.link("", "机器人、太阳能涨停。")) == ["300024.SZ", "000591.SZ"]
    assert codes(linker.link("", "机器人、太阳能等板块涨停潮再现。")) == []
    assert codes(linker.link("", "半导体、机器人涨停。")) == []  # not every item is some company's name


def test_two_media_are_both_the_source(linker):
    links = linker.link("", "据人民网、新华网消息，飞船发射成功。").links
    assert [(link.code, link.role) for link in links] == [
        ("603000.SH", "source_credit"),
        ("603888.SH", "source_credit"),
    ]


def test_names_that_are_also_words_count_in_a_list_of_companies(linker):
    found = codes(linker.link("", "吉利汽车、长城、奇瑞汽车公布销量，美的、格力电器促销。"))
    assert found == ["00175.HK", "601633.SH", "09973.HK", "000333.SZ", "000651.SZ"]


def test_a_list_settles_its_names_from_either_end(linker):
    found = codes(linker.link("", "中国科传、中国出版、皖新传媒集体走强。"))
    assert found == ["601858.SH", "601949.SH", "601801.SH"]


def test_a_list_does_not_tell_which_of_several_companies(linker):
    result = linker.link("", "今日除权：XD美的集、DR中远海。")
    assert codes(result) == ["000333.SZ"]
    assert [a.reason for a in result.abstentions] == ["several_companies"]


def test_the_document_settles_a_brand(linker):
    result = linker.link("完美世界(002624)：新游上线", "完美世界的新游首日流水可观。")
    assert codes(result) == ["002624.SZ", "002624.SZ"]
    assert codes(linker.link("", "她的完美世界里只有书。")) == []


def test_a_product_stands_for_its_company_only_beside_it(linker):
    assert codes(linker.link("", "苹果公司称，新款iPhone下月开售。")) == ["AAPL.US", "AAPL.US"]
    assert codes(linker.link("", "他用iPhone拍下了这一幕。")) == []


def test_a_legal_name_is_its_company_and_introduces_its_abbreviation(linker):
    body = "浙江三花智能控制股份有限公司（以下简称“三花”）公告，三花拟扩产。"
    assert [(x.surface, x.code, x.evidence) for x in linker.link("", body).links] == [
        ("浙江三花智能控制股份有限公司", "002050.SZ", "full_name"),
        ("三花", "002050.SZ", "abbreviation"),
        ("三花", "002050.SZ", "abbreviation"),
    ]
    assert codes(linker.link("", "中国石油化工股份有限公司与视觉（中国）文化发展股份有限公司签约")) == [
        "600028.SH",
        "000681.SZ",
    ]


def test_an_introduced_abbreviation_counts_from_there(linker):
    body = "芒果超媒股份有限公司（以下简称“芒果”）公告称，芒果拟投资短剧。"
    assert [(x.surface, x.evidence) for x in linker.link("", body).links] == [
        ("芒果超媒股份有限公司", "full_name"),
        ("芒果", "abbreviation"),
        ("芒果", "abbreviation"),
    ]
    assert codes(linker.link("", "芒果今年丰收，芒果价格下跌。")) == []


def test_another_company_is_not_taken_for_the_end_of_its_name(linker):
    assert codes(linker.link("", "优艾智合机器人股份有限公司递表。")) == []
    assert codes(linker.link("", "宁波东方集团有限公司成立。")) == []
    assert codes(linker.link("", "芒果超媒公告，子公司湖南芒果超媒有限公司增资。")) == ["300413.SZ", "300413.SZ"]
    assert codes(linker.link("", "新东方集团宣布合作")) != ["600811.SH"]


@pytest.mark.parametrize(("year", "code"), [(2013, "600832.SH"), (2020, "600637.SH")])
def test_a_name_belongs_to_who_bore_it_on_the_day(linker, year, code):
    day = datetime(year, 5, 6, tzinfo=UTC)
    assert codes(linker.link("东方明珠公告，拟回购股份", "", published_at=day)) == [code]


@pytest.mark.parametrize(
    ("text", "day", "found"),
    [
        ("SpaceX公布试飞结果", datetime(2023, 5, 6, tzinfo=UTC), []),
        ("SpaceX递交招股书", datetime(2026, 5, 21, tzinfo=UTC), ["SPCX.US"]),  # soon to be listed
        ("SpaceX涨超5%", datetime(2026, 7, 1, tzinfo=UTC), ["SPCX.US"]),
        ("中国恒大公布重组进展", datetime(2024, 5, 6, tzinfo=UTC), ["03333.HK"]),
        ("中国恒大公布清盘进展", datetime(2026, 5, 6, tzinfo=UTC), []),
        ("中芯国际披露季报", datetime(2018, 5, 6, tzinfo=UTC), ["688981.SH"]),  # listed in Hong Kong before
    ],
)
def test_a_name_is_a_stock_only_around_its_time_on_the_market(linker, text, day, found):
    result = linker.link(text, "", published_at=day)
    assert codes(result) == found
    assert [a.reason for a in result.abstentions] == ([] if found else ["not_listed"])


def test_a_former_name_leads_to_the_name_of_today(linker):
    (link,) = linker.link("百视通发布新品", "", published_at=datetime(2014, 5, 6, tzinfo=UTC)).links
    assert (link.code, link.name) == ("600637.SH", "东方明珠")


def test_a_debut_mark_holds_for_the_first_days_only(linker):
    listed = next(s for s in load() if s.exchange == "SZ" and s.listed and s.listed.year >= 2026 and len(s.name) == 4)
    day = datetime(listed.listed.year, listed.listed.month, listed.listed.day, 9, tzinfo=UTC)
    text = f"N{listed.name[:2]}涨超200%"
    assert codes(linker.link(text, "", published_at=day)) == [listed.code]
    assert codes(linker.link(text, "", published_at=day.replace(year=day.year + 2))) == []


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("（新华网）", "source_credit"),
        ("据同花顺数据显示，", "source_credit"),
        ("同花顺iFinD数据显示，今日85股涨停", "source_credit"),
        ("人民网北京11月21日电", "source_credit"),
        ("东方财富回应App崩溃", "subject"),
        ("贝壳研究院数据显示，房价环比下跌", "source_credit"),
        ("工商银行、某某银行网点下调存款利率", "subject"),
        ("花旗、某某银行上调中国股市评级", "source_credit"),
        ("大摩、某某银行上调中国股票配置价值", "source_credit"),
        ("汇丰将某公司目标股价从100美元上调至200美元", "source_credit"),
        ("高盛将某指数2026年末目标值从7600点上调至8000点", "source_credit"),
        ("招商证券国际把某公司目标价升至70港元", "source_credit"),
        ("花旗将某公司列入负面催化剂观察", "source_credit"),
        ("高盛看空某指数", "source_credit"),
        ("摩根士丹利在5月26日的报告中写道", "source_credit"),
        ("汇丰将2026年净利息收入预期上调至450亿美元", "subject"),
        ("招商银行在2025年年度报告中披露", "subject"),
        ("招商银行将加强预期管理，推动息差企稳", "subject"),
        ("工商银行将绿色债券列入发展规划", "subject"),
        ("农业银行在最新财务报告中披露不良率下降", "subject"),
        ("新华网：上半年净利润增长", "subject"),
        ("中信证券研报指出，", "source_credit"),
        ("中信证券上半年净利润增长12%", "subject"),
        ("中信证券：看好传媒板块", "source_credit"),
        ("中信证券：拟回购公司股份", "subject"),
        ("招商银行：上半年净利润增长", "subject"),
        ("据港交所文件，", "source_credit"),
        ("港交所上半年净利润增长", "subject"),
        ("港交所首三季盈利升45%", "subject"),
        ("港交所首只主动型产品上市", "source_credit"),
        ("建议关注：芒果超媒", "recommended"),
        ("公司的竞争对手芒果超媒", "peer"),
    ],
)
def test_the_role_is_told_from_the_words_beside(linker, text, role):
    (link,) = linker.link("", text).links
    assert link.role == role
    assert (link.relevance < 0.1) == (role == "source_credit")


def test_a_report_has_sections(linker):
    body = "\n".join(
        [
            "芒果超媒一季度表现亮眼。",
            "正文" * 200,
            "投资建议",
            "完美世界（002624）值得跟踪。",
            "风险提示",
            "三七互娱新游不及预期。",
            "免责声明",
            "本报告由中信证券制作。",
        ]
    )
    sections = {link.name: (link.section, link.role) for link in linker.link("周报", body, kind="report").links}
    assert sections == {
        "芒果超媒": ("lead", "subject"),
        "完美世界": ("recommendation", "recommended"),
        "三七互娱": ("risk", "risk"),
        "中信证券": ("boilerplate", "source_credit"),
    }


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("投资评级：买入（维持）", "body"),
        ("风险提示：需求不及预期。", "body"),
        ("重点推荐龙头公司，行业景气向上。", "body"),
        ("重要声明：请阅读正文之后的声明", "body"),
        ("风险提示：", "risk"),
        ("投资评级说明", "boilerplate"),
        ("投资建议\n龙头值得跟踪。\n风险提示：需求不及预期。", "recommendation"),
    ],
)
def test_a_heading_with_text_on_its_line_holds_that_line(linker, line, section):
    body = "\n".join(["行业景气向上。" * 80, line, "芒果超媒产能释放。"])
    assert [link.section for link in linker.link("周报", body, kind="report").links] == [section]


@pytest.mark.parametrize(
    ("end", "section"),
    [
        ("免责声明：本报告仅供客户使用。\n芒果超媒的证券可能为本公司所持有。", "boilerplate"),
        ("重要声明：请阅读正文之后的声明\n芒果超媒产能释放。", "body"),
        ("风险提示：1）政策变化；\n2）芒果超媒新剧不及预期；", "risk"),
    ],
)
def test_a_late_disclaimer_and_a_sentence_over_lines_hold_on(linker, end, section):
    result = linker.link("周报", "行业景气向上。" * 80 + "\n" + end, kind="report")
    assert [link.section for link in result.links] == [section]


def test_what_stands_on_the_line_of_a_heading_belongs_to_it(linker):
    body = "\n".join(["周报。", "风险提示：三七互娱新游不及预期。", "芒果超媒一季度表现亮眼。", "正文" * 200])
    sections = {link.name: link.section for link in linker.link("周报", body, kind="report").links}
    assert sections == {"三七互娱": "risk", "芒果超媒": "lead"}


def test_the_title_weighs_more_than_a_long_list(linker):
    names = "光线传媒、华策影视、博纳影业、慈文传媒、中文在线、奥飞娱乐、福昕软件、光云科技"
    result = linker.link("芒果超媒：一季报", f"{'。' * 200}板块内{names}跟涨。")
    title, *others = result.links
    assert title.relevance > 0.8
    assert all(link.relevance < 0.3 for link in others)
    assert len(others) == 8


def test_every_ambiguous_name_and_every_decoy_has_its_use():
    forms = {normal_name(name) for s in load() for name in names_of(s)}
    forms |= {base_name(form) for form in forms}
    assert [row["name"] for row in rows("ambiguous.csv") if normal_name(row["name"]) not in forms] == []
    idle = [text for text in map(normal_name, decoys()) if not any(form in text for form in forms if len(form) > 1)]
    assert idle == []


def names_of(security):
    former = (dated.name for dated in security.names)
    return (security.name, security.english_name, *security.aliases, *security.brands, *former)


def decoys():
    return [row["text"] for row in rows("decoys.csv")]


def test_a_code_behind_an_unknown_name_is_found_after_a_known_one(linker):
    assert codes(linker.link("", "芒果超媒(300413)、某公司(002624)涨停")) == ["300413.SZ", "002624.SZ"]


def test_evaluation_counts_what_it_says(linker):
    wires = [
        Wire("芒果超媒涨停", "", None, "a", (("300413", ""),)),
        Wire("某公司公告", "", None, "a", (("600519.SH", ""),)),  # not named in the text: doesn't count
        Wire("人形机器人概念走强", "", None, "b", (("300024", ""), ("BK0800", ""))),
    ]
    result = vendor_recall(linker, load(), wires)
    assert result["tags_in_text"] == 2
    assert result["vendor_recall"] == 0.5
    assert result["missed"][0]["code"] == "300024.SZ"
    alarms = false_alarms(linker, [("他用手机拍照", "society"), ("芒果超媒涨停", "sports"), ("芒果超媒涨停", "stocks")])
    assert alarms["rate"] == 0.5
    assert [error["class"] for error in alarms["errors"]] == ["sports"]
