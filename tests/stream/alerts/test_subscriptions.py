"""Subscriptions in the store: whose is meant, and what is kept of them."""

from __future__ import annotations

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from stream.alerts.rules import Condition
from stream.alerts.subscriptions import Book, Subscription
from stream.alerts.text import RuleError


def of(owner: str, name: str = "s", **changes: object) -> Subscription:
    return Subscription(name=name, owner=owner, when=Condition(theme=("game",)), **changes)  # type: ignore[arg-type]


def test_what_others_share_is_read_and_not_changed(stored: Client) -> None:
    book = Book(stored)
    book.save([of("ann", "mine"), of("ann", "ours", shared=True)])
    assert book.find("ours", "bob").subscription.owner == "ann"
    for name, to_change in (("mine", False), ("mine", True), ("ours", True)):
        with pytest.raises(RuleError, match="no subscription"):
            book.find(name, "bob", to_change=to_change)
    assert book.find("ours", "ann", to_change=True) == book.find("ours")


def test_one_that_cannot_be_read_hides_no_other(stored: Client) -> None:
    book = Book(stored)
    ours, theirs = book.save([of("ann", "ours"), of("bob", "theirs")])
    sql = "ALTER TABLE alert_subscriptions UPDATE definition = '{\"colour\": 1}' WHERE id = {id:String}"
    stored.command(sql, parameters={"id": theirs.subscription.id}, settings={"mutations_sync": 1})
    assert [found.subscription.name for found in book.all()] == [ours.subscription.name]


def test_one_whose_theme_was_removed_or_misspelt_is_read_as_it_was_stored(stored: Client) -> None:
    book = Book(stored)
    when = Condition(theme=("removed_since",), role=("nosuch",), section=("nowhere",))
    (saved,) = book.save([Subscription(name="s", owner="ann", when=when)])
    assert book.all()[0].subscription == saved.subscription


def test_of_several_with_one_name_an_id_is_asked_for(stored: Client) -> None:
    book = Book(stored)
    first, second = book.save([of("ann"), of("bob")])
    with pytest.raises(RuleError, match="give an id") as caught:
        book.find("s")
    assert first.subscription.id in str(caught.value) and second.subscription.id in str(caught.value)
    for found in (book.find("s", "bob"), book.find(second.subscription.id[:6])):
        assert found.subscription == second.subscription


def test_two_of_one_name_come_back_apart_by_their_ids(stored: Client) -> None:
    book = Book(stored)
    first = msgspec.structs.replace(of("ann"), id="x")
    (saved,) = book.save([first])
    book.save([saved.subscription, msgspec.structs.replace(of("ann"), id="y")])
    assert sorted(one.subscription.id for one in book.all()) == ["x", "y"]


def test_two_that_the_owner_makes_one_are_refused(stored: Client) -> None:
    book = Book(stored)
    with pytest.raises(RuleError, match="'s' of 'ann' is given 2 times"):
        book.save([of("ann"), of("ann")])
    with pytest.raises(RuleError, match="'s' of 'ann' is given 2 times"):
        book.save([msgspec.structs.replace(of("ann"), id="x"), of("ann")])
    assert book.all() == []


def test_a_removed_one_comes_back_as_it_was(stored: Client) -> None:
    book = Book(stored)
    (saved,) = book.save([of("ann", per_hour=3)], by="ann")
    book.remove(saved, by="ann")
    assert book.all() == [] and book.find("s", removed=True).removed
    book.restore(book.find("s", removed=True), by="bob")
    (again,) = book.all()
    assert again.subscription == saved.subscription and not again.removed and again.changed_by == "bob"
    assert [version.removed for version in book.versions(saved.subscription.id)] == [False, True, False]
    book.save([msgspec.structs.replace(saved.subscription, name="renamed")])
    (other,) = book.save([of("ann")])
    assert other.subscription.id != saved.subscription.id
    with pytest.raises(RuleError, match="name of another"):
        book.restore(saved)
