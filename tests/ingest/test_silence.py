"""A source's silence is measured against its usual rate for the hour of such a day. The clock is passed in."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from deploy.settings import Settings
from ingest.health import Health, Report
from ingest.metrics import exposition
from ingest.outbox import Outbox
from ingest.silence import CHANCE, Hour, Usual, learn
from ingest.store import Store
from models.trading import SHANGHAI, is_trading_day
from stream.migrate import migrate
from tests.fixtures.clickhouse import ClickHouseServer

MONDAY = datetime(2026, 6, 15, tzinfo=SHANGHAI)
MORNING, NIGHT = MONDAY.replace(hour=10), MONDAY.replace(hour=2)


def history(days: int = 28, *, by_day: int = 30, by_night: int = 1, closed: int = 2) -> list[Hour]:
    """Days before Monday: so many arrivals in each hour from 8 to 20, of nights, of closed days."""
    found = []
    for n in range(1, days + 1):
        day = (MONDAY - timedelta(days=n)).date()
        for hour in range(24):
            count = closed if not is_trading_day(day) else by_day if 8 <= hour < 20 else by_night
            found.append(Hour(day, hour, count, 1.0, datetime(day.year, day.month, day.day, hour, 30, tzinfo=SHANGHAI)))
    return found


def minutes_until_silent(usual: Usual, since: datetime) -> int:
    return next(n for n in range(1, 60 * 72) if (usual.chance(since, since + timedelta(minutes=n)) or 1.0) < CHANCE)


def test_the_same_gap_is_silence_by_day_and_usual_by_night() -> None:
    usual = Usual(history())
    assert usual.rate(MORNING) == pytest.approx(30) and usual.rate(NIGHT) == pytest.approx(1)
    assert 25 <= minutes_until_silent(usual, MORNING) <= 35  # 30 an hour: e^-14 after 28 minutes
    assert minutes_until_silent(usual, NIGHT) > 6 * 60  # till the morning's rate is missed
    assert minutes_until_silent(usual, MONDAY - timedelta(days=1)) > 6 * 60  # a Sunday


def test_a_busier_source_is_missed_sooner_and_few_days_make_it_slower() -> None:
    known = minutes_until_silent(Usual(history()), MORNING)
    assert minutes_until_silent(Usual(history(by_day=60)), MORNING) < known
    assert minutes_until_silent(Usual(history(days=6)), MORNING) >= known


def test_with_long_records_the_chance_is_poisson_s() -> None:
    usual = Usual([hour._replace(arrivals=hour.arrivals * 1000, hours=1000.0) for hour in history()])
    chance = usual.chance(MORNING, MORNING + timedelta(minutes=10))
    assert chance == pytest.approx(math.exp(-30 / 6), rel=1e-3)


def test_a_short_history_says_nothing() -> None:
    usual = Usual(history(days=4))  # two trading days and a weekend
    assert usual.rate(MORNING) is None and usual.chance(MORNING, MORNING + timedelta(hours=3)) is None
    assert Usual([]).chance(MORNING, MORNING + timedelta(days=90)) is None


def test_health_tells_silence_and_its_end() -> None:
    health = Health(timedelta(hours=6))
    health.expect({"cls": Usual(history())})

    def poll(minutes: int, new: int = 0) -> Report:
        at = MORNING + timedelta(minutes=minutes)
        health.add(Report("cls", at, "ok", fetched=20, new=new, last_item_at=MORNING - timedelta(hours=9)))
        return health.latest["cls"]

    assert poll(0, new=3).state == "ok"  # published nine hours ago, but it has just come
    assert poll(10).state == "ok"
    silent = poll(60)
    assert silent.state == "silent" and "nothing new for 60 minutes" in silent.message
    assert poll(61, new=1).state == "ok" and poll(62).state == "ok"


def test_after_a_restart_silence_goes_on_from_what_is_stored() -> None:
    health = Health()
    usual = Usual([*history(), Hour(MONDAY.date(), 10, 5, 0.5, MORNING)])
    health.expect({"cls": usual})
    health.add(Report("cls", MORNING + timedelta(minutes=50), "ok"))
    assert health.latest["cls"].state == "silent"


def test_an_unknown_source_falls_back_on_the_fixed_time() -> None:
    health = Health(timedelta(hours=1))
    health.expect({"cls": Usual(history(days=2))})
    for name in ("cls", "new"):
        health.add(Report(name, MORNING, "ok", new=1, last_item_at=MORNING))
        health.add(Report(name, MORNING + timedelta(minutes=50), "ok"))
        assert health.latest[name].state == "ok"
        health.add(Report(name, MORNING + timedelta(minutes=70), "ok"))
        assert health.latest[name].state == "silent"


def test_a_failing_source_is_failing_not_silent() -> None:
    health = Health()
    health.expect({"cls": Usual(history())})
    health.add(Report("cls", MORNING, "ok", new=1))
    health.add(Report("cls", MORNING + timedelta(hours=2), "failing", errors=1))
    assert health.latest["cls"].state == "failing"


def test_the_usual_rate_is_learned_from_what_is_stored(
    clickhouse_server: ClickHouseServer, clickhouse_database: str, clickhouse: Client, tmp_path: Path
) -> None:
    url = clickhouse_server.url(database=clickhouse_database)
    store = Store(Settings.model_validate({"clickhouse": url, "data_dir": tmp_path}))
    migrate(Settings.model_validate({"clickhouse": url, "data_dir": tmp_path}))
    clickhouse.command("ALTER TABLE source_health REMOVE TTL")  # these days are long gone
    health = Health()
    monday = MONDAY - timedelta(days=7)
    for day in range(7):
        for minute in range(0, 24 * 60, 5):  # every fifth minute; something new each quarter hour of the day
            at = monday + timedelta(days=day, minutes=minute)
            news = int(8 <= at.hour < 20 and minute % 15 == 0)
            health.add(Report("cls", at, "ok", fetched=20, new=news * 7, last_item_at=at))
            health.add(Report("away", at, "failing", errors=1))
    back = monday + timedelta(days=7, hours=10)
    health.add(Report("cls", back, "ok", fetched=400, new=400, last_item_at=back))  # ten hours' backlog at once
    health.flush(store.insert)
    usual = learn(store.query, back + timedelta(minutes=1))
    assert set(usual) == {"cls"}
    known = usual["cls"]
    assert known.rate(MORNING) == pytest.approx(4, rel=0.01) and known.rate(NIGHT) == 0
    assert known.last == monday + timedelta(days=6, hours=19, minutes=45)
    assert learn(store.query, monday - timedelta(days=1)) == {}
    health.expect(usual)
    outbox = Outbox(tmp_path / "outbox.db", limit_bytes=10**7)
    assert 'usual_polls_with_news_per_hour{source="cls"} 4.0' in exposition(outbox, health).decode()
    outbox.close()
    store.close()
