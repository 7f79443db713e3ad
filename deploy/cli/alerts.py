"""`fengxiang alerts`: subscriptions, what they say, and the channels on which they say it."""

from __future__ import annotations

import typer

from deploy.cli import alerts_channels, alerts_firings, alerts_subscriptions

command = typer.Typer(help="Alert subscriptions. 提醒订阅", no_args_is_help=True)
command.add_typer(alerts_subscriptions.command)
command.add_typer(alerts_firings.command)
command.add_typer(alerts_channels.command, name="channels")
