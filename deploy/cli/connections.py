"""What verbs connect with: the store, and in whose name."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import closing, contextmanager

from clickhouse_connect.driver.client import Client

from deploy.cli import UserError
from deploy.settings import Settings
from stream.store import StoreAway, connect


@contextmanager
def open_store(settings: Settings, *, writer: bool, refusals: tuple[type[Exception], ...] = ()) -> Iterator[Client]:
    """A client for as long as the block lasts. `UserError` where the store is away, or for one of `refusals`:
    exceptions whose text tells the user what is wrong."""
    told: tuple[type[Exception], ...] = (StoreAway, *refusals)
    try:
        with closing(connect(settings, writer=writer)) as client:
            yield client
    except told as error:
        raise UserError(str(error)) from error


def me() -> str:
    """The name of who calls; empty for a user id without a name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
