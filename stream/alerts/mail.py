"""Mail over connections that stay open: a burst of messages doesn't pay for TLS and a login each time.

Apprise reads the address and writes the message; only the handing over is done here. One thread at a time uses a
connection; it is asked whether it still works before it is used again, and closed after a rest or some dozens of
messages, as servers do. When some recipients refuse, the others don't get the message again when it is tried again.
"""

from __future__ import annotations

import smtplib
import ssl
import threading
import time
from collections import OrderedDict, defaultdict
from contextlib import suppress
from dataclasses import dataclass

from apprise import NotifyFormat
from apprise.plugins.email.base import NotifyEmail

from stream.alerts.escape import Format

REST = 20.0  # seconds without use after which a connection is not trusted any more
MOST = 50  # messages over one connection; servers have limits of their own
REMEMBERED = 1000  # messages that some recipients took and others did not


class Refused(RuntimeError):
    """The server did not take a message. `final`: it would refuse it again."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


@dataclass
class _Line:
    smtp: smtplib.SMTP
    used_at: float
    messages: int = 0


class Mailer:
    """Connections by the address of their channel. Thread-safe."""

    def __init__(self, timeout: float) -> None:
        self._timeout, self._lock = timeout, threading.Lock()
        self._idle: defaultdict[str, list[_Line]] = defaultdict(list)
        self._took: OrderedDict[str, set[str]] = OrderedDict()  # message -> recipients that have it
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def send(self, plugin: NotifyEmail, address: str, key: str, title: str, body: str, form: Format) -> None:
        """Hand a message over to all recipients. key: names the message. Raises `Refused`, OSError, SMTPException."""
        line = self._taken(address) or _Line(self._open(plugin), time.monotonic())
        well = False
        try:
            errors = self._to_each(line, plugin, key, title, body, form)
            well = True
        finally:
            self._back(address, line) if well else line.smtp.close()
        if errors:
            final = all(error.final for error in errors)
            raise Refused("; ".join(dict.fromkeys(str(error) for error in errors)), final=final)
        with self._lock:
            self._took.pop(key, None)

    def close(self) -> None:
        """End the connections that nobody uses."""
        with self._lock:
            lines = [line for idle in self._idle.values() for line in idle]
            self._idle.clear()
        for line in lines:
            _quit(line.smtp)

    # ------------------------------------------------------------------

    def _to_each(
        self, line: _Line, plugin: NotifyEmail, key: str, title: str, body: str, form: Format
    ) -> list[Refused]:
        found = []
        for mail in NotifyEmail.prepare_emails(
            subject=title,
            body=body,
            notify_format=NotifyFormat(form),
            from_addr=plugin.from_addr,
            to=plugin.targets,
            cc=plugin.cc,
            bcc=plugin.bcc,
            reply_to=plugin.reply_to,
            smtp_host=plugin.smtp_host,
            headers={"X-Application": plugin.app_id, **plugin.headers},
            names=plugin.names,
            tzinfo=plugin.tzinfo,
        ):
            if mail.recipient in self._took.get(key, ()):
                continue
            line.messages += 1
            try:
                refused = line.smtp.sendmail(plugin.from_addr[1], mail.to_addrs, mail.body)
            except smtplib.SMTPRecipientsRefused as error:
                found.append(_refusal(error.recipients))
            except smtplib.SMTPDataError as error:
                found.append(_refusal({mail.recipient: (error.smtp_code, _bytes(error.smtp_error))}))
            else:
                if refused:  # some of them; at least one has it
                    found.append(_refusal(refused))
                if mail.recipient not in refused:
                    self._note(key, mail.recipient)
        return found

    def _note(self, key: str, recipient: str) -> None:
        with self._lock:
            self._took.setdefault(key, set()).add(recipient)
            while len(self._took) > REMEMBERED:
                self._took.popitem(last=False)

    def _taken(self, address: str) -> _Line | None:
        """A connection from before that still answers."""
        while True:
            with self._lock:
                line = self._idle[address].pop() if self._idle[address] else None
            if line is None:
                return None
            if line.messages < MOST and time.monotonic() - line.used_at < REST:
                with suppress(OSError, smtplib.SMTPException):
                    if line.smtp.noop()[0] == 250:
                        return line
            _quit(line.smtp)

    def _back(self, address: str, line: _Line) -> None:
        line.used_at = time.monotonic()
        with self._lock:
            self._idle[address].append(line)

    def _open(self, plugin: NotifyEmail) -> smtplib.SMTP:
        mode, where = plugin.secure_mode, (plugin.smtp_host, plugin.port)
        smtp: smtplib.SMTP
        if mode == "ssl":
            context = self._context(plugin.verify_certificate)
            smtp = smtplib.SMTP_SSL(*where, context=context, timeout=self._timeout)
        else:
            smtp = smtplib.SMTP(*where, timeout=self._timeout)
        try:
            if mode == "starttls":
                smtp.starttls(context=self._context(plugin.verify_certificate))
            if plugin.user and plugin.password:
                smtp.login(plugin.user, plugin.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _context(self, verify: bool) -> ssl.SSLContext:
        """One for all connections: to read the certificates of the system takes as long as some messages."""
        with self._lock:
            if verify not in self._contexts:
                context = ssl.create_default_context()
                if not verify:
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                self._contexts[verify] = context
            return self._contexts[verify]


def _refusal(recipients: dict[str, tuple[int, bytes]]) -> Refused:
    """The server's own words for each recipient; final where every answer is a permanent one."""
    words = [f"{name}: {code} {text.decode('utf-8', 'replace')}" for name, (code, text) in recipients.items()]
    return Refused("; ".join(words), final=all(code >= 500 for code, _ in recipients.values()))


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _quit(smtp: smtplib.SMTP) -> None:
    with suppress(OSError, smtplib.SMTPException):
        smtp.quit()
