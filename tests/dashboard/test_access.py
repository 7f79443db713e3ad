"""Signing in to the dashboard in a real browser: by password and by a provider; and what it refuses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, WebSocket, expect

from dashboard.access_sessions import FREE
from dashboard.access_users import Book
from tests.dashboard.conftest import schema
from tests.dashboard.provider import CLIENT, SECRET, Provider
from tests.dashboard.seed import Seed
from tests.dashboard.site import Site
from tests.fixtures.broker import free_port
from tests.fixtures.clickhouse import ClickHouseServer

pytestmark = pytest.mark.browser

DATABASE = "dashboard_access"
PASSWORD = "correct horse 马"
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def store(clickhouse_server: ClickHouseServer) -> str:
    """URL, for the reader, of the sample corpus."""
    schema(clickhouse_server, DATABASE)
    seed = Seed()
    seed.add_corpus()
    with clickhouse_server.client(database=DATABASE) as client:
        seed.insert(client)
    return clickhouse_server.url(writer=False, database=DATABASE)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    found = Book(tmp_path_factory.mktemp("access") / "users.json")
    found.put("ann", "editor", PASSWORD)
    found.put("vic", "viewer", PASSWORD)
    return found


@pytest.fixture(scope="module")
def site(
    clickhouse_server: ClickHouseServer, store: str, book: Book, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A dashboard with passwords, on every address of this machine."""
    folder = tmp_path_factory.mktemp("password-site")
    settings = {"DASHBOARD__ACCESS": "password", "DASHBOARD__USERS_FILE": str(book.path), "DASHBOARD__HOST": "0.0.0.0"}
    made = Site(store, folder, clickhouse_server.editor_url(DATABASE), **settings).start()
    yield made
    made.stop()


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("用户名 Name").fill(name)
    page.get_by_label("密码 Password").fill(password)
    page.get_by_role("button", name="登录 Sign in").click()


def open_settings(page: Page) -> None:
    page.locator(".st-key-corner").get_by_role("button", name="palette").click()


def test_nothing_is_served_before_signing_in(site: Site, page: Page) -> None:
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.goto(f"{site.address}/theme?theme=game")
    expect(page.get_by_role("button", name="登录 Sign in")).to_be_visible()
    assert not sockets
    with httpx.Client(base_url=site.address) as client:
        for path in ("/", "/_stcore/host-config", "/static/index.html", "/media/x.csv", "/_stcore/upload_file/a/b"):
            assert client.get(path).status_code == 401, path
            assert client.post(path).status_code == 401, path
        assert client.get("/", headers=HTML).headers["location"] == "/sign-in?next=%2F"
        upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        key = {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
        assert client.get("/_stcore/stream", headers=upgrade | key).status_code == 403
        assert client.get("/_stcore/health").status_code == 200


def test_wrong_then_right_password_leads_to_the_page_that_was_asked_for(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/theme?theme=game&lang=en")
    sign_in(page, "ann", "not the password")
    expect(page.get_by_role("alert")).to_contain_text("Wrong name or password")
    expect(page.get_by_label("用户名 Name")).to_have_value("ann")
    sign_in(page, "ann", PASSWORD)
    page.wait_for_url("**/theme?*")
    assert "theme=game" in page.url and "lang=en" in page.url
    expect(page.locator(".fx-tile").first).to_be_visible()
    open_settings(page)
    expect(page.get_by_text("ann · editor")).to_be_visible()
    cookie = page.context.cookies()
    found = next(c for c in cookie if c["name"] == "fengxiang_session")
    assert found["httpOnly"] and found["sameSite"] == "Lax"
    page.reload()
    expect(page.locator(".fx-tile").first).to_be_visible()


def test_signing_out_ends_the_session(site: Site, page: Page) -> None:
    page.goto(site.address)
    sign_in(page, "vic", PASSWORD)
    expect(page.locator(".fx-tile").first).to_be_visible()
    open_settings(page)
    expect(page.get_by_text("vic · 只读")).to_be_visible()
    token = next(c["value"] for c in page.context.cookies() if c["name"] == "fengxiang_session")
    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_role("button", name="登录 Sign in")).to_be_visible()
    kept = httpx.get(site.address, headers=HTML, cookies={"fengxiang_session": token})
    assert kept.status_code == 303
    page.goto(f"{site.address}/sql")
    expect(page.get_by_role("button", name="登录 Sign in")).to_be_visible()


def test_a_viewer_sees_no_edit_controls_until_made_an_editor(site: Site, book: Book, page: Page) -> None:
    book.put("eddy", "viewer", PASSWORD)
    page.goto(f"{site.address}/security?code=300364.SZ&w=30d")
    sign_in(page, "eddy", PASSWORD)
    expect(page.locator(".st-key-panel-mentions mark").first).to_be_visible()
    expect(page.locator(".fx-mark")).to_have_count(0)
    book.set_role("eddy", "editor")
    page.reload()
    expect(page.locator(".fx-mark").first).to_be_visible()


def test_who_is_removed_loses_the_open_page(site: Site, book: Book, page: Page) -> None:
    book.put("tmp", "editor", PASSWORD)
    page.goto(site.address)
    sign_in(page, "tmp", PASSWORD)
    expect(page.locator(".fx-tile").first).to_be_visible()
    book.remove("tmp")
    expect(page.get_by_text("登录已过期，请重新登录")).to_be_visible(timeout=40_000)
    expect(page.locator(".fx-tile")).to_have_count(0)
    page.get_by_role("link", name="登录").click()
    expect(page.get_by_role("button", name="登录 Sign in")).to_be_visible()


def test_guessing_has_to_wait_even_with_the_right_password(site: Site, book: Book, page: Page) -> None:
    book.put("guess", "viewer", PASSWORD)
    page.goto(site.address)
    for _ in range(FREE):
        sign_in(page, "guess", "not the password")
        expect(page.get_by_role("alert")).to_contain_text("Wrong name or password")
    sign_in(page, "guess", PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Too many failures: wait 1?\d s"))
    assert "fengxiang_session" not in {c["name"] for c in page.context.cookies()}


def test_forms_of_other_sites_and_redirects_to_them_are_refused(site: Site, book: Book) -> None:
    book.put("amy", "viewer", PASSWORD)
    form = {"name": "amy", "password": PASSWORD}
    with httpx.Client(base_url=site.address) as client:
        for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            assert client.post("/sign-in", data=form, headers=headers).status_code == 403
            assert client.post("/sign-out", headers=headers).status_code == 403
        for wanted in ("https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"):
            reply = client.post("/sign-in", params={"next": wanted}, data=form)
            assert (reply.status_code, reply.headers["location"]) == (303, "/")
            client.cookies.clear()
        assert client.post("/sign-in", data={"name": "<b>", "password": "x"}).text.count("<b>") == 0
        assert client.post("/sign-in", content=b"password=" + b"x" * 1_000_000).status_code in (401, 429)


def test_an_open_dashboard_answers_to_its_own_name_only(store: str, page: Page, tmp_path: Path) -> None:
    site = Site(store, tmp_path).start()
    try:
        upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        key = {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
        other = {"host": "evil.example", "origin": "http://evil.example"}
        assert httpx.get(f"{site.address}/_stcore/stream", headers=upgrade | key | other).status_code == 403
        page.goto(site.address.replace("127.0.0.1", "localhost"))
        expect(page.locator(".fx-tile").first).to_be_visible()
        open_settings(page)
        expect(page.get_by_role("button", name="退出登录")).to_have_count(0)
    finally:
        site.stop()


@pytest.mark.parametrize("arguments", [["dashboard", "--host", "0.0.0.0"], ["up"]])
def test_an_open_dashboard_on_every_address_refuses_to_start(arguments: list[str], tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FENGXIANG_")}
    settings = {"FENGXIANG_DATA_DIR": str(tmp_path), "FENGXIANG_DASHBOARD__HOST": "0.0.0.0"}
    settings["FENGXIANG_DASHBOARD__PORT"] = str(free_port())
    result = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=clean | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "open to everybody who reaches 0.0.0.0: add a reader with fengxiang users add" in result.stderr


def test_a_provider_signs_readers_in(store: str, page: Page, tmp_path: Path) -> None:
    with Provider() as provider:
        settings = {"ACCESS": "oidc", "OIDC_URL": provider.metadata, "OIDC_CLIENT_ID": CLIENT}
        settings |= {"OIDC_CLIENT_SECRET": SECRET, "OIDC_EDITORS": "ann@example.com"}
        site = Site(store, tmp_path, **{f"DASHBOARD__{key}": value for key, value in settings.items()})
        site._environment["FENGXIANG_ALERTS__DASHBOARD_URL"] = site.address
        site.start()
        try:
            page.goto(site.address)
            expect(page.get_by_text("请先登录")).to_be_visible()
            expect(page.locator(".fx-tile")).to_have_count(0)
            provider.email = "eve@example.com"
            page.get_by_role("button", name="登录").click()
            expect(page.get_by_text("这个账号没有访问权限")).to_be_visible()
            expect(page.get_by_text("eve@example.com")).to_be_visible()
            expect(page.locator(".fx-tile")).to_have_count(0)
            provider.email = "ann@example.com"
            page.get_by_role("button", name="登录").click()
            expect(page.locator(".fx-tile").first).to_be_visible()
            open_settings(page)
            expect(page.get_by_text("ann@example.com · 可编辑")).to_be_visible()
            page.get_by_role("button", name="退出登录").click()
            expect(page.get_by_text("请先登录")).to_be_visible()
        finally:
            site.stop()
