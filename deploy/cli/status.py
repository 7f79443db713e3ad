"""`fengxiang status`: what runs, how much is stored, how far behind."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from deploy.local import pidfile
from deploy.local.preflight import accepts
from deploy.settings import Settings, clickhouse_arguments, load


def gather(settings: Settings) -> dict[str, Any]:
    """Processes, store and lag; what can't be reached is reported as such, never raised."""
    return {"running": pidfile.owner(settings.data_dir), "processes": _processes(settings), **_store(settings)}


def _processes(settings: Settings) -> dict[str, Any]:
    try:
        rows = json.loads((settings.data_dir / "run" / "processes.json").read_text())
    except (OSError, ValueError):
        return {}
    return rows if isinstance(rows, dict) else {}


def _store(settings: Settings) -> dict[str, Any]:
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import Error

    try:
        arguments = clickhouse_arguments(settings.clickhouse_url(writer=False))
        if not accepts(arguments["port"], arguments["host"], timeout=2):
            return {"store": "not reachable"}
        client = clickhouse_connect.get_client(**arguments, connect_timeout=3, send_receive_timeout=20)
        documents, newest = client.query("SELECT count(), max(published_at) FROM documents FINAL").first_row
        dead = client.query("SELECT count() FROM dead_letters FINAL").first_row[0]
        mentions = client.query("SELECT count() FROM mentions FINAL").first_row[0]
    except Error as error:
        return {"store": f"answers with an error: {str(error).splitlines()[0]}"}
    newest_text = newest.isoformat() if documents else None
    return {"store": "ok", "documents": documents, "mentions": mentions, "dead_letters": dead, "newest": newest_text}


def command(json_output: Annotated[bool, typer.Option("--json", help="As JSON. 以 JSON 输出")] = False) -> None:
    """Show what runs and what is stored. 运行状态"""
    found = gather(load())
    if json_output:
        print(json.dumps(found, ensure_ascii=False))
        return
    if found["running"]:
        print(f"running 运行中      process {found['running']}")
        for name, row in found["processes"].items():
            restarts = f"  restarted {row['restarts']} times" if row["restarts"] else ""
            print(f"  {name:<16} {'pid ' + str(row['pid']) if row['pid'] else 'down'}{restarts}")
    else:
        print("not running 未运行   start with: make run")
    print(f"store 存储         {found['store']}")
    if found["store"] == "ok":
        print(f"documents 文档     {found['documents']:,}   newest {found['newest']}")
        print(f"mentions 提及      {found['mentions']:,}")
        print(f"dead letters 死信  {found['dead_letters']:,}")
