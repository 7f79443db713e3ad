"""`fengxiang`, one file per verb, imported only when the verb is used so that the command starts fast.

A verb's module defines `command`, a typer app or function; add it to `VERBS` with its one-line help.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Annotated, Any

import typer
import typer.core
from typer.main import get_command

from deploy.proxies import spare_loopback

# verb -> (module, help)
VERBS: dict[str, tuple[str, str]] = {
    "up": ("deploy.cli.up", "Start the local stack, the worker, the ingestors and the dashboard. 启动全部进程"),
    "stop": ("deploy.cli.stop", "Stop what `up` started. 停止"),
    "status": ("deploy.cli.status", "What runs, how far behind, how many documents. 运行状态"),
    "doctor": ("deploy.cli.doctor", "Check ports, broker, ClickHouse, model, disk and clock. 自检"),
    "migrate": ("deploy.cli.migrate", "Create or update the tables. 建表与迁移"),
    "ingest": ("deploy.cli.ingest", "Ingest a file, a folder or a URL. 导入文件、文件夹或网址"),
    "sources": ("deploy.cli.sources", "Feeds: list, test, add, remove. 来源"),
    "worker": ("deploy.cli.worker", "Run a stream worker. 流处理进程"),
    "dashboard": ("deploy.cli.dashboard", "Run the dashboard. 看板"),
    "analyse": ("deploy.cli.analyse", "JSONL in, analyses out; needs neither Kafka nor ClickHouse. 分析文本"),
    "users": ("deploy.cli.users", "Who may sign in to the dashboard. 看板用户"),
    "sql": ("deploy.cli.sql", "Run SQL as the read-only user. 查询"),
    "weekly": ("deploy.cli.weekly", "The digest of a week, as text, HTML or PDF. 每周跟踪"),
    "audit": ("deploy.cli.audit", "Compare what came in with what is stored. 对账"),
    "alerts": ("deploy.cli.alerts", "Subscriptions, channels, backtests, delivery. 提醒订阅"),
    "feedback": ("deploy.cli.feedback", "Corrections that readers made: list, undo, export. 读者更正"),
    "dead": ("deploy.cli.dead", "List, show and replay dead letters. 死信"),
    "replay": ("deploy.cli.replay", "Analyse documents once more, from the store or the log. 重算"),
    "model": ("deploy.cli.model", "Show and change the weights. 模型"),
    "evaluate": ("deploy.cli.evaluate", "Score the models on label sets. 评测"),
    "securities": ("deploy.cli.securities", "Show and rebuild the securities table. 证券表"),
    "themes": ("deploy.cli.themes", "List, add, test, train and remove themes. 题材"),
}


class UserError(Exception):
    """An error for the user: its text is one line that names the input and the remedy."""


class LazyGroup(typer.core.TyperGroup):
    """A group whose verbs are imported when called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        module, help_text = VERBS[cmd_name]
        target = importlib.import_module(module).command
        app = target
        if not isinstance(target, typer.Typer):
            app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            app.command()(target)
        command = get_command(app)
        command.name = cmd_name
        command.short_help = help_text
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage("fengxiang", "VERB ...")
        formatter.write_paragraph()
        formatter.write_text("Fengxiang 风向: themes, tone and stock mentions in Chinese financial media.")
        self.format_commands(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text("fengxiang VERB --help describes a verb; docs/operations.md describes the settings.")


app = typer.Typer(cls=LazyGroup, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("fengxiang"))
        raise typer.Exit


# Printed by a callback of its own: without a verb, the group's is never called.
Version = Annotated[
    bool, typer.Option("--version", help="Print the version. 版本", is_eager=True, callback=_print_version)
]


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def _root(version: Version = False) -> None:
    """What stands before a verb."""


def main() -> None:
    """Entry point of the `fengxiang` command."""
    from deploy.settings import SettingsError

    spare_loopback()
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # its errors are raised too, and said once
    try:
        app(prog_name="fengxiang")
    except (UserError, SettingsError) as error:
        print(f"fengxiang: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing to flush into at exit
        sys.exit(0)
