"""`fengxiang sources add` and `remove`: the settings file keeps all else, and a running ingestor takes the feeds up."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.feeds_file import with_feed, without_feed
from deploy.sections import FeedSettings
from deploy.settings import PREFIX, SettingsError
from ingest.outbox import Outbox
from tests.fixtures.broker import free_port
from tests.ingest.server import Reply, Vendor, vendor

RSS = (
    "<rss version='2.0'><channel><item><title>快讯</title><guid>1</guid>"
    "<pubDate>Thu, 18 Jun 2026 10:00:00 +0800</pubDate></item></channel></rss>"
)
OWN = """# our settings
data_dir = "data"   # kept elsewhere

[ingest]
inbox = ""
push_port = 0

# the desk's own
[[ingest.feeds]]
type = "rss"
name = "desk"
url = "http://desk.invalid/[x]"

# quick news
[[ ingest.feeds ]]
type = "cls"

# what the dashboard does
[dashboard]
language = "en"  # for them
"""


@pytest.fixture
def server() -> Iterator[Vendor]:
    with vendor(lambda asked: Reply(RSS.encode(), headers={"Content-Type": "application/xml"})) as made:
        yield made


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | more


def sources(folder: Path, *arguments: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "deploy.cli", "sources", *arguments]
    env = environment(PYTHONPATH=str(Path(__file__).parents[2]), **more)
    return subprocess.run(argv, cwd=folder, env=env, input=given, capture_output=True, text=True, timeout=60)


def test_a_feed_is_tried_written_listed_and_removed(tmp_path: Path, server: Vendor) -> None:
    file = tmp_path / "fengxiang.toml"
    done = sources(tmp_path, "add", f"{server.url}/rss", "--every", "90")
    assert done.returncode == 0, done.stderr
    assert "快讯" in done.stdout and "1 篇" in done.stdout
    assert tomllib.loads(file.read_text()) == {
        "ingest": {"feeds": [{"type": "rss", "name": "127.0.0.1", "url": f"{server.url}/rss", "every_seconds": 90.0}]}
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600  # made here: it may hold tokens
    assert sources(tmp_path, "add", "cls", "--no-test").returncode == 0
    listed = sources(tmp_path, "list", "--json", FENGXIANG_LOCAL__CLICKHOUSE_PORT="1")
    assert '"127.0.0.1"' in listed.stdout and '"cls"' in listed.stdout
    assert listed.stderr.startswith("状态未知 states are not known: ClickHouse at http://fengxiang:***@127.0.0.1:1/")
    assert "(connection refused): start it (make run)" in listed.stderr and len(listed.stderr.splitlines()) == 1
    assert sources(tmp_path, "remove", "127.0.0.1").returncode == 0
    assert tomllib.loads(file.read_text()) == {"ingest": {"feeds": [{"type": "cls"}]}}


def test_comments_and_all_else_stay(tmp_path: Path) -> None:
    file = tmp_path / "fengxiang.toml"
    file.write_text(OWN)
    file.chmod(0o640)
    done = sources(
        tmp_path, "add", "eastmoney-stock", "--securities", "300413, 600519", "--no-attachments", "--no-test"
    )
    assert done.returncode == 0, done.stderr
    added = '\n[[ingest.feeds]]\ntype = "eastmoney-stock"\nsecurities = ["300413", "600519"]\nattachments = false\n'
    assert file.read_text() == OWN + added
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert "eastmoney-stock 600519" in done.stdout
    assert sources(tmp_path, "remove", "eastmoney-stock").returncode == 0
    assert sources(tmp_path, "remove", "cls").returncode == 0
    kept = OWN.replace('[[ ingest.feeds ]]\ntype = "cls"\n', "")
    assert file.read_text().rstrip("\n") == kept.rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "blog"], "'rss', 'cls'"),
        (["add", "rss"], "needs its url"),
        (["add", "tushare", "--no-test"], "needs your token"),
        (["add", "eastmoney-stock"], "name the securities"),
        (["add", "cls", "--every", "0"], "every_seconds"),
        (["add", "cls", "--no-test"], "already: choose another --name"),
        (["add", "cls", "--name", "quick", "--no-test"], "there already, by the name 'cls'"),
        (["add", "http://127.0.0.1:1/rss"], "nothing was written (--no-test"),
        (["add", "http://[::1", "--no-test"], "'http://[::1' is not an http or https address"),
        (["add", "http://", "--no-test"], "is not an http or https address"),
        (["add", "cls", "--name", "b", "--url", "https://x.invalid:99999/", "--no-test"], "is not an http"),
        (["add", "eastmoney-stock", "--securities", "300413,abc", "--no-test"], "abc: write six digits"),
        (["add", "cninfo", "--column", "nowhere", "--no-test"], "'nowhere' is none of szse, sse, bj, hke"),
        (["remove", "other"], "there are: desk, cls"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_written(tmp_path: Path, arguments: list[str], words: str) -> None:
    file = tmp_path / "fengxiang.toml"
    file.write_text(OWN)
    done = sources(tmp_path, *arguments)
    assert done.returncode != 0 and words in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert file.read_text() == OWN and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ingest]\nfeeds = [{ type = 'sina' }]\n", "change them by hand"),
        ("ingest = { inbox = '' }\n", "change them by hand"),
        ("[ingest\n", "not valid TOML"),
        ("[ingest]\ninbx = ''\n", "unknown key"),
    ],
)
def test_a_file_that_is_written_otherwise_or_wrong_is_left_alone(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "fengxiang.toml"
    file.write_text(text)
    done = sources(tmp_path, "add", "cls", "--no-test")
    assert done.returncode != 0 and words in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert file.read_text() == text


def test_a_token_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "settings" / "own.toml"
    done = sources(tmp_path, "add", "cls", "--no-test", FENGXIANG_CONFIG=str(file))
    assert done.returncode == 1 and "can't be written" in done.stderr
    file.parent.mkdir()
    done = sources(
        tmp_path, "add", "tushare", "--token", "-", "--no-test", given="s3cret\n", FENGXIANG_CONFIG=str(file)
    )
    assert done.returncode == 0 and "s3cret" not in done.stdout + done.stderr
    assert tomllib.loads(file.read_text())["ingest"]["feeds"] == [{"type": "tushare", "token": "s3cret"}]
    file.chmod(0o644)
    done = sources(
        tmp_path, "add", "tushare", "--name", "b", "--column", "cls", "--token", "other", "--no-test",
        FENGXIANG_CONFIG=str(file),
    )  # fmt: skip
    assert "chmod 600" in done.stdout and "other " not in done.stdout.split("others")[0]
    with vendor(lambda asked: Reply(b"", 500)) as server:
        done = sources(
            tmp_path, "add", "tushare", "--name", "c", "--url", server.url, "--token", "t0ken",
            FENGXIANG_CONFIG=str(file),
        )  # fmt: skip
    assert done.returncode == 1 and "HTTP 500" in done.stderr and "t0ken" not in done.stdout + done.stderr


def test_feeds_of_the_environment_are_not_shadowed(tmp_path: Path) -> None:
    done = sources(tmp_path, "add", "cls", "--no-test", FENGXIANG_INGEST__FEEDS='[{"type": "sina"}]')
    assert done.returncode == 1 and "FENGXIANG_INGEST__FEEDS" in done.stderr
    assert not (tmp_path / "fengxiang.toml").exists()


LINES = st.sampled_from(
    ["", "# note", "[ingest]", "[dashboard]", "[[ingest.feeds]]", 'type = "cls"', 'name = "a"', 'name = "b"', "[log]",
     "x = 1", 'language = "en"', 'inbox = """', '"""', 'inbox = "#["', "\t# [[ingest.feeds]]"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=14), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["a", "b", "cls"]))
def test_any_file_is_changed_as_asked_or_refused(lines: list[str], end: str, name: str) -> None:
    text = end.join(lines)
    try:
        was = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        was = None
    for change in (lambda: with_feed(text, FeedSettings(type="sina"), "f"), lambda: without_feed(text, name, "f")):
        try:
            new = change()
        except SettingsError:
            continue
        assert was is not None
        now, feeds = tomllib.loads(new), was.get("ingest", {}).get("feeds", [])
        assert abs(len(now.get("ingest", {}).get("feeds", [])) - len(feeds)) == 1
        assert {k: v for k, v in now.items() if k != "ingest"} == {k: v for k, v in was.items() if k != "ingest"}
        assert all(line in text for line in new.splitlines() if line not in ("[[ingest.feeds]]", 'type = "sina"'))


def test_a_running_ingestor_takes_feeds_up_and_lets_them_go(tmp_path: Path, server: Vendor) -> None:
    file = tmp_path / "fengxiang.toml"
    file.write_text('data_dir = "var"\n[ingest]\ninbox = ""\npush_port = 0\n')
    ports = {f"FENGXIANG_LOCAL__{name}_PORT": str(free_port()) for name in ("KAFKA", "CLICKHOUSE")}
    env = environment(PYTHONPATH=str(Path(__file__).parents[2]), **ports)
    with (tmp_path / "log").open("wb") as log:
        ingestor = subprocess.Popen(
            [sys.executable, "-m", "ingest"], cwd=tmp_path, env=env, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        told = lambda words: words in (tmp_path / "log").read_text()  # noqa: E731
        assert within(30, lambda: told("ingestor ready"))
        assert sources(tmp_path, "add", f"{server.url}/rss", "--name", "desk", "--every", "1", **ports).returncode == 0
        assert within(40, lambda: told("feeds are now: desk")), (tmp_path / "log").read_text()
        outbox = Outbox(tmp_path / "var" / "ingest" / "outbox.db", limit_bytes=10**9)
        assert within(20, lambda: sum(outbox.counts().values()) == 1)
        outbox.close()
        file.write_text(file.read_text() + "[[ingest.feeds]]\ntype = 'blog'\n")
        assert within(40, lambda: told("the feeds stay as they are")), (tmp_path / "log").read_text()
        asked = len(server.asked)
        assert within(20, lambda: len(server.asked) > asked)  # still polled
        file.write_text('data_dir = "var"\n[ingest]\ninbox = ""\npush_port = 0\n')
        assert within(40, lambda: told("feeds are now: none")), (tmp_path / "log").read_text()
    finally:
        ingestor.send_signal(signal.SIGTERM)
        assert ingestor.wait(30) == 0


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
