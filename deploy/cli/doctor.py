"""`fengxiang doctor`: try everything the product needs, and say what to do about what is wrong."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated

import typer

from deploy.local import pidfile, preflight
from deploy.settings import Settings, clickhouse_arguments, load, redact

MAX_CLOCK_SKEW = 5.0  # seconds between this machine and the store


@dataclass(frozen=True)
class Finding:
    check: str
    ok: bool
    detail: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """One finding per check. A check that raises is itself a finding."""
    running = pidfile.owner(settings.data_dir)
    checks: list[tuple[str, Callable[[Settings], Finding]]] = [("python", _python), ("folder", _folder)]
    checks += [] if running else [("ports", _ports)]
    if running or not settings.embedded_kafka:
        checks.append(("broker", _broker))
    if running or not settings.embedded_clickhouse:
        checks.append(("clickhouse", _clickhouse))
    checks.append(("model", _model))
    for name, check in checks:
        try:
            yield check(settings)
        except Exception as error:  # noqa: BLE001 - the doctor reports, it doesn't fall ill
            yield Finding(name, False, f"{type(error).__name__}: {error}".splitlines()[0], "see the log in var/logs")
    if not running:
        yield Finding("running", True, "not running; start with: make run")


def _python(settings: Settings) -> Finding:
    problems = preflight.check_python()
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", not problems, detail, problems[0].remedy if problems else "")


def _folder(settings: Settings) -> Finding:
    problems = preflight.check_folder(settings.data_dir)
    if problems:
        return Finding("folder", False, problems[0].what, problems[0].remedy)
    return Finding("folder", True, f"{settings.data_dir.absolute()} can be written and has room")


def _ports(settings: Settings) -> Finding:
    problems = preflight.check_ports(settings)
    used = ", ".join(f"{name} {port}" for name, (port, _) in preflight.ports(settings).items())
    if problems:
        return Finding("ports", False, "; ".join(p.what for p in problems), "; ".join(p.remedy for p in problems))
    return Finding("ports", True, f"free: {used}")


def _broker(settings: Settings) -> Finding:
    from kafka import KafkaAdminClient

    from stream.records import ANALYSES, DEAD, DOCUMENTS

    servers = ",".join(settings.kafka_servers)
    try:
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka_servers, request_timeout_ms=5000)
        try:
            missing = {DOCUMENTS, ANALYSES, DEAD} - set(admin.list_topics())
        finally:
            admin.close()
    except Exception as error:  # noqa: BLE001 - kafka-python raises many kinds
        return Finding("broker", False, f"{servers}: {error}", "start it, or check FENGXIANG_KAFKA")
    if missing:
        return Finding("broker", False, f"{servers} lacks {', '.join(sorted(missing))}", "run: fengxiang up")
    return Finding("broker", True, f"{servers} answers and has the topics")


def _clickhouse(settings: Settings) -> Finding:
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import Error

    from stream.store import START

    url = settings.clickhouse_url(writer=True)
    try:
        client = clickhouse_connect.get_client(**clickhouse_arguments(url), connect_timeout=3, send_receive_timeout=10)
        asked = time.time()
        version, now = client.query("SELECT version(), toUnixTimestamp64Milli(now64(3)) / 1000").first_row
        tables = client.query("SELECT count() FROM system.tables WHERE database = currentDatabase()").first_row[0]
    except Error as error:
        return Finding("clickhouse", False, f"{redact(url)}: {str(error).splitlines()[0]}", START)
    skew = abs(now - asked)
    if skew > MAX_CLOCK_SKEW:
        return Finding("clickhouse", False, f"its clock is {skew:.0f} s off ours", "set both clocks by NTP")
    if not tables:
        return Finding("clickhouse", False, f"{version} answers but has no tables", "run: fengxiang migrate")
    return Finding("clickhouse", True, f"{version}, {tables} tables, clock within {max(skew, 0.1):.1f} s")


def _model(settings: Settings) -> Finding:
    from datetime import UTC

    from models.analyse import Analyser
    from models.records import Document

    started = time.monotonic()
    model = settings.model
    analyser = Analyser.load(model.path, threads=model.threads, device=model.device, batch_size=model.batch_size)
    loaded = time.monotonic() - started
    now = datetime.now(UTC)
    text = "芒果超媒(300413)：一季度净利润同比增长35%，AIGC内容业务收入超预期"
    probe = Document(id="doctor", source="doctor", kind="wire", title=text, body="", published_at=now, fetched_at=now)
    analysis = analyser.analyse([probe])[0]
    codes = [mention.code for mention in analysis.mentions]
    reading = f"{analysis.sentiment.label}, {', '.join(codes) or 'no company'}"
    detail = f"loaded in {loaded:.1f} s; a test headline reads {reading}"
    return Finding("model", "300413.SZ" in codes, detail, "the weights or the securities table are damaged: reinstall")


def command(json_output: Annotated[bool, typer.Option("--json", help="As JSON. 以 JSON 输出")] = False) -> None:
    """Check this machine, the broker, the store and the model. 自检"""
    findings = []
    for finding in examine(load()):
        findings.append(finding)
        if not json_output:
            print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.check:<11} {finding.detail}")
            if not finding.ok:
                print(f"     -> {finding.remedy}")
    if json_output:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    if not all(finding.ok for finding in findings):
        sys.exit(1)
