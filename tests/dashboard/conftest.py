"""A dashboard over the sample corpus, analysed by keywords, and a browser to look at it with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy.settings import Settings, clickhouse_arguments
from stream.migrate import migrate
from tests.dashboard.browser import launch
from tests.dashboard.seed import Seed, make, weekly_report
from tests.dashboard.site import Site, team
from tests.fixtures.clickhouse import ClickHouseServer

DATABASE = "dashboard_pages"
expect.set_options(timeout=20_000)

# Titles that would do something if they were rendered instead of shown.
HOSTILE = (
    '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">',
    "**粗体** [点我](javascript:window.hacked=1) $E=mc^2$ :smile: `code` # 标题",
    "</div></div><style>*{display:none}</style>{title} {0} %s",
    "\u202e倒写\u202c 零宽\u200b字符",
)


@dataclass
class World:
    """What is on the pages: the store, what was put into it, and the running site."""

    client: Client
    reader: Client
    seed: Seed
    site: Site


def schema(server: ClickHouseServer, database: str) -> None:
    """The project's own tables in a database of their own."""
    migrate(Settings(clickhouse=server.url(database=database)))


@dataclass
class Doors:
    """The ways to a database: its clients, and the addresses that the dashboard is given."""

    writer: Client
    reader: Client
    editor: Client
    url: str
    editor_url: str


@pytest.fixture
def doors(clickhouse_server: ClickHouseServer, clickhouse_database: str) -> Iterator[Doors]:
    """A database of the test's own, with the project's tables."""
    schema(clickhouse_server, clickhouse_database)
    url = clickhouse_server.url(writer=False, database=clickhouse_database)
    editor_url = clickhouse_server.editor_url(clickhouse_database)
    with (
        clickhouse_server.client(database=clickhouse_database) as writer,
        clickhouse_connect.get_client(**clickhouse_arguments(url), autogenerate_session_id=False) as reader,
        clickhouse_connect.get_client(**clickhouse_arguments(editor_url), autogenerate_session_id=False) as editor,
    ):
        yield Doors(writer, reader, editor, url, editor_url)


@pytest.fixture
def team_site(doors: Doors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dashboard with passwords over that database: ann edits, vic looks."""
    running = team(doors.url, doors.editor_url, tmp_path_factory.mktemp("site")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def world(clickhouse_server: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The sample corpus, a broker weekly and hostile documents, on pages read by the read-only user."""
    schema(clickhouse_server, DATABASE)
    seed = Seed()
    seed.add_corpus()
    seed.add(weekly_report())
    for i, title in enumerate(HOSTILE):
        body = f"{title} 中文在线的大模型获批。{title}"
        seed.add(
            make("hostile", title, body, f"2026-11-20T18:3{i}:00", publisher=title, url="javascript:window.hacked=1")
        )
    with (
        clickhouse_server.client(database=DATABASE) as client,
        clickhouse_server.client(database=DATABASE, writer=False) as reader,
    ):
        seed.insert(client)
        site = Site(clickhouse_server.url(writer=False, database=DATABASE), tmp_path_factory.mktemp("site")).start()
        yield World(client, reader, seed, site)
        site.stop()


@pytest.fixture(scope="package")  # not longer: while it lives, Playwright's event loop is this thread's
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab of its own at desktop size, in another time zone than the data's; fails on an error in the page."""
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, locale="zh-CN", timezone_id="America/New_York"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.set_default_timeout(20_000)
    broken: list[str] = []
    tab.on("pageerror", lambda error: broken.append(str(error)))
    yield tab
    context.close()
    assert not broken, broken
