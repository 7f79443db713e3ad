"""The store at size: `python -m tests.bench.bench_store [--mentions 1e6,1e7,1e8] [--days 730] [--runs 20]`.

Starts the embedded ClickHouse on a free port and a folder that is deleted afterwards (`--folder` keeps it, for another
run on the same day), and grows it in place to each number of mentions. Months before the last are then merged, which a
store does by itself once nothing was added to them for a day. Per size it prints the speed of filling, bytes a
row, memory, parts and merges, and the times of the pages' queries and of the documented views; * marks a page's
default window, ! a p95 above 200 ms; something was corrected of twenty documents of the last day. At the end, counting
by the tables of truth beside the tallies.

The rows are made up by SQL from their number: 2.5 mentions a document on average, securities by Zipf over 5,500 codes,
11 themes with 0.18 a document, 3 sources, sentences and bodies of about 50 characters from 2,000 words by Zipf. Real
bodies are longer (wires: about 200 characters), so real documents take more bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

from dashboard import queries
from dashboard.queries import documents, overview, reports, security, stories, system, tallies, theme
from dashboard.query import SETTINGS, TIME, Query, clock, query
from dashboard.scope import Scope, Tallied, window
from deploy.settings import Settings
from models.themes import built_in
from models.trading import SHANGHAI as ZONE
from stream.migrate import migrate
from stream.queries import MINUTE_DAYS
from stream.refreshes import reach
from stream.tallies import NOTES, refresh
from tests.fixtures.clickhouse import ClickHouseServer

BAR = 200  # ms
EVER = datetime(2000, 1, 1, tzinfo=ZONE)  # a store that is old enough to compare with all windows
CODE = re.compile(r"[Cc]ode: (\d+)")  # 241: more memory than the reader may use, 396: more rows
MENTIONS_A_DOCUMENT = 2.5
BATCH = 400_000  # documents an insert, at most
BUDGET = 3.0  # seconds of one query's runs: slow ones are run less often, at least 3 times
WORDS = (
    "公司公告 上半年营收 同比增长 人工智能 大模型 游戏版号 获批上线 跨境电商 物流成本 下降明显 机构调研 订单饱满 "
    "短剧出海 广告投放 虚拟人 直播带货 股价走高 资金流入 行业景气 毛利率 环比改善 董事会 通过议案 回购股份 产能爬坡 "
    "新品发布 海外市场 份额提升 业绩预告 符合预期 券商研报 维持评级 目标价 风险提示 政策落地 需求回暖 供应链 合作协议 "
    "用户规模 创新高"
)
# By Zipf, as in a language: those above are every fiftieth of 2,000, so 版号 is in 1% of the documents (of real wires
# in 0.02%), the commonest word in most.
VOCABULARY = tuple(
    WORDS.split()[rank // 50] if rank % 50 == 0 else chr(0x4E00 + 37 * rank % 2500) + chr(0x4E00 + 101 * rank % 2500)
    for rank in range(2000)
)


def words(number: int, *seeds: str | int) -> str:
    """SQL: a text of so many words, by a row's `number` and the seeds."""
    of = ", ".join(["number", *map(str, seeds), "i"])
    rank = f"toUInt32(pow({len(VOCABULARY)}, cityHash64({of}) / pow(2., 64)))"
    return f"arrayStringConcat(arrayMap(i -> splitByChar(' ', '{' '.join(VOCABULARY)}')[{rank}], range({number})), ' ')"


# A document by its number: {n} numbers from {lo}, of the {count} from {first} that are spread over one month, which
# begins {month} s after 1970 and is {seconds} s long: in the order of time, to ten minutes, as they come to a store.
MADE = """
SELECT number, published_at, id, codes, themes, source, kind, publisher, story_id, copied, copy_number, score,
    sentiment, arrayMap((code, place) -> (code, 1 / place, score / place, sentiment = 'positive', sentiment = 'neutral',
        sentiment = 'negative'), codes, arrayEnumerate(codes)) AS companies
FROM (
    SELECT number,
        intDiv((number - {first}) * {seconds} * 1000, {count}) AS due,
        fromUnixTimestamp64Milli(toInt64({month} * 1000 + due - least(due, cityHash64(number, 1) % 600000)),
            'Asia/Shanghai') AS published_at,
        lower(hex(sipHash128(number))) AS id,
        arrayDistinct(arrayMap(
            i -> leftPad(toString(toUInt32(pow(5500, cityHash64(number, 10 + i) / pow(2., 64)))), 6, '0') || '.SZ',
            range(cityHash64(number, 2) % 6))) AS codes,
        arrayDistinct(arrayMap(
            i -> {themes}[1 + cityHash64(number, 40 + i) % {n_themes}],
            range(multiIf(cityHash64(number, 3) % 100 < 3, 2, cityHash64(number, 3) % 100 < 15, 1, 0)))) AS themes,
        ['cls', 'eastmoney', 'sina'][1 + cityHash64(number, 5) % 3] AS source,
        if(cityHash64(number, 5) % 10 < 7, 'wire', 'news') AS kind,
        if(kind = 'wire', '', concat('媒体', toString(cityHash64(number, 6) % 40))) AS publisher,
        cityHash64(intDiv(number, 4)) % 10 < 3 AS copied,
        lower(hex(sipHash128(if(copied, number - number % 4, number)))) AS story_id,
        toUInt32(if(copied, number % 4 + 1, 1)) AS copy_number,
        toFloat32(cityHash64(number, 7) % 2001 / 1000. - 1) AS score,
        multiIf(score > 0.3, 'positive', score < -0.3, 'negative', 'neutral') AS sentiment
    FROM numbers({lo}, {n})
)"""
FILL = {
    "documents": """
INSERT INTO documents (id, source, kind, publisher, url, title, body, language, published_at, fetched_at, analysed_at,
    stored_at, story_id, novelty, copy_number, sentiment, sentiment_score, p_negative, p_neutral, p_positive, themes,
    codes, companies, model_version, taxonomy_version, securities_version, code_version, epoch, topic,
    `partition`, `offset`, version)
SELECT id, source, kind, publisher, concat('https://example.com/', toString(number)),
    {title},
    {body},
    'zh', published_at, published_at + 2, published_at + 3, published_at + 4, story_id, copy_number = 1, copy_number,
    sentiment, score, (1 - score) / 2, 0, (1 + score) / 2, themes, codes, companies, 'm1', 't1', 's1', 'c1', 'e1',
    'fengxiang.documents', number % 4, intDiv(number, 4), 1
FROM ({made})""",
    "mentions": """
INSERT INTO mentions (code, published_at, document_id, field, start, `end`, name, surface, sentence, sentence_start,
    section, sentiment, sentiment_score, p_negative, p_neutral, p_positive, relevance, confidence, evidence, role,
    themes, codes, source, kind, publisher, story_id, copy_number, version)
SELECT code, published_at, id, if(place = 1, 'title', 'body'), place * 12, place * 12 + 4,
    concat('公司', substring(code, 3, 4)) AS name, name,
    {sentence}, place * 8,
    if(place = 1, 'title', 'body'), sentiment, score, (1 - score) / 2, 0, (1 + score) / 2, 1 / place, 0.9, 'name',
    'subject', themes, codes, source, kind, publisher, story_id, copy_number, 1
FROM ({made}) ARRAY JOIN codes AS code, arrayEnumerate(codes) AS place""",
    "document_themes": """
INSERT INTO document_themes (theme, published_at, document_id, score, evidence, sentiment, sentiment_score, themes,
    codes, companies, source, kind, publisher, story_id, copy_number, version)
SELECT theme, published_at, id, 0.9, [('body', 8, 12)], sentiment, score, themes, codes, companies, source, kind,
    publisher, story_id, copy_number, 1
FROM ({made}) ARRAY JOIN themes AS theme""",
    "stories": """
INSERT INTO stories (story_id, first_at, last_at, first_id, first_source, first_publisher, title, copies, publishers,
    sources, kinds, themes, codes, sentiment_score, publisher_score, positive, neutral, negative, version)
SELECT story_id, published_at, published_at + if(copied, 7200, 0), id, source, publisher,
    {title},
    if(copied, 4, 1), if(copied, 4, 1), [source], [kind], themes, codes, score, score, sentiment = 'positive',
    sentiment = 'neutral', sentiment = 'negative', 1
FROM ({made}) WHERE copy_number = 1""",
}

FILLED = (*FILL, "tallies")


@dataclass(frozen=True)
class Span:
    """Whole days of documents [start, end), cut by months, as the tables are partitioned."""

    start: datetime
    end: datetime

    def months(self) -> Iterator[tuple[int, int]]:
        """Beginning and length in seconds of each month's part."""
        at = self.start
        while at < self.end:
            following = min((at.replace(day=1) + timedelta(days=32)).replace(day=1), self.end)
            yield int(at.timestamp()), int(following.timestamp() - at.timestamp())
            at = following


def span_of(days: int) -> Span:
    """So many days until 15:00 yesterday."""
    end = (datetime.now(ZONE) - timedelta(days=1)).replace(hour=15, minute=0, second=0, microsecond=0)
    return Span(end - timedelta(days=days), end)


def fill(client: Client, span: Span, done: int, total: int) -> dict[str, tuple[int, float]]:
    """Documents number `done` to `total`, spread evenly over the span: table -> rows inserted, seconds."""
    names = [str(theme.id) for theme in built_in().themes]
    fixed = {
        "themes": str(names),
        "n_themes": len(names),
        "title": words(5, 100),
        "body": words(15, 200),
        "sentence": words(15, "place", 200),
    }
    spent = dict.fromkeys(FILL, 0.0)
    whole = (span.end - span.start).total_seconds()
    passed, lo = 0, done
    before = {table: rows_of(client, table) for table in FILL}
    for month, seconds in span.months():
        passed += seconds
        first, until = lo, done + round((total - done) * passed / whole)
        while lo < until:
            n = min(BATCH, until - lo)
            made = MADE.format(lo=lo, n=n, first=first, count=until - first, month=month, seconds=seconds, **fixed)
            for table, sql in FILL.items():
                began = time.monotonic()
                client.command(sql.format(made=made, **fixed), settings={"max_insert_threads": os.cpu_count() or 1})
                spent[table] += time.monotonic() - began
            lo += n
    return {table: (rows_of(client, table) - before[table], spent[table]) for table in FILL}


def count_tallies(client: Client, span: Span) -> float:
    """All counts anew, as after a migration; seconds."""
    began = time.monotonic()
    hours = range(int(span.start.timestamp()) // 3600 * 3600, int(span.end.timestamp()), 3600)
    refresh(client, hours, reach(client, NOTES))
    return time.monotonic() - began


def grow(client: Client, span: Span, done: int, total: int) -> dict[str, tuple[int, float]]:
    """Documents number `done` to `total` and all counts anew: table -> rows added, seconds."""
    filled, before = fill(client, span, done, total), rows_of(client, "tallies")
    seconds = count_tallies(client, span)
    return filled | {"tallies": (rows_of(client, "tallies") - before, seconds)}


def merge_old(client: Client, span: Span) -> float:
    """Make one part of every month before the last, as a store does within a day; seconds."""
    began = time.monotonic()
    last = f"{span.end:%Y%m}"
    for table in FILLED:
        sql = f"SELECT DISTINCT partition FROM system.parts WHERE active AND table = '{table}' AND partition < '{last}'"
        for (month,) in client.query(sql).result_rows:
            client.command(
                f"OPTIMIZE TABLE {table} PARTITION {month} FINAL SETTINGS optimize_skip_merged_partitions = 1"
            )
    return time.monotonic() - began


def rows_of(client: Client, table: str) -> int:
    return int(client.query(f"SELECT count() FROM {table}").result_rows[0][0])


def settle(client: Client, seconds: float) -> None:
    """Wait until no merge runs, at most so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and client.query("SELECT count() FROM system.merges").result_rows[0][0]:
        time.sleep(1)


def print_size(server: ClickHouseServer, client: Client, filled: dict[str, tuple[int, float]]) -> None:
    """What the store holds and takes."""
    print(f"\n  {'table':<16}{'rows':>13}{'inserted/s':>12}{'bytes/row':>11}{'MB':>9}{'parts':>7}")
    parts = client.query(
        "SELECT table, sum(rows), sum(bytes_on_disk), count() FROM system.parts"
        " WHERE active AND database = currentDatabase() GROUP BY table"
    ).result_rows
    for table, rows, size, number in sorted(parts, key=lambda row: -row[2]):
        if table in FILLED:
            added, seconds = filled.get(table, (0, 1.0))
            speed = f"{added / seconds:,.0f}" if added else ""
            print(f"  {table:<16}{rows:>13,}{speed:>12}{size / rows:>11.1f}{size / 1e6:>9,.0f}{number:>7}")
    events = dict(client.query("SELECT event, value FROM system.events WHERE event LIKE 'Merge%'").result_rows)
    status = Path(f"/proc/{server.process.pid}/status").read_text() if server.process else ""
    memory = {key: int(kb) / 1024 for key, kb in re.findall(r"(VmRSS|VmHWM):\s+(\d+)", status)}
    print(
        f"  merges so far: {events.get('Merge', 0)}, {events.get('MergedRows', 0):,} rows,"
        f" {events.get('MergeTotalMilliseconds', 0) / 1000:,.0f} s;"
        f" memory {memory.get('VmRSS', 0):,.0f} MB now, {memory.get('VmHWM', 0):,.0f} MB at most",
        flush=True,
    )


def tallied(end: datetime) -> Tallied:
    """What the tallies of a live store don't count yet: the hour that documents come in."""
    today = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return Tallied(
        frozenset([int((end - timedelta(hours=1)).timestamp())]),
        int((today - timedelta(days=MINUTE_DAYS - 1)).timestamp()),
    )


def correct(client: Client, end: datetime) -> frozenset[int]:
    """Take a company from ten documents of the last day and a theme from ten others; the hours of these."""
    if not rows_of(client, "feedback"):
        for kind, column, way in (("link", "codes", "ASC"), ("theme", "themes", "DESC")):
            client.command(
                "INSERT INTO feedback (document_id, published_at, kind, subject, said, `by`, version)"
                f" SELECT id, published_at, '{kind}', {column}[1], {column}[1], 'bench', 1 FROM documents"
                f" WHERE published_at >= {{day:{TIME}}} AND published_at < {{end:{TIME}}} AND notEmpty({column})"
                f" ORDER BY sipHash64(id) {way} LIMIT 10",
                parameters={"day": clock(end.replace(hour=0)), "end": clock(end)},
            )
    hours = client.query("SELECT DISTINCT toUnixTimestamp(toStartOfHour(published_at)) FROM feedback").result_rows
    return frozenset(int(hour) for (hour,) in hours)


def windows(end: datetime, corrected: frozenset[int]) -> dict[str, Scope]:
    """1 day (the default: since midnight, beside 20 earlier days), 7 and 30 days (beside 4 and 2 earlier windows), and
    the first once more with corrections."""
    newest = end - timedelta(seconds=1)
    made = {
        "1": window("today", newest),
        "7": Scope(end - timedelta(days=7), end, "custom"),
        "30": window("30d", newest),
    }
    made = {days: replace(scope, tallied=tallied(end), corrected=frozenset()) for days, scope in made.items()}
    return made | {"corrected": replace(made["1"], corrected=corrected)}


def page_queries(code: str = "000012.SZ") -> dict[str, Callable[[Scope], Query]]:
    """Every query of the pages that depends on the window."""
    game, none = "game", documents.Filter()
    codes = [f"{number:06}.SZ" for number in range(1, overview.MOVERS + 1)]
    word = documents.Filter(text="版号", themes=("game",))
    return {
        "overview headline": lambda s: overview.headline(s, s.usual_windows(EVER)),
        "overview themes": lambda s: overview.themes(s, s.usual_windows(EVER)),
        "overview theme_steps": overview.theme_steps,
        "overview movers": overview.movers,
        "overview before": lambda s: overview.before(s, codes, s.usual_windows(EVER)),
        "overview top_themes": lambda s: overview.top_themes(s, codes),
        "overview tone_steps": overview.tone_steps,
        "overview sources": overview.sources,
        "theme headline": lambda s: theme.headline(s, game),
        "theme steps": lambda s: theme.steps(s, game),
        "theme compared": lambda s: theme.compared(s, [game, "aigc", "ip"]),
        "theme securities": lambda s: theme.securities(s, game),
        "theme pairs": lambda s: theme.pairs(s, game),
        "theme together": lambda s: theme.together(s, game),
        "theme recommendations": lambda s: theme.recommendations(s, game),
        "theme stories": lambda s: documents.stories(s, documents.Filter(themes=(game,)), limit=8),
        "theme documents": lambda s: documents.listed(s, documents.Filter(themes=(game,))),
        "security known": security.known,
        "security headline": lambda s: security.headline(s, code),
        "security steps": lambda s: security.steps(s, code),
        "security themes": lambda s: security.themes(s, code),
        "security peers": lambda s: security.peers(s, code),
        "security mentions": lambda s: security.mentions(s, code),
        "security ratings": lambda s: security.ratings(s, code),
        "security stories": lambda s: documents.stories(s, documents.Filter(codes=(code,)), "newest", 10),
        "stories": stories.told,
        "search listed": lambda s: documents.listed(s, word),
        "search found": lambda s: documents.found(s, word),
        "search all": lambda s: documents.listed(s, none),
        "search all found": lambda s: documents.found(s, none),
        "reports listed": reports.listed,
        "view mention_trend, all": lambda s: view("mention_trend", s, ", minutes = 60"),
        "view mention_trend, one": lambda s: view("mention_trend", s, ", minutes = 60", f"code = '{code}'"),
        "view theme_trend, all": lambda s: view("theme_trend", s, ", minutes = 60"),
        "view theme_trend, one": lambda s: view("theme_trend", s, ", minutes = 60", f"theme = '{game}'"),
        "view security_day, all": lambda s: view("security_day", s),
        "view security_day, one": lambda s: view("security_day", s, only=f"code = '{code}'"),
        "view comention": lambda s: view("comention", s, ", max_codes = 20"),
        "view rating_change": lambda s: view("rating_change", s),
    }


def fixed_queries(span: Span, id_: str, story: str, at: datetime) -> dict[str, Query]:
    """Those that ask for all times, or for one thing."""
    end, known = span.end, tallied(span.end)
    whole = Scope(span.start.replace(hour=0), end, tallied=known, corrected=frozenset())
    place = Scope(at, at + timedelta(milliseconds=1), corrected=frozenset())
    return {
        "all extent": queries.extent(),
        "all untallied": queries.untallied(),
        "all busy": tallies.busy(end, known),
        "all names, kept 10 min": queries.names(tallied=True),
        "all names lately": queries.names(2),
        "all feed": overview.feed("", amended=False),
        "security life": security.life(whole, "000012.SZ"),
        "search sources": documents.sources(),
        "document place": documents.place(id_),
        "document whole": documents.whole(place, id_),
        "document mentions": documents.mentions_of(place, id_),
        "document themes": documents.themes_of(place, id_),
        "document place of story": documents.place(story, "story_id"),
        "document copies": documents.copies(replace(place, start=at - timedelta(days=3), end=at + timedelta(3)), story),
        "system totals": system.totals(),
        "system pulse": system.pulse(),
        "system delays": system.delays(),
        "system stored": system.stored_steps(),
        "system offsets": system.offsets(),
        "system versions": system.versions(),
        "system storage": system.storage(),
    }


def view(name: str, scope: Scope, more: str = "", only: str = "true") -> Query:
    """As people ask in their own SQL: more parameters, and a condition on what comes out."""
    return query(
        f"SELECT * FROM {name}(from = {{start:{TIME}}}, to = {{end:{TIME}}}{more}) WHERE {only}",
        start=scope.start,
        end=scope.end,
    )


def timed(client: Client, made: Query, runs: int) -> tuple[float, float]:
    """p50 and p95 ms, the rows fetched as the pages fetch them, after a first run that counts for nothing."""
    taken: list[float] = []
    for number in range(runs + 1):
        began = time.perf_counter()
        client.query_df(made.sql, parameters=made.parameters, settings=SETTINGS)
        seconds = time.perf_counter() - began
        if number or seconds > BUDGET:
            taken.append(seconds * 1000)
        if sum(taken) > BUDGET * 1000 and (len(taken) >= 3 or taken[0] > BUDGET * 1000):
            break
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 95))


def cell(client: Client, made: Query, runs: int, default: bool) -> tuple[str, bool]:
    """`p50/p95` with its marks, and whether it misses the bar."""
    try:
        p50, p95 = timed(client, made, runs)
    except Exception as error:  # noqa: BLE001 - a query over a limit is a result
        return f"code {text[1]}" if (text := CODE.search(str(error))) else "failed", True
    return f"{p50:,.0f}/{p95:,.0f}{'*' if default else ''}{'!' if p95 > BAR else ''}", p95 > BAR


def print_queries(client: Client, span: Span, runs: int, corrected: frozenset[int]) -> None:
    end = span.end
    id_, story, at = client.query(
        "SELECT id, story_id, published_at FROM documents WHERE copy_number > 1 AND"
        f" published_at > toDateTime64('{end:%Y-%m-%d %H:%M:%S}', 3, 'Asia/Shanghai') - INTERVAL 12 HOUR LIMIT 1"
    ).result_rows[0]
    scopes = windows(end, corrected)
    missed: list[str] = []
    print(f"\n  {'p50/p95 ms':<24}{'1 day':>16}{'7 days':>16}{'30 days':>16}{'1 day corrected':>17}")
    for name, make in page_queries().items():
        cells = []
        for days, scope in scopes.items():
            default = days == "1" and not name.startswith("view")
            text, slow = cell(client, make(scope), runs, default)
            cells.append(text)
            if slow and default:
                missed.append(name)
        print(f"  {name:<24}" + "".join(f"{text:>16}" for text in cells), flush=True)
    for name, made in fixed_queries(span, id_, story, at).items():
        text, slow = cell(client, made, runs, True)
        missed += [name] * slow
        print(f"  {name:<24}{text:>16}", flush=True)
    print(f"  above {BAR} ms at the default window: {', '.join(missed) or 'none'}")


def print_alternative(client: Client, end: datetime, days: int) -> None:
    """Documents a day by theme and by security: from the tables of truth and from the roll-up, with equal answers."""
    stop = end.replace(hour=0)
    scope = Scope(stop - timedelta(days=min(90, days - 1)), stop)
    print(f"\n  {'documents a day, 90 days':<28}{'truth, FINAL':>16}{'tallies':>16}")
    for dimension, source, column in (("theme", "theme_trend", "theme"), ("security", "mention_trend", "code")):
        truth = query(
            f"SELECT {column} AS key, toDateTime64(bucket, 3, 'Asia/Shanghai') AS at, documents FROM {source}"
            f"(from = {{start:{TIME}}}, to = {{end:{TIME}}}, minutes = 1440) ORDER BY key, at",
            start=scope.start,
            end=scope.end,
        )
        rolled = query(
            f"SELECT key, bucket AS at, documents FROM tallies FINAL WHERE step = 'day' AND dimension = '{dimension}'"
            f" AND bucket >= {{start:{TIME}}} AND bucket < {{end:{TIME}}} ORDER BY key, at",
            start=scope.start,
            end=scope.end,
        )
        texts = [cell(client, q, 10, default=False)[0] for q in (truth, rolled)]
        if all("/" in text for text in texts):
            answers: list[Any] = [client.query(q.sql, parameters=q.parameters).result_rows for q in (truth, rolled)]
            assert answers[0] == answers[1], f"{dimension}: the roll-up counts otherwise than the tables"
        print(f"  {'by ' + dimension:<28}{texts[0]:>16}{texts[1]:>16}", flush=True)


@contextmanager
def store(folder: Path) -> Iterator[tuple[ClickHouseServer, Client, Client]]:
    """A server with the tables, the writer's and the reader's client."""
    server = ClickHouseServer(folder)
    server.start()
    try:
        migrate(Settings(clickhouse=server.url()))
        with server.client(send_receive_timeout=1800) as writer, server.client(writer=False) as reader:
            yield server, writer, reader
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mentions", default="1e6,1e7,1e8", help="sizes to grow to")
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="a store that is kept, and grown on from what it holds")
    arguments = parser.parse_args()
    span = span_of(arguments.days)
    with tempfile.TemporaryDirectory(prefix="fengxiang-bench-") as name:
        folder = (arguments.folder or Path(name)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with store(folder) as (server, writer, reader):
            for size in map(float, arguments.mentions.split(",")):
                total, done = int(size / MENTIONS_A_DOCUMENT), rows_of(writer, "documents")
                print(f"\n{size:,.0f} mentions over {arguments.days} days", flush=True)
                filled = grow(writer, span, done, total) if total > done else {}
                settle(writer, 120)
                print(f"  months before the last merged in {merge_old(writer, span):,.0f} s")
                print_size(server, writer, filled)
                print_queries(reader, span, arguments.runs, correct(writer, span.end))
                print_alternative(reader, span.end, arguments.days)


if __name__ == "__main__":
    main()
