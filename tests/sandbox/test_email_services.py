"""The fake SendGrid, Mailgun and Postmark: our providers and Anymail's own backends send to them, and our providers
read what they report."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any
from urllib.request import urlopen

import pytest
from anymail.exceptions import AnymailRequestsAPIError
from django.core.mail import EmailMultiAlternatives

from notifier.providers import Provider, provider_class
from notifier.transport import http_client
from notifier.vocabulary.mail import Attachment, Mailbox
from notifier.vocabulary.receipts import EventKind, ReceiptEvent, ReceiptRequest
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict
from tests.providers.emails import an_email
from tests.sandbox.process import Sandbox
from tests.sandbox.receiver import Receiver

SERVICES = ("mailgun", "postmark", "sendgrid")
PATH = "/v1/receipts/{name}/1/secret"


def in_sandbox(name: str, sandbox: Sandbox, receiver: Receiver | None = None) -> Provider[Any]:
    kind = provider_class(name)
    provider = kind(kind.Config.sandbox(sandbox.url), sandbox.url, timeout=60.0)
    provider.receipts_url = "" if receiver is None else receiver.url + PATH.format(name=name)
    return provider


def send(provider: Provider[Any], emails: Sequence[Any], sandbox: Sandbox) -> list[Verdict]:
    answers = dict(pair for pairs in provider.send(emails, http_client(sandbox.ca)) for pair in pairs)
    return [answers[i] for i in range(len(emails))]


def events_of(provider: Provider[Any], receiver: Receiver, count: int) -> list[ReceiptEvent]:
    """The events that arrived at the receiver, once there are so many; each call is verified as in a web process."""
    until, events = time.monotonic() + 60, list[ReceiptEvent]()
    while len(events) < count and time.monotonic() < until:
        time.sleep(0.02)
        events = []
        for call in list(receiver.received):
            request = ReceiptRequest("POST", receiver.url + call.path, call.headers, call.body)
            provider.verify(request)
            events += provider.receipts(request, http_client())
    return events


def outbox_text(sandbox: Sandbox) -> str:
    """All that the outbox page shows of the newest message."""
    messages = sandbox.report()["outbox"].rstrip("/") + "/_outbox/messages"
    with urlopen(messages) as answer:
        number = json.load(answer)["messages"][0]["number"]
    with urlopen(f"{messages}/{number}") as answer:
        return json.dumps(json.load(answer), ensure_ascii=False)


@pytest.mark.parametrize("name", SERVICES)
def test_an_email_arrives_whole_and_is_reported(name: str, sandbox: Sandbox, receiver: Receiver) -> None:
    provider = in_sandbox(name, sandbox, receiver)
    email = an_email(
        "anna@example.org",
        unsubscribe_url="https://site/u/1",
        reply_to=(Mailbox("help@example.com", "Help, please"),),
        sender=Mailbox("news@example.com", "Käse & Co"),
        attachments=(
            Attachment("a.txt", "text/plain", 5, load=lambda: b"hello"),
            Attachment("b.png", "image/png", 3, content_id="logo", load=lambda: b"\x89PN"),
        ),
    )
    [verdict] = send(provider, [email], sandbox)
    assert isinstance(verdict, Sent) and verdict.provider_ref
    [event] = events_of(provider, receiver, 1)
    assert (event.kind, event.delivery_id) == (EventKind.DELIVERED, email.envelope.delivery_id)
    [row] = sandbox.report(detail=5)["messages"]
    assert (row["address"], row["delivery"]) == ("anna@example.org", str(email.envelope.delivery_id))
    assert (row["title"], row["channel"]) == ("Grüße & O'Neil", "email")
    text = outbox_text(sandbox)
    for part in ("Hello Anna", "https://site/u/1", "List-Unsubscribe-Post", "a.txt", "Käse & Co"):
        assert part in text


FATES: dict[str, tuple[EventKind, bool]] = {
    "nobody": (EventKind.BOUNCED, True),
    "bounce": (EventKind.BOUNCED, True),
    "full": (EventKind.BOUNCED, False),
    "complaint": (EventKind.COMPLAINED, False),
    "unsubscribe": (EventKind.UNSUBSCRIBED, False),
    "open": (EventKind.OPENED, False),
    "click": (EventKind.CLICKED, False),
    "later": (EventKind.DELIVERED, False),
}


@pytest.mark.parametrize("name", SERVICES)
def test_an_address_chooses_what_is_reported(name: str, sandbox: Sandbox, receiver: Receiver) -> None:
    provider = in_sandbox(name, sandbox, receiver)
    emails = {word: an_email(f"{word}-1@example.org") for word in FATES}
    assert all(isinstance(verdict, Sent) for verdict in send(provider, list(emails.values()), sandbox))
    events = events_of(provider, receiver, 14)
    for word, (kind, permanent) in FATES.items():
        of_email = [event for event in events if event.delivery_id == emails[word].envelope.delivery_id]
        assert (kind, permanent) in {(event.kind, event.permanent) for event in of_email}, word
        assert all(event.address == f"{word}-1@example.org" for event in of_email)
    assert len({(event.event_id, event.kind, event.address) for event in events}) == len(events) == 14
    [click] = [event for event in events if event.kind == EventKind.CLICKED]
    assert click.url == "https://example.com/sandbox"
    assert EventKind.DEFERRED in {event.kind for event in events}


@pytest.mark.parametrize("name", SERVICES)
def test_a_refusal_is_judged(name: str, sandbox: Sandbox) -> None:
    sandbox.faults(retry_after=7)
    provider = in_sandbox(name, sandbox)
    invalid, throttled, good = send(
        provider, [an_email(f"{word}-1@example.org") for word in ("invalid", "throttled", "ann")], sandbox
    )
    assert isinstance(invalid, Permanent) and not invalid.address_is_dead
    assert isinstance(throttled, Throttled)
    assert isinstance(good, Sent)
    sandbox.faults(reject_auth=True)
    [refused] = send(provider, [an_email()], sandbox)
    assert isinstance(refused, Misconfigured)
    sandbox.faults(reject_auth=False, down=True, retry_after=None)
    [down] = send(provider, [an_email()], sandbox)
    assert down == Temporary(down.detail, unavailable=True)  # type: ignore[union-attr]


def test_postmark_calls_a_recipient_inactive_which_suppresses_no_address(sandbox: Sandbox) -> None:
    provider = in_sandbox("postmark", sandbox)
    for emails in ([an_email("inactive-1@example.org")], [an_email("inactive-2@example.org"), an_email()]):
        verdict = send(provider, emails, sandbox)[0]
        assert isinstance(verdict, Permanent) and not verdict.address_is_dead
        assert "example.org" not in verdict.detail


def test_mailgun_does_not_know_the_domain(sandbox: Sandbox) -> None:
    kind = provider_class("mailgun")
    config = kind.Config.parse({**vars(kind.Config.sandbox(sandbox.url)), "domain": "unknown.example"})
    [verdict] = send(kind(config, sandbox.url), [an_email()], sandbox)
    assert isinstance(verdict, Misconfigured)


def test_many_emails_leave_in_one_request(sandbox: Sandbox) -> None:
    emails = [an_email(f"ann-{n}@example.org", subject=f"News {n}") for n in range(620)]
    verdicts = send(in_sandbox("postmark", sandbox), emails, sandbox)
    assert all(isinstance(verdict, Sent) for verdict in verdicts)
    assert len({verdict.provider_ref for verdict in verdicts if isinstance(verdict, Sent)}) == 620
    report = sandbox.report(detail=1000)
    assert (report["received"], report["accepted"], report["duplicates"]) == (2, 620, 0)
    titles = {row["address"]: row["title"] for row in report["messages"]}
    assert titles == {f"ann-{n}@example.org": f"News {n}" for n in range(620)}


@pytest.mark.parametrize("name", SERVICES)
def test_the_credentials_are_tested(name: str, sandbox: Sandbox) -> None:
    provider = in_sandbox(name, sandbox)
    assert [check.passed for check in provider.test(http_client(sandbox.ca))] == [True]
    sandbox.faults(reject_auth=True)
    [check] = provider.test(http_client(sandbox.ca))
    assert (check.name, check.passed) == ("credentials", False)
    assert sandbox.report()["accepted"] == 0


OPTIONS = {
    "mailgun": {"api_key": "notifier-sandbox", "sender_domain": "sandbox.example", "path": "/v3/"},
    "postmark": {"server_token": "notifier-sandbox", "path": "/"},
    "sendgrid": {"api_key": "notifier-sandbox", "path": "/v3/"},
}


@pytest.mark.parametrize("name", SERVICES)
def test_anymail_s_own_backend_sends_to_it(name: str, sandbox: Sandbox) -> None:
    options = dict(OPTIONS[name])
    url = sandbox.url + options.pop("path")
    backend = import_module(f"anymail.backends.{name}").EmailBackend(api_url=url, **options)
    backend.open()
    backend.session.trust_env, backend.session.verify = False, sandbox.ca
    email = EmailMultiAlternatives("Hello", "text", "Ann <ann@example.com>", ["bob@example.org"])
    email.attach_alternative("<p>html</p>", "text/html")
    assert backend.send_messages([email]) == 1
    status: Any = email.anymail_status  # type: ignore[attr-defined]
    assert status.message_id and status.status <= {"sent", "queued"}
    assert sandbox.report(detail=1)["messages"][0]["address"] == "bob@example.org"
    email.to = ["throttled-1@example.org"]
    with pytest.raises(AnymailRequestsAPIError) as refused:
        backend.send_messages([email])
    assert refused.value.status_code == 429
    backend.close()
