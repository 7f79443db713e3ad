"""`fengxiang audit`: compare what came in with what is stored."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from deploy.cli import UserError
from deploy.settings import Settings, load
from ingest.drain import outbox_of
from ingest.entries import State
from models.trading import SHANGHAI, midnight
from stream.audit import AuditReport, Finding, audit
from stream.log import Log, LogAway
from stream.retention import kept_from
from stream.store import StoreAway, connect, first_line


def command(
    wait: Annotated[float, typer.Option(help="Wait so many seconds for what is in flight. 等待秒数")] = 10.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object. 一个 JSON")] = False,
) -> None:
    """Compare Kafka's offsets with the stored rows: gaps, duplicates, orphans. Exits with 1 when not clean. 对账"""
    settings = load()
    try:
        report = run(settings, wait)
    except (StoreAway, LogAway) as error:
        raise UserError(str(error)) from error
    print(
        msgspec.json.encode({"clean": report.clean, **msgspec.to_builtins(report)}).decode() if json else text(report)
    )
    raise typer.Exit(0 if report.clean else 1)


def run(settings: Settings, wait: float) -> AuditReport:
    """Audit once nothing is in flight, or after `wait` seconds; until then who doesn't answer is asked again.

    Raises `StoreAway`, `LogAway`.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            report, unconfirmed = _report(settings), _unconfirmed(settings)
        except (StoreAway, LogAway):
            if time.monotonic() > deadline:
                raise
        else:
            if not (report.in_flight or unconfirmed) or time.monotonic() > deadline:
                break
        time.sleep(1)
    if unconfirmed and not report.in_flight:
        what = "documents acknowledged by an ingestor that the store has not confirmed; the ingestor sends them again"
        report.findings.append(Finding("unconfirmed", unconfirmed, what, []))
    elif unconfirmed:
        report.notes.append(f"{unconfirmed:,} documents in the outbox wait for the store")
    return report


def _report(settings: Settings) -> AuditReport:
    with Log(settings.kafka_servers) as log, closing(connect(settings, writer=True)) as client:
        try:
            return audit(client, log, since=_since(settings))
        except LogAway:
            raise
        except Exception as error:
            text = f"ClickHouse can't answer: {first_line(error)}; `fengxiang migrate` makes tables"
            raise StoreAway(text) from error


def _since(settings: Settings) -> datetime | None:
    """From when on everything is kept."""
    first = kept_from(settings.stream.document_days, datetime.now(SHANGHAI).date())
    return midnight(first) if first else None


def _unconfirmed(settings: Settings) -> int:
    if not (settings.data_dir / "ingest" / "outbox.db").exists():
        return 0
    with closing(outbox_of(settings)) as outbox:
        states = outbox.counts()
    return states[State.PENDING] + states[State.SENT]


def text(report: AuditReport) -> str:
    """The report for people."""
    lines = [
        f"日志 log messages (this epoch)   {report.log_messages:>12,}",
        f"已存 documents stored            {report.stored:>12,}   this epoch {report.stored_this_epoch:,}",
        f"死信 documents dead              {report.dead:>12,}",
        f"重复来稿 sent again later        {report.superseded:>12,}",
        *([f"已过保存期 no longer kept          {report.expired:>12,}"] if report.expired else []),
        f"处理中 in flight                 {report.in_flight:>12,}",
    ]
    lines += [f"说明 note: {note}" for note in report.notes]
    for finding in report.findings:
        lines.append(f"✗ {finding.kind}: {finding.count:,} {finding.what}")
        lines += [f"    {example}" for example in finding.examples]
    lines.append("✓ 无缺漏、无重复 clean" if report.clean else "✗ 有问题 not clean")
    return "\n".join(lines)
