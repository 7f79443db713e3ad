"""The rules and the board ask for metrics that exist, and the health page serves them."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from stream import metrics
from stream.health import serve

FOLDER = Path(__file__).parents[2] / "deploy" / "observability"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
BOARD = json.loads((FOLDER / "grafana.json").read_text())
SUFFIX = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def known() -> set[str]:
    families = [family for family in REGISTRY.collect() if family.name.startswith("fengxiang_")]
    return {family.name + suffix for family in families for suffix in SUFFIX[family.type]}


@pytest.mark.parametrize(
    "expression",
    [rule["expr"] for rule in RULES] + [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]],
)
def test_an_expression_names_metrics_that_exist(expression: str) -> None:
    named = set(re.findall(r"fengxiang_\w+", expression))
    assert named and named <= known(), named - known()


def test_every_rule_says_what_to_do() -> None:
    assert all({"summary", "remedy"} <= rule["annotations"].keys() for rule in RULES)


def get(port: int, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_health_page_tells_and_takes_the_next_port_when_its_own_is_taken() -> None:
    trouble = {"healthy": "", "ready": "no partitions assigned"}
    first = serve(0, healthy=lambda: trouble["healthy"], ready=lambda: trouble["ready"])
    second = serve(first.server_port, healthy=lambda: "", ready=lambda: "")
    assert second.server_port != first.server_port
    assert get(first.server_port, "/healthz") == (200, "ok\n")
    assert get(first.server_port, "/readyz") == (503, "no partitions assigned\n")
    trouble["healthy"] = "a batch has hung"
    assert get(first.server_port, "/healthz?x=1")[0] == 503
    assert get(first.server_port, "/nowhere")[0] == 404
    metrics.RETRIES.labels("kafka").inc()
    status, text = get(second.server_port, "/metrics")
    assert status == 200 and 'fengxiang_retries_total{target="kafka"}' in text
    for server in (first, second):
        server.shutdown()
        server.server_close()
