"""Email: a subject, and a text, an HTML page, or both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.channels.base import Channel, Envelope, Message
from notifier.errors import InvalidInput
from notifier.values.email_address import stored_email
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.mail import ADDRESS, Attachment, Mailbox, parse_mailboxes
from notifier.vocabulary.people import Address, Person

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,59}")
#: headers beside X-… that a template may have: none that this program, MIME or the route of a message needs
HEADERS = frozenset({
    "comments", "content-language", "importance", "in-reply-to", "keywords", "list-archive", "list-help", "list-owner",
    "organization", "priority", "references", "sensitivity",
})  # fmt: skip
#: services that take commands from these headers, recipients among them: SendGrid and SparkPost
_COMMANDS = frozenset({"x-smtpapi", "x-msys-api"})
MOST_HEADERS, LONGEST_HEADER = 20, 500
MOST_REPLY_TO = 5


@dataclass(frozen=True)
class EmailMessage(Message):
    """`preheader`: the text that a mail client shows after the subject. `sender`: None means the account's own.
    `headers`: those of the template; the headers that every message gets are in
    `notifier.providers.common.email_headers`."""

    subject: str
    text: str = ""
    html: str = ""
    preheader: str = ""
    sender: Mailbox | None = None
    reply_to: tuple[Mailbox, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()

    @property
    def file_bytes(self) -> int:
        return sum([attachment.size for attachment in self.attachments]) if self.attachments else 0


class Email(Channel):
    name = "email"
    address_sql = "r.email"
    parts = {
        "subject": True, "text": False, "html": False, "preheader": False,
        "from": False, "reply_to": False, "headers": False, "attachments": False,
    }  # fmt: skip
    carries_unsubscribe_url = True
    html_parts = frozenset({"html"})
    divisible = frozenset({"text", "html"})
    object_parts = frozenset({"headers"})
    file_parts = frozenset({"attachments"})
    fixed_parts = frozenset({"from"})
    text_of = {"text": "html"}
    sender_part = "from"
    longest = {"subject": 250, "preheader": 250, "text": 60_000, "html": 60_000, "from": 500, "reply_to": 1000}
    inspected = frozenset({"subject", "preheader", "from", "reply_to", "headers"})
    #: a repeat carries the same Message-ID, so that the mail service hides it
    repeat_when_in_doubt = True
    multiline = frozenset({"text"})
    advanced = frozenset({"from", "reply_to", "headers"})
    look = "mail"
    part_help = {
        "subject": "the line that the list of messages shows",
        "text": "for mail programs without HTML; without it the text is made from the html",
        "html": "the page, in HTML or in MJML",
        "preheader": "the line that mail programs show after the subject",
        "from": "one of the tenant's senders; without it the provider account's own",
        "reply_to": "where answers go",
        "headers": "an object of texts, such as X-Order",
        "attachments": "files for every recipient",
    }
    window = 400

    def in_flight(self, streams: int) -> int:
        return self.window  # a connection carries one message at a time; the others would wait inside the transport

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return (Address(person.email),) if person.email else ()

    def check_address(self, address: str, is_recipient: Callable[[str], bool]) -> str:
        if not ADDRESS.fullmatch(address):
            raise InvalidInput("An email address looks like name@example.com.", field="address")
        return self.stored_spelling(address)

    def stored_spelling(self, address: str) -> str:
        return stored_email(address)

    def check_parts(self, parts: Mapping[str, Any]) -> None:
        super().check_parts(parts)
        if not parts.get("text") and not parts.get("html"):
            raise InvalidInput("email needs the part 'text' or 'html'.", field="text")
        headers = parts.get("headers") or {}
        if not isinstance(headers, Mapping) or len(headers) > MOST_HEADERS:
            raise InvalidInput(f"headers is an object of at most {MOST_HEADERS} texts.", field="headers")
        for name in headers:
            _check_header_name(name)

    def check_content(self, parts: Mapping[str, Any], rules: TenantRules) -> None:
        super().check_content(parts, rules)
        for part in ("subject", "preheader"):
            if _CONTROL.search(parts.get(part, "")):
                raise InvalidInput(f"The {part} holds a line break or a control character.", field=part)
        for part, most in (("from", 1), ("reply_to", MOST_REPLY_TO)):
            if text := parts.get(part):
                _check_mailboxes(text, part, most)
        for name, value in parts.get("headers", {}).items():
            if len(value) > LONGEST_HEADER or not value.isprintable():
                raise InvalidInput(
                    f"A header has at most {LONGEST_HEADER} characters, and no line break or invisible character.",
                    field=f"headers.{name}",
                )

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> EmailMessage:
        sender, reply_to = content.get("from"), content.get("reply_to")
        return EmailMessage(
            envelope,
            subject=content["subject"],
            text=content.get("text", ""),
            html=content.get("html", ""),
            preheader=content.get("preheader", ""),
            sender=parse_mailboxes(sender)[0] if sender else None,
            reply_to=parse_mailboxes(reply_to) if reply_to else (),
            headers=content.get("headers") or {},
            attachments=content.get("attachments") or (),
        )


def _check_mailboxes(text: str, part: str, most: int) -> None:
    try:
        count = len(parse_mailboxes(text))
    except ValueError as error:
        raise InvalidInput(f"The {part} cannot be read: {error}.", field=part) from None
    if not 1 <= count <= most:
        raise InvalidInput(f"The {part} has {count} addresses; it may have 1 to {most}.", field=part)


def _check_header_name(name: str) -> None:
    lower = name.lower()
    if not _HEADER_NAME.fullmatch(name):
        raise InvalidInput(
            "A header's name begins with a letter and has at most 60 letters, digits and hyphens: X-Order.",
            field=f"headers.{name[:60]}",
        )
    if lower in _COMMANDS or not (lower.startswith("x-") or lower in HEADERS):
        remedy = (
            "Use the part reply_to."
            if lower == "reply-to"
            else "Use the part from."
            if lower == "from"
            else (f"Use a name that begins with X-, or one of: {', '.join(sorted(HEADERS))}.")
        )
        raise InvalidInput(f"A template may not set the header {name}. {remedy}", field=f"headers.{name}")
