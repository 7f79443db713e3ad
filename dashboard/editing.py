"""Who may change something on the pages, and with what: the client that may fill the tables made for it."""

from __future__ import annotations

from typing import Any

from dashboard import access, client


def store() -> Any:
    """The editor's client; None where this reader may only look. Raises `StoreError`."""
    return client.editor() if access.reader().can_edit() else None


def reader() -> str:
    """The reader's name, as it stands beside what they change; none where nobody signs in."""
    return access.reader().name
