"""Copies meet in the sink, whoever reads the partition next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from clickhouse_connect.driver.client import Client

from stream.records import ANALYSES
from stream.sink import Sink
from tests.fixtures.clickhouse import ClickHouseServer
from tests.stream.test_rows import AT, analysed
from tests.stream.test_sink import records

NEWS = (
    "样例传媒公告称，公司拟与三家出版集团合作建设垂类语料库，首期投入2.6亿元，预计明年三季度上线，"
    "用于训练面向影视剧本的小模型，后续将分批释放版权内容，项目不会对本年度业绩产生重大影响。"
)


@pytest.fixture
def make_sink(clickhouse_server: ClickHouseServer, stored: Client):
    return lambda: Sink(
        lambda: clickhouse_server.client(database=stored.database), epochs={ANALYSES: "e1"}, clock=lambda: AT
    )


def told(number: int, body: str = NEWS, **changes: object):
    return analysed(number, title="快讯", body=body, **changes)


def copies(client: Client) -> list[tuple[int, int]]:
    """(copy number, how many documents its story has) of each document."""
    sql = "SELECT copy_number, count() OVER (PARTITION BY story_id) FROM documents FINAL ORDER BY ALL"
    return [(int(number), int(size)) for number, size in client.query(sql).result_rows]


def test_copies_in_different_batches_are_one_story(make_sink, stored: Client) -> None:
    sink = make_sink()
    sink.store(records([told(1)]))
    sink.store(records([told(2, f"财联社11月2日电，{NEWS}"), told(3, "另一条新闻，谈别的事情。")], first=1))
    assert copies(stored) == [(1, 1), (1, 2), (2, 2)]
    mismatch = "SELECT count() FROM mentions m FINAL JOIN documents d FINAL ON d.id = m.document_id"
    assert stored.query(f"{mismatch} WHERE m.story_id != d.story_id").first_row[0] == 0


def test_another_worker_goes_on_where_the_first_stopped(make_sink, stored: Client) -> None:
    make_sink().store(records([told(1)]))
    make_sink().store(records([told(2, NEWS + "（完）")], first=1))
    assert copies(stored) == [(1, 2), (2, 2)]


def test_a_worker_that_had_lost_the_partition_learns_what_happened_meanwhile(make_sink, stored: Client) -> None:
    first, second = make_sink(), make_sink()
    first.store(records([told(9, "开场白一句，与此无关。")]))
    second.store(records([told(1)], first=1))
    first.store(records([told(2)], first=2))
    assert copies(stored) == [(1, 1), (1, 2), (2, 2)]


def test_a_replay_changes_no_story(make_sink, stored: Client) -> None:
    order = "SELECT id, story_id, copy_number FROM documents FINAL ORDER BY id"
    make_sink().store(records([told(n) for n in range(3)]))
    before = stored.query(order).result_rows
    make_sink().store(records([told(n, at=AT + timedelta(hours=1)) for n in (2, 1, 0)], first=50))
    assert stored.query(order).result_rows == before
    assert copies(stored) == [(1, 3), (2, 3), (3, 3)]
