"""Words of the pages that don't stand in a catalogue: the names of themes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard import text
from deploy import settings

OWN = "themes:\n- {id: low_altitude, name: 低空经济, english: Low altitude, description: 无人机}\n"


@pytest.mark.parametrize(("content", "known"), [(OWN, True), ("themes:\n", False), (None, False)])
def test_own_themes_of_the_data_folder_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, known: bool
) -> None:
    if content is not None:
        (tmp_path / "themes.yaml").write_text(content, encoding="utf-8")
    monkeypatch.setenv("FENGXIANG_DATA_DIR", str(tmp_path))
    caches = (settings.load, text._themes)
    for cache in caches:
        cache.cache_clear()
    try:
        assert ("low_altitude" in text.theme_ids()) is known and "aigc" in text.theme_ids()
    finally:
        for cache in caches:
            cache.cache_clear()
