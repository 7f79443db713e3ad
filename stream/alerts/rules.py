"""What a rule is: a condition on a document, or a watch over the documents that a condition picks.

Everything that a condition names must hold; where it names several values, one of them is enough; `all`, `any` and
`not` join conditions. A rule without a watch fires for each document that its condition holds for.

`parse` reads the YAML form, `check` finds what types can't say. Both raise `RuleError` with the place and the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct, field

from models.records import Kind, Tone
from stream.alerts.expressions import expression
from stream.alerts.text import RuleError, Source, convert

if TYPE_CHECKING:
    from models.themes import Theme

SPAN = re.compile(r"^[1-9][0-9]{0,3}[mhd]\Z")  # 30m, 2h, 7d
Span = Annotated[str, Meta(pattern=SPAN.pattern)]
Share = Annotated[float, Meta(ge=0, le=1)]
Score = Annotated[float, Meta(ge=-1, le=1)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=500)]
Some = Annotated[int, Meta(ge=1, le=100_000)]
Session = Literal["pre_open", "morning", "midday", "afternoon", "after_close", "closed"]

MAX_CONDITIONS = 200
LONGEST_WINDOW = 16 * 86400  # seconds; a watch rests as long as its window, and the ledger knows no longer of it
SECURITY = re.compile(r"[0-9A-Z.]{1,8}\.(SZ|SH|BJ|HK|US)")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What must hold of one document. Fields left out say nothing."""

    theme: Texts = ()
    theme_score: Share = 0.0
    security: Texts = ()  # codes with market: 300413.SZ
    basket: Texts = ()  # themes whose baskets of securities are meant
    mention_tone: tuple[Tone, ...] = ()  # toward the security; so are the next five
    mention_below: Score | None = None
    mention_above: Score | None = None
    relevance: Share = 0.0
    role: Texts = ()
    section: Texts = ()
    tone: tuple[Tone, ...] = ()  # of the whole document
    tone_below: Score | None = None
    tone_above: Score | None = None
    source: Texts = ()
    kind: tuple[Kind, ...] = ()
    publisher: Texts = ()
    novelty: Share = 0.0  # at least; 1: said for the first time
    rating: tuple[Literal["上调", "下调", "首次", "维持", "changed"], ...] = ()
    keyword: Texts = ()
    regex: str = ""
    within: Literal["any", "title", "body"] = "any"  # where keyword and regex look
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    not_: Condition | None = field(default=None, name="not")

    @property
    def of_mention(self) -> bool:
        """Whether it says something that one mention alone must fulfil."""
        return bool(self.security or self.basket or self.mention_detail)

    @property
    def mention_detail(self) -> bool:
        bounds = self.mention_below is not None or self.mention_above is not None
        return bool(self.mention_tone or bounds or self.relevance or self.role or self.section)


class Watch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all watches share: the length of the window."""

    window: Span = "1h"


class Burst(Watch, frozen=True, kw_only=True):
    """More stories than usual for this time of a day of this kind."""

    times: Annotated[float, Meta(ge=1)] = 3.0
    at_least: Some = 5
    days: Annotated[int, Meta(ge=3, le=120)] = 28  # of the baseline


class Count(Watch, frozen=True, kw_only=True):
    """So many within the window."""

    at_least: Some
    count: Literal["stories", "documents", "publishers"] = "stories"


class ToneTurn(Watch, frozen=True, kw_only=True):
    """The mean tone of the window against that of the time before it."""

    window: Span = "1d"
    against: Span = "14d"
    change: Annotated[float, Meta(gt=0, le=2)] = 0.4
    at_least: Some = 5
    direction: Literal["any", "up", "down"] = "any"


class First(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A security named (`first_mention`), or two named together (`new_pair`), and not in so many days before."""

    days: Annotated[int, Meta(ge=1, le=400)] = 30


class Silent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source of which nothing came for so long, within these sessions."""

    after: Span = "2h"
    during: tuple[Session, ...] = ("morning", "midday", "afternoon")


class Trouble(Watch, frozen=True, kw_only=True):
    """The pipeline itself: documents late (`behind`), too many that can't be read (`dead_share`), polled sources.

    A source speaks when it is `failing` throughout the window, `silent` (against its usual rate, docs/sources.md), or
    has a `gap` that its vendor no longer serves.
    """

    window: Span = "15m"
    behind: Span = "5m"
    dead_share: Share = 0.2
    sources: tuple[Literal["failing", "silent", "gap"], ...] = ("failing", "silent", "gap")


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A condition, at most one watch over what it picks, and by what the watch counts apart."""

    when: Condition = Condition()
    per: Literal["all", "theme", "security", "source", "publisher"] = "all"
    burst: Burst | None = None
    count: Count | None = None
    tone_turn: ToneTurn | None = None
    first_mention: First | None = None
    new_pair: First | None = None
    silent: Silent | None = None
    trouble: Trouble | None = None

    @property
    def watches(self) -> dict[str, Any]:
        """Name and value of each watch that it has."""
        return {name: value for name in WATCHES if (value := getattr(self, name)) is not None}

    @property
    def kind(self) -> str:
        """`document`, or the name of its watch."""
        return next(iter(self.watches), "document")


WATCHES: dict[str, type[Struct]] = {
    "burst": Burst,
    "count": Count,
    "tone_turn": ToneTurn,
    "first_mention": First,
    "new_pair": First,
    "silent": Silent,
    "trouble": Trouble,
}
COUNTED = ("burst", "count", "tone_turn")  # the watches that `per` belongs to
_LISTS = "theme security basket mention_tone role section tone source kind publisher rating keyword all any during"
LISTS = frozenset([*_LISTS.split(), "sources", "channels", "schedule"])  # one value stands for a list


def seconds(span: str) -> int:
    """Seconds of `30m`, `2h`, `7d`. Raises ValueError for anything else."""
    if not SPAN.fullmatch(span):
        raise ValueError(f"{span!r} is no span: write 30m, 2h, 7d")
    return int(span[:-1]) * _SECONDS[span[-1]]


def parse(text: str, name: str = "") -> Rule:
    """The rule of a YAML text. Raises `RuleError`."""
    source = Source(text, name)
    rule = convert(source, source.value, Rule, LISTS)
    check(rule, source.value, source)
    return rule


def check(rule: Rule, value: Mapping[str, Any], source: Source) -> None:
    """Raises `RuleError` for what the types let through; value: what the rule was converted from."""
    for name in WATCHES:
        if name in value and value[name] is None:  # else it would be a rule that fires for each document
            example = "{at_least: 3}" if name == "count" else "{}, which takes its defaults"
            raise source.error(f"$.{name}", f"nothing stands behind it: write `{name}:` {example}")
    if len(rule.watches) > 1:
        raise source.error(f"$.{list(rule.watches)[1]}", f"one rule has one of {', '.join(WATCHES)}; make two rules")
    places = list(walk(rule.when, "$.when"))
    if len(places) > MAX_CONDITIONS:
        raise source.error("$.when", f"{len(places)} conditions; at most {MAX_CONDITIONS} are allowed")
    if rule.kind == "document" and rule.when == Condition():
        raise source.error("$.when", "empty, so every document would fire: name a theme, a security …")
    if rule.per != "all" and rule.kind not in COUNTED:
        raise source.error("$.per", f"belongs to {', '.join(COUNTED)}")
    for name, watch in rule.watches.items():
        if isinstance(watch, Watch) and seconds(watch.window) > LONGEST_WINDOW:
            raise source.error(f"$.{name}.window", f"{watch.window} is too long; at most 16d")
    for path, condition in places:
        _check_condition(condition, source, path)


def walk(condition: Condition, path: str = "$") -> Iterator[tuple[str, Condition]]:
    """The condition and all inside it, with their paths."""
    yield path, condition
    for name in ("all", "any"):
        for number, inner in enumerate(getattr(condition, name)):
            yield from walk(inner, f"{path}.{name}[{number}]")
    if condition.not_ is not None:
        yield from walk(condition.not_, f"{path}.not")


def _check_condition(condition: Condition, source: Source, path: str) -> None:
    for code in condition.security:
        if not SECURITY.fullmatch(code):
            raise source.error(f"{path}.security", f"{code!r} is no code with its market: 300413.SZ, 00700.HK, BABA.US")
    for key in ("theme", "basket"):
        for theme in getattr(condition, key):
            if theme not in _themes():
                raise source.error(f"{path}.{key}", _no_theme(theme))
            if key == "basket" and not basket(theme):
                raise source.error(f"{path}.basket", f"{theme!r} has no basket: see `fengxiang themes list`")
    if condition.role or condition.section:
        from models.linking.records import Role, Section

        for key, kind in (("role", Role), ("section", Section)):
            for value in getattr(condition, key):
                if value not in get_args(kind):
                    raise source.error(f"{path}.{key}", f"{value!r} is not one of {', '.join(get_args(kind))}")
    if condition.regex:
        try:
            expression(condition.regex)
        except RuleError as error:
            raise source.error(f"{path}.regex", str(error)) from None
    if condition.within != "any" and not (condition.keyword or condition.regex):
        raise source.error(f"{path}.within", "says where keyword or regex look; there is neither")
    if condition.theme_score and not condition.theme:
        raise source.error(f"{path}.theme_score", "needs a theme")
    for low, high in (("tone_above", "tone_below"), ("mention_above", "mention_below")):
        above, below = getattr(condition, low), getattr(condition, high)
        if above is not None and below is not None and above >= below:
            raise source.error(f"{path}.{low}", f"{above} is not below {high} {below}: nothing can be between them")
    if condition == Condition() and path.endswith(("]", "not")):
        raise source.error(path, "an empty condition: name a theme, a security …")


_own_themes: dict[str, Theme] = {}


def load_baskets(path: Path) -> None:
    """Take a user's themes, with their baskets, beside the built-in ones, and no others; no file is no error.

    Raises `RuleError`, and leaves them as they were.
    """
    from models.themes import ThemeError, read_themes

    global _own_themes
    try:
        _own_themes = {theme.id: theme for theme in read_themes(path)} if path.exists() else {}
    except ThemeError as error:
        raise RuleError(str(error)) from error


def basket(theme: str) -> tuple[str, ...]:
    """The securities of a theme's basket; empty for an unknown theme."""
    return known.basket if (known := _themes().get(theme)) else ()


def _themes() -> dict[str, Theme]:
    from models.themes import built_in

    return {theme.id: theme for theme in built_in().themes} | _own_themes


def _no_theme(written: str) -> str:
    themes = _themes()
    ids = {name.lower(): id_ for id_, theme in themes.items() for name in (theme.english, theme.name, id_)}
    near = get_close_matches(written.lower(), ids, 1)
    instead = f"write {ids[near[0]]}" if near else f"there are {', '.join(themes)}"
    return f"{written!r} is no theme: {instead}; `fengxiang themes list` shows them"


def codes(condition: Condition) -> frozenset[str]:
    """The securities that a condition itself names, baskets included."""
    return frozenset(condition.security).union(*(basket(theme) for theme in condition.basket))


def to_json(rule: Rule) -> str:
    """The rule as JSON, without defaults."""
    return msgspec.json.encode(rule).decode()
