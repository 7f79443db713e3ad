"""The sections of the settings, each with its keys, their bounds and defaults; `deploy.settings` reads them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LocalSettings(Section):
    """The embedded stack; used only where `kafka` or `clickhouse` is empty."""

    kafka_port: int = Field(9092, ge=1, le=65535)
    clickhouse_port: int = Field(8123, ge=1, le=65535)
    reader_password: str = "reader"
    memory_gb: float = Field(4.0, gt=0.2)  # ClickHouse's ceiling


class LogSettings(Section):
    """What every process writes; from which level on is `log_level`."""

    format: Literal["text", "json"] = "text"


class StreamSettings(Section):
    """The Faust worker."""

    partitions: int = Field(4, ge=1, le=1024)
    replication: int = Field(1, ge=1, le=7)
    batch_size: int = Field(64, ge=1, le=10_000)  # documents analysed at once
    batch_seconds: float = Field(0.25, gt=0, le=60)
    store_batch_size: int = Field(1000, ge=1, le=100_000)  # analyses inserted at once
    store_batch_seconds: float = Field(0.5, gt=0, le=60)
    max_message_bytes: int = Field(12_000_000, ge=10_000)
    dead_letter_limit: float = Field(0.2, gt=0, le=1)  # share of the last 500 documents that may fail
    hang_seconds: float = Field(300.0, gt=0, le=86_400)  # a batch that takes longer to analyse has hung
    minute_days: int = Field(35, ge=1, le=3660)  # how long counts by the minute are kept
    text_days: int = Field(0, ge=0, le=36_500)  # texts published longer ago are cut to excerpts; 0: none
    document_days: int = Field(0, ge=0, le=36_500)  # rows of documents published longer ago go; 0: none
    log_days: float = Field(7.0, gt=0, le=3660)  # how long messages stay in the topics that are made
    web_port: int = Field(6066, ge=1, le=65535)
    metrics_port: int = Field(9108, ge=0, le=65535)  # 0: none

    @field_validator("text_days", "document_days")
    @classmethod
    def _days(cls, value: int, info: ValidationInfo) -> int:
        # Stories look back 3 days, alerts 5; rules over windows and charts compare with 28.
        least = {"text_days": 7, "document_days": 35}[str(info.field_name)]
        if 0 < value < least:
            raise ValueError(f"must be 0 (for good) or at least {least}")
        return value


class ModelSettings(Section):
    """The text models."""

    path: str = ""  # empty: the shipped weights; or a folder of weights, which `python -m models.train` makes
    threads: int = Field(0, ge=0, le=256)  # 0: all processors
    device: Literal["cpu", "cuda"] = "cpu"
    batch_size: int = Field(1, ge=1, le=1024)
    themes: str = ""  # the user's own themes file, beside the built-in ones


class FeedSettings(Section):
    """A source that is polled: an `[[ingest.feeds]]` table of the settings file (docs/sources.md)."""

    type: Literal[
        "rss",
        "cls",
        "cninfo",
        "eastmoney",
        "eastmoney-stock",
        "eastmoney-report",
        "eastmoney-notice",
        "sina",
        "tushare",
        "wallstreetcn",
    ]
    name: str = ""  # shown and stored as the source; empty: the type
    url: str = ""  # rss: the feed's address; otherwise instead of the vendor's
    every_seconds: float = Field(60.0, ge=1)
    securities: tuple[str, ...] = ()  # eastmoney-stock: six-digit codes
    column: str = ""  # cninfo: szse, sse, bj or hke; wallstreetcn and tushare: the channel
    token: str = ""  # tushare
    attachments: bool = True  # fetch the PDFs of reports and announcements
    robots: bool = True  # obey the host's robots.txt


class IngestSettings(Section):
    """The ingestors."""

    inbox: str = "inbox"  # watched folder, under data_dir unless absolute; empty: none
    outbox_limit_mb: int = Field(2048, ge=1)
    confirm_after_seconds: float = Field(30.0, gt=0)  # re-send what the store has not got by then
    max_file_mb: int = Field(200, ge=1)
    push_port: int = Field(8088, ge=0, le=65535)  # 0: no HTTP push
    push_token: str = ""  # empty: made at first start, kept in data_dir
    feeds: tuple[FeedSettings, ...] = ()
    silent_after_hours: float = Field(6.0, gt=0)  # a feed without anything new for so long is reported as silent


class AlertSettings(Section):
    """Alert subscriptions and their delivery."""

    poll_seconds: float = Field(0.5, gt=0, le=60)  # how often newly stored documents are asked for
    window_seconds: float = Field(60.0, gt=0, le=3600)  # how often watches over windows are asked
    max_age_hours: float = Field(24.0, gt=0, le=120)  # documents published longer ago tell nobody
    timeout_seconds: float = Field(10.0, gt=0, le=120)  # of one delivery
    allow_networks: str = ""  # private networks that channels may reach: 10.0.0.0/8,127.0.0.1
    web_port: int = Field(6068, ge=0, le=65535)  # feeds and mute links, on loopback; 0: none
    public_url: str = ""  # where readers reach them; empty: loopback
    dashboard_url: str = ""  # where readers reach the dashboard; empty: its host and port

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            ip_network(part, strict=False)
        return value


class DashboardSettings(Section):
    """The Streamlit pages."""

    host: str = "127.0.0.1"
    port: int = Field(8501, ge=1, le=65535)
    language: Literal["zh", "en"] = "zh"
    access: Literal["open", "password", "oidc"] = "open"  # open: everybody who reaches it may edit
    users_file: str = ""  # password: written by `fengxiang users`; empty: data_dir/secrets/dashboard-users.json
    session_hours: float = Field(12.0, gt=0, le=720)  # then readers sign in again
    oidc_url: str = ""  # the provider's .well-known/openid-configuration
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_editors: str = ""  # ann@example.com,@desk.example.com; *: whoever the provider signs in
    oidc_viewers: str = ""
