"""Emails with everything that an email can be."""

from __future__ import annotations

from typing import Any

from notifier.channels.base import Envelope
from notifier.channels.email import EmailMessage
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.mail import Attachment, Mailbox
from notifier.vocabulary.people import Address

PDF, PNG = b"%PDF-1.7 " + bytes(range(256)) * 40, b"\x89PNG" + bytes(200)
SUBJECT = "Grüße aus Wien – 東京 😀 & <Co>"
TEXT = "Guten Tag, O'Neil & <Co>!\n\n.\nFrom here: ünïcode 😀"
HTML = '<html><body><p>Grüße, O&#x27;Neil</p><img src="cid:logo"></body></html>'


def envelope(**fields: Any) -> Envelope:
    return Envelope(new_id(), new_id(), new_id(), Address("ann@mail.example"), "k", **fields)


def email_with(*, size: int) -> EmailMessage:
    """An email with one file of so many bytes; none for 0."""
    files = (Attachment("a.bin", "application/octet-stream", size),) if size else ()
    return EmailMessage(envelope(), "Hi", text="x", attachments=files)


def full_email(**fields: Any) -> EmailMessage:
    """With a sender, replies to two addresses, headers, both texts, an image and two files."""
    return EmailMessage(
        envelope(category="news", **fields),
        SUBJECT,
        text=TEXT,
        html=HTML,
        preheader="Vorschau",
        sender=Mailbox("news@bücher.example", "Müller, Söhne"),
        reply_to=(Mailbox("help@acme.example", "Hilfe"), Mailbox("ann@acme.example")),
        headers={"X-Order": "Nr. 4711 – Größe", "References": "<a@b.example>"},
        attachments=(
            Attachment("logo.png", "image/png", len(PNG), "logo", lambda: PNG),
            Attachment("Rechnung März.pdf", "application/pdf", len(PDF), load=lambda: PDF),
            Attachment("terms.txt", "text/plain", 3, load=lambda: b"a\r\n"),
        ),
    )
