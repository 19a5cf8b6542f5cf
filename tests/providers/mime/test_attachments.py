"""An email with everything, read back by parsers that we did not write, and taken by aiosmtpd."""

from __future__ import annotations

import email
import email.policy
import smtplib
from email.message import EmailMessage as Parsed
from typing import Any

import mailparser
from aiosmtpd.controller import Controller

from notifier.local.servers.ports import free_port
from notifier.providers.mime import compose
from notifier.vocabulary.mail import Mailbox
from tests.providers.full_emails import PDF, PNG, SUBJECT, TEXT, full_email

ACCOUNT = Mailbox("account@acme.example", "Account")
RAW = compose(full_email(), ACCOUNT)


def test_the_standard_library_gives_everything_back() -> None:
    mail = email.message_from_bytes(RAW, policy=email.policy.SMTP)
    assert isinstance(mail, Parsed) and not any(part.defects for part in mail.walk())
    assert mail["Subject"] == SUBJECT
    assert str(mail["From"]) == '"Müller, Söhne" <news@xn--bcher-kva.example>'
    assert str(mail["Reply-To"]) == "Hilfe <help@acme.example>, ann@acme.example"
    assert (mail["X-Order"], mail["References"]) == ("Nr. 4711 – Größe", "<a@b.example>")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and text.get_content().replace("\r\n", "\n") == TEXT
    assert html is not None and '<img src="cid:logo">' in html.get_content() and "Vorschau" in html.get_content()
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
        "application/pdf", "text/plain",
    ]  # fmt: skip
    image, pdf, terms = (part for part in mail.walk() if part.get_content_disposition())
    assert (image["Content-ID"], image.get_content_disposition(), image.get_content()) == ("<logo>", "inline", PNG)
    assert (pdf.get_filename(), pdf.get_content()) == ("Rechnung März.pdf", PDF)
    assert (terms.get_filename(), terms.get_payload(decode=True)) == ("terms.txt", b"a\r\n")
    assert all(len(line) <= 998 for line in RAW.split(b"\r\n")) and RAW.isascii()


def test_mail_parser_gives_everything_back() -> None:
    mail = mailparser.parse_from_bytes(RAW)
    assert (mail.subject, mail.from_) == (SUBJECT, [("Müller, Söhne", "news@xn--bcher-kva.example")])
    assert mail.to == [("", "ann@mail.example")]
    assert mail.reply_to == [("Hilfe", "help@acme.example"), ("", "ann@acme.example")]
    assert TEXT in mail.text_plain[0].replace("\r\n", "\n") and "cid:logo" in mail.text_html[0]
    assert {part["filename"] for part in mail.attachments} == {"logo.png", "Rechnung März.pdf", "terms.txt"}
    assert not mail.defects


def test_aiosmtpd_takes_it() -> None:
    received: list[bytes] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            received.append(envelope.content)
            return "250 OK"

    port = free_port()
    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail(ACCOUNT.address, ["ann@mail.example"], RAW)
    finally:
        controller.stop()
    assert received == [RAW]


def test_headers_follow_the_kind_of_the_message() -> None:
    marketing = email.message_from_bytes(compose(full_email(unsubscribe_url="https://n.example/u/1"), ACCOUNT))
    assert marketing["List-Unsubscribe"] == "<https://n.example/u/1>"
    assert marketing["List-ID"].startswith("<news.") and marketing["List-ID"].endswith(".example>")
    assert marketing["Auto-Submitted"] is None and marketing["Feedback-ID"].startswith("single:news:email:")
    single = email.message_from_bytes(RAW)
    assert (single["Auto-Submitted"], single["List-ID"], single["List-Unsubscribe"]) == ("auto-generated", None, None)
