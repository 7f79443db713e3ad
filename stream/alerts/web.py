"""The alerts' own small pages, on loopback: an Atom feed per subscription, and the page behind a message's mute link.

Both are named by a token that only the messages and the subscription's owner have. A GET changes nothing, because
chat services fetch links to preview them.
"""

from __future__ import annotations

import html
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.etree import ElementTree

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from stream.alerts import escape
from stream.alerts.facts import Fact
from stream.alerts.ledger import Attempt, note
from stream.alerts.message import Links
from stream.alerts.subscriptions import SNOOZES, Book
from stream.alerts.text import RuleError
from stream.store import StoreAway

log = logging.getLogger(__name__)

ATOM = "http://www.w3.org/2005/Atom"
ENTRIES = 100
_PAGE = """<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width"><title>风向 Fengxiang</title>
<style>body{{font:16px/1.6 sans-serif;margin:3rem auto;max-width:34rem;padding:0 1rem}}button{{margin:.2rem}}</style>
<h2>{title}</h2><p>{text}</p>{form}"""
_FORM = """<form method="post"><p>静音 Mute
<button name="mute" value="1h">1 小时 hour</button><button name="mute" value="1d">1 天 day</button>
<button name="mute" value="7d">7 天 days</button><button name="mute" value="0">取消静音 unmute</button></p>
<p>{acknowledge}</p></form>"""
_ACKNOWLEDGE = '<button name="acknowledge" value="1">已处理，不再升级 Acknowledge</button>'


class Pages:
    """What the pages do. connect: a client of one's own, or `StoreAway`."""

    def __init__(self, connect: Callable[[], Client], links: Links, clock: Callable[[], datetime]) -> None:
        self._connect, self._links, self._clock = connect, links, clock

    def feed(self, id_: str, token: str) -> bytes | None:
        """The Atom feed; None where the token is wrong or there is no such subscription."""
        if not self._known("feed", id_, token):
            return None
        with self._connect() as client:
            try:
                subscription = Book(client).find(id_).subscription
            except RuleError:
                return None
            sql = (
                "SELECT id, fired_at, title, facts FROM alerts FINAL WHERE subscription_id = {id:String}"
                " AND outcome NOT IN ('grouped', 'dry_run', 'snoozed') AND fired_at > now() - INTERVAL 30 DAY"
                " ORDER BY fired_at DESC LIMIT {most:UInt32}"
            )
            rows = client.query(sql, parameters={"id": id_, "most": ENTRIES}).result_rows
        return atom(f"urn:fengxiang:{id_}", subscription.name, self._links, rows, self._clock())

    def manage(self, id_: str, message: str, token: str, action: dict[str, list[str]] | None) -> str | None:
        """The page, after doing what a form asked for; None where the token is wrong."""
        if not self._known("manage", id_, token):
            return None
        with self._connect() as client:
            book = Book(client)
            try:
                stored = book.find(id_)
            except RuleError:
                return None
            text = ""
            if action and (choice := action.get("mute", [""])[0]) in (*SNOOZES, "0"):
                until = self._clock() + SNOOZES[choice] if choice in SNOOZES else None
                book.snooze(stored, until, by="link")
                text = f"已静音至 muted until {until:%Y-%m-%d %H:%M} UTC" if until else "已取消静音 unmuted"
            if action and action.get("acknowledge") and _belongs(client, message, id_):
                note(client, [_acknowledged(id_, message, self._clock())])
                text = "已确认 acknowledged"
        form = _FORM.format(acknowledge=_ACKNOWLEDGE if message != "-" else "")
        return _PAGE.format(title=html.escape(stored.subscription.name), text=text, form=form)

    def _known(self, use: str, id_: str, token: str) -> bool:
        return compare_digest(token.encode("utf-8", "replace"), self._links.token(use, id_).encode())


def atom(urn: str, name: str, links: Links, rows: list[tuple[str, datetime, str, str]], now: datetime) -> bytes:
    """An Atom document of firings (id, time, title, facts)."""
    ElementTree.register_namespace("", ATOM)
    feed = ElementTree.Element(f"{{{ATOM}}}feed")

    def add(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
        element = ElementTree.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
        element.text = text or None
        return element

    add(feed, "id", urn)
    add(feed, "title", escape.line(f"风向 {name}"))
    add(feed, "updated", (rows[0][1] if rows else now).isoformat())
    add(add(feed, "author"), "name", "Fengxiang")
    for id_, at, title, facts in rows:
        fact = msgspec.json.decode(facts, type=Fact)
        entry = add(feed, "entry")
        add(entry, "id", f"{urn}:{id_}")
        add(entry, "title", escape.line(title))
        add(entry, "updated", at.isoformat())
        if url := escape.address(fact.url) or links.document(fact.document_id):
            add(entry, "link", href=url)
        parts = [fact.why, fact.unusual, *fact.sentences, *fact.titles]
        add(entry, "summary", "\n".join(escape.line(part) for part in parts if part), type="text")
    text: str = ElementTree.tostring(feed, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode()


def serve(port: int, pages: Pages) -> ThreadingHTTPServer:
    """Serve on loopback. Raises OSError where the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 20

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length") or ""
            body = self.rfile.read(min(int(length), 2000)) if length.isdecimal() else b""
            self._answer(parse_qs(body.decode("utf-8", "replace")))

        def _answer(self, action: dict[str, list[str]] | None) -> None:
            parts = self.path.partition("?")[0].strip("/").split("/")
            try:
                match parts:
                    case ["healthz"]:
                        return self._reply(200, b"ok\n", "text/plain")
                    case ["feeds", id_, name] if action is None:
                        if (feed := pages.feed(id_, name.removesuffix(".atom"))) is not None:
                            return self._reply(200, feed, "application/atom+xml")
                    case ["manage", id_, message, token]:
                        if (page := pages.manage(id_, message, token, action)) is not None:
                            return self._reply(200, page.encode(), "text/html")
            except (StoreAway, ClickHouseError):
                return self._reply(503, "暂时不可用 try again\n".encode(), "text/plain")
            time.sleep(0.2)  # guessing tokens is slow as well as hopeless
            self._reply(404, "没有此页 not here\n".encode(), "text/plain")

        def _reply(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header(
                "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
            )
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass  # addresses hold tokens

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
    return server


def _belongs(client: Client, message: str, subscription: str) -> bool:
    """Whether it is a message of this subscription: the token is for no other's."""
    sql = "SELECT count() FROM alerts WHERE message_id = {message:String} AND subscription_id = {id:String}"
    return bool(client.query(sql, parameters={"message": message, "id": subscription}).result_rows[0][0])


def _acknowledged(subscription: str, message: str, now: datetime) -> Attempt:
    return Attempt(
        message_id=message, subscription_id=subscription, channel="", attempt=0, state="acknowledged", at=now
    )
