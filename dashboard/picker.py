"""Which securities a widget offers: the most mentioned and those chosen; what else is typed is found by name or code.

A browser takes a fifth of a second to show a widget of five thousand options anew, and does so whenever the page runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import streamlit as st

from dashboard.safe import label
from dashboard.text import say
from models.linking.normalise import normal_name
from models.securities import normal_code

OFFERED = 200
TOLD = 6  # securities named to who typed what means several


def meant(text: str, names: Mapping[str, str]) -> list[str]:
    """Codes among `names` (short name by code) that a reader may mean: by the code, the whole name, or a part of it."""
    if (code := normal_code(text)) in names:
        return [code]
    wanted = normal_name(text).strip().casefold()
    if not wanted:
        return []
    by_name = {code: normal_name(name).casefold() for code, name in names.items()}
    whole = [code for code, name in by_name.items() if name == wanted]
    return whole or [code for code, name in by_name.items() if wanted in name or code.casefold().startswith(wanted)]


def offered(key: str, names: Mapping[str, str], first: Iterable[str] = (), none: str = "no_security") -> list[str]:
    """Codes for the widget at `key`: those of `first` and of `names`, in their order, and what it and the link hold.

    What was typed there becomes the code that it means; where it means several, or none (in the words of `none`), that
    is told.
    """
    held: Any = st.session_state.get(key)
    entered = held if isinstance(held, list) else [held] if held else []
    chosen: list[str] = []
    for text in entered:
        codes = [text] if text in names else meant(text, names)
        if len(codes) == 1:
            chosen += codes
        elif codes:
            several = "、".join(f"{names[code]} {code}" for code in codes[:TOLD]) + ("…" if len(codes) > TOLD else "")
            st.info(
                say("several_securities", text=label(text, 40), several=label(several, 200)), icon=":material/rule:"
            )
        else:
            st.info(say(none, text=label(text, 40)), icon=":material/search_off:")
    if chosen != entered:
        before = st.session_state.get("kept", {}).get(key)
        st.session_state[key] = list(dict.fromkeys(chosen)) if isinstance(held, list) else next(iter(chosen), before)
    linked = [code for code in st.query_params.get(key, "").split(",") if code in names]
    usual = islice(dict.fromkeys([*first, *names]), OFFERED)
    return list(dict.fromkeys([*usual, *chosen, *linked]))
