"""`fengxiang dashboard`: its address, its configuration, its errors."""

from __future__ import annotations

import http.client
import socket
import time

import pytest
from typer import Typer
from typer.testing import CliRunner

from deploy.cli import UserError
from deploy.cli.dashboard import check_free, command, options
from tests.dashboard.conftest import World
from tests.fixtures.broker import free_port


def test_taken_port_is_named_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port}.*--port"):
            check_free("127.0.0.1", port)
        app = Typer()
        app.command()(command)
        result = CliRunner().invoke(app, ["--port", str(port)])
        assert result.exit_code == 1 and isinstance(result.exception, UserError | SystemExit)


def test_free_port_passes() -> None:
    check_free("127.0.0.1", free_port())


def test_unknown_host_is_named() -> None:
    with pytest.raises(UserError, match=r"192\.0\.2\.1"):
        check_free("192.0.2.1", free_port())


def test_configuration_has_no_telemetry_and_stays_on_the_given_address() -> None:
    made = options("127.0.0.1", 1234)
    assert made["browser.gatherUsageStats"] is False
    assert (made["server.address"], made["server.port"], made["server.headless"]) == ("127.0.0.1", 1234, True)


def test_no_answer_waits_for_the_one_before_to_be_taken(world: World) -> None:
    """Small messages on one connection: where they are held back (Nagle), each takes the 40 ms that Linux waits before
    it acknowledges."""
    connection = http.client.HTTPConnection("127.0.0.1", world.site.port, timeout=20)
    spent = []
    for _ in range(20):
        began = time.perf_counter()
        connection.request("GET", "/_stcore/health")
        assert connection.getresponse().read()
        spent.append(time.perf_counter() - began)
    connection.close()
    assert min(spent[5:]) < 0.035  # the first ones are acknowledged at once anyway
