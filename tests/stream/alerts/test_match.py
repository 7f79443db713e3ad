"""Conditions on documents: by hand, by the index, and the same in SQL over the real store."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.records import Report, document_id
from stream.alerts import frames
from stream.alerts.backtest import look_back
from stream.alerts.items import Item, Named, Rating, load
from stream.alerts.match import Matcher, around, holds, needs, sentences
from stream.alerts.rules import Condition, Count, Rule
from stream.alerts.sql import PERIOD, Where
from stream.alerts.subscriptions import Subscription
from tests.stream.alerts.make import Store, analysed

AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
CODES = ["600001.SH", "600002.SH", "300413.SZ"]
THEMES = ["game", "aigc", "ip"]


def item(**changes: object) -> Item:
    values: dict[str, object] = {
        "id": "d1",
        "source": "cls",
        "title": "版号下发",
        "body": "先说一句。Steam 上的游戏下架了。后一句。",
        "published_at": AT,
        "stored_at": AT,
        "score": -0.5,
        "tone": "negative",
        "themes": {"game": 0.7},
        "mentions": (
            Named("300413.SZ", "甲", "negative", -0.6, 0.9, "subject", "title", "甲跌停。"),
            Named("600001.SH", "乙", "positive", 0.5, 0.3, "peer", "body", "乙上涨。"),
        ),
        "rating": Rating("增持", "下调", "买入", "某证券"),
    }
    return Item(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition(theme=("ip", "game")), True),
        (Condition(theme=("game",), theme_score=0.8), False),
        (Condition(security=("300413.SZ",), mention_tone=("negative",)), True),
        (Condition(security=("600001.SH",), mention_tone=("negative",)), False),  # one mention must fulfil both
        (Condition(security=("600001.SH",), relevance=0.5), False),
        (Condition(basket=("nobody",)), False),  # no such theme: not any mention
        (Condition(basket=("nobody",), mention_tone=("negative",)), False),
        (Condition(role=("peer",)), True),
        (Condition(tone_below=-0.4), True),
        (Condition(tone_above=-0.4), False),
        (Condition(keyword=("STEAM",)), True),
        (Condition(keyword=("steam",), within="title"), False),
        (Condition(regex="(?i)steam.{0,8}下架"), True),
        (Condition(rating=("changed",)), True),
        (Condition(rating=("首次",)), False),
        (Condition(theme=("game",), not_=Condition(keyword=("下架",))), False),
        (Condition(any=(Condition(theme=("ip",)), Condition(source=("cls",)))), True),
        (Condition(all=(Condition(theme=("game",)), Condition(kind=("report",)))), False),
    ],
)
def test_what_holds(condition: Condition, expected: bool) -> None:
    assert holds(condition, item()) is expected


def test_sentences_show_why() -> None:
    assert sentences(Condition(security=("300413.SZ",)), item()) == ["甲跌停。"]
    assert sentences(Condition(keyword=("steam",)), item()) == ["Steam 上的游戏下架了。"]
    assert sentences(Condition(source=("cls",)), item()) == ["先说一句。"]
    assert around("没有句号" * 100, 50)


def test_a_rule_is_filed_under_what_it_needs() -> None:
    assert needs(Condition(theme=("game", "ip"), security=("300413.SZ",))) == {("code", "300413.SZ")}
    assert needs(Condition(theme=("game", "ip"), source=("cls",))) == {("theme", "game"), ("theme", "ip")}
    assert needs(Condition(any=(Condition(theme=("game",)), Condition(keyword=("x",))))) is None
    assert needs(Condition(not_=Condition(theme=("game",)))) is None
    assert needs(Condition(keyword=("x",))) is None


# ---------------------------------------------------------------------- the three ways agree

_texts = st.sampled_from(["游戏", "steam", "下架", "第1", "正文", "zzz"])
_scores = st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.8])
_bounds = st.none() | st.sampled_from([-0.6, -0.5, 0.0, 0.5])


def _some(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


_leaf = st.builds(
    Condition,
    theme=_some(THEMES),
    theme_score=_scores,
    security=_some(CODES),
    basket=_some(["game", "nobody"]),
    mention_tone=_some(["negative", "positive"]),
    mention_below=_bounds,
    mention_above=_bounds,
    relevance=_scores,
    role=_some(["subject", "peer"]),
    section=_some(["title", "body"]),
    tone=_some(["negative", "neutral"]),
    tone_below=_bounds,
    tone_above=_bounds,
    source=_some(["cls", "ths"]),
    kind=_some(["wire", "report"]),
    publisher=_some(["甲报", "乙报"]),
    novelty=st.sampled_from([0.0, 0.0, 0.5, 1.0]),
    rating=_some(["上调", "下调", "changed", "维持"]),
    keyword=st.lists(_texts, max_size=2).map(tuple),
    regex=st.sampled_from(["", "", "第.条", "(?i)STEAM", "^第1", "正文.+\n?"]),
    within=st.sampled_from(["any", "title", "body"]),
    all=st.just(()),
    any=st.just(()),
    not_=st.none(),
)


def _sparse(leaf: Condition, keep: set[str]) -> Condition:
    """A condition that says a few things, so that it holds of some documents."""
    return Condition(**{name: getattr(leaf, name) for name in keep})


_few = st.builds(
    _sparse,
    _leaf,
    st.sets(
        st.sampled_from([f for f in Condition.__struct_fields__ if f not in ("all", "any", "not_")]),
        min_size=1,
        max_size=3,
    ),
)
_conditions = st.recursive(
    _few,
    lambda inner: (
        st.builds(Condition, all=st.lists(inner, max_size=2).map(tuple))
        | st.builds(Condition, any=st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Condition, not_=inner)
    ),
    max_leaves=4,
)


def documents(count: int = 60) -> list[object]:
    chance = random.Random(7)
    made = []
    for n in range(count):
        report = None
        if n % 5 == 0:
            action = chance.choice(["上调", "下调", "维持", ""])
            report = Report(
                rating=chance.choice(["买入", "增持"]),
                rating_action=action,
                previous_rating=chance.choice(["", "买入"]),
            )
        made.append(
            analysed(
                n,
                AT + timedelta(minutes=n),
                themes={t: chance.choice([0.3, 0.5, 0.7, 0.8]) for t in chance.sample(THEMES, chance.randint(0, 2))},
                codes={c: chance.choice([-0.6, -0.5, 0.0, 0.5]) for c in chance.sample(CODES, chance.randint(0, 3))},
                score=chance.choice([-0.6, -0.5, 0.0, 0.5]),
                title=chance.choice(["", "Steam 上架", "游戏 下架", "第1条\n第二行"]),
                relevance=chance.choice([0.3, 0.5, 0.7]),
                role=chance.choice(["subject", "peer"]),
                section=chance.choice(["title", "body"]),
                source=chance.choice(["cls", "ths"]),
                kind=chance.choice(["wire", "report"]),
                publisher=chance.choice(["甲报", "乙报", ""]),
                report=report,
            )
        )
    return made


def test_memory_index_and_store_agree_on_every_condition(store: Store, stored: Client) -> None:
    store.add(documents())  # type: ignore[arg-type]
    low, high = AT - timedelta(days=1), AT + timedelta(days=1)
    items = load(stored, [document_id("test", str(n)) for n in range(60)], low, high)
    assert len(items) == 60 and any(i.rating for i in items) and any(i.mentions for i in items)
    held = 0

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(_conditions, min_size=4, max_size=4))
    def agree(conditions: list[Condition]) -> None:
        nonlocal held
        where = Where()
        clauses = [where.clause(condition) for condition in conditions]
        sql = f"SELECT {', '.join(f'groupArrayIf(id, {c})' for c in clauses)} FROM documents FINAL WHERE {PERIOD}"
        rows = stored.query(sql, parameters={**where.parameters, "low": low, "high": high}).result_rows[0]
        matcher = Matcher({str(n): Rule(when=condition) for n, condition in enumerate(conditions)})
        found = {i.id: set(matcher.match(i)) for i in items}
        for n, condition in enumerate(conditions):
            by_hand = {i.id for i in items if holds(condition, i)}
            assert by_hand == {id_ for id_, rules in found.items() if str(n) in rules}
            assert by_hand == set(rows[n]), condition
            held += 0 < len(by_hand) < 60

    agree()
    assert held > 20, "the conditions tell documents apart"


def test_what_is_counted_and_looked_back_on_is_as_readers_corrected_it(store: Store, stored: Client) -> None:
    store.add([analysed(n, AT, themes={"game": 0.8}, codes={CODES[0]: -0.6}) for n in range(2)])
    id_ = document_id("test", "0")
    said = (("theme", "game", "aigc"), ("tone", CODES[0], "positive"))
    rows = [[id_, AT, *words, 1] for words in said]
    stored.insert("feedback", rows, ["document_id", "published_at", "kind", "subject", "correction", "version"])
    low, high = AT - timedelta(days=1), AT + timedelta(days=1)
    for condition, expected in (
        (Condition(theme=("aigc",)), {id_}),
        (Condition(theme=("aigc",), theme_score=0.5), {id_}),
        (Condition(theme=("game",)), {document_id("test", "1")}),
        (Condition(security=(CODES[0],), mention_tone=("positive",)), {id_}),
        (Condition(security=(CODES[0],), mention_below=-0.5), {document_id("test", "1")}),
    ):
        frame = frames.read(stored, Rule(when=condition, count=Count(window="1h", at_least=1)), low, high).frames
        assert {id_ for found in frame.values() for id_ in found.ids} == expected
        subscription = Subscription(name="x", when=condition)
        past = look_back(stored, subscription, days=1, per_day=1, now=AT + timedelta(hours=1))
        assert {firing.document_id for firing in past.firings} == expected


def test_the_threshold_that_is_suggested_is_about_one_mention_that_fulfils_all(store: Store, stored: Client) -> None:
    tones = [-0.05, -0.1234, -0.2, -0.25]
    store.add([analysed(n, AT, codes={CODES[0]: tone, CODES[1]: -0.9}) for n, tone in enumerate(tones)])
    store.add([analysed("positive", AT, codes={CODES[0]: 0.9}, relevance=0.9), analysed("nobody", AT)])
    ours = Condition(security=(CODES[0], CODES[1]), mention_tone=("neutral",), mention_below=-0.22)
    for when, suggested, total in (
        (ours, -0.123, 3),
        (Condition(role=("subject",), mention_tone=("positive",), relevance=0.95), 0.9, 1),
        (Condition(mention_below=-0.95), -0.9, 4),
    ):
        rule = Subscription(name="x", when=when)
        found = look_back(stored, rule, days=1, per_day=3, now=AT + timedelta(hours=1))
        assert (found.suggested, found.suggested_total) == (pytest.approx(suggested, abs=2e-3), total)
