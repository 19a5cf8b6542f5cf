"""The request of each email service is the one that Anymail's own backend sends, and carries all of a message."""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from django.core.mail import EmailMultiAlternatives

from notifier.transport.in_memory import InMemoryClient
from notifier.vocabulary.mail import Attachment, Mailbox
from notifier.vocabulary.verdicts import Permanent
from tests.providers.anymail.accounts import SERVICES, account
from tests.providers.emails import an_email


class Recorder(requests.adapters.BaseAdapter):
    """Keeps what `requests` would send."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.request = request
        answer = requests.Response()
        answer.status_code, answer._content, answer.request, answer.url = 500, b"{}", request, request.url
        return answer

    def close(self) -> None:
        pass


def sent_by_anymail(name: str, email: EmailMultiAlternatives) -> Any:
    """The HTTP request that Anymail's backend sends with the settings of the account, to its default address."""
    service = account(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = import_module(f"anymail.backends.{name}")
        where = {"api_url": f"{service.base}{service.api_path}"} if name in ("postal", "unisender_go") else {}
        backend = module.EmailBackend(**service.options(), **where)
    backend.open()
    recorder = Recorder()
    backend.session.mount("https://", recorder)
    with pytest.raises(Exception, match=r"500|Error"):
        backend.send_messages([email])
    return recorder.request


def fields(headers: Any) -> dict[str, str]:
    """Without what each HTTP client says of itself."""
    own = {"user-agent", "accept-encoding", "accept", "connection", "content-length"}
    texts = ((n.lower(), v.decode() if isinstance(v, bytes) else v) for n, v in dict(headers).items())
    return {name: value for name, value in texts if name not in own}


def body_of(body: Any) -> Any:
    text = body.decode() if isinstance(body, bytes) else body
    return json.loads(text) if text.startswith(("{", "[")) else sorted(parse_qsl(text, keep_blank_values=True))


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_the_request_that_anymail_sends(name: str) -> None:
    service, message = account(name), an_email()
    ours = service.request(message, "")
    email = EmailMultiAlternatives(
        message.subject, message.text, "notifier@sandbox.example", ["anna@example.org"],
        headers=service._django_email(message).extra_headers,
    )  # fmt: skip
    email.attach_alternative(message.html, "text/html")
    email.metadata = {"delivery_id": str(message.envelope.delivery_id)}  # type: ignore[attr-defined]
    if service.carrier == "tags":
        del email.metadata  # type: ignore[attr-defined]
        email.tags = [f"delivery-{message.envelope.delivery_id}"]  # type: ignore[attr-defined]
    theirs = sent_by_anymail(name, email)
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert body_of(ours.body) == body_of(theirs.body)
    mine = {n: v for n, v in fields(ours.headers).items() if n != service.idempotency_header}
    assert mine == fields(theirs.headers)


@pytest.mark.parametrize("name", SERVICES)
def test_it_carries_all_of_a_message(name: str) -> None:
    message = an_email(
        unsubscribe_url="https://site/u/1",
        sender=Mailbox("news@brand.example", "Käse, Brot & Co"),
        reply_to=(Mailbox("help@brand.example", "Help"),),
        headers={"X-Order": "4711", "X-Metadata": "forged", "X-MC-Metadata": "forged", "X-PM-Tag": "forged"},
        preheader="seen first",
        attachments=(Attachment("bill.pdf", "application/pdf", 4, load=lambda: b"%PDF"),),
    )
    settings = {"custom_headers": True} if name == "mailersend" else {}
    request = account(name, **settings).request(message, "")
    text = request.body.decode()
    if name == "mailgun":
        assert "multipart/form-data" in dict(request.headers)["content-type"]
    else:
        text = json.dumps(json.loads(text), ensure_ascii=False)
    for part in (
        str(message.envelope.delivery_id), "https://site/u/1", "List-Unsubscribe=One-Click", "4711", "seen first",
        "bill.pdf", "news@brand.example", "help@brand.example", "anna@example.org", "Hello Anna",
    ):  # fmt: skip
        assert part in text, part
    assert "forged" not in text
    assert "Käse" in text or "=?utf-8?" in text.lower()


@pytest.mark.parametrize("name", SERVICES)
def test_real_servers_are_never_told_where_the_sandbox_reports(name: str) -> None:
    service = account(name)
    service.receipts_url = "https://site/v1/receipts/x/1/secret"
    assert b"secret" not in service.request(an_email(), "").body
    assert "secret" not in str(service.request(an_email(), "").headers)


def test_html_alone_is_no_text() -> None:
    document = json.loads(account("postmark").request(an_email(text=""), "").body)
    assert "TextBody" not in document and "Hello <b>Anna</b>" in document["HtmlBody"]


def test_what_a_service_cannot_carry_fails_with_the_reason() -> None:
    image = Attachment("a.png", "image/png", 1, content_id="logo", load=lambda: b"x")
    client = InMemoryClient()
    for name, message, words in [
        ("brevo", an_email(attachments=(image,)), "Brevo does not support inline attachments"),
        ("resend", an_email("ann.@example.org"), "an address is not valid"),
        ("mailjet", an_email(reply_to=(Mailbox("a@b.example"), Mailbox("c@d.example"))), "Multiple reply_to"),
    ]:
        [[(_, verdict)]] = account(name).send([message], client)
        assert isinstance(verdict, Permanent) and words in verdict.detail
        assert "@" not in verdict.detail
    assert client.requests == []
