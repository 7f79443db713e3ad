"""`fengxiang alerts list|show|add|...`: subscriptions, read and changed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from deploy.cli import UserError, connections
from deploy.cli.connections import me
from deploy.settings import Settings, load
from stream.alerts.channels import ChannelBook, Safe
from stream.alerts.rules import load_baskets, seconds
from stream.alerts.subscriptions import Book, Stored, Subscription, read, write
from stream.alerts.text import RuleError
from stream.store import first_line

command = typer.Typer()

Whose = Annotated[str | None, typer.Option("--owner", help="Among this owner's, where a name is not enough. 所有者")]
Which = Annotated[str, typer.Argument(help="Its id, the beginning of it, or its name. 编号、其开头或名称")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line. 每行一个 JSON")]
open_store = partial(connections.open_store, refusals=(RuleError,))


@command.command("list")
def list_(
    owner: Annotated[str | None, typer.Option(help="This owner's and shared ones only. 只看此人的和公用的")] = None,
    json: Json = False,
) -> None:
    """The subscriptions, and how often each fired within a week. 列表"""
    with open_store(load(), writer=False) as client:
        found = [s for s in Book(client).all() if owner in (None, s.subscription.owner) or s.subscription.shared]
        fired = dict(
            client.query(
                "SELECT subscription_id, count() FROM alerts FINAL WHERE fired_at > now() - INTERVAL 7 DAY"
                " AND outcome != 'grouped' GROUP BY subscription_id"
            ).result_rows
        )
    if json:
        for stored in found:
            print(msgspec.json.encode(stored).decode())
        return
    heads = ("名称 name", "所有者 owner", "规则 rule", "方式 schedule", "通道 channels", "7天 7 d", "状态 state")
    table = Table(Column("id", no_wrap=True), *heads)
    for stored in found:
        s = stored.subscription
        row = [
            s.id,
            s.name,
            s.owner,
            s.kind,
            ",".join(s.schedule),
            ",".join(s.channels) or "feed",
            str(fired.get(s.id, 0)),
        ]
        table.add_row(*row, _state(stored))
    Console().print(table if found else "没有订阅 no subscriptions: fengxiang alerts add FILE")


@command.command("show")
def show(
    which: Which,
    owner: Whose = None,
    version: Annotated[int, typer.Option(min=0, help="The text of this version; 1 is the first. 第几版的内容")] = 0,
) -> None:
    """One subscription, removed ones too: its text, its versions, its feed and what fired last. 详情"""
    from stream.alerts.agent import links

    settings = load()
    with open_store(settings, writer=False) as client:
        book = Book(client)
        stored = book.find(which, owner, removed=True)
        versions = book.versions(stored.subscription.id)
        if version:
            print(write([_numbered(versions, version).subscription]), end="")
            return
        print(write([stored.subscription]))
        for number, one in zip(range(len(versions), 0, -1), versions, strict=True):
            removed = "  已删除 removed" if one.removed else ""
            print(f"版本 version {number}  {one.changed_at:%Y-%m-%d %H:%M:%S}  {one.changed_by}{removed}")
        print(f"状态 state  {_state(stored)}")
        print(f"订阅源 feed  {links(settings).feed(stored.subscription.id)}")
        rows = client.query(
            "SELECT fired_at, outcome, title, message_id FROM alerts FINAL WHERE subscription_id = {id:String}"
            " ORDER BY fired_at DESC LIMIT 10",
            parameters={"id": stored.subscription.id},
        ).result_rows
    for at, outcome, title, message in rows:
        print(f"{at:%m-%d %H:%M:%S}  {outcome:8}  {title[:60]}  {message}")


@command.command("add")
def add(
    file: Annotated[
        Path,
        typer.Argument(help="YAML: one subscription or several; «-» reads standard input. YAML 文件；«-» 读标准输入"),
    ],
    owner: Annotated[str, typer.Option(help="For those that name no owner. 未写所有者时")] = "",
) -> None:
    """Add subscriptions; one of the same owner and name gets a new version. 添加"""
    _save(read_file(file), owner)


@command.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="What `export` wrote; «-» reads standard input. 导出的文件；«-» 读标准输入")
    ],
) -> None:
    """Take over exported subscriptions, ids included. 导入"""
    _save(read_file(file), "")


@command.command("export")
def export(owner: Annotated[str | None, typer.Option(help="This owner's only. 只导出此人的")] = None) -> None:
    """All subscriptions as YAML; channels go by name, their addresses stay here. 导出"""
    with open_store(load(), writer=False) as client:
        print(write([s.subscription for s in Book(client).all() if owner in (None, s.subscription.owner)]), end="")


@command.command("edit")
def edit(which: Which, owner: Whose = None) -> None:
    """Change a subscription in $EDITOR. 编辑"""
    import click

    settings = load()
    use_baskets(settings)
    with open_store(settings, writer=True) as client:
        book = Book(client)
        stored = book.find(which, owner, to_change=True)
        text = write([stored.subscription])
        while True:
            changed = click.edit(text, extension=".yaml")
            if changed is None or changed == text:
                print("没有改动 unchanged")
                return
            try:
                (subscription,) = read(changed)
                break
            except (RuleError, ValueError) as error:
                print(error, file=sys.stderr)
                if not typer.confirm("再次编辑？Edit again?", default=True):
                    return
                text = changed
        book.save([msgspec.structs.replace(subscription, id=stored.subscription.id)], by=me())
    print(f"已保存 saved {stored.subscription.id}")


@command.command("remove")
def remove(which: Which, owner: Whose = None) -> None:
    """Remove a subscription; its versions and firings stay readable. 删除"""
    with open_store(load(), writer=True) as client:
        book = Book(client)
        stored = book.find(which, owner, to_change=True)
        book.remove(stored, by=me())
    print(f"已删除 removed {stored.subscription.id} {stored.subscription.name}")


@command.command("restore")
def restore(
    which: Which,
    version: Annotated[
        int, typer.Argument(min=0, help="As `show` numbers them; left out: the latest. 第几版；不写为最新")
    ] = 0,
    owner: Whose = None,
) -> None:
    """Bring back an earlier version, or a removed subscription. 恢复"""
    with open_store(load(), writer=True) as client:
        book = Book(client)
        versions = book.versions(book.find(which, owner, removed=True, to_change=True).subscription.id)
        saved = book.restore(_numbered(versions, version or len(versions)), by=me())
    print(f"已恢复 restored {saved.subscription.id} {saved.subscription.name}")


@command.command("snooze")
def snooze(
    which: Which,
    span: Annotated[str, typer.Argument(help="30m, 2h, 7d; 0 ends it. 多久；0 为恢复")],
    owner: Whose = None,
) -> None:
    """Say nothing for a while; what fires meanwhile is only noted. 暂停"""
    try:
        until = None if span == "0" else datetime.now(UTC) + timedelta(seconds=seconds(span))
    except ValueError as error:
        raise UserError(f"{error}, or 0") from None
    with open_store(load(), writer=True) as client:
        book = Book(client)
        book.snooze(book.find(which, owner, to_change=True), until, by=me())
    print(f"暂停至 snoozed until {until:%Y-%m-%d %H:%M} UTC" if until else "已恢复 speaks again")


def read_file(file: Path) -> list[Subscription]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} can't be read: {first_line(error)}") from error
    use_baskets(load())
    try:
        return read(text, str(file) if str(file) != "-" else "")
    except RuleError as error:
        raise UserError(str(error)) from error


def use_baskets(settings: Settings) -> None:
    try:
        load_baskets(settings.user_themes)
    except RuleError as error:
        raise UserError(str(error)) from error


def _save(subscriptions: list[Subscription], owner: str) -> None:
    named = [msgspec.structs.replace(s, owner=s.owner or owner) for s in subscriptions]
    settings = load()
    with open_store(settings, writer=True) as client:
        known = {(o, n) for o, n, _ in ChannelBook(client, Safe("")).names()}
        for stored in Book(client).save(named, by=me()):
            s = stored.subscription
            print(f"已保存 saved {s.id}  {s.name}")
            for name in (*s.channels, *(s.escalate.channels if s.escalate else ())):
                if not {(s.owner, name), ("", name)} & known:
                    print(f"  没有通道 there is no channel {name!r} yet: fengxiang alerts channels add {name}")


def _numbered(versions: list[Stored], number: int) -> Stored:
    """Version `number` of those listed latest first; 1 is the first that there was. Raises `UserError`."""
    if number > len(versions):
        raise UserError(f"there is no version {number}: `fengxiang alerts show` lists {len(versions)}")
    return versions[-number]


def _state(stored: Stored) -> str:
    s = stored.subscription
    if stored.removed:
        return "已删除 removed"
    if stored.snoozed_until and stored.snoozed_until > datetime.now(UTC):
        return f"暂停至 snoozed until {stored.snoozed_until:%m-%d %H:%M}"
    return "停用 off" if not s.enabled else "试运行 dry run" if s.dry_run else "启用 on"
