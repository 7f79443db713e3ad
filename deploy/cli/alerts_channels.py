"""`fengxiang alerts channels`: where messages go; addresses are never shown."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import msgspec
import typer

from deploy.cli.alerts_subscriptions import Json, open_store
from deploy.settings import load
from stream.alerts.channels import Channel, ChannelBook, Safe
from stream.alerts.history import channel_states

command = typer.Typer(help="Where messages go. 通道", no_args_is_help=False, invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="The name that subscriptions use. 订阅所用的名称")]
Owner = Annotated[str, typer.Option(help="Whose; everybody's channels have the empty owner. 所有者；公用通道为空")]


@command.callback()
def list_channels(context: typer.Context, json: Json = False) -> None:
    """The channels, and whether they work; addresses are never shown. 通道列表"""
    if context.invoked_subcommand:
        return
    with open_store(load(), writer=False) as client:
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


@command.command("add")
def add_channel(
    name: Name,
    owner: Owner = "",
    address: Annotated[
        str,
        typer.Option(
            help="«-» reads standard input; left out, it is asked for. An argument stays in the shell's history. 地址"
        ),
    ] = "",
) -> None:
    """Add a channel, or change its address. 添加通道"""
    if address == "-":
        address = sys.stdin.readline()
    elif not address:
        address = getpass.getpass("地址 address (not shown): ")
    settings = load()
    with open_store(settings, writer=True) as client:
        book = ChannelBook(client, Safe.of(settings.data_dir))
        book.save(Channel(owner=owner, name=name, address=address.strip()))
    print(f"已保存 saved {name}")


@command.command("remove")
def remove_channel(name: Name, owner: Owner = "") -> None:
    """Remove a channel. 删除通道"""
    settings = load()
    with open_store(settings, writer=True) as client:
        ChannelBook(client, Safe.of(settings.data_dir)).remove(owner, name)
    print(f"已删除 removed {name}")
