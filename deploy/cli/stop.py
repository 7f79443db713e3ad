"""`fengxiang stop`: end a running `up`."""

from __future__ import annotations

from deploy.cli import UserError
from deploy.local import pidfile
from deploy.settings import load

PATIENCE = 300.0  # seconds: each service may take its `stop_seconds` and what a kill takes, one after the other


def command() -> None:
    """Stop what `up` started and wait until it is gone. 停止，并等待其结束"""
    settings = load()
    try:
        stopped = pidfile.stop(settings.data_dir, patience=PATIENCE)
    except (TimeoutError, PermissionError) as error:
        raise UserError(str(error)) from None
    print("stopped" if stopped else f"nothing runs on {settings.data_dir}")
