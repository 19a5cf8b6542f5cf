"""The provider smtp: its settings, what replies mean, and the sandbox's mail server over STARTTLS with a login."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from notifier.channels.base import Envelope
from notifier.channels.email import EmailMessage
from notifier.errors import InvalidInput
from notifier.providers.smtp import Smtp, SmtpConfig
from notifier.transport.smtp.client import SmtpClient
from notifier.vocabulary.http import Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Verdict
from tests.sandbox.process import Sandbox

GOOD: dict[str, Any] = {"host": "smtp.example.com", "from_address": "hello@acme.example", "user": "u", "password": "p"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"host": "smtp.example.com:25"}, "host"),
        ({"host": "https://smtp.example.com"}, "host"),
        ({"host": "smtp..example.com"}, "host"),
        ({"host": "a" * 64 + ".example.com"}, "host"),
        ({"from_address": "nobody"}, "from_address"),
        ({"from_name": "a\r\nBcc: x@y.example"}, "from_name"),
        ({"from_name": "a" * 1_000}, "from_name"),
        ({"from_address": "a@b_c.example"}, "from_address"),
        ({"from_address": "a@b\x01.example"}, "from_address"),
        ({"port": 0}, "port"),
        ({"port": 70_000}, "port"),
        ({"security": "ssl"}, "security"),
        ({"security": "none"}, "security"),
        ({"password": ""}, "password"),
        ({"connections": 1_000}, "connections"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], field: str) -> None:
    assert SmtpConfig.parse(GOOD).port == 587
    with pytest.raises(InvalidInput) as error:
        SmtpConfig.parse({**GOOD, **change})
    assert error.value.field == field


@pytest.mark.parametrize(
    ("status", "stage", "words", "kind", "dead"),
    [
        (250, "body", "2.0.0 queued as 4XYZ99", Sent, False),
        (550, "rcpt", "5.1.1 no such user", Permanent, True),
        (550, "rcpt", "5.1.10 the domain takes no mail", Permanent, True),
        (550, "rcpt", "User unknown", Permanent, True),
        (550, "rcpt", "No such user here", Permanent, True),
        (550, "rcpt", "5.2.1 disabled", Permanent, False),
        (552, "rcpt", "5.2.2 mailbox full", Permanent, False),
        (554, "body", "5.7.1 looks like spam", Permanent, False),
        (550, "body", "5.1.1 no such user", Permanent, False),
        (550, "rcpt", "5.1.1 <relay@y.example>: Recipient address rejected: User unknown", Permanent, True),
        (550, "rcpt", "5.7.1 <relay@y.example>: Recipient address rejected: not today", Permanent, False),
        (554, "rcpt", "5.7.1 <a@y.example>: Relay access denied", Misconfigured, False),
        (550, "rcpt", "we do not relay", Misconfigured, False),
        (550, "rcpt", "sender address does not exist", Permanent, False),
        (550, "rcpt", "Requested action not taken: mailbox unavailable", Permanent, True),
        (550, "rcpt", "Requested action not taken: mailbox unavailable. Reject due to policy", Permanent, False),
        (550, "rcpt", "mailbox unavailable: listed by our blocklist", Permanent, False),
        (550, "rcpt", "Mailbox is full and unavailable", Permanent, False),
        (550, "rcpt", "your IP address 192.0.2.1 was not found in DNS", Permanent, False),
        (552, "mail", "5.3.4 message size exceeds the fixed limit", Permanent, False),
        (553, "rcpt", "5.6.7 no SMTPUTF8", Permanent, False),
        (550, "rcpt", "5.7.1 Relaying denied", Misconfigured, False),
        (550, "mail", "5.7.1 sender refused", Misconfigured, False),
        (530, "mail", "5.7.0 Authentication required", Misconfigured, False),
        (535, "auth", "5.7.8 bad credentials", Misconfigured, False),
        (554, "connect", "5.7.1 your address is listed", Misconfigured, False),
        (451, "rcpt", "4.7.1 greylisted", Temporary, False),
        (452, "body", "4.2.2 over quota", Temporary, False),
        (421, "connect", "too busy", Temporary, False),
        (454, "auth", "4.7.0 try later", Temporary, False),
    ],
)
def test_what_a_reply_means(status: int, stage: str, words: str, kind: type[Verdict], dead: bool) -> None:
    enhanced = words.split()[0] if words[0].isdigit() and words[1] == "." else ""
    verdict = Smtp(SmtpConfig.parse(GOOD)).verdict_of(
        Response(status, {"stage": stage, "enhanced": enhanced}, words.encode())
    )
    assert type(verdict) is kind
    assert (isinstance(verdict, Permanent) and verdict.address_is_dead) is dead
    if isinstance(verdict, Sent):
        assert verdict.provider_ref == "4XYZ99"


def test_a_domain_outside_of_ascii_is_sent_in_ascii() -> None:
    provider = Smtp(SmtpConfig.parse({**GOOD, "from_address": "hello@bücher.example"}))
    request = provider.request(message("ann@MÜNCHEN.example"), "")
    assert request.url.endswith("/hello@xn--bcher-kva.example%20ann@xn--mnchen-3ya.example")
    assert dict(request.headers)["hello"] == "xn--bcher-kva.example"
    assert request.body.isascii() and b"To: ann@xn--mnchen-3ya.example\r\n" in request.body
    # IDNA 2003 would name another domain
    assert unquote(provider.request(message("ann@straße.example"), "").url).endswith(" ann@straße.example")


def test_the_sandbox_answers_each_address_as_it_asks(sandbox: Sandbox) -> None:
    provider, client = Smtp(SmtpConfig.sandbox(sandbox.url), sandbox.url), SmtpClient(str(sandbox.ca))
    expected: dict[str, type[Verdict]] = {
        "smtp-ann": Sent, "nobody": Permanent, "disabled": Permanent, "greylisted": Temporary, "later": Temporary,
        "spam": Permanent, "unavailable": Temporary, "hangup": InDoubt, "closing": InDoubt, "smtp-jürgen": Sent,
    }  # fmt: skip
    messages = [message(f"{local}@mail.example") for local in expected]
    verdicts = {index: verdict for answers in provider.send(messages, client) for index, verdict in answers}
    assert {local: type(verdicts[index]) for index, local in enumerate(expected)} == expected
    kept = {m["address"]: m for m in sandbox.report(detail=100)["messages"]}
    ann = kept["smtp-ann@mail.example"]
    assert (ann["title"], ann["delivery"], ann["channel"]) == ("Grüße", str(messages[0].envelope.delivery_id), "email")
    assert len(kept) == 4  # what was taken, also where the answer was lost
    dead = [local for index, local in enumerate(expected) if getattr(verdicts[index], "address_is_dead", False)]
    assert dead == ["nobody"]


def message(address: str) -> EmailMessage:
    return EmailMessage(Envelope(new_id(), new_id(), new_id(), Address(address), "k"), "Grüße", text="Hallo\n.\nEnde")
