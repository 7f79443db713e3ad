"""The feeds that the settings ask for, ready to run."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deploy.sections import FeedSettings
from deploy.settings import Settings, SettingsError
from ingest.attachments import Attachments
from ingest.feeds import eastmoney
from ingest.feeds.base import Feed, Poller
from ingest.feeds.cls import Cls
from ingest.feeds.cninfo import COLUMNS, Cninfo
from ingest.feeds.rss import Rss
from ingest.feeds.sina import Sina
from ingest.feeds.tushare import Tushare
from ingest.feeds.wallstreetcn import Wallstreetcn
from ingest.health import Health
from ingest.outbox import Outbox
from ingest.pdf import ReportReader
from ingest.polite import Fetcher, is_address, shown

log = logging.getLogger(__name__)

_PLAIN: dict[str, Feed] = {
    "cls": Cls(),
    "eastmoney": eastmoney.FastNews(),
    "eastmoney-report": eastmoney.Reports(),
    "eastmoney-notice": eastmoney.Notices(),
    "sina": Sina(),
}


def feeds_of(config: FeedSettings) -> Iterator[tuple[str, Feed]]:
    """(name, feed) for one table of the settings; a list of securities gives one feed each. Raises `SettingsError`."""
    name = config.name or config.type
    where: dict[str, Any] = {"endpoint": config.url} if config.url else {}
    if config.type == "rss":
        if not config.url:
            raise SettingsError(f"ingest.feeds {name!r}: an rss feed needs its url")
        yield name, Rss(config.url, source=name)
    elif config.type == "eastmoney-stock":
        if not config.securities:
            raise SettingsError(f"ingest.feeds {name!r}: name the securities, such as securities = ['300413']")
        for code in config.securities:
            yield f"{name} {code}", eastmoney.StockNews(code, source=name, **where)
    elif config.type == "cninfo":
        yield name, Cninfo(column=config.column or "szse", source=name, **where)
    elif config.type == "wallstreetcn":
        yield name, Wallstreetcn(channel=config.column or "global-channel", source=name, **where)
    elif config.type == "tushare":
        if not config.token:
            raise SettingsError(f"ingest.feeds {name!r}: tushare needs your token")
        yield name, Tushare(config.token, channel=config.column or "sina", source=name, **where)
    else:
        yield name, replace(_PLAIN[config.type], source=name, **where)  # type: ignore[type-var]


def fault(config: FeedSettings) -> str:
    """Why a table of the settings can bring nothing; empty where it can. One that stands there is told and polled all
    the same: it stops no other feed, and the vendor may know more than we do."""
    if config.url and not is_address(config.url):
        return f"url: {shown(config.url)!r} is not an http or https address"
    if config.type == "eastmoney-stock":
        odd = [code for code in config.securities if not re.fullmatch("[0-9]{6}", code)]
        return f"securities: {', '.join(odd)}: write six digits, such as 300413" if odd else ""
    if config.type == "cninfo" and config.column not in ("", *COLUMNS):
        return f"column: {config.column!r} is none of {', '.join(COLUMNS)}"
    return ""


def pollers(settings: Settings, outbox: Outbox, health: Health) -> list[Poller]:
    """A poller for every configured feed."""
    found: list[Poller] = []
    politely = {True: Fetcher(), False: Fetcher(robots=False)}
    public = Fetcher(public_only=True, max_bytes=settings.ingest.max_file_mb * 1_000_000)
    pdfs = ReportReader()
    for config in settings.ingest.feeds:
        if wrong := fault(config):
            log.warning("ingest.feeds %r: %s", config.name or config.type, wrong)
        for name, feed in feeds_of(config):
            attachments = Attachments(public, pdfs, outbox) if config.attachments else None
            fetch = politely[config.robots]
            found.append(Poller(name, feed, fetch, health, interval=config.every_seconds, attachments=attachments))
    names = [poller.name for poller in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SettingsError(f"ingest.feeds: {', '.join(sorted(twice))} stands there twice: give each a name of its own")
    return found
