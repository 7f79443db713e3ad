"""A proxy that the environment names is not asked for what runs on this machine."""

import http.server
import os
import select
import socket
import subprocess
import sys
import threading

import pytest

from deploy.local.services import answers
from deploy.proxies import spare_loopback
from deploy.settings import PREFIX


@pytest.fixture
def listener():
    """Makes sockets that listen and never answer."""
    made = []

    def make():
        made.append(socket.create_server(("127.0.0.1", 0)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def environment(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("command", [["deploy.cli", "sql", "SELECT 1"], ["ingest"]])
def test_the_store_on_this_machine_is_reached_directly(listener, tmp_path, command):
    store, proxy = listener(), listener()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ours = {
        "FENGXIANG_CLICKHOUSE": f"http://ann:secret@127.0.0.1:{store.getsockname()[1]}/x",
        "FENGXIANG_KAFKA": "127.0.0.1:1",
        "FENGXIANG_INGEST__PUSH_PORT": "0",
        "http_proxy": f"http://127.0.0.1:{proxy.getsockname()[1]}",
        "no_proxy": "example.com",
    }
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=tmp_path, env=clean | ours)
    try:
        asked, _, _ = select.select([store, proxy], [], [], 120)
    finally:
        process.kill()
        process.wait()
    assert asked == [store]


def test_what_is_set_stays(environment):
    environment.setenv("NO_PROXY", "example.com")
    spare_loopback()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "example.com,127.0.0.1,localhost,::1"
    environment.setenv("no_proxy", "*")
    spare_loopback()
    assert os.environ["no_proxy"] == "*"


def test_a_service_that_answers_is_found_in_spite_of_a_proxy(environment, listener):
    environment.setenv("http_proxy", f"http://127.0.0.1:{listener().getsockname()[1]}")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert answers(f"http://127.0.0.1:{server.server_address[1]}/")
        server.shutdown()
