"""Rules from YAML: what is taken, and that every mistake is named with its place."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stream.alerts.expressions import expression
from stream.alerts.ledger import PENDING_DAYS
from stream.alerts.rules import WATCHES, Burst, Condition, Rule, basket, codes, load_baskets, parse, seconds
from stream.alerts.subscriptions import Subscription, read, write
from stream.alerts.text import RuleError

EVERYTHING = """
name: 游戏转空
owner: ann
when:
  theme: [game, ip]
  theme_score: 0.6
  basket: game
  mention_below: -0.2
  relevance: 0.5
  source: [cls, eastmoney]
  kind: wire
  novelty: 0.5
  any:
    - {keyword: [版号, 处罚], within: title}
    - {regex: '(?i)steam.{0,20}下架'}
  not: {keyword: 汇总}
channels: [群, 邮箱]
schedule: [pre_open, after_close]
quiet: "22:00-07:30"
cooldown: 30m
per_day: 20
escalate: {after: 15m, channels: [值班]}
"""


def test_all_that_a_subscription_can_say() -> None:
    (subscription,) = read(EVERYTHING)
    when = subscription.when
    assert when.theme == ("game", "ip") and when.kind == ("wire",) and when.not_ == Condition(keyword=("汇总",))
    assert "300002.SZ" in codes(when) or len(codes(when)) > 3, "the basket's securities"
    assert subscription.schedule == ("pre_open", "after_close") and subscription.channels == ("群", "邮箱")
    assert read(write([subscription])) == [subscription], "export and import give the same"
    assert msgspec.json.decode(msgspec.json.encode(subscription), type=Subscription) == subscription


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("when: {theme: game", "line 1", "not YAML"),
        ("when:\n  thema: game", "line 2", "thema"),
        ("when:\n  theme: game\n  all:\n    - tone: good", "line 4", "all[0].tone"),
        ("when:\n  security: 300413", "line 2", "300413.SZ"),
        ("when:\n  security: '300413'", "when.security", "market"),
        ("when:\n  theme: game\n  theme_score: 3", "line 3", "<= 1"),
        ("when:\n  any:\n  - regex: '(a'", "any[0].regex", "can't be read"),
        ("when:\n  regex: '(?=a)'", "when.regex", "look-around"),
        ("when: {}", "when", "every document"),
        ("when: {basket: nonsense}", "when.basket", "themes list"),
        ("when:\n  any:\n  - theme: [game, aicg]", "line 3, when.any[0].theme", "'aicg' is no theme: write aigc"),
        ("when: {theme: 游戏}", "when.theme", "write game"),
        ("when: {theme: 出版业}", "when.theme", "write publishing"),
        ("when: {basket: Games}", "when.basket", "write game"),
        ("when: {theme: zzz}", "when.theme", "there are aigc, "),
        ("when: {role: subjekt}", "when.role", "'subjekt' is not one of subject, peer, "),
        ("when: {section: nowhere}", "when.section", "not one of title, lead, body, "),
        ("when: {tone: good}", "when.tone", "'good' is not one of negative, neutral, positive"),
        ("when: {theme: game}\nsilent: {during: noon}", "silent.during", "'noon' is not one of after_close, "),
        ("when: {theme: game}\nwhen: {theme: ip}", "line 2", "'when' stands in line 1 already"),
        ("when:\n  not:\n  - theme: game\n    theme: ip", "line 4", "'theme' stands in line 3 already"),
        ("when: {theme: game}\nburst:\n", "line 2, burst", "write `burst:` {}"),
        ("when: {theme: game}\ncount:\n", "line 2, count", "write `count:` {at_least: 3}"),
        ("when: {theme: game}\nburst: {window: 1 hour}", "burst.window", "30m, 2h, 7d"),
        ('when: {theme: game}\nburst: {window: "1h\\n"}', "burst.window", "30m, 2h, 7d"),
        ("when: {theme: game}\nburst:\n  window: 17d", "line 3, burst.window", "17d is too long; at most 16d"),
        ("when: {theme: game}\ntone_turn: {window: 385h}", "tone_turn.window", "at most 16d"),
        ("when: {theme: game}\nburst: {}\ncount: {at_least: 3}", "line 3", "two rules"),
        ("when: {theme: game, within: title}", "when.within", "keyword"),
        ("when: {tone_above: 0.5, tone_below: 0.2}", "when.tone_above", "between"),
        ("when: {theme: game}\nper: theme", "line 2", "burst"),
        ("a: &x [1]\nb: *x", "the text", "aliases"),
        ("when: {theme: game, not: {}}", "when.not", "empty condition"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_remedy(text: str, place: str, remedy: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert place in str(caught.value) and remedy in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- {name: a, when: {theme: game}}\n- {name: b, when: {theme: 7}}", "line 2"),
        (
            "subscriptions:\n- name: a\n  when: {theme: game}\n  time_zone: Mars/Base",
            "line 4, subscriptions[0].time_zone",
        ),
        ("name: a\nwhen: {theme: game}\nquiet: '25:00-07:00'", "line 3, quiet"),
        ("name: a\nwhen: {theme: game}\nquiet: at night", "hours such as 22:00-07:30"),
        ('name: a\nwhen: {theme: game}\nquiet: "22:00-07:30\\n"', "hours such as 22:00-07:30"),
        ('name: a\nwhen: {theme: game}\ndigest_at: "18:00\\n"', "digest_at"),
        ("name: a\nwhen: {theme: game}\ndigest_at: noon", "a time such as 18:00"),
        ("name: a\nwhen: {theme: game}\ndigest_at: 18:00", 'put it in quotes, a time as in "18:00"'),
        ("name: a\nwhen: {theme: game}\nschedule: [sometimes]", "'sometimes' is not one of after_close, daily, "),
        ("- name: a\n  when: {theme: game}\n- name: a\n  when: {theme: ip}", "line 3, [1].name: 'a' stands in"),
        ("- {name: a, id: x, when: {theme: game}}\n- {name: a, when: {theme: ip}}", "line 2, [1].name"),
        ("- {name: a, id: x, when: {theme: game}}\n- {name: b, id: x, when: {theme: ip}}", "line 2, [1].id"),
        ("name: a\nwhen: {theme: game}\nburst:", "line 3, burst: nothing stands behind it"),
        ("name: a\nwhen: {theme: game}\ncooldown: 8d", "line 3, cooldown: 8d is too long; at most 7d"),
        (
            "name: a\nwhen: {theme: game}\nescalate:\n  channels: 值班\n  after: 30d",
            "line 5, escalate.after: 30d is too long",
        ),
        ("name: a\nwhen: {theme: game}\nschedule: [immediate, daily]", "schedule"),
        ("when: {theme: game}", "'name' is missing"),
        ("just text", "docs/alerts.md"),
    ],
)
def test_a_mistake_in_a_file_of_subscriptions_is_named(text: str, place: str) -> None:
    with pytest.raises(RuleError) as caught:
        read(text, "rules.yaml")
    assert place in str(caught.value) and "rules.yaml" in str(caught.value)


@given(st.text(max_size=200))
def test_no_text_gives_anything_but_rules_or_a_rule_error(text: str) -> None:
    try:
        assert isinstance(parse(text), Rule)
    except RuleError as error:
        assert str(error)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 400) | st.floats(-2, 2) | st.sampled_from(["game", "30m", "负面", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["when", "theme", "any", "all", "not", "tone", "keyword", "burst", "window", "per"]), inner
        )
    ),
    max_leaves=12,
)


@given(_json)
def test_no_structure_gives_anything_but_rules_or_a_rule_error(value: object) -> None:
    try:
        assert isinstance(parse(yaml.safe_dump(value, allow_unicode=True)), Rule)
    except RuleError as error:
        assert str(error)


def test_two_of_one_name_are_apart_by_owner_or_id() -> None:
    text = "- {name: a, id: x, when: {theme: game}}\n- {name: a, id: y, when: {theme: ip}}"
    assert len(read(text)) == len(read(text.replace("id: y", "owner: ann"))) == 2


def test_a_watch_of_defaults_is_written_as_an_empty_mapping() -> None:
    assert parse("when: {theme: game}\nburst: {}").burst == Burst()
    for name in WATCHES.keys() - {"count"}:
        assert parse(f"when: {{theme: game}}\n{name}: {{}}").kind == name


def test_what_the_linker_says_of_a_mention_can_be_asked_for() -> None:
    assert parse("when: {role: source_credit, section: boilerplate}").when.role == ("source_credit",)


def test_a_hostile_expression_takes_linear_time() -> None:
    assert expression("(a+)+$").search("a" * 100_000 + "!") is None


@pytest.mark.parametrize("span", ["", "2", "h", "-3d", "0h", "٣d", "99999d", "1w", " 1h"])
def test_what_is_no_span(span: str) -> None:
    with pytest.raises(ValueError, match="write 30m, 2h, 7d"):
        seconds(span)


def test_the_longest_window_of_a_watch() -> None:
    assert parse("when: {theme: game}\ncount: {window: 16d, at_least: 3}").count is not None
    assert seconds("16d") == PENDING_DAYS * 86400, "for so long the ledger knows that it spoke"


def test_spans() -> None:
    assert [seconds(span) for span in ("30m", "2h", "7d")] == [1800, 7200, 604800]


def test_a_basket_of_the_user_s_own(tmp_path: Path) -> None:
    assert basket("mine") == ()
    file = tmp_path / "themes.yaml"
    file.write_text("themes:\n- {id: mine_own, name: 我的, cues: [甲], description: d, basket: [600001.SH]}\n")
    load_baskets(file)
    assert basket("mine_own") == ("600001.SH",)
    assert parse("when: {theme: mine_own}").when.theme == ("mine_own",)
    with pytest.raises(RuleError, match="write mine_own"):
        parse("when: {theme: 我的}")
    load_baskets(tmp_path / "missing.yaml")
    assert basket("mine_own") == ()
    with pytest.raises(RuleError, match="'mine_own' is no theme"):
        parse("when: {theme: mine_own}")
