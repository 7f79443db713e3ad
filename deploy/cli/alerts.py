"""`fengxiang alerts`: subscriptions, channels, what fired, looking back, and the process that delivers."""

from __future__ import annotations

import getpass
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.table import Column, Table

from deploy.cli import UserError
from deploy.logs import configure
from deploy.settings import Settings, load
from stream.alerts.channels import Channel, ChannelBook, Safe, resolve
from stream.alerts.history import channel_states, log_rows
from stream.alerts.rules import load_baskets, seconds
from stream.alerts.subscriptions import Book, Stored, Subscription, read, write
from stream.alerts.text import RuleError
from stream.store import StoreAway, connect, first_line

command = typer.Typer(help="Alert subscriptions. 提醒订阅", no_args_is_help=True)
channels = typer.Typer(help="Where messages go. 通道", no_args_is_help=False, invoke_without_command=True)
command.add_typer(channels, name="channels")

Which = Annotated[str, typer.Argument(help="Its id, the beginning of it, or its name.")]
Owner = Annotated[str, typer.Option(help="Whose; everybody's channels have the empty owner.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@command.command("list")
def list_(
    owner: Annotated[str | None, typer.Option(help="This owner's and shared ones only.")] = None, json: Json = False
) -> None:
    """The subscriptions, and how often each fired within a week. 列表"""
    with _client(load(), writer=False) as client:
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
def show(which: Which, owner: Annotated[str | None, typer.Option()] = None) -> None:
    """One subscription: its text, its versions, its feed and what fired last. 详情"""
    from stream.alerts.agent import links

    settings = load()
    with _client(settings, writer=False) as client:
        book = Book(client)
        stored = book.find(which, owner)
        print(write([stored.subscription]))
        for version in book.versions(stored.subscription.id):
            print(f"版本 version {version.version}  {version.changed_at:%Y-%m-%d %H:%M:%S}  {version.changed_by}")
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
    file: Annotated[Path, typer.Argument(help="YAML: one subscription or several; «-» reads standard input.")],
    owner: Annotated[str, typer.Option(help="For those that name no owner.")] = "",
) -> None:
    """Add subscriptions; one of the same owner and name gets a new version. 添加"""
    _save(_read(file), owner)


@command.command("import")
def import_(file: Annotated[Path, typer.Argument(help="What `export` wrote; «-» reads standard input.")]) -> None:
    """Take over exported subscriptions, ids included. 导入"""
    _save(_read(file), "")


@command.command("export")
def export(owner: Annotated[str | None, typer.Option(help="This owner's only.")] = None) -> None:
    """All subscriptions as YAML; channels go by name, their addresses stay here. 导出"""
    with _client(load(), writer=False) as client:
        print(write([s.subscription for s in Book(client).all() if owner in (None, s.subscription.owner)]), end="")


@command.command("edit")
def edit(which: Which, owner: Annotated[str | None, typer.Option()] = None) -> None:
    """Change a subscription in $EDITOR. 编辑"""
    import click

    with _client(load(), writer=True) as client:
        book = Book(client)
        stored = book.find(which, owner)
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
        book.save([msgspec.structs.replace(subscription, id=stored.subscription.id)], by=_me())
    print(f"已保存 saved {stored.subscription.id}")


@command.command("remove")
def remove(which: Which, owner: Annotated[str | None, typer.Option()] = None) -> None:
    """Remove a subscription; its versions and firings stay readable. 删除"""
    with _client(load(), writer=True) as client:
        book = Book(client)
        stored = book.find(which, owner)
        book.remove(stored, by=_me())
    print(f"已删除 removed {stored.subscription.id} {stored.subscription.name}")


@command.command("snooze")
def snooze(
    which: Which,
    span: Annotated[str, typer.Argument(help="30m, 2h, 7d; 0 ends it.")],
    owner: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Say nothing for a while; what fires meanwhile is only noted. 暂停"""
    try:
        until = None if span == "0" else datetime.now(UTC) + timedelta(seconds=seconds(span))
    except (KeyError, ValueError):
        raise UserError(f"{span!r} is no span: write 30m, 2h, 7d, or 0") from None
    with _client(load(), writer=True) as client:
        book = Book(client)
        book.snooze(book.find(which, owner), until, by=_me())
    print(f"暂停至 snoozed until {until:%Y-%m-%d %H:%M} UTC" if until else "已恢复 speaks again")


@command.command("log")
def log_(
    which: Annotated[str, typer.Argument(help="A subscription; none: all.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    json: Json = False,
) -> None:
    """What fired, and what became of each message. 记录"""
    with _client(load(), writer=False) as client:
        id_ = Book(client).find(which).subscription.id if which else ""
        rows = log_rows(client, id_, limit)
    for row in rows:
        if json:
            print(msgspec.json.encode(row).decode())
        else:
            print(
                f"{row['fired_at']:%m-%d %H:%M:%S}  {row['outcome']:8}  {row['name']}  {row['title'][:50]}  "
                + ", ".join(f"{channel} {state}" for channel, state in row["deliveries"])
            )


@command.command("ack")
def acknowledge(
    message: Annotated[str, typer.Argument(help="The message's id, as `log` and the webhook name it.")],
) -> None:
    """Say that you take care of an alert: it isn't escalated. 确认"""
    from stream.alerts.ledger import Attempt, note

    with _client(load(), writer=True) as client:
        sql = "SELECT any(subscription_id) FROM alerts WHERE message_id = {id:String} HAVING count() > 0"
        rows = client.query(sql, parameters={"id": message}).result_rows
        if not rows:
            raise UserError(f"no message {message!r}: `fengxiang alerts log --json` shows their ids")
        attempt = Attempt(
            message_id=message,
            subscription_id=rows[0][0],
            channel="",
            attempt=0,
            state="acknowledged",
            at=datetime.now(UTC),
            detail=_me(),
        )
        note(client, [attempt])
    print("已确认 acknowledged")


@command.command("test")
def test(which: Which, owner: Annotated[str | None, typer.Option()] = None) -> None:
    """Send a test message to a subscription's channels now. 试发"""
    from deploy.guard import networks
    from stream.alerts.agent import clock, links
    from stream.alerts.message import test_message
    from stream.alerts.send import NotDelivered, Sender

    settings = load()
    with _client(settings, writer=False) as client:
        subscription = Book(client).find(which, owner).subscription
        known, problems = ChannelBook(client, Safe.of(settings.data_dir)).all()
    for problem in problems:
        print(problem, file=sys.stderr)
    if not subscription.channels:
        print(f"只有订阅源 only the feed: {links(settings).feed(subscription.id)}")
    sender, failed = Sender(networks(settings.alerts.allow_networks), settings.alerts.timeout_seconds), 0
    message = test_message(subscription.id, subscription.name, links(settings), subscription.language, clock())
    for name in subscription.channels:
        channel = resolve(subscription.owner, name, known)
        try:
            if channel is None:
                raise NotDelivered("there is no such channel: `fengxiang alerts channels add`")
            sender.send(channel, message)
            print(f"{name}: 已送达 delivered")
        except NotDelivered as error:
            failed += 1
            print(f"{name}: {error}")
    if failed:
        raise UserError(f"{failed} of {len(subscription.channels)} channels did not take the message")


@command.command("backtest")
def backtest(
    rule: Annotated[str, typer.Argument(help="A YAML file, or a subscription's id or name.")],
    days: Annotated[int, typer.Option(min=1, max=3650)] = 90,
    per_day: Annotated[float, typer.Option(help="Suggest the threshold for about so many a day.")] = 3.0,
    show: Annotated[int, typer.Option(min=0, max=10_000, help="How many firings to print.")] = 20,
    json: Json = False,
) -> None:
    """How often a rule would have fired, when, for what, and which threshold gives about N a day. 回测"""
    from stream.alerts.agent import links
    from stream.alerts.backtest import look_back

    settings = load()
    with _client(settings, writer=False) as client:
        if Path(rule).is_file() or rule == "-":
            subscriptions = _read(Path(rule))
        else:
            subscriptions = [Book(client).find(rule).subscription]
        for subscription in subscriptions:
            result = look_back(client, subscription, days=days, per_day=per_day, now=datetime.now(UTC))
            if json:
                print(msgspec.json.encode(result).decode())
                continue
            print(f"{subscription.name}: {result.summary()}")
            for day, count in result.by_day[-31:]:
                print(f"  {day}  {count:4}  {'█' * min(count, 60)}")
            for firing in result.firings[:show]:
                link = firing.url or links(settings).document(firing.document_id)
                print(f"  {firing.at:%Y-%m-%d %H:%M}  {firing.title[:60]}  {firing.why}  {link}")


@command.command("run")
def run() -> None:
    """Deliver alerts until Ctrl-C; one process is enough. 运行"""
    from stream.alerts import agent, web

    settings = load()
    configure(settings, "alerts")
    for noisy in ("httpx", "httpcore", "apprise"):  # their lines hold addresses
        logging.getLogger(noisy).setLevel(logging.WARNING)
    load_baskets(settings.user_themes)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    if settings.alerts.web_port:
        pages = web.Pages(lambda: connect(settings, writer=True), agent.links(settings), agent.clock)
        try:
            web.serve(settings.alerts.web_port, pages)
        except OSError:
            logging.warning(
                "port %d is taken: feeds and mute links are off; set FENGXIANG_ALERTS__WEB_PORT",
                settings.alerts.web_port,
            )
    try:
        agent.run(settings, ended, ready=lambda: logging.info("alerts are running"))
    except agent.AlreadyRunning as error:
        raise UserError(str(error)) from error


# ---------------------------------------------------------------------- channels


@channels.callback()
def list_channels(context: typer.Context, json: Json = False) -> None:
    """The channels, and whether they work; addresses are never shown. 通道列表"""
    if context.invoked_subcommand:
        return
    with _client(load(), writer=False) as client:
        names = ChannelBook(client, Safe("")).names()
        last = channel_states(client)
    for owner, name, kind in names:
        state = last.get((owner, name))
        if json:
            row = {"owner": owner, "name": name, "kind": kind, "last": state}
            print(msgspec.json.encode(row).decode())
            continue
        text = f"{state.state} {state.at:%m-%d %H:%M} {state.detail}" if state else "未用 unused"
        failed = f"7 天内失败 failed {state.failures}  " if state and state.failures else ""
        print(f"{owner or '*':12} {name:20} {kind:10} {failed}{text}".rstrip())
    if not names and not json:
        print("没有通道 no channels: fengxiang alerts channels add NAME")


@channels.command("add")
def add_channel(
    name: Annotated[str, typer.Argument(help="The name that subscriptions use.")],
    owner: Owner = "",
    address: Annotated[
        str,
        typer.Option(
            help="«-» reads standard input; left out, it is asked for. An argument stays in the shell's history."
        ),
    ] = "",
) -> None:
    """Add a channel, or change its address. 添加通道"""
    if address == "-":
        address = sys.stdin.readline()
    elif not address:
        address = getpass.getpass("地址 address (not shown): ")
    settings = load()
    with _client(settings, writer=True) as client:
        book = ChannelBook(client, Safe.of(settings.data_dir))
        book.save(Channel(owner=owner, name=name, address=address.strip()))
    print(f"已保存 saved {name}")


@channels.command("remove")
def remove_channel(name: str, owner: Owner = "") -> None:
    """Remove a channel. 删除通道"""
    settings = load()
    with _client(settings, writer=True) as client:
        ChannelBook(client, Safe.of(settings.data_dir)).remove(owner, name)
    print(f"已删除 removed {name}")


# ----------------------------------------------------------------------


def _read(file: Path) -> list[Subscription]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} can't be read: {first_line(error)}") from error
    load_baskets(load().user_themes)
    try:
        return read(text, str(file) if str(file) != "-" else "")
    except RuleError as error:
        raise UserError(str(error)) from error


def _save(subscriptions: list[Subscription], owner: str) -> None:
    named = [msgspec.structs.replace(s, owner=s.owner or owner) for s in subscriptions]
    settings = load()
    with _client(settings, writer=True) as client:
        known = {(o, n) for o, n, _ in ChannelBook(client, Safe("")).names()}
        for stored in Book(client).save(named, by=_me()):
            s = stored.subscription
            print(f"已保存 saved {s.id}  {s.name}")
            for name in (*s.channels, *(s.escalate.channels if s.escalate else ())):
                if not {(s.owner, name), ("", name)} & known:
                    print(f"  没有通道 there is no channel {name!r} yet: fengxiang alerts channels add {name}")


def _state(stored: Stored) -> str:
    s = stored.subscription
    if stored.snoozed_until and stored.snoozed_until > datetime.now(UTC):
        return f"暂停至 snoozed until {stored.snoozed_until:%m-%d %H:%M}"
    return "停用 off" if not s.enabled else "试运行 dry run" if s.dry_run else "启用 on"


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@contextmanager
def _client(settings: Settings, *, writer: bool) -> Iterator[Client]:
    try:
        client = connect(settings, writer=writer)
    except StoreAway as error:
        raise UserError(str(error)) from error
    try:
        yield client
    except RuleError as error:
        raise UserError(str(error)) from error
    finally:
        client.close()
