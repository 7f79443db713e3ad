"""One subscription: its form and its YAML, its switches, its feed and its versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import streamlit as st
from markupsafe import Markup

from dashboard import blocks, client, editing, frame, picker, subscriptions
from dashboard.client import read as ask
from dashboard.panel import go, href, panel
from dashboard.queries import documents
from dashboard.safe import html, label, plain
from dashboard.text import LANGUAGES, language, moment, say, theme_ids, theme_name
from models.records import Kind
from models.securities import names as listed
from models.trading import SHANGHAI
from stream.alerts.channels import ChannelBook, Safe
from stream.alerts.rules import COUNTED, WATCHES
from stream.alerts.subscriptions import SNOOZES, Book, Digest, Stored, Subscription
from stream.alerts.text import RuleError

RULES = ("document", *WATCHES)
TONES = ("positive", "neutral", "negative")


def in_words(s: Subscription) -> str:
    """The rule in a line."""
    names = frame.names()
    parts = [
        "、".join(theme_name(t) for t in s.when.theme),
        "、".join(plain(names.get(c, c), 12) for c in s.when.security[:4]) + ("…" if len(s.when.security) > 4 else ""),
        "、".join(f"«{plain(k, 12)}»" for k in s.when.keyword[:4]),
        "、".join(say(t) for t in (*s.when.tone, *s.when.mention_tone)),
        "…" if subscriptions.beyond_form(s) else "",
    ]
    said = " · ".join(part for part in parts if part)
    return f"{say(f'rule_{s.kind}')}{'：' if language() == 'zh' else ': '}{said or say('all')}"


def wrong(error: Exception) -> None:
    """What is wrong with a text, and where."""
    panel(html('<div class="fx-box"><b class="fx-bad">✕ {e}</b></div>', e=plain(error, 600)), "wrong")


# ---------------------------------------------------------------------- switches


def actions(stored: Stored, me: str) -> None:
    """Snooze, switch off and on, remove."""
    book, subscription = Book(editing.store()), stored.subscription
    with st.container(horizontal=True, key="actions"):
        if subscriptions.state(stored, datetime.now(UTC)) == "snoozed":
            if st.button(say("unsnooze"), icon=":material/notifications_active:"):
                book.snooze(stored, None, by=me)
                st.rerun()
        else:
            with st.popover(say("snooze"), icon=":material/snooze:"):
                for span, length in SNOOZES.items():
                    if st.button(say(f"snooze_{span}"), key=f"snooze-{span}", width="stretch"):
                        book.snooze(stored, datetime.now(UTC) + length, by=me)
                        st.rerun()
        key = "disable" if subscription.enabled else "enable"
        if st.button(say(key), icon=":material/toggle_on:" if key == "enable" else ":material/toggle_off:"):
            book.save([msgspec.structs.replace(subscription, enabled=not subscription.enabled)], by=me)
            st.rerun()
        with st.popover(say("remove"), icon=":material/delete:"):
            st.caption(say("remove_note"))
            if st.button(say("remove_really"), type="primary", key="remove-really"):
                book.remove(stored, by=me)
                go(href("alerts", alerts="list"))


def feed(id_: str) -> None:
    """The subscription's Atom feed, for its owner."""
    from stream.alerts.agent import links

    with st.expander(say("feed_address"), icon=":material/rss_feed:"):
        st.caption(say("feed_note"))
        st.code(links(client.settings()).feed(id_), language=None, wrap_lines=True)


def manage(id_: str, message: str) -> Markup:
    """The way to the page behind a message's mute link, where it is acknowledged."""
    from stream.alerts.agent import links

    return blocks.outward(links(client.settings()).manage(id_, message), say("acknowledge"))


def versions(stored: Stored, me: str, mine: bool) -> None:
    """What it said before; for its owner, with the way back."""
    known = Book(client.client()).versions(stored.subscription.id)
    if len(known) < 2:
        return
    now = datetime.now(SHANGHAI)
    with st.expander(say("versions_kept", n=len(known)), icon=":material/history_edu:"):
        number_ = st.selectbox(
            say("version"),
            range(len(known) - 1, 0, -1),
            format_func=lambda n: say("version_of", n=n, by=plain(known[-n].changed_by or say("somebody"), 30),
                                      at=moment(known[-n].changed_at, now)),
            key=f"version-{stored.subscription.id}-{stored.version}",
        )  # fmt: skip
        chosen = known[-number_]
        st.code(subscriptions.text_of(chosen.subscription), language="yaml", wrap_lines=True)
        if mine and st.button(say("restore_version"), icon=":material/settings_backup_restore:"):
            try:
                Book(editing.store()).restore(chosen, by=me)
            except RuleError as error:
                wrong(error)
                return
            st.rerun()


# ---------------------------------------------------------------------- form and YAML


def editor(stored: Stored | None, known: list[Stored], me: str, mine: bool) -> None:
    """The two ways to write it; both save through the same reading."""
    base = stored.subscription if stored else None
    if not mine:
        st.code(subscriptions.text_of(base) if base else "", language="yaml", wrap_lines=True)
        return
    id_ = f"{base.id}-{stored.version}" if base and stored else "new"
    form, text = st.tabs([say("as_form"), "YAML"])
    with form:
        values = _form(base, id_)
        if base and (more := subscriptions.beyond_form(base)):
            st.caption(say("beyond_form", keys=label(", ".join(more))))
        _buttons(lambda: subscriptions.filled(base, values), base, known, me, f"form-{id_}")
    with text:
        start = subscriptions.text_of(base) if base else subscriptions.START
        written = st.text_area("YAML", start, height=420, key=f"yaml-{id_}", label_visibility="collapsed")
        _buttons(lambda: subscriptions.one(written), base, known, me, f"yaml-{id_}")


def _buttons(make: Any, base: Subscription | None, known: list[Stored], me: str, key: str) -> None:
    with st.container(horizontal=True):
        save = st.button(say("save"), type="primary", icon=":material/save:", key=f"save-{key}")
        back = st.button(say("look_back"), icon=":material/history:", key=f"back-{key}")
    if not (save or back):
        return
    try:
        subscription = make()
        if base:
            subscription = msgspec.structs.replace(subscription, id=base.id, owner=base.owner)
        if back:
            st.session_state["lookback"] = (base.id if base else "new", subscription)
        else:
            keep(subscription, known, me)
    except RuleError as error:
        wrong(error)


def keep(subscription: Subscription, known: list[Stored], me: str) -> None:
    """Save it and show it. Raises `RuleError`."""
    if not subscription.id and any(
        s.subscription.name == subscription.name and s.subscription.owner == (me or subscription.owner) for s in known
    ):
        raise RuleError(say("name_taken", name=subscription.name))
    (saved,) = store([subscription], me)
    st.session_state.pop("lookback", None)
    st.toast(say("saved"), icon=":material/check:")
    go(href("alerts", id=saved.subscription.id))


def store(given: list[Subscription], me: str) -> list[Stored]:
    """Save them as the reader's own. Raises `RuleError`."""
    book = Book(editing.store())
    return book.save(subscriptions.own(given, book.all(), me), by=me)


def _form(base: Subscription | None, id_: str) -> dict[str, Any]:
    """The common keys as widgets; gives their values."""
    old = subscriptions.fields(base)
    made: dict[str, Any] = {
        "name": st.text_input(say("name"), old["name"], max_chars=100, key=f"name-{id_}"),
        "rule": st.selectbox(
            say("rule"), RULES, RULES.index(old["rule"]), format_func=lambda r: say(f"rule_{r}"), key=f"rule-{id_}"
        ),
    }
    st.caption(say(f"rule_{made['rule']}_help"))

    def several(field: str, options: list[str], named: Any = str, *, new: bool = False, title: str = "") -> None:
        chosen = list(old.get(field, []))
        made[field] = st.multiselect(
            say(title or field),
            list(dict.fromkeys([*options, *chosen])),
            chosen or None,
            format_func=named,
            accept_new_options=new,
            select_all=False,
            placeholder=say("any_of"),
            key=f"{field}-{id_}",
        )

    if made["rule"] not in ("silent", "trouble"):
        # all that are listed, the most mentioned first: an alert may wait for one that no document has named yet
        names = {code: code for code in old.get("security", [])} | frame.names() | listed()

        def company(code: str) -> str:
            return f"{plain(names[code], 16)} {code}" if names.get(code, code) != code else plain(code, 20)

        left, right = st.columns(2)
        with left:
            several("theme", theme_ids(), theme_name)
            several("security", picker.offered(f"security-{id_}", names, none="unknown_security"), company, new=True)
            several("keyword", [], lambda k: plain(k, 40), new=True, title="keywords")
        with right:
            several("tone", list(TONES), say, title="tone_of_document")
            several("mention_tone", list(TONES), say, title="tone_towards_company")
            several("kind", list(get_args(Kind)), blocks.kind_name)
        with st.expander(say("more_conditions")):
            several("source", [str(s) for s in ask(documents.sources())["source"]], lambda s: plain(s, 30))
            for field in ("relevance", "novelty"):
                value = float(old.get(field) or 0.0)
                made[field] = st.slider(say(f"{field}_at_least"), 0.0, 1.0, value, 0.05, key=f"{field}-{id_}")
    elif made["rule"] == "silent":
        several("source", [str(s) for s in ask(documents.sources())["source"]], lambda s: plain(s, 30))
    made["watch"] = _watch(str(made["rule"]), old, id_) if made["rule"] != "document" else {}
    made["per"] = old["per"]
    if made["rule"] in COUNTED:
        pers = ("all", "theme", "security", "source", "publisher")
        made["per"] = st.selectbox(
            say("per"), pers, pers.index(old["per"]), format_func=lambda p: say(f"per_{p}"), key=f"per-{id_}"
        )
    st.markdown(f"**{say('manners')}**")
    several("schedule", list(get_args(Digest)), lambda d: say(f"schedule_{d}"))
    owner = base.owner if base else editing.reader()
    several("channels", [n for _, n, _ in ChannelBook(client.client(), Safe("")).names(owner or None)], plain)
    first, second, third = st.columns(3)
    made["quiet"] = first.text_input(say("quiet"), old.get("quiet") or "", placeholder="22:00-07:30", key=f"q-{id_}")
    cooldown = old.get("cooldown") or ""
    made["cooldown"] = second.text_input(say("cooldown"), cooldown, placeholder="30m", key=f"c-{id_}")
    made["language"] = third.selectbox(
        say("language"), list(LANGUAGES), list(LANGUAGES).index(old["language"]), LANGUAGES.__getitem__, key=f"l-{id_}"
    )
    with st.container(horizontal=True):
        made["dry_run"] = st.toggle(
            say("state_dry_run"), bool(old.get("dry_run")), key=f"d-{id_}", help=say("dry_help")
        )
        made["shared"] = st.toggle(say("shared"), bool(old.get("shared")), key=f"s-{id_}")
    return made


def _watch(rule: str, old: dict[str, Any], id_: str) -> dict[str, Any]:
    """The fields of a watch over a window, as its type says."""
    before = old["watch"] if old["rule"] == rule else {}
    info: Any = msgspec.inspect.type_info(WATCHES[rule])
    made: dict[str, Any] = {}
    columns = st.columns(min(len(info.fields), 3))
    for number_, field in enumerate(info.fields):
        title, key = say(f"watch_{field.name}"), f"{rule}-{field.name}-{id_}"
        value = before.get(field.name, 5 if field.default is msgspec.NODEFAULT else field.default)
        with columns[number_ % len(columns)]:
            if isinstance(field.type, msgspec.inspect.LiteralType):
                options = list(field.type.values)
                made[field.name] = st.selectbox(
                    title, options, options.index(value), format_func=lambda v: say(f"value_{v}"), key=key
                )
            elif isinstance(field.type, msgspec.inspect.VarTupleType):
                options = list(getattr(field.type.item_type, "values", value))
                made[field.name] = st.multiselect(
                    title, options, list(value), format_func=lambda v: say(f"value_{v}"), key=key, select_all=False
                )
            elif isinstance(value, str):
                made[field.name] = st.text_input(title, value, key=key, help=say("span_help"))
            else:
                made[field.name] = st.number_input(title, value=value, key=key)
    return made
