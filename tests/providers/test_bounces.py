"""Bounces of the provider `smtp`: the return path of a message, the reports that come back, and the settings."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import unquote

import pytest

from notifier.channels.base import Envelope
from notifier.channels.email import EmailMessage
from notifier.errors import Forged, InvalidInput
from notifier.providers.common.bounce_settings import mailbox_of
from notifier.providers.smtp import Smtp, SmtpConfig
from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.mail import BounceMailbox
from notifier.vocabulary.people import Address
from notifier.vocabulary.receipts import EventKind, ReceiptRequest
from tests.mail_reports import samples

REQUIRED = {"host": "smtp.example.com", "from_address": "news@example.com"}
MAILBOX = {
    "bounce_mailbox": "imap", "bounce_host": "imap.example.com", "bounce_user": "bounces", "bounce_password": "secret",
}  # fmt: skip
DELIVERY = uuid.UUID("01936f2a-7c3d-7e1f-8a2b-1234567890ab")


def smtp(**settings: Any) -> Smtp:
    provider = Smtp(SmtpConfig.parse({**REQUIRED, **settings}))
    provider.signing_keys = (b"n" * 32, b"o" * 32)
    return provider


def return_path(provider: Smtp) -> str:
    envelope = Envelope(DELIVERY, uuid.uuid4(), uuid.uuid4(), Address("ann@mail.example"), DELIVERY.hex)
    request = provider.request(EmailMessage(envelope, "Hello", "Hello"), "")
    return unquote(request.url.rsplit("/", 1)[1]).split(" ")[0]


def test_a_message_names_itself_in_its_return_path() -> None:
    assert return_path(smtp()) == "news@example.com"
    path = return_path(smtp(bounce_address="bounces@example.com"))
    assert path.startswith(f"bounces+{DELIVERY.hex}") and path.endswith("@example.com")


def test_a_report_comes_back_as_an_event_of_the_message() -> None:
    provider = smtp(bounce_address="bounces@example.com")
    body = samples.ARF.replace("{to}", return_path(provider)).encode()
    request = ReceiptRequest("POST", "https://notifier.example/v1/receipts/smtp/1/2", {}, body)
    provider.verify(request)
    [event] = provider.receipts(request, InMemoryClient())
    assert (event.kind, event.delivery_id) == (EventKind.COMPLAINED, DELIVERY)
    provider.signing_keys = (b"x" * 32, *provider.signing_keys)  # a key was put before it
    assert provider.receipts(request, InMemoryClient()) == [event]
    provider.signing_keys = (b"x" * 32,)
    assert provider.receipts(request, InMemoryClient()) == []


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b""), ("GET", b"From: a@b.example\n\nhello")])
def test_a_call_without_a_message_is_refused(method: str, body: bytes) -> None:
    with pytest.raises(Forged):
        smtp().verify(ReceiptRequest(method, "https://notifier.example/v1/receipts/smtp/1/2", {}, body))


@pytest.mark.parametrize(
    ("settings", "mailbox"),
    [
        ({}, None),
        (MAILBOX, BounceMailbox("imap", "imap.example.com", 993, "tls", "bounces", "secret")),
        (
            {**MAILBOX, "bounce_mailbox": "pop3", "bounce_security": "starttls"},
            BounceMailbox("pop3", "imap.example.com", 110, "starttls", "bounces", "secret"),
        ),
        ({**MAILBOX, "bounce_port": 1993}, BounceMailbox("imap", "imap.example.com", 1993, "tls", "bounces", "secret")),
    ],
)
def test_the_settings_name_a_mailbox(settings: dict[str, Any], mailbox: BounceMailbox | None) -> None:
    config = SmtpConfig.parse({**REQUIRED, **settings})
    assert mailbox_of(config) == mailbox
    assert "secret" not in repr(mailbox) and "secret" not in repr(config)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"bounce_address": "bounces"}, "bounce_address"),
        ({"bounce_address": "bounces+x@example.com"}, "bounce_address"),
        ({"bounce_address": "a-very-long-name-of-a-mailbox@example.com"}, "bounce_address"),
        ({"bounce_address": "bounces@exämple.com"}, "bounce_address"),
        ({"bounce_mailbox": "nntp"}, "bounce_mailbox"),
        ({**MAILBOX, "bounce_host": ""}, "bounce_host"),
        ({**MAILBOX, "bounce_host": "imap example"}, "bounce_host"),
        ({**MAILBOX, "bounce_host": "imap..example.com"}, "bounce_host"),
        ({**MAILBOX, "bounce_host": "imap." + "a" * 64}, "bounce_host"),
        ({**MAILBOX, "bounce_user": ""}, "bounce_user"),
        ({**MAILBOX, "bounce_user": "a\r\nLOGOUT"}, "bounce_user"),
        ({**MAILBOX, "bounce_password": ""}, "bounce_password"),
        ({**MAILBOX, "bounce_port": 70_000}, "bounce_port"),
        ({**MAILBOX, "bounce_security": "none"}, "bounce_security"),
    ],
)
def test_a_setting_that_cannot_work_is_named(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        SmtpConfig.parse({**REQUIRED, **wrong})
    assert caught.value.field == field and "secret" not in caught.value.message
