"""`fengxiang alerts log|ack|test|backtest|run`: what subscriptions say, and the process that says it."""

from __future__ import annotations

import logging
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from deploy.cli import UserError
from deploy.cli.alerts_subscriptions import Json, Which, Whose, open_store, read_file, use_baskets
from deploy.cli.connections import me
from deploy.logs import configure
from deploy.settings import load
from deploy.signals import stopped_by
from stream.alerts.channels import ChannelBook, Safe, resolve
from stream.alerts.history import log_rows
from stream.alerts.subscriptions import Book
from stream.store import connect

command = typer.Typer()


@command.command("log")
def log_(
    which: Annotated[str, typer.Argument(help="A subscription; none: all. 订阅；不写为全部")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many. 条数上限")] = 50,
    json: Json = False,
) -> None:
    """What fired, and what became of each message. 记录"""
    with open_store(load(), writer=False) as client:
        ids = [Book(client).find(which, removed=True).subscription.id] if which else []
        rows = log_rows(client, ids, limit)
    for row in rows:
        if json:
            print(msgspec.json.encode(row).decode())
        else:
            print(
                f"{row['fired_at']:%m-%d %H:%M:%S}  {row['outcome']:8}  {row['name']}  {row['title'][:50]}  "
                + ", ".join(f"{channel} {state}".strip() for channel, state in row["deliveries"])
            )


@command.command("ack")
def acknowledge(
    message: Annotated[str, typer.Argument(help="The message's id, as `log` and the webhook name it. 消息编号")],
) -> None:
    """Say that you take care of an alert: it isn't escalated. 确认"""
    from stream.alerts.ledger import Attempt, note

    with open_store(load(), writer=True) as client:
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
            detail=me(),
        )
        note(client, [attempt])
    print("已确认 acknowledged")


@command.command("test")
def test(which: Which, owner: Whose = None) -> None:
    """Send a test message to a subscription's channels now. 试发"""
    from deploy.guard import networks
    from stream.alerts.agent import clock, links
    from stream.alerts.message import test_message
    from stream.alerts.send import NotDelivered, Sender

    settings = load()
    with open_store(settings, writer=False) as client:
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
    rule: Annotated[
        str, typer.Argument(help="A YAML file, or a subscription's id or name. YAML 文件，或订阅的编号或名称")
    ],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far back. 回看天数")] = 90,
    per_day: Annotated[
        float, typer.Option(help="Suggest the threshold for about so many a day. 按每天约多少条推荐阈值")
    ] = 3.0,
    show: Annotated[int, typer.Option(min=0, max=10_000, help="How many firings to print. 列出多少次触发")] = 20,
    json: Json = False,
) -> None:
    """How often a rule would have fired, when, for what, and which threshold gives about N a day. 回测"""
    from stream.alerts.agent import links
    from stream.alerts.backtest import look_back

    settings = load()
    with open_store(settings, writer=False) as client:
        if Path(rule).is_file() or rule == "-":
            subscriptions = read_file(Path(rule))
        else:
            use_baskets(settings)
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
    use_baskets(settings)
    ended = stopped_by(signal.SIGINT, signal.SIGTERM)
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
