"""Charts are what Vega-Lite takes: the pages show them unchecked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import charts, network
from dashboard.scope import Scope
from models.trading import SHANGHAI

END = datetime(2026, 11, 20, 15, tzinfo=SHANGHAI)
SCOPE = Scope(END - timedelta(hours=6), END)
AT = SCOPE.ticks()[0]
TONES = pd.DataFrame({"at": [AT, AT], "sentiment": ["positive", "negative"], "n": [3, 1], "tone": [0.5, -0.5]})
THEMES = pd.DataFrame({"theme": ["game", "ip"], "at": [AT, AT], "n": [3, 1], "tone": [0.5, -0.5]})
PAIRS = pd.DataFrame({"a": ["1", "1"], "b": ["2", "3"], "n": [4, 2]})
CHARTS = {
    "tone": charts.tone_chart(TONES, SCOPE.step),
    "noted": charts.noted(charts.tone_chart(TONES, SCOPE.step), {AT: "公告"}, SCOPE.step),
    "heat": charts.heat_chart(THEMES, ["game", "ip"], SCOPE),
    "lines": charts.lines_chart(THEMES, ["game", "ip"], SCOPE),
    "bars": charts.bars_chart(THEMES.assign(name=THEMES["theme"]), "name"),
    "network": network.chart(PAIRS, {"1": "甲"}),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_keeps_to_the_schema(chart: Any) -> None:
    assert chart.to_dict()["$schema"]
