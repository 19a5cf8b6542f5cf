"""DKIM signatures, judged by dkimpy."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable
from dataclasses import replace

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notifier.channels.base import Envelope
from notifier.channels.email import EmailMessage
from notifier.errors import InvalidInput
from notifier.providers.mime.dkim import DkimKey
from notifier.providers.smtp import Smtp, SmtpConfig
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address

RSA = generate_private_key(65537, 2048)
ED25519 = Ed25519PrivateKey.generate()
SETTINGS = {"host": "mail.example", "from_address": "shop@bücher.example", "dkim_selector": "s1"}


def pem(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def a_provider(key: RSAPrivateKey | Ed25519PrivateKey = RSA) -> Smtp:
    return Smtp(SmtpConfig.parse({**SETTINGS, "dkim_private_key": pem(key)}))


def sent(provider: Smtp, message: EmailMessage) -> bytes:
    return provider.request(message, "").body


def dns(provider: Smtp, kind: str = "rsa") -> Callable[..., bytes]:
    [domain] = provider.sender_domains()
    name = f"{domain.dkim_selector}._domainkey.{domain.domain}."
    return lambda asked, timeout=5: (
        f"v=DKIM1; k={kind}; p={domain.dkim_public_key}".encode() if asked.decode() == name else b""
    )


def an_email(subject: str = "Hello", text: str = "a  b \n\nc\n\n\n", html: str = "") -> EmailMessage:
    delivery = new_id()
    envelope = Envelope(delivery, new_id(), new_id(), Address("ada@example.com"), collapse_key=delivery.hex)
    return EmailMessage(envelope, subject=subject, text=text, html=html)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"subject": "Grüße aus dem Bücherladen, der wirklich einen sehr langen Betreff hat, ja"},
        {"text": "", "html": "<p>x = y</p>\n.\n" * 300},
        {"text": " leading\ttabs \t \n", "html": "<p>both</p>"},
        {"text": "\n"},
    ],
)
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_judge_that_we_did_not_write_accepts_the_signature(parts: dict[str, str], kind: str) -> None:
    provider = a_provider(RSA if kind == "rsa" else ED25519)
    message = sent(provider, an_email(**parts))
    assert message.count(b"DKIM-Signature:") == 1
    assert dkim.verify(message, dnsfunc=dns(provider, kind))
    assert not dkim.verify(message.replace(b"Subject: ", b"Subject: Re: "), dnsfunc=dns(provider, kind))
    assert not dkim.verify(b"From: evil@example.com\r\n" + message, dnsfunc=dns(provider, kind))


def test_the_way_out_of_a_list_is_one_https_link_that_the_signature_covers() -> None:
    """As Gmail asks of bulk senders: RFC 8058, section 4, and RFC 2369, section 2."""
    provider, message = a_provider(), an_email()
    message = replace(
        message, envelope=replace(message.envelope, unsubscribe_url="https://n.example/unsubscribe/AbC-_")
    )
    mail = sent(provider, message)
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert parsed.get_all("List-Unsubscribe") == ["<https://n.example/unsubscribe/AbC-_>"]
    assert parsed.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    covered = re.search(r"h=([^;]+);", parsed["DKIM-Signature"])
    assert covered is not None
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(re.split(r"\s*:\s*", covered[1].lower().strip()))
    assert not dkim.verify(mail.replace(b"/unsubscribe/AbC", b"/unsubscribe/XbC"), dnsfunc=dns(provider))


def test_every_body_of_a_campaign_is_signed() -> None:
    provider = a_provider()
    unsigned = Smtp(SmtpConfig.parse({"host": "mail.example", "from_address": "shop@bücher.example"}))
    bodies = [sent(unsigned, an_email(subject=f"Number {n}")) for n in range(3)]
    assert all(dkim.verify(body, dnsfunc=dns(provider)) for body in provider.finish(bodies))
    assert unsigned.finish(bodies) is bodies


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"dkim_private_key": "no key"}, "dkim_private_key"),
        ({"dkim_private_key": pem(generate_private_key(65537, 1024)).replace("A", "B")}, "dkim_private_key"),
        ({"dkim_private_key": pem(RSA), "dkim_selector": ""}, "dkim_selector"),
        ({"dkim_private_key": pem(RSA), "dkim_selector": "s 1"}, "dkim_selector"),
    ],
)
def test_settings_that_cannot_sign_are_refused_with_the_field(settings: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SmtpConfig.parse({**SETTINGS, **settings})
    assert refused.value.field == field


def test_a_key_is_never_printed() -> None:
    provider = a_provider()
    assert "PRIVATE" not in repr(provider.config) and "PRIVATE" not in repr(DkimKey.load("a.example", "s1", pem(RSA)))
