"""From the store to real receivers: the process of `fengxiang alerts run`, killed and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from deploy.settings import PREFIX, Settings
from stream.alerts.agent import Agent, Notes, clock, links, max_age
from stream.alerts.channels import Channel, ChannelBook, Safe
from stream.alerts.deliver import Lanes, Postman
from stream.alerts.rules import Burst, Condition, Count, First
from stream.alerts.subscriptions import Book, Escalation, Stored, Subscription
from stream.alerts.watch import Watcher
from tests.fixtures.broker import free_port
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.alerts.make import Store, analysed
from tests.stream.alerts.receivers import Mail, Webhook
from tests.stream.stack import within


class Alerts:
    """The process, its receivers, and the store."""

    def __init__(self, server: ClickHouseServer, client: Client, folder: Path) -> None:
        self.client, self.folder, self.server = client, folder, server
        self.webhook, self.mail = Webhook(), Mail()
        database = str(client.database)
        self.settings = Settings(
            clickhouse=server.url(database=database),
            data_dir=folder / "var",
            alerts={"allow_networks": "127.0.0.1", "web_port": free_port(), "poll_seconds": 0.1, "window_seconds": 0.5},
        )
        self.book = Book(client)
        self.channels = ChannelBook(client, Safe.of(self.settings.data_dir))
        self.channels.save(Channel(owner="", name="hook", address=self.webhook.url()))
        self.channels.save(Channel(owner="", name="mail", address=self.mail.url))
        self.channels.save(Channel(owner="", name="dead", address=self.webhook.url("/fail")))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        alerts = self.settings.alerts
        ours = {
            "CLICKHOUSE": self.settings.clickhouse,
            "CLICKHOUSE_READER": self.server.url(writer=False, database=str(self.client.database)),
            "DATA_DIR": str(self.settings.data_dir),
            **{f"ALERTS__{name.upper()}": str(getattr(alerts, name)) for name in ("allow_networks", "web_port")},
            **{f"ALERTS__{name.upper()}": str(getattr(alerts, name)) for name in ("poll_seconds", "window_seconds")},
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return clean | {PREFIX + name: value for name, value in ours.items()}

    def start(self) -> None:
        """Returns when it works."""
        before = self.log.count("alerts are running")
        with (self.folder / "alerts.log").open("ab") as log:
            argv = [sys.executable, "-m", "deploy.cli", "alerts", "run"]
            self.process = subprocess.Popen(argv, env=self.env, stdout=log, stderr=subprocess.STDOUT)
        assert within(60, lambda: self.log.count("alerts are running") > before), self.log

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    @property
    def log(self) -> str:
        path = self.folder / "alerts.log"
        return path.read_text() if path.exists() else ""

    def cli(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "deploy.cli", "alerts", *arguments]
        return subprocess.run(argv, env=self.env, input=text, capture_output=True, text=True, timeout=60)

    def subscribe(self, name: str, **changes: object) -> Stored:
        values: dict[str, object] = {"name": name, "when": Condition(theme=("game",)), "channels": ("hook",)}
        (stored,) = self.book.save([Subscription(**{**values, **changes})])  # type: ignore[arg-type]
        return stored

    def names(self) -> Counter[str]:
        return Counter(r.body["subscription"]["name"] for r in self.webhook.at("/hook"))

    def outcomes(self) -> dict[str, int]:
        return dict(self.client.query("SELECT outcome, count() FROM alerts FINAL GROUP BY outcome").result_rows)

    def one(self, sql: str) -> int:
        return int(self.client.query(sql).result_rows[0][0])


@pytest.fixture
def alerts(clickhouse_server: ClickHouseServer, stored: Client, tmp_path: Path) -> Iterator[Alerts]:
    made = Alerts(clickhouse_server, stored, tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()
    made.webhook.close()
    made.mail.close()


def now() -> datetime:
    return datetime.now(UTC)


def settled(alerts: Alerts, documents: int) -> bool:
    """Whether so many documents have been tried, the start's marker aside."""
    return within(
        30, lambda: alerts.one("SELECT uniqExactIf(document_id, document_id != '') FROM alert_seen") >= documents
    )


def test_a_document_reaches_webhook_mail_and_feed_once(alerts: Alerts, store: Store) -> None:
    store.add([analysed("before", now(), themes={"game": 0.9})])
    mine = alerts.subscribe("我的", channels=("hook", "mail"))
    alerts.subscribe("别的", when=Condition(theme=("ip",)))
    alerts.subscribe("试", dry_run=True)
    alerts.start()
    time.sleep(0.3)
    message = analysed(
        1, now(), themes={"game": 0.9}, codes={"300413.SZ": -0.6}, title="版号下发", url="https://n.example/1"
    )
    store.add([message])
    assert within(15, lambda: len(alerts.webhook.received) == 1 and len(alerts.mail.messages) == 1), alerts.log
    body = alerts.webhook.received[0].body
    assert body["alerts"][0]["document_id"] == message.document.id and "游戏" in body["alerts"][0]["why"]
    store.add([message])  # a replay
    store.add(
        [
            analysed(2, now(), themes={"game": 0.9}, backfill=True),
            analysed(3, now() - timedelta(days=3), themes={"game": 0.9}),
        ]
    )
    store.add([analysed(4, now(), themes={"ip": 0.9})])
    assert within(15, lambda: alerts.names()["别的"] == 1), alerts.log
    assert alerts.names() == {"我的": 1, "别的": 1}
    assert alerts.outcomes() == {"send": 2, "dry_run": 1}
    sent = "SELECT count() FROM alert_deliveries WHERE state = 'sent'"
    assert within(15, lambda: alerts.one(sent) >= 3), alerts.log  # an outcome is stored after it is known
    assert alerts.one(sent) == 3
    feed = httpx.get(links(alerts.settings).feed(mine.subscription.id))
    assert (
        feed.status_code == 200
        and "版号下发" in feed.text
        and feed.headers["content-type"].startswith("application/atom")
    )
    assert (
        httpx.get(links(alerts.settings).feed(mine.subscription.id).replace("/feeds/", "/feeds/x")).status_code == 404
    )
    assert alerts.webhook.url() not in alerts.log, "addresses are not logged"
    assert alerts.stop() == 0


def test_twelve_copies_give_one_message(alerts: Alerts, store: Store) -> None:
    alerts.subscribe("一次")
    alerts.start()
    text = "某游戏公司今日宣布旗下新作获得版号，预计于下月公测，届时将登陆多个平台，市场反应热烈，券商看好其流水。"
    for n in range(12):
        store.add([analysed(n, now(), themes={"game": 0.9}, title="新作获得版号并将于下月公测", body=text)])
    assert settled(alerts, 12)
    assert within(10, lambda: len(alerts.webhook.received) == 1)
    assert alerts.outcomes() == {"send": 1, "grouped": 11}


def test_a_kill_between_firings_and_their_note_fires_nothing_again(alerts: Alerts, store: Store) -> None:
    alerts.subscribe("每条")
    postman = Postman(Lanes(lambda *_: None, clock), Notes(lambda: alerts.client))

    def agent() -> Agent:
        watcher = Watcher(lambda: alerts.client, clock, 60.0, max_age(alerts.settings))
        return Agent(alerts.client, alerts.settings, postman, watcher)

    agent().step()
    store.add([analysed(n, now(), themes={"game": 0.9}, title=f"第{n}件互不相同的事情{n * 7}") for n in range(8)])
    cut_off = agent()
    cut_off._intake.done = lambda items: None  # type: ignore[method-assign]
    cut_off.step()
    assert alerts.one("SELECT count() FROM alerts") == 8 and alerts.one("SELECT count() FROM alert_seen") == 1
    agent().step()
    assert alerts.one("SELECT count() FROM alerts") == 8 and alerts.one("SELECT count() FROM alert_seen") == 9
    assert alerts.outcomes() == {"send": 8}


@pytest.mark.chaos
def test_ten_kills_lose_nothing_and_repeat_only_what_was_under_way(alerts: Alerts, store: Store) -> None:
    alerts.subscribe("每条")
    alerts.subscribe("每条邮件", channels=("mail",))
    alerts.start()
    expected, kills = set[str](), list[tuple[float, set[str]]]()
    for kill in range(10):
        for n in range(8):
            message = analysed(
                f"{kill}-{n}", now(), themes={"game": 0.9}, title=f"事件{kill}之{n}：{kill * 37 + n * 11}亿元"
            )
            expected.add(message.document.id)
            store.add([message])
            if n == 5:
                time.sleep(0.05 * kill)
                sent = "SELECT message_id FROM alert_deliveries WHERE state = 'sent' AND channel = 'hook'"
                noted = {row[0] for row in alerts.client.query(sent).result_rows}
                alerts.kill()
                kills.append((time.time(), noted))
        alerts.start()
    assert within(30, lambda: len({r.body["alerts"][0]["document_id"] for r in alerts.webhook.received}) == 80), (
        alerts.log
    )
    assert within(30, lambda: len({m["Subject"] for m in alerts.mail.messages}) == 80), alerts.log
    time.sleep(1)
    assert {r.body["alerts"][0]["document_id"] for r in alerts.webhook.received} == expected
    got = {r.key for r in alerts.webhook.received}
    for at, noted in kills:
        again = {r.key for r in alerts.webhook.received if r.at > at} & noted
        assert not again, "what the store has as sent is never sent again"
    print("received twice:", len(alerts.webhook.received) - len(got), "of", len(got))
    assert len(got) == 80, "one key a story"
    assert alerts.one("SELECT uniqExact(id) FROM alerts") == alerts.one("SELECT count() FROM alerts FINAL") == 160
    done = "SELECT uniqExact(message_id) FROM alert_deliveries WHERE state = 'sent'"
    assert within(10, lambda: alerts.one(done) == 160)


def test_cooldowns_and_held_messages_survive_a_restart(alerts: Alerts, store: Store) -> None:
    alerts.subscribe("冷却", cooldown="1h")
    alerts.start()
    store.add([analysed(1, now(), themes={"game": 0.9}, title="第一件事发生了")])
    assert within(15, lambda: alerts.one("SELECT count() FROM alert_deliveries") == 1), alerts.log
    alerts.kill()
    alerts.start()
    store.add([analysed(2, now(), themes={"game": 0.9}, title="第二件别的事发生")])
    store.add([analysed(3, now(), themes={"game": 0.9}, title="第三件又是别的事")])
    assert settled(alerts, 3)
    assert alerts.outcomes() == {"send": 1, "cooldown": 1, "held": 1}
    assert alerts.one("SELECT uniqExact(message_id) FROM alerts WHERE outcome != 'send'") == 1, "told together"
    alerts.kill()
    # an hour later: the rows say that the summary is due now
    alerts.client.command(
        "INSERT INTO alerts SELECT * REPLACE (now64(3) AS due_at) FROM alerts FINAL WHERE outcome != 'send'"
    )
    alerts.client.command("OPTIMIZE TABLE alerts FINAL")
    alerts.start()
    assert within(15, lambda: len(alerts.webhook.received) == 2), alerts.log
    assert len(alerts.webhook.received[1].body["alerts"]) == 2


def test_a_dead_channel_is_shown_and_holds_up_nobody(alerts: Alerts, store: Store) -> None:
    alerts.subscribe("坏", channels=("dead", "hook", "missing"))
    alerts.start()
    for n in range(5):
        store.add([analysed(n, now(), themes={"game": 0.9}, title=f"第{n}件互不相同的事情{n * 7}")])
    assert within(15, lambda: len(alerts.webhook.at("/hook")) == 5), alerts.log
    assert within(10, lambda: alerts.one("SELECT count() FROM alert_deliveries WHERE state = 'failed'") >= 1)
    shown = alerts.cli("channels").stdout
    assert "failed" in shown and "500" in shown and alerts.webhook.url("") not in shown
    assert alerts.one("SELECT count() FROM alert_deliveries WHERE channel = 'missing' AND state = 'gave_up'") == 5
    alerts.webhook.broken = False
    alerts.kill()
    alerts.start()
    assert within(15, lambda: len({r.key for r in alerts.webhook.at("/fail")}) == 5), alerts.log


def test_a_channel_that_is_corrected_or_removed_is_so_for_what_waits(alerts: Alerts, store: Store) -> None:
    alerts.channels.save(Channel(owner="", name="gone", address=alerts.webhook.url("/fail-gone")))
    alerts.subscribe("等", channels=("dead", "gone"))
    alerts.start()
    store.add([analysed(n, now(), themes={"game": 0.9}, title=f"第{n}件互不相同的事情{n * 7}") for n in range(6)])
    failed = "SELECT uniqExact(channel) FROM alert_deliveries WHERE state = 'failed'"
    assert within(15, lambda: alerts.one(failed) == 2), alerts.log
    alerts.channels.save(Channel(owner="", name="dead", address=alerts.webhook.url("/hook")))
    alerts.channels.remove("", "gone")
    assert within(20, lambda: len(alerts.webhook.at("/hook")) == 6), alerts.log
    given_up = "SELECT uniqExact(message_id) FROM alert_deliveries WHERE channel = 'gone' AND state = 'gave_up'"
    assert within(15, lambda: alerts.one(given_up) == 6), alerts.log
    alerts.webhook.broken = False
    time.sleep(2)
    assert not alerts.webhook.at("/fail") and not alerts.webhook.at("/fail-gone")


def test_escalation_unless_somebody_acknowledges(alerts: Alerts, store: Store) -> None:
    alerts.subscribe("升级", channels=("hook",), escalate=Escalation(after="1m", channels=("mail",)))
    alerts.start()
    for n in range(2):
        store.add([analysed(n, now(), themes={"game": 0.9}, title=f"要处理的第{n}件事{n * 13}")])
    assert within(15, lambda: len(alerts.webhook.received) == 2), alerts.log
    assert alerts.cli("ack", alerts.webhook.received[0].key).returncode == 0
    assert within(15, lambda: alerts.one("SELECT count() FROM alert_deliveries WHERE state = 'sent'") == 2)
    alerts.kill()
    # a minute later
    alerts.client.command("INSERT INTO alerts SELECT * REPLACE (now64(3) AS escalate_at) FROM alerts FINAL")
    alerts.client.command("OPTIMIZE TABLE alerts FINAL")
    alerts.start()
    assert within(15, lambda: len(alerts.mail.messages) == 1), alerts.log
    time.sleep(1)
    assert [m["X-Fengxiang-Alert"] for m in alerts.mail.messages] == [alerts.webhook.received[1].key]


def test_a_burst_and_a_first_mention_speak_once(alerts: Alerts, store: Store) -> None:
    start = now() - timedelta(days=20)
    past = [
        analysed(f"p{n}", start + timedelta(hours=6 * n), themes={"game": 0.9}, codes={"600001.SH": 0}, backfill=True,
                 title=f"往日第{n}件事{n * 31}")
        for n in range(76)
    ]  # fmt: skip
    store.add(past)
    alerts.subscribe("激增", burst=Burst(window="1h", times=3, at_least=6))
    alerts.subscribe("首次", when=Condition(security=("600001.SH", "600002.SH")), first_mention=First(days=10))
    alerts.start()
    for n in range(8):
        codes = {"600002.SH": 0.0} if n in (3, 5) else {"600001.SH": 0.0}
        store.add(
            [
                analysed(
                    n,
                    now() - timedelta(minutes=10 - n),
                    themes={"game": 0.9},
                    codes=codes,
                    title=f"今日突发{n}号{n * 17}",
                )
            ]
        )
    assert within(30, lambda: alerts.names() == {"激增": 1, "首次": 1}), alerts.log
    time.sleep(2)
    assert alerts.names() == {"激增": 1, "首次": 1}
    assert within(15, lambda: alerts.one("SELECT count() FROM alert_deliveries WHERE state = 'sent'") == 2)
    burst = next(r.body for r in alerts.webhook.received if r.body["subscription"]["name"] == "激增")
    assert "倍" in burst["alerts"][0]["unusual"] and burst["alerts"][0]["titles"]
    alerts.kill()
    alerts.start()
    time.sleep(2)
    assert alerts.names() == {"激增": 1, "首次": 1}, "nor again after a restart"


def test_documents_dated_by_the_day_are_told_once_however_late_they_come(alerts: Alerts, store: Store) -> None:
    named = {"codes": {"600002.SH": 0.0}, "title": "这家公司今天被提到了"}
    store.add([analysed("old", now() - timedelta(days=20), backfill=True)])
    alerts.subscribe("数量", count=Count(window="1h", at_least=3))
    alerts.subscribe("首次", when=Condition(security=("600002.SH",)), first_mention=First(days=10))
    alerts.start()
    day = now() - timedelta(hours=9)
    store.add([analysed(n, day, themes={"game": 0.9}, title=f"今日研报{n}号{n * 17}") for n in range(4)])
    store.add([analysed("now", now(), **named)])  # type: ignore[arg-type]
    assert within(30, lambda: alerts.names() == {"数量": 1, "首次": 1}), alerts.log
    store.add([analysed("late", day, themes={"game": 0.9}, **named)])  # type: ignore[arg-type]
    assert settled(alerts, 6)
    time.sleep(2)
    assert alerts.names() == {"数量": 1, "首次": 1}


def test_the_mute_link_asks_before_it_acts(alerts: Alerts, store: Store) -> None:
    mine = alerts.subscribe("静音")
    alerts.start()
    store.add([analysed(1, now(), themes={"game": 0.9})])
    assert within(15, lambda: len(alerts.webhook.received) == 1), alerts.log
    link = alerts.webhook.received[0].body["manage_url"]
    assert "1h" in httpx.get(link).text
    assert alerts.book.find(mine.subscription.id).snoozed_until is None, "a preview of the link changes nothing"
    assert httpx.post(link[:-1] + "x", data={"mute": "1h"}).status_code == 404
    assert "muted until" in httpx.post(link, data={"mute": "1h"}).text
    assert within(10, lambda: alerts.log.count("1 subscriptions") == 2)
    store.add([analysed(2, now(), themes={"game": 0.9}, title="另一件不同的事")])
    assert settled(alerts, 2)
    assert alerts.outcomes() == {"send": 1, "snoozed": 1}


def test_the_store_may_go_away(alerts: Alerts, store: Store, clickhouse_server: ClickHouseServer) -> None:
    alerts.subscribe("断线")
    alerts.start()
    clickhouse_server.kill()
    time.sleep(1.5)
    clickhouse_server.restart()
    store.add([analysed(1, now(), themes={"game": 0.9})])
    assert within(20, lambda: len(alerts.webhook.received) == 1), alerts.log


def test_two_processes_do_not_run_on_one_folder(alerts: Alerts) -> None:
    alerts.start()
    second = alerts.cli("run")
    assert second.returncode == 1 and "running already" in second.stderr


def test_a_themes_file_that_cannot_be_read_is_named(alerts: Alerts) -> None:
    path = alerts.settings.user_themes
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("themes: [")
    for arguments in (("add", "-"), ("run",)):
        done = alerts.cli(*arguments, text="name: x\nwhen: {theme: game}")
        assert done.returncode == 1 and path.name in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_the_command_line(alerts: Alerts, store: Store) -> None:
    text = "name: 命令行\nowner: ann\nwhen: {theme: game, tone_below: -0.2}\nchannels: [hook]\n"
    added = alerts.cli("add", "-", text=text)
    assert added.returncode == 0 and "saved" in added.stdout, added.stderr
    bad = alerts.cli("add", "-", text="name: x\nwhen: {thema: game}")
    assert bad.returncode == 1 and "line 2" in bad.stderr and "Traceback" not in bad.stderr
    assert "命令行" in alerts.cli("list").stdout
    assert "feeds/" in alerts.cli("show", "命令行").stdout
    exported = alerts.cli("export").stdout
    assert alerts.cli("import", "-", text=exported).returncode == 0
    assert len(alerts.book.all()) == 1 and len(alerts.book.versions(alerts.book.all()[0].subscription.id)) == 2
    assert "delivered" in alerts.cli("test", "命令行").stdout and alerts.webhook.received[0].body["outcome"] == "test"
    assert "until" in alerts.cli("snooze", "命令行", "2h").stdout
    secret = alerts.webhook.url("/T0KEN-s3cr3t")
    assert alerts.cli("channels", "add", "私", "--address", "-", text=secret + "\n").returncode == 0
    listed = alerts.cli("channels")
    assert "私" in listed.stdout and "s3cr3t" not in listed.stdout
    assert "s3cr3t" not in str(alerts.client.query("SELECT * FROM alert_channels").result_rows)
    for n in range(20):
        store.add(
            [analysed(n, now() - timedelta(days=n), themes={"game": 0.9}, score=-n / 20, title=f"回看{n}之{n * 19}")]
        )
    looked = alerts.cli("backtest", "命令行", "--days", "30", "--json", "--per-day", "0.2")
    result = msgspec.json.decode(looked.stdout)
    assert result["total"] == 15 and result["threshold"] == "tone_below" and result["suggested_total"] == 6
    assert -0.71 < result["suggested"] < -0.69
    assert alerts.cli("remove", "命令行").returncode == 0 and alerts.book.all() == []
    assert "no subscription" in alerts.cli("test", "命令行").stderr


def test_a_basket_of_the_user_s_own_is_known_while_it_runs(
    alerts: Alerts, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(code: str) -> None:
        path = alerts.settings.user_themes
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"themes:\n- {{id: mine, name: 我的, cues: [甲], description: d, basket: [{code}]}}\n")

    def fired() -> set[str]:
        return {row[0] for row in alerts.client.query("SELECT document_id FROM alerts FINAL").result_rows}

    alerts.start()
    fill("300413.SZ")
    added = alerts.cli("add", "-", text="name: 篮子\nowner: ann\nwhen: {basket: mine}\nchannels: [hook]\n")
    assert added.returncode == 0, added.stderr
    assert within(15, lambda: "1 subscriptions" in alerts.log), alerts.log
    ours, other = (analysed(n, now(), codes={code: 0.1}) for n, code in enumerate(("300413.SZ", "600519.SH")))
    store.add([ours, other])
    assert settled(alerts, 2) and within(15, lambda: fired() == {ours.document.id}), fired()
    assert msgspec.json.decode(alerts.cli("backtest", "篮子", "--json").stdout)["total"] == 1

    fill("600519.SH")
    assert within(15, lambda: alerts.log.count("1 subscriptions") == 2), alerts.log
    later = analysed(
        2, now(), codes={"600519.SH": 0.1}, title="后来的一条", body="另一家公司说了别的事，与前面都无关。"
    )
    store.add([later])
    assert within(15, lambda: fired() == {ours.document.id, later.document.id}), fired()

    monkeypatch.setenv("VISUAL", "sed -i s/hook/mail/")
    edited = alerts.cli("edit", "篮子")
    assert edited.returncode == 0 and "saved" in edited.stdout, edited.stderr
    assert alerts.book.all()[0].subscription.channels == ("mail",)


def test_versions_are_shown_and_brought_back(alerts: Alerts) -> None:
    for tone in ("-0.2", "-0.6"):
        text = f"name: 版本\nowner: ann\nwhen: {{theme: game, tone_below: {tone}}}\n"
        assert alerts.cli("add", "-", text=text).returncode == 0
    assert alerts.cli("remove", "版本").returncode == 0
    shown = alerts.cli("show", "版本").stdout
    assert [f"version {n}" in shown for n in range(1, 5)] == [True, True, True, False] and "removed" in shown
    assert "-0.2" in alerts.cli("show", "版本", "--version", "1").stdout
    missing = alerts.cli("restore", "版本", "7")
    assert missing.returncode == 1 and "no version 7" in missing.stderr
    assert alerts.cli("restore", "版本").returncode == 0
    assert [s.subscription.when.tone_below for s in alerts.book.all()] == [-0.6]
    assert alerts.cli("restore", "版本", "1").returncode == 0
    (current,) = alerts.book.all()
    assert current.subscription.when.tone_below == -0.2 and len(alerts.book.versions(current.subscription.id)) == 5
    alerts.book.remove(current)
    alerts.subscribe("版本", owner="ann")
    taken = alerts.cli("restore", current.subscription.id)
    assert taken.returncode == 1 and "name of another" in taken.stderr
