"""`fengxiang dead list|show|replay`: dead letters."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import msgspec
import typer
from clickhouse_connect.driver.client import Client
from kafka.errors import KafkaError

from deploy.cli import UserError
from deploy.cli.connections import open_store
from deploy.settings import load
from stream.log import open_producer
from stream.queries import DeadLetterRow, dead_letter_payload, dead_letters
from stream.resend import resend
from stream.store import first_line

command = typer.Typer(help="List, show and replay dead letters. 死信", no_args_is_help=True)
Limit = Annotated[int, typer.Option(min=1, help="At most so many. 条数上限")]
Stage = Annotated[str, typer.Option(help="ingest, decode, analyse or store only. 只看这一环节")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line. 每行一个 JSON")]


@command.command("list")
def list_letters(stage: Stage = "", limit: Limit = 50, json: Json = False) -> None:
    """The latest dead letters. 列表"""
    with open_store(load(), writer=False) as client:
        letters = dead_letters(client, stage=stage, limit=limit)
    for letter in letters:
        if json:
            print(msgspec.json.encode(letter).decode())
        else:
            again = " (已重放 replayed)" if letter.replayed_at else ""
            print(
                f"{letter.failed_at:%Y-%m-%d %H:%M:%S}  {letter.stage:8} {letter.document_id}  {letter.reason}{again}"
            )
    if not letters and not json:
        print("没有死信 no dead letters")


@command.command("show")
def show(document_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it. 编号或其开头")]) -> None:
    """One document's dead letters with the original message. 详情"""
    with open_store(load(), writer=False) as client:
        for letter in _require(client, document_id):
            fields = msgspec.to_builtins(letter)
            fields["payload"] = dead_letter_payload(client, letter)
            print("\n".join(f"{name:12} {value}" for name, value in fields.items()), end="\n\n")


@command.command("replay")
def replay(
    document_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids; none: all that --stage names. 编号；不写为该环节全部")
    ] = None,
    stage: Stage = "",
    limit: Limit = 10_000,
) -> None:
    """Send the original documents to the stream once more. 重放"""
    if not document_ids and not stage:
        raise UserError("name document ids, or --stage analyse (ingest, decode, store) to replay all of one stage")
    settings = load()
    with open_store(settings, writer=True) as client:
        if document_ids:
            letters = [letter for id_ in document_ids for letter in _require(client, id_)]
        else:
            letters = dead_letters(client, stage=stage, limit=limit, still_open=True)
        try:
            with closing(open_producer(settings)) as producer:
                done = resend(client, producer, letters)
        except KafkaError as error:
            raise UserError(f"Kafka at {','.join(settings.kafka_servers)}: {first_line(error)}") from error
    for document_id, why in done.skipped:
        print(f"跳过 skipped {document_id}: {why}")
    print(f"已重放 replayed {done.sent} of {len(letters)}")


def _require(client: Client, document_id: str) -> list[DeadLetterRow]:
    found = dead_letters(client, document_id=document_id)
    if not found:
        raise UserError(f"no dead letter of a document {document_id}…: `fengxiang dead list` shows them")
    return found
