"""A dashboard process on a free port over a database of a running ClickHouse."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page

from dashboard.access_users import Book
from tests.fixtures.broker import free_port

START_SECONDS = 60
PASSWORD = "correct horse 马"


class Site:
    """`fengxiang dashboard` as a user would run it."""

    def __init__(self, store_url: str, folder: Path, editor_url: str = "", **settings: str) -> None:
        """`settings` are variables without their prefix, as in DASHBOARD__ACCESS="password"."""
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"dashboard-{self.port}.log"
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("FENGXIANG_")}
        self._environment |= {"FENGXIANG_CLICKHOUSE": store_url, "FENGXIANG_DATA_DIR": str(folder)}
        self._environment |= {f"FENGXIANG_{key}": value for key, value in settings.items()}
        if editor_url:
            self._environment["FENGXIANG_CLICKHOUSE_EDITOR"] = editor_url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Site:
        """Returns when it answers."""
        command = [sys.executable, "-m", "deploy.cli", "dashboard", "--port", str(self.port)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self._environment)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if answers(self.address):
                return self
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the dashboard did not start:\n{self.log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


def answers(address: str) -> bool:
    """Whether Streamlit does."""
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except OSError:
        return False


def team(store_url: str, editor_url: str, folder: Path) -> Site:
    """A site with passwords, not started yet: ann edits, vic looks."""
    book = Book(folder / "users.json")
    book.put("ann", "editor", PASSWORD)
    book.put("vic", "viewer", PASSWORD)
    settings = {"DASHBOARD__ACCESS": "password", "DASHBOARD__USERS_FILE": str(book.path)}
    return Site(store_url, folder, editor_url, **settings)


def sign_in(page: Page, site: Site, path: str, name: str) -> None:
    """Open a page of a team's site as one of them."""
    page.context.clear_cookies()
    page.goto(f"{site.address}/{path}")
    page.get_by_label("用户名 Name").fill(name)
    page.get_by_label("密码 Password").fill(PASSWORD)
    page.get_by_role("button", name="登录 Sign in").click()
