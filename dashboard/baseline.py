"""The window beside what is usual: counts and tone of the rows that are numbered by `back` (0: now). Pure."""

from __future__ import annotations

import pandas as pd

from dashboard.scope import Change

ThemeRow = tuple[str, Change, float]  # theme, count beside usual, mean tone


def compare(frame: pd.DataFrame, back: list[int], column: str = "n") -> Change:
    """The current window's value beside the mean of the earlier windows; a window without rows counts as zero."""
    now = float(frame.loc[frame["back"] == 0, column].sum())
    return Change(now, float(frame.loc[frame["back"].isin(back), column].sum()) / len(back) if back else None)


def now(frame: pd.DataFrame, column: str) -> float:
    """The current window's value, 0 where it has no row."""
    return float(frame.loc[frame["back"] == 0, column].sum())


def usual_tone(frame: pd.DataFrame, back: list[int], weight: str = "documents") -> float | None:
    """Mean tone of the earlier windows, weighted by their size; None where they are empty."""
    before = frame[frame["back"].isin(back)]
    total = float(before[weight].sum())
    return float((before["tone"] * before[weight]).sum()) / total if total else None


def themes(frame: pd.DataFrame, back: list[int], known: list[str]) -> list[ThemeRow]:
    """(theme, count beside usual, mean tone) of the known themes and of any other found, the busiest first."""
    counts: dict[str, dict[int, tuple[float, float]]] = {theme: {} for theme in known}
    for theme, window, n, tone in frame[["theme", "back", "n", "tone"]].itertuples(index=False, name=None):
        counts.setdefault(str(theme), {})[window] = float(n), float(tone)
    rows = []
    for theme, found in counts.items():
        n, tone = found.get(0, (0.0, 0.0))
        before = sum(found[window][0] for window in back if window in found)
        rows.append((theme, Change(n, before / len(back) if back else None), tone))
    return sorted(rows, key=lambda row: -row[1].count)


def movers(current: pd.DataFrame, before: pd.DataFrame, back: list[int]) -> pd.DataFrame:
    """Securities of the window with n, usual and tone; the most surprising counts first."""
    usual = before[before["back"].isin(back)].groupby("code")["n"].sum() / max(len(back), 1)
    found = current.assign(usual=current["code"].map(usual).fillna(0.0).astype(float))
    surprise = (found["n"] - found["usual"]) / (found["usual"] + 1) ** 0.5
    return found.assign(surprise=surprise).sort_values(["surprise", "n"], ascending=False, ignore_index=True)
