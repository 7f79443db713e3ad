"""Passwords, sessions, waits and lists of addresses, by a clock of their own; and what `fengxiang users` says."""

from __future__ import annotations

import asyncio
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.types import Receive
from typer.testing import CliRunner, Result

from dashboard import access_gate
from dashboard.access import Reader, role_of
from dashboard.access_sessions import FIRST_WAIT, FREE, LONGEST_WAIT, Attempts, Sessions
from dashboard.access_start import hosts, problem
from dashboard.access_users import AccessError, Book, hashed, matches
from deploy import settings
from deploy.cli.users import command
from deploy.sections import DashboardSettings
from deploy.settings import Settings

PASSWORD = "correct horse 马"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def book(tmp_path: Path) -> Book:
    made = Book(tmp_path / "secrets" / "users.json")
    made.put("ann", "editor", PASSWORD)
    return made


def test_a_password_is_kept_as_a_salted_hash() -> None:
    first, second = hashed(PASSWORD), hashed(PASSWORD)
    assert first != second and PASSWORD not in first
    assert matches(PASSWORD, first) and matches("caf\u00e9-caf\u00e9", hashed("cafe\u0301-cafe\u0301"))
    assert not matches(PASSWORD + " ", first) and not matches("x" * 100_000, first)


def test_only_the_right_password_of_a_known_name_gets_in(book: Book) -> None:
    user = book.check("ann", PASSWORD)
    assert user and (user.name, user.role) == ("ann", "editor")
    for name, password in (("ann", "wrong"), ("ann", ""), ("bob", PASSWORD), ("", "")):
        assert book.check(name, password) is None


def test_the_file_is_private_whatever_it_was(book: Book) -> None:
    book.path.chmod(0o644)
    book.put("bob", "viewer", "another password")
    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600
    assert list(book.path.parent.iterdir()) == [book.path]


def test_a_change_of_the_file_is_seen_at_once(book: Book) -> None:
    other = Book(book.path)
    assert set(other.users()) == {"ann"}
    book.put("bob", "viewer", "another password")
    book.set_role("ann", "viewer")
    assert {user.name: user.role for user in other.users().values()} == {"ann": "viewer", "bob": "viewer"}
    book.remove("ann")
    assert other.find("ann") is None


@pytest.mark.parametrize(
    ("name", "role", "password"),
    [
        ("a b", "viewer", PASSWORD),
        ("", "viewer", PASSWORD),
        ("eve", "root", PASSWORD),
        ("eve", "viewer", "short"),
        ("eve-eve-eve", "viewer", "Eve-Eve-Eve"),
        ("eve", "viewer", "x" * 1001),
    ],
)
def test_what_cannot_be_a_user(book: Book, name: str, role: str, password: str) -> None:
    with pytest.raises(AccessError):
        book.put(name, role, password)
    assert set(book.users()) == {"ann"}


@pytest.mark.parametrize("text", ["", "[]", '{"users": [{"name": "x", "role": "root", "password": "scrypt$1$1$1$$"}]}'])
def test_a_broken_file_lets_nobody_in(book: Book, text: str, tmp_path: Path) -> None:
    sessions = Sessions(book, tmp_path / "sessions.json", 1, Clock())
    token = sessions.start(book.known("ann"))
    assert sessions.user(token)
    book.path.write_text(text)
    with pytest.raises(AccessError, match=r"users\.json is no password file"):
        book.check("ann", PASSWORD)
    assert sessions.user(token) is None


def test_a_session_lasts_its_time_and_over_a_restart(book: Book, tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "sessions.json"
    token = Sessions(book, path, 12, clock).start(book.known("ann"))
    assert token not in path.read_text() and stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Sessions(book, path, 12, clock)
    clock.now += 12 * 3600 - 1
    assert again.user(token) == book.known("ann")
    clock.now += 1
    assert again.user(token) is None and again.user("") is None and again.user(token + "x") is None


def test_a_session_ends_with_sign_out_password_and_user(book: Book, tmp_path: Path) -> None:
    sessions = Sessions(book, tmp_path / "sessions.json", 12, Clock())
    out, changed = sessions.start(book.known("ann")), sessions.start(book.known("ann"))
    sessions.end(out)
    assert sessions.user(out) is None and sessions.user(changed)
    book.set_role("ann", "viewer")
    assert sessions.user(changed).role == "viewer"  # type: ignore[union-attr]
    book.put("ann", "editor", "a new password")
    assert sessions.user(changed) is None
    gone = sessions.start(book.known("ann"))
    book.remove("ann")
    assert sessions.user(gone) is None
    book.put("ann", "editor", "somebody else's")
    assert sessions.user(gone) is None


def test_a_socket_is_cut_off_soon_after_its_session(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even of a page that goes on asking; until then it may say what happened."""
    monkeypatch.setattr(access_gate, "GRACE", 0.2)
    sessions = Sessions(book, tmp_path / "sessions.json", 12, Clock())
    token = sessions.start(book.known("ann"))
    heard: list[str] = []

    async def pages(scope: object, receive: Receive, send: object) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            heard.append(message["type"])
            if len(heard) == 3:
                sessions.end(token)
        heard.append("cut off")

    async def asking() -> dict[str, str]:
        await asyncio.sleep(0.02)
        return {"type": "websocket.receive"}

    scope = {"type": "websocket", "path": "/x", "headers": [(b"cookie", f"{access_gate.COOKIE}={token}".encode())]}

    async def visit() -> None:
        await asyncio.wait_for(access_gate.Gate(pages, sessions)(scope, asking, lambda _: None), 20)  # type: ignore[arg-type]

    with ThreadPoolExecutor(1) as other:  # this thread's loop may be the browser tests'
        other.submit(asyncio.run, visit()).result()
    assert len(heard) > 3 and heard[-1] == "cut off"


def test_guessing_gets_slower() -> None:
    clock = Clock()
    attempts = Attempts(FREE, clock)
    for _ in range(FREE):
        assert attempts.wait("ann") == 0
        attempts.failed("ann")
    assert (attempts.wait("ann"), attempts.wait("bob")) == (FIRST_WAIT, 0)
    clock.now += FIRST_WAIT
    assert attempts.wait("ann") == 0
    attempts.failed("ann")
    assert attempts.wait("ann") == 2 * FIRST_WAIT
    for _ in range(30):
        attempts.failed("ann")
    assert attempts.wait("ann") == LONGEST_WAIT
    attempts.succeeded("ann")
    assert attempts.wait("ann") == 0
    for _ in range(FREE + 1):
        attempts.failed("ann")
    clock.now += 3600
    assert attempts.wait("ann") == 0


def made(**dashboard: object) -> Settings:
    return Settings(dashboard=DashboardSettings(**dashboard))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "Ann@Example.com"}, "editor"),
        ({"email": "bob@desk.example.com", "email_verified": True}, "viewer"),
        ({"email": "bob@desk.example.com", "email_verified": False}, None),
        ({"email": "bob@example.com"}, None),
        ({"email": "bob@evil-desk.example.com"}, None),
        ({"email": "desk.example.com"}, None),
        ({"email": ""}, None),
        ({"sub": "ann@example.com"}, None),
        ({"email": "ann@example.com", "iat": 1_000_000 - 13 * 3600}, None),
    ],
)
def test_a_provider_lets_in_who_is_listed(claims: dict[str, object], role: str | None) -> None:
    chosen = made(oidc_editors="ann@example.com, ", oidc_viewers="@desk.example.com,")
    found = role_of({"iat": 1_000_000} | claims, chosen, 1_000_000)
    assert (found.role if found else None) == role


def test_a_star_lets_in_whoever_the_provider_knows() -> None:
    found = role_of({"iat": 5, "sub": "42", "name": "Ann"}, made(oidc_viewers="*"), 6)
    assert found == Reader("Ann", "viewer") and not found.can_edit()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "dashboard.example.com"])
def test_an_open_dashboard_stays_on_loopback(host: str) -> None:
    assert f"everybody who reaches {host}: add a reader with fengxiang users add" in problem(made(), host)
    assert not any(problem(made(), own) for own in ("127.0.0.1", "127.1.2.3", "::1", "localhost"))


def test_an_open_dashboard_answers_to_its_own_names_only() -> None:
    assert set(hosts(made(), "127.0.0.1")) == {"localhost", "127.0.0.1", "::1"}
    assert hosts(made(access="password"), "0.0.0.0") == []


def test_access_that_lets_nobody_in_is_named(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    chosen = made(access="password", users_file=str(users))
    assert f"{users} has nobody in it: fengxiang users add" in problem(chosen, "127.0.0.1")
    Book(users).put("ann", "viewer", PASSWORD)
    assert problem(chosen, "0.0.0.0") == ""
    users.write_text("{}")
    assert "users.json is no password file" in problem(chosen, "127.0.0.1")
    assert "FENGXIANG_DASHBOARD__OIDC_CLIENT_SECRET" in problem(made(access="oidc"), "127.0.0.1")


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "load", lambda: Settings(data_dir=tmp_path))
    monkeypatch.setattr("deploy.cli.users.load", settings.load)
    return tmp_path / "secrets" / "dashboard-users.json"


def run(*arguments: str, password: str = "") -> Result:
    return CliRunner().invoke(command, list(arguments), input=f"{password}\n")


def test_users_are_added_listed_changed_and_removed(users: Path) -> None:
    added = run("add", "ann", "--role", "editor", password=PASSWORD)
    assert added.exit_code == 0 and "FENGXIANG_DASHBOARD__ACCESS=password" in added.output
    assert run("add", "bob", password="b" * 10).exit_code == 0
    assert [line.split() for line in run("list").output.splitlines()] == [["ann", "editor"], ["bob", "viewer"]]
    assert run("password", "ann", password="a new password").exit_code == 0
    assert run("role", "bob", "editor").exit_code == 0
    book = Book(users)
    assert book.check("ann", "a new password").role == "editor" == book.known("bob").role  # type: ignore[union-attr]
    assert run("remove", "ann").exit_code == 0
    assert [row["name"] for row in json.loads(users.read_text())["users"]] == ["bob"]


@pytest.mark.parametrize(
    ("arguments", "password", "said"),
    [
        (["add", "ann"], PASSWORD, "'ann' is there already"),
        (["add", "eve"], "short", "10 characters or more"),
        (["add", "e v e"], PASSWORD, "'e v e' can't be a name"),
        (["remove", "eve"], "", "no user 'eve' in"),
        (["password", "eve"], PASSWORD, "there is ann"),
        (["role", "eve", "viewer"], "", "no user 'eve' in"),
    ],
)
def test_a_mistake_is_named(users: Path, arguments: list[str], password: str, said: str) -> None:
    Book(users).put("ann", "viewer", PASSWORD)
    before = users.read_text()
    result = run(*arguments, password=password)
    assert result.exit_code == 1 and said in str(result.exception)
    assert users.read_text() == before
