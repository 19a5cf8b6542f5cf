"""Email: a subject, and a text, an HTML page, or both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.channels.base import Channel, Envelope, Message
from notifier.errors import InvalidInput
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.mail import Attachment, Mailbox
from notifier.vocabulary.people import Address, Person

#: a practical subset of RFC 5321 §4.1.2: one @, a domain with a dot, no quotes, no spaces. Unicode is allowed (RFC
#: 6531)
ADDRESS = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@(?:[^\s@.<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,63}\.)+"
    r"[^\s@.<>()\[\]\\,;:\"\x00-\x1f\x7f]{2,63}"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class EmailMessage(Message):
    """`preheader`: the text that a mail client shows after the subject. `sender`: None means the account's own.
    `headers`: those of the template; the headers that every message gets are in `notifier.providers.email_headers`."""

    subject: str
    text: str = ""
    html: str = ""
    preheader: str = ""
    sender: Mailbox | None = None
    reply_to: tuple[Mailbox, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()


class Email(Channel):
    name = "email"
    parts = {"subject": True, "text": False, "html": False, "preheader": False}
    carries_unsubscribe_url = True
    html_parts = frozenset({"html"})
    divisible = frozenset({"text", "html"})
    longest = {"subject": 250, "preheader": 250, "text": 60_000, "html": 60_000}
    inspected = frozenset({"subject", "preheader"})
    #: a repeat carries the same Message-ID, so that the mail service hides it
    repeat_when_in_doubt = True
    window = 400

    def addresses(self, person: Person) -> tuple[Address, ...]:
        return (Address(person.email),) if person.email else ()

    def check_address(self, address: str, is_recipient: Callable[[str], bool]) -> str:
        if not ADDRESS.fullmatch(address):
            raise InvalidInput("An email address looks like name@example.com.", field="address")
        return address

    def check_parts(self, parts: Mapping[str, Any]) -> None:
        super().check_parts(parts)
        if not parts.get("text") and not parts.get("html"):
            raise InvalidInput("email needs the part 'text' or 'html'.", field="text")

    def check_content(self, parts: Mapping[str, Any], rules: TenantRules) -> None:
        super().check_content(parts, rules)
        for part in ("subject", "preheader"):
            if _CONTROL.search(parts.get(part, "")):
                raise InvalidInput(f"The {part} holds a line break or a control character.", field=part)

    def message(self, envelope: Envelope, content: Mapping[str, Any]) -> EmailMessage:
        return EmailMessage(
            envelope,
            subject=content["subject"],
            text=content.get("text", ""),
            html=content.get("html", ""),
            preheader=content.get("preheader", ""),
        )
