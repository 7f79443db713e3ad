"""One attempt to hand a message to a channel. Blocks; raises `NotDelivered` with a text that holds no secret."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import httpx
from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from apprise.plugins.email.base import NotifyEmail

from deploy.guard import Blocked, Network, guarded
from stream.alerts.channels import WEBHOOKS, Channel
from stream.alerts.escape import Format
from stream.alerts.mail import Mailer, Refused
from stream.alerts.message import Message

TIMEOUT = 10.0
REFUSED_STATUS = frozenset([400, 405, 410, 413, 414, 415, 422])  # the same message would be refused again
_REMEDY = "a channel may reach it only where the operator lists its network in FENGXIANG_ALERTS__ALLOW_NETWORKS"
_FORMATS: dict[str, Format] = {"markdown": "markdown", "html": "html"}


class NotDelivered(RuntimeError):
    """The channel did not take the message. `final`: trying again is of no use."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Sender:
    """Sends over HTTP and through Apprise. Thread-safe. private: networks that the operator allows."""

    def __init__(self, private: Sequence[Network] = (), timeout: float = TIMEOUT) -> None:
        self._private, self._timeout = tuple(private), timeout
        self._http = httpx.Client(
            timeout=timeout,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32),
        )
        self._asset = AppriseAsset(app_id="Fengxiang", app_desc="风向 Fengxiang", async_mode=False, secure_logging=True)
        self._mailer = Mailer(timeout)
        _heard.install()
        Apprise.instantiate("json://localhost", asset=self._asset)  # reads all plug-ins now, not with the first message

    def close(self) -> None:
        self._http.close()
        self._mailer.close()

    def send(self, channel: Channel, message: Message) -> None:
        """Hand it over. Raises `NotDelivered`."""
        with guarded(self._private, _REMEDY) as blocked:
            try:
                if channel.kind in WEBHOOKS:
                    self._post(channel, message)
                else:
                    self._notify(channel, message)
            except NotDelivered as error:
                if blocked:
                    raise NotDelivered(blocked[0], final=True) from None
                raise NotDelivered(scrub(str(error), channel.address), final=error.final) from None

    def _post(self, channel: Channel, message: Message) -> None:
        headers = {"Idempotency-Key": message.id, "User-Agent": "Fengxiang"}
        try:
            reply = self._http.post(channel.address, json=message.payload(), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, Blocked, OSError, ValueError) as error:
            raise NotDelivered(f"{type(error).__name__}: {error}") from None
        if reply.is_redirect:
            raise NotDelivered("the address redirects, which is not followed: give the final address", final=True)
        if not reply.is_success:
            final = reply.status_code in REFUSED_STATUS
            raise NotDelivered(f"the webhook answered {reply.status_code}", final=final)

    def _notify(self, channel: Channel, message: Message) -> None:
        _heard.clear()
        try:
            plugin = Apprise.instantiate(channel.address, asset=self._asset, suppress_exceptions=False)
            if plugin is None:
                raise NotDelivered("Apprise can't read this address: add the channel again", final=True)
            plugin.socket_connect_timeout = plugin.socket_read_timeout = self._timeout
            if hasattr(plugin, "headers") and isinstance(plugin.headers, dict):
                plugin.headers["X-Fengxiang-Alert"] = message.id
            form = _FORMATS.get(str(getattr(plugin.notify_format, "value", plugin.notify_format)), "text")
            if isinstance(plugin, NotifyEmail):
                self._mailer.send(plugin, channel.address, message.id, message.title, message.body(form), form)
                return
            # the plug-in itself, not Apprise's pool of threads, which know nothing of the guard
            taken = plugin.notify(
                title=message.title,
                body=message.body(form),
                notify_type=NotifyType.INFO,
                body_format=getattr(NotifyFormat, form.upper()),
            )
        except NotDelivered:
            raise
        except Refused as error:
            raise NotDelivered(str(error), final=error.final) from None
        except Exception as error:  # noqa: BLE001 - a plug-in of 170 may raise anything; it concerns one message
            raise NotDelivered(f"{type(error).__name__}: {error}") from None
        if not taken:
            raise NotDelivered(_heard.last() or "the service did not take it")


def scrub(text: str, address: str) -> str:
    """The text without the address, or any part of it that may be a secret."""
    parts = urlsplit(address)
    pieces = {address, parts.netloc, parts.path, parts.query, parts.username or "", parts.password or ""}
    pieces |= set(re.split(r"[/?&=:@]", address))
    host = parts.hostname or ""
    for piece in sorted(pieces | {unquote(piece) for piece in pieces}, key=len, reverse=True):
        if len(piece) >= 6 and piece.lower() not in (host, parts.scheme):
            text = text.replace(piece, "***")
    return " ".join(text.split())[:300]


class _Heard(logging.Handler):
    """The last warning that Apprise logged in each thread: it says why, where its result says only that."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._words = threading.local()

    def install(self) -> None:
        logger = logging.getLogger("apprise")
        if self not in logger.handlers:
            logger.addHandler(self)
            logger.propagate = False  # its lines may hold addresses

    def emit(self, record: logging.LogRecord) -> None:
        self._words.last = record.getMessage()

    def clear(self) -> None:
        self._words.last = ""

    def last(self) -> str:
        return str(getattr(self._words, "last", ""))


_heard = _Heard()
