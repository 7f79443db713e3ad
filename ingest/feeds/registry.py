"""The feeds that the settings ask for, ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deploy.sections import FeedSettings
from deploy.settings import Settings, SettingsError
from ingest.attachments import Attachments
from ingest.feeds import eastmoney
from ingest.feeds.base import Feed, Poller
from ingest.feeds.cls import Cls
from ingest.feeds.cninfo import Cninfo
from ingest.feeds.rss import Rss
from ingest.feeds.sina import Sina
from ingest.feeds.tushare import Tushare
from ingest.feeds.wallstreetcn import Wallstreetcn
from ingest.health import Health
from ingest.outbox import Outbox
from ingest.pdf import ReportReader
from ingest.polite import Fetcher

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


def pollers(settings: Settings, outbox: Outbox, health: Health) -> list[Poller]:
    """A poller for every configured feed."""
    found: list[Poller] = []
    politely = {True: Fetcher(), False: Fetcher(robots=False)}
    public = Fetcher(public_only=True, max_bytes=settings.ingest.max_file_mb * 1_000_000)
    pdfs = ReportReader()
    for config in settings.ingest.feeds:
        for name, feed in feeds_of(config):
            attachments = Attachments(public, pdfs, outbox) if config.attachments else None
            fetch = politely[config.robots]
            found.append(Poller(name, feed, fetch, health, interval=config.every_seconds, attachments=attachments))
    names = [poller.name for poller in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SettingsError(f"ingest.feeds: {', '.join(sorted(twice))} stands there twice: give each a name of its own")
    return found
