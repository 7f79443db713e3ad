"""`fengxiang feedback`: what readers corrected on the dashboard; take one back; export them as training examples."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dashboard import feedback
from dashboard.queries import feedback as sql
from deploy.cli.connections import me, open_store
from deploy.settings import load

command = typer.Typer(help="Readers' corrections. 读者更正", no_args_is_help=True)


@command.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many. 条数上限")] = 50,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object a line. 每行一个 JSON")] = False,
) -> None:
    """The newest corrections, those taken back too. 列表"""
    with open_store(load(), writer=False) as client:
        query = sql.latest(limit)
        for row in client.query(query.sql, parameters=query.parameters).named_results():
            if json_:
                print(json.dumps(row, ensure_ascii=False, default=str))
                continue
            state = "已撤销 undone" if row["undone"] else row["by"]
            right = row["correction"] or "—"
            head = f"{row['id']}  {row['at']:%m-%d %H:%M}  {row['kind']:5}  {row['said']} → {right}"
            print(f"{head}  {state}  {row['title']}")


@command.command("undo")
def undo(id_: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it. 编号")]) -> None:
    """Take a correction back. 撤销"""
    with open_store(load(), writer=True, refusals=(feedback.FeedbackError,)) as client:
        feedback.undo(client, client, id_, me())
    print("已撤销 undone")


@command.command("export")
def export(
    texts: Annotated[bool, typer.Option(help="With title and body of each document. 附标题和正文")] = False,
) -> None:
    """Corrected documents as label rows, JSONL, for training. 导出训练样本"""
    with open_store(load(), writer=False) as client:
        for row in feedback.examples(client, texts=texts):
            print(json.dumps(row, ensure_ascii=False))
