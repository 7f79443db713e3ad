"""Sending to real receivers: what they get, what can't be reached, and that no secret gets out."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.guard import networks
from stream.alerts import escape
from stream.alerts.channels import Channel, Safe, check
from stream.alerts.deliver import Lanes, Target
from stream.alerts.facts import Fact
from stream.alerts.ledger import Attempt, Firing
from stream.alerts.message import Links, Message, compose
from stream.alerts.send import NotDelivered, Sender, scrub
from stream.alerts.text import RuleError
from stream.alerts.web import ATOM, atom
from tests.stream.alerts.receivers import Mail, Webhook, self_signed

AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
LINKS = Links("http://board", "http://pages", "key")
LOOPBACK = networks("127.0.0.0/8")
HOSTILE = '涨停@all\r\nBcc: x@y\n[点我](http://evil) <script>**粗** <at user_id="all">\u202e`x`'


def firing(number: int = 1, **fact: object) -> Firing:
    values: dict[str, object] = {"title": f"第{number}条", "document_id": f"d{number}", "published_at": AT}
    facts = Fact(**{**values, **fact})  # type: ignore[arg-type]
    return Firing(
        id=f"f{number}",
        subscription_id="s1",
        subscription_version=1,
        owner="",
        name="订阅",
        kind="document",
        group_key=f"g{number}",
        document_id=f"d{number}",
        title=facts.title,
        fired_at=AT,
        outcome="send",
        due_at=AT,
        message_id=f"m{number}",
        facts=msgspec.json.encode(facts).decode(),
    )


def message(number: int = 1, **fact: object) -> Message:
    return compose(f"m{number}", [firing(number, **fact)], LINKS)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.close()


@pytest.fixture
def mail() -> Iterator[Mail]:
    made = Mail()
    yield made
    made.close()


@pytest.fixture
def sender() -> Iterator[Sender]:
    made = Sender(LOOPBACK, timeout=5)
    yield made
    made.close()


def channel(address: str, name: str = "c") -> Channel:
    return Channel(owner="", name=name, address=address)


def test_a_webhook_gets_the_alert_with_its_key(sender: Sender, webhook: Webhook) -> None:
    sender.send(channel(webhook.url()), message(url="https://news.example/1", sentences=("一句。",), why="题材 游戏"))
    (got,) = webhook.received
    assert got.key == got.body["id"] == "m1"
    assert got.body["alerts"][0]["title"] == "第1条" and got.body["alerts"][0]["document_id"] == "d1"
    for part in (
        "题材 游戏",
        "“一句。”",
        "https://news.example/1",
        "http://board/document?id=d1",
        "http://pages/manage/s1/m1/",
    ):
        assert part in got.body["text"]


def test_mail_holds_hostile_titles_harmlessly(sender: Sender, mail: Mail) -> None:
    sender.send(channel(mail.url), message(title=HOSTILE, sentences=(HOSTILE,)))
    (got,) = mail.messages
    assert got["Bcc"] is None and "涨停" in got["Subject"] and "\n" not in got["Subject"]
    assert got["X-Fengxiang-Alert"] == "m1"
    body = got.get_body(("plain",))
    assert body is not None and "<script" not in body.get_content() and "<at " not in body.get_content()


def test_mail_goes_over_one_connection_until_that_breaks(sender: Sender, mail: Mail) -> None:
    for n in range(5):
        sender.send(channel(mail.url), message(n))
    assert len(mail.messages) == 5 and len(mail.lines) == 1
    mail.hang_up()
    sender.send(channel(mail.url), message(5))
    assert [m["X-Fengxiang-Alert"] for m in mail.messages] == [f"m{n}" for n in range(6)] and len(mail.lines) == 2


@pytest.mark.parametrize("mode", ["starttls", "ssl"])
def test_mail_is_encrypted_and_logs_in(sender: Sender, tmp_path: Path, mode: str) -> None:
    mail = Mail(mode, self_signed(tmp_path))
    try:
        with pytest.raises(NotDelivered, match="CERTIFICATE_VERIFY_FAILED"):
            sender.send(channel(mail.url.replace("verify=no", "verify=yes")), message(1))
        with pytest.raises(NotDelivered, match="535") as caught:
            sender.send(channel(mail.url.replace("s3cr3t", "wrong-s3cr3t")), message(1))
        assert "s3cr3t" not in str(caught.value) and not caught.value.final, "the operator may put it right"
        sender.send(channel(mail.url), message(1))
        assert [m["X-Fengxiang-Alert"] for m in mail.messages] == ["m1"]
    finally:
        mail.close()


def test_a_recipient_that_took_a_message_does_not_get_it_again_for_another_s_refusal(
    sender: Sender, mail: Mail
) -> None:
    mail.refused = {"bob@example.com"}
    both = channel(mail.url.replace("to=ann@example.com", "to=ann@example.com,bob@example.com"))
    for _ in range(2):
        with pytest.raises(NotDelivered, match="550 no such mailbox") as caught:
            sender.send(both, message(1))
        assert caught.value.final, "an answer for good"
    assert [m["To"] for m in mail.messages] == ["ann@example.com"]
    mail.refused.clear()
    sender.send(both, message(1))
    assert [m["To"] for m in mail.messages] == ["ann@example.com", "bob@example.com"]


def test_apprise_s_own_json_service_is_reached(sender: Sender, webhook: Webhook) -> None:
    sender.send(channel(f"json://127.0.0.1:{webhook.port}/hook"), message())
    assert webhook.received[0].body["title"] == message().title


@pytest.mark.parametrize(("path", "final"), [("/fail", False), ("/404", False), ("/422", True), ("/redirect", True)])
def test_a_refusal_says_whether_to_try_again(sender: Sender, webhook: Webhook, path: str, final: bool) -> None:
    with pytest.raises(NotDelivered) as caught:
        sender.send(channel(webhook.url(path)), message())
    assert caught.value.final is final and not webhook.received


@pytest.mark.parametrize("scheme", ["http", "json", "mailto"])
def test_a_private_address_is_not_reached(webhook: Webhook, mail: Mail, scheme: str) -> None:
    addresses = {"http": webhook.url(), "json": f"json://localhost:{webhook.port}/hook", "mailto": mail.url}
    with pytest.raises(NotDelivered, match="ALLOW_NETWORKS") as caught:
        Sender().send(channel(addresses[scheme]), message())
    assert caught.value.final and not webhook.received and not mail.messages


def test_a_name_that_resolves_differently_the_second_time_is_not_reached(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is on the address that is connected to, whatever was resolved before."""
    real, asked = socket.getaddrinfo, []

    def rebind(host: object, *arguments: object, **options: object) -> object:
        asked.append(host)
        return real("127.0.0.1", webhook.port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1"):
        Sender().send(channel("http://harmless.example/hook"), message())
    assert asked and not webhook.received


# ---------------------------------------------------------------------- addresses of channels


def test_an_address_is_encrypted_and_never_shown() -> None:
    safe = Safe("k1")
    address = "https://hooks.example/T0KEN-abcdef"
    locked = safe.lock(address)
    assert "T0KEN" not in locked and safe.open(locked) == address
    assert "T0KEN" not in repr(channel(address)) and "T0KEN" not in str(channel(address))
    with pytest.raises(RuleError, match="another key"):
        Safe("k2").open(locked)


@pytest.mark.parametrize(
    "address",
    ["dingtalk://0123456789abcdef0123456789abcdef", "feishu://ABCdef0123456789", "wecombot://0123456789abcdef",
     "bark://host/devicekey", "schan://SCT123456789", "tgram://123456789:ABCdefGhIJKlmNoPQRsTUVwxyZabcdefghi/12315544/",
     "mailtos://u:p@example.com?to=a@b.example", "ntfy://topic", "https://hooks.example/x"],
)  # fmt: skip
def test_the_usual_channels_are_taken(address: str) -> None:
    assert check(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "nonsense", "dbus://", "syslog://", "https:///x", "mailto://", "https://a b",
     "https://[::1", "https://[s3cr3t]/x", "dingtalk://[s3cr3t",
     "msteams://T/a/b/c?template=/etc/passwd", "json://host/?attach=/etc/passwd", "tgram://s3cr3t"],
)  # fmt: skip
def test_an_address_that_is_none_or_acts_on_the_machine_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(RuleError) as caught:
        check(address)
    assert "s3cr3t" not in str(caught.value) and "passwd" not in str(caught.value)


def test_what_goes_wrong_does_not_tell_the_secret(webhook: Webhook) -> None:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    for address in (
        f"http://user:hunter22@127.0.0.1:{port}/T0KEN-abcdef?key=s3cr3tvalue",
        f"json://u:hunter22@127.0.0.1:{port}/T0KEN-abcdef",
    ):
        with pytest.raises(NotDelivered) as caught:
            Sender(LOOPBACK, timeout=1).send(channel(address), message())
        assert not {"hunter22", "T0KEN", "s3cr3t"} & set(str(caught.value).replace("-", " ").split())
        assert all(secret not in str(caught.value) for secret in ("hunter22", "T0KEN-abcdef", "s3cr3tvalue"))
    closed.close()
    assert scrub("can't reach https://h.example/T0KEN-abcdef", "https://h.example/T0KEN-abcdef") == "can't reach ***"


# ---------------------------------------------------------------------- text of others


@given(st.text(max_size=300))
def test_text_of_others_stays_one_line_without_markup_or_mentions(text: str) -> None:
    title = message(title=text).title
    assert len(title.splitlines()) == 1 and not set(title) & set("@<>*_[]`\r\n\x00\u202e")
    for form in ("text", "markdown", "html"):
        safe = escape.quiet(text, form)  # type: ignore[arg-type]
        assert len(safe.splitlines()) <= 1 and not set(safe) & set("@<>")
        assert form == "text" or not set(safe) & set("*_[]`~#|\\!")


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda text: f"https://a.example/{text}"))
def test_an_address_in_a_message_is_one_or_nothing(text: str) -> None:
    safe = escape.address(text)
    assert safe == "" or (
        safe.startswith(("http://", "https://")) and not set(safe) & set(" <>\"'()[]*_`\n\\") - set("[]")
    )


def test_what_an_address_may_be() -> None:
    assert escape.address("javascript:alert(1)") == escape.address("https://user:pw@x.example/") == ""
    assert (
        escape.address("https://新闻.example/a_b?q=涨 停")
        == "https://xn--efvy88h.example/a%5Fb?q=%E6%B6%A8%20%E5%81%9C"
    )


@given(st.text(max_size=200))
def test_a_feed_is_always_well_formed(text: str) -> None:
    facts = msgspec.json.encode(Fact(title=text, sentences=(text,), url=text)).decode()
    feed = ElementTree.fromstring(atom("urn:x", text, LINKS, [("f1", AT, text, facts)], AT))
    assert len(feed.findall(f"{{{ATOM}}}entry")) == 1


def test_a_summary_lists_each_story_once_in_the_reader_s_language() -> None:
    firings = [firing(n % 30) for n in range(45)]
    chinese, english = (compose("m", firings, LINKS, language=language) for language in ("zh", "en"))
    assert chinese.title == "【订阅】30 条提醒" and "另有 10 条" in chinese.body("text")
    assert "30 alerts" in english.title and "and 10 more" in english.body("markdown")


def test_a_summary_lists_all_that_a_watch_said() -> None:
    said = [
        msgspec.structs.replace(firing(n), kind="first_mention", group_key="first_mention 300413.SZ") for n in (1, 2)
    ]
    assert len(compose("m", said, LINKS).facts) == 2


# ---------------------------------------------------------------------- lanes


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


def drain(lanes: Lanes, until: int, seconds: float = 10) -> list[Attempt]:
    found: list[Attempt] = []
    deadline = time.monotonic() + seconds
    while len(found) < until and time.monotonic() < deadline:
        lanes.pump()
        found += lanes.results(0.05)
    return found


def test_a_dead_channel_waits_alone_and_comes_back(sender: Sender, webhook: Webhook) -> None:
    clock = Clock()
    lanes = Lanes(sender.send, clock)
    dead, well = channel(webhook.url("/fail"), "dead"), channel(webhook.url(), "well")
    for n in range(20):
        lanes.submit(Target(message(n), "dead", AT), dead)
        lanes.submit(Target(message(n), "well", AT), well)
    first = drain(lanes, 24)
    assert len(webhook.at("/hook")) == 20
    failed = [a for a in first if a.state == "failed"]
    assert 1 <= len(failed) <= 4 and all(a.next_at and a.next_at > AT for a in failed), "then it rests"
    assert lanes.waiting()["", "dead"] == 20
    webhook.broken = False
    clock.now += timedelta(minutes=15)
    assert len([a for a in drain(lanes, 20) if a.state == "sent"]) == 20
    assert len({r.key for r in webhook.at("/fail")}) == 20
    lanes.close()


def test_a_message_that_is_never_taken_holds_up_nobody_and_is_given_up(sender: Sender, webhook: Webhook) -> None:
    clock = Clock()
    lanes = Lanes(sender.send, clock)
    target = channel(webhook.url("/fail"))
    lanes.submit(Target(message(1), "c", AT), target)
    assert drain(lanes, 1)[0].state == "failed"
    clock.now += timedelta(hours=25)
    (last,) = drain(lanes, 1)
    assert (last.state, last.attempt) == ("gave_up", 2) and "500" in last.detail
    assert lanes.waiting() == {("", "c"): 0}
    lanes.close()


def test_what_waits_goes_where_its_channel_leads_now(sender: Sender, webhook: Webhook) -> None:
    lanes = Lanes(sender.send, Clock())
    mine = Channel(owner="ann", name="c", address=webhook.url("/fail"))
    common = channel(webhook.url("/hook"))
    for n in range(3):
        lanes.submit(Target(message(n), "c", AT), mine)
    failed = len([a for a in drain(lanes, 3) if a.state == "failed"])
    assert failed == 3 and lanes.waiting() == {("ann", "c"): 3}
    lanes.follow({("ann", "c"): mine})
    assert drain(lanes, 1, seconds=0.3) == [], "unchanged, it rests"
    lanes.follow(
        {("ann", "c"): msgspec.structs.replace(mine, address=webhook.url("/hook-corrected")), ("", "c"): common}
    )
    assert [a.state for a in drain(lanes, 3)] == ["sent"] * 3
    assert {r.key for r in webhook.at("/hook-corrected")} == {"m0", "m1", "m2"}
    lanes.follow({("ann", "c"): mine})
    lanes.submit(Target(message(3), "c", AT), mine)
    assert drain(lanes, 1)[0].state == "failed"
    lanes.follow({("", "c"): common})
    assert drain(lanes, 1)[0].state == "sent" and webhook.at("/hook")[0].key == "m3", "the common one stands for it"
    lanes.close()


def test_what_waits_for_a_removed_channel_is_given_up(sender: Sender, webhook: Webhook) -> None:
    lanes = Lanes(sender.send, Clock())
    target = channel(webhook.url("/fail"))
    for n in range(6):
        lanes.submit(Target(message(n), "c", AT), target)
    assert drain(lanes, 4)[0].state == "failed"
    webhook.broken = False
    lanes.follow({})
    last = drain(lanes, 6)
    assert [a.state for a in last] == ["gave_up"] * 6 and all("channels add" in a.detail for a in last)
    assert webhook.received == [] and lanes.waiting() == {("", "c"): 0}
    lanes.close()
