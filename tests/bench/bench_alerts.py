"""Alerts: how soon a pushed document reaches a webhook and a mailbox, and how fast looking back is.

    python -m tests.bench.bench_alerts latency [SECONDS]     1,000 subscriptions, 20 documents/s through Kafka
    python -m tests.bench.bench_alerts backtest [DOCUMENTS]  90 days of made-up documents
    python -m tests.bench.bench_alerts wires FILE RULE.yaml  a rule over real wires, themes by cues, stories placed

`latency` starts a broker, a store, a worker with the tests' stand-in for the models, and `fengxiang alerts run`; a
fiftieth of the subscriptions write to a mailbox, the others to the webhook, and a document concerns about four.
"""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer

from models.stories import StoryIndex
from models.themes import built_in
from models.trading import SHANGHAI
from stream.alerts.backtest import look_back
from stream.alerts.channels import Channel, ChannelBook, Safe
from stream.alerts.rules import Burst, Condition
from stream.alerts.subscriptions import Book, Subscription, read
from stream.migrate import migrate
from stream.records import DOCUMENTS, encode
from tests.fixtures.broker import Broker, free_port
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.alerts.receivers import Mail, Webhook
from tests.stream.stack import Stack, make_document, within

RATE = 20
THEMES = ("game", "aigc", "film_tv")


def database(server: ClickHouseServer) -> str:
    with server.client() as client:
        client.command("CREATE DATABASE bench")
    return "bench"


def thousand(chance: random.Random) -> list[Subscription]:
    """Rules of all sorts; one in fifty goes by mail."""
    made = []
    for n in range(1000):
        code, theme = f"{600000 + n % 50}.SH", THEMES[n % 3]
        when = [
            Condition(security=(code,), keyword=("走高",)),
            Condition(theme=(theme,), security=(code,)),
            Condition(keyword=(f"第{n}条",)),
            Condition(security=(code,), not_=Condition(regex=f"第{chance.randint(0, 9)}+条")),
            Condition(any=(Condition(security=(code,)), Condition(tone_below=-0.9, theme=(theme,)))),
        ][n % 5]
        channels = ("mail",) if n % 50 == 49 else ("hook",)
        per_hour = 20 if n % 7 == 0 else None
        made.append(Subscription(name=f"订阅{n}", when=when, channels=channels, per_hour=per_hour))
    return made


def latency(folder: Path, seconds: int) -> None:
    server, broker = ClickHouseServer(folder), Broker().start()
    server.start()
    stack = Stack(broker, server, database(server), folder)
    webhook, mail = Webhook(), Mail()
    stack.overrides |= {"ALERTS__ALLOW_NETWORKS": "127.0.0.1", "ALERTS__WEB_PORT": str(free_port())}
    migrate(stack.settings)
    stack.make_topics()
    with stack.client() as client:
        channels = ChannelBook(client, Safe.of(stack.settings.data_dir))
        channels.save(Channel(owner="", name="hook", address=webhook.url()))
        channels.save(Channel(owner="", name="mail", address=mail.url))
        Book(client).save(thousand(random.Random(1)))
    log = (folder / "alerts.log").open("w")
    argv = [sys.executable, "-m", "deploy.cli", "alerts", "run"]
    alerts = subprocess.Popen(argv, env=stack.env, stdout=log, stderr=subprocess.STDOUT)
    stack.start_worker()
    try:
        within(60, lambda: "1000 subscriptions" in (folder / "alerts.log").read_text())
        now = datetime.now(UTC)
        stack.send([make_document(9_000_000, published_at=now)])  # the first one waits for partitions
        within(60, lambda: stack.one("SELECT count() FROM documents") == 1)
        pushed: dict[str, float] = {}
        producer = KafkaProducer(bootstrap_servers=broker.servers, batch_size=0)
        began = time.time()
        for n in range(seconds * RATE):
            time.sleep(max(0.0, began + n / RATE - time.time()))
            document = make_document(n, published_at=datetime.now(UTC), title=f"第{n}条 {n * 7919 % 10007} 亿元")
            pushed[document.id] = time.time()
            producer.send(DOCUMENTS, key=document.id.encode(), value=encode(document))
        stored = within(60, lambda: stack.one("SELECT uniqExact(document_id) FROM alert_seen") > len(pushed))
        due = stack.one("SELECT count() FROM alerts WHERE outcome = 'send'")
        sent = "SELECT uniqExact(message_id) FROM alert_deliveries WHERE state = 'sent'"
        within(60, lambda: stack.one(sent) >= due)
        hooked = [
            r.at - pushed[a["document_id"]]
            for r in webhook.received
            for a in r.body["alerts"]
            if a["document_id"] in pushed
        ]
        with stack.client() as client:
            titles = dict(client.query("SELECT message_id, document_id FROM alerts WHERE outcome = 'send'").result_rows)
        mailed = [
            at - pushed[i]
            for m, at in zip(mail.messages, mail.times, strict=True)
            if (i := titles.get(m["X-Fengxiang-Alert"])) in pushed
        ]
        print(
            f"{len(pushed)} documents in {time.time() - began:.0f} s, all tried: {stored};"
            f" {due} messages due, {stack.one(sent)} sent"
        )
        for name, values in (("webhook", hooked), ("mail", mailed)):
            p50, p95, p99 = np.percentile(values, [50, 95, 99])
            print(
                f"{name:<8} {len(values):>6} messages   p50 {p50:.2f} s   p95 {p95:.2f} s   p99 {p99:.2f} s"
                f"   max {max(values):.2f} s"
            )
        stages(stack, pushed)
        print(f"webhook keys received twice: {len(webhook.received) - len({r.key for r in webhook.received})}")
    finally:
        alerts.terminate()
        alerts.wait(30)
        stack.stop()
        webhook.close()
        mail.close()
        broker.kill()
        server.stop()


def stages(stack: Stack, pushed: dict[str, float]) -> None:
    """Where the time goes: push to stored, stored to fired, fired to delivered."""
    sql = """
    SELECT a.document_id, toUnixTimestamp64Milli(stored_at) / 1000, toUnixTimestamp64Milli(fired_at) / 1000,
        toUnixTimestamp64Milli(d.at) / 1000
    FROM alerts AS a INNER JOIN alert_deliveries AS d USING (message_id)
    INNER JOIN (SELECT id, stored_at FROM documents FINAL) AS s ON s.id = a.document_id
    WHERE d.state = 'sent' AND d.channel = 'hook'
    """
    with stack.client() as client:
        rows = [row for row in client.query(sql).result_rows if row[0] in pushed]
    times = np.array([[pushed[row[0]], *row[1:]] for row in rows])
    names = ("push to stored", "stored to fired", "fired to delivered")
    for name, values in zip(names, np.diff(times, axis=1).T, strict=True):
        print(f"  {name:<20} p50 {np.percentile(values, 50):.2f} s   p95 {np.percentile(values, 95):.2f} s")


DOCUMENT = {"kind": "wire", "sentiment": "neutral", "version": 1}


def fill(client: Client, documents: list[dict[str, Any]]) -> None:
    """Rows of `documents` and `document_themes` from the documents' own columns and a `score`."""
    stamp = datetime.now(UTC)
    for start in range(0, len(documents), 10_000):
        part = documents[start : start + 10_000]
        rows = [{**DOCUMENT, **d, "fetched_at": d["published_at"], "analysed_at": stamp} for d in part]
        for row in rows:
            del row["score"]
        client.insert("documents", [list(row.values()) for row in rows], column_names=list(rows[0]))
        themes = [
            [t, d["published_at"], d["id"], 0.5 + 0.5 * d["score"], d["story_id"], 1] for d in part for t in d["themes"]
        ]
        names = ["theme", "published_at", "document_id", "score", "story_id", "version"]
        client.insert("document_themes", themes, column_names=names)
        mentions = [
            [c, d["published_at"], d["id"], "body", 0, d["sentiment_score"], d["score"], 1]
            for d in part
            for c in d["codes"]
        ]
        names = ["code", "published_at", "document_id", "field", "start", "sentiment_score", "relevance", "version"]
        client.insert("mentions", mentions, column_names=names)


def backtest(folder: Path, count: int) -> None:
    server = ClickHouseServer(folder)
    server.start()
    name = database(server)
    from deploy.settings import Settings

    migrate(Settings(clickhouse=server.url(database=name), data_dir=folder))
    client = server.client(database=name)
    chance, now = random.Random(3), datetime.now(UTC)
    themes = [theme.id for theme in built_in().themes]
    body = "公司公告称，本季度业务保持增长，管理层表示将继续投入研发并拓展海外市场，投资者反应不一。" * 6
    made = []
    for n in range(count):
        made.append(
            {
                "id": f"{n:032x}",
                "source": chance.choice(["cls", "ths", "eastmoney"]),
                "title": f"第{n}条快讯",
                "body": f"{n} {body}",
                "published_at": now - timedelta(days=90 * chance.random()),
                "story_id": f"{n - n % 3:032x}",
                "copy_number": n % 3 + 1,
                "sentiment_score": chance.uniform(-1, 1),
                "score": chance.random(),
                "themes": chance.sample(themes, chance.choice([0, 0, 1, 2])),
                "codes": [f"{600000 + chance.randint(0, 999)}.SH" for _ in range(chance.choice([0, 1, 2]))],
            }
        )
    fill(client, made)
    client.command("OPTIMIZE TABLE documents FINAL")
    when = {
        "theme and tone": Condition(theme=("game",), tone_below=-0.5),
        "security, relevance": Condition(security=("600001.SH", "600002.SH"), relevance=0.5),
        "keyword over all texts": Condition(keyword=("研发并拓展",), theme=("game",), theme_score=0.7),
        "expression over all texts": Condition(regex="^9.*投资者.{0,4}反应"),
    }
    rules = {label: Subscription(name="s", when=condition) for label, condition in when.items()}
    rules["burst per security"] = Subscription(name="s", per="security", burst=Burst(at_least=2, times=2))
    rules["burst of all"] = Subscription(name="s", burst=Burst(window="1h"))
    print(f"{count} documents over 90 days")
    for label, rule in rules.items():
        started = time.perf_counter()
        result = look_back(client, rule, days=90, per_day=3, now=now)
        print(f"{label:<26} {time.perf_counter() - started:6.2f} s   {result.summary()}")
    client.close()
    server.stop()


def wires(folder: Path, file: Path, rules: Path) -> None:
    server = ClickHouseServer(folder)
    server.start()
    name = database(server)
    from deploy.settings import Settings

    migrate(Settings(clickhouse=server.url(database=name), data_dir=folder))
    client = server.client(database=name)
    taxonomy, index = built_in(), StoryIndex()
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        raw = sorted((json.loads(line) for line in lines), key=lambda row: row["datetime"])
    made = []
    for row in raw:
        id_, title, body = f"{row['source']}:{row['id']}", row["title"] or "", row["content"] or ""
        at = datetime.fromisoformat(row["datetime"])
        place = index.place(id_, title, body, at)
        found = sorted({taxonomy.ids[cue.theme] for cue in taxonomy.find(f"{title}\n{body[:300]}")})
        made.append(
            {
                "id": id_,
                "source": row["source"],
                "title": title,
                "body": body,
                "published_at": at,
                "story_id": place.story_id,
                "copy_number": place.copy_number,
                "sentiment_score": 0.0,
                "score": 1.0,
                "themes": found,
                "codes": [],
            }
        )
    fill(client, made)
    end = max(d["published_at"] for d in made) + timedelta(seconds=1)
    days = (end - min(d["published_at"] for d in made)).days + 1
    for rule in read(rules.read_text(encoding="utf-8")):
        started = time.perf_counter()
        result = look_back(client, rule, days=days, per_day=0.5, now=end.astimezone(UTC))
        print(f"\n{rule.name}: {len(made)} wires, {time.perf_counter() - started:.2f} s\n{result.summary()}")
        for past in reversed(result.firings):
            print(f"  {past.at.astimezone(SHANGHAI):%m-%d %H:%M} {past.title}  {past.why}")
    client.close()
    server.stop()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        match sys.argv[1:]:
            case ["latency", *rest]:
                latency(Path(folder), int(rest[0]) if rest else 60)
            case ["backtest", *rest]:
                backtest(Path(folder), int(rest[0]) if rest else 100_000)
            case ["wires", file, rules]:
                wires(Path(folder), Path(file), Path(rules))
            case _:
                print(__doc__)


if __name__ == "__main__":
    main()
