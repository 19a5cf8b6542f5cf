"""What an email is made of besides its texts: mailboxes and attachments; and the mailbox to which bounces come back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

#: a practical subset of RFC 5321 §4.1.2: one @, a domain with a dot, no quotes, no spaces. Unicode is allowed (RFC
#: 6531)
ADDRESS = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@(?:[^\s@.<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,63}\.)+"
    r"[^\s@.<>()\[\]\\,;:\"\x00-\x1f\x7f]{2,63}"
)
#: the name of a server (RFC 1123 §2.1), or its IPv4 address: labels of 1 to 63 letters, digits and hyphens
HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
#: one entry of a list of mailboxes: `ann@acme.example`, `Ann <ann@acme.example>` or `"Ann, Acme" <ann@acme.example>`
_ENTRY = re.compile(r'\s*(?:(?:"((?:[^"\\]|\\.)*)"|([^"<>,]*))\s*<([^<>\s]*)>|([^"<>,\s]+))\s*(?:,|$)')
_ESCAPED = re.compile(r"\\(.)")
LONGEST_NAME = 200


@dataclass(frozen=True)
class Mailbox:
    """An address with the name that a mail client shows for it (RFC 5322 §3.4). `name` may be empty."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    def __str__(self) -> str:
        """As `parse_mailboxes` reads it."""
        if not self.name:
            return self.address
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.address}>'


@dataclass(frozen=True)
class BounceMailbox:
    """Where bounces are read. `protocol`: imap or pop3; `security`: tls or starttls."""

    protocol: str
    host: str
    port: int
    security: str
    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Attachment:
    """A file of an email. `content_id` is set for an image that the page shows by `cid:`; such an image is no separate
    file. The content is read from the storage when a provider builds the request, in the batch's own thread."""

    name: str
    content_type: str
    size: int
    content_id: str = ""
    load: Callable[[], bytes] = field(default=bytes, repr=False, compare=False)

    @property
    def content(self) -> bytes:
        """Raises Unreadable when the storage does not give the file."""
        return self.load()


@dataclass(frozen=True)
class NewFile:
    """A file that a request or a template brings. `digest`: SHA-256 of the content."""

    digest: str
    name: str
    content_type: str
    content: bytes = field(repr=False)


class Unreadable(ValueError):
    """The storage does not give a file, or gives another one than was stored."""


@lru_cache(maxsize=1000)
def parse_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """The mailboxes of a header such as Reply-To, in their order; () for an empty text. Raises ValueError, which says
    what is wrong. Cached: From and Reply-To are mostly the same for all messages of a template."""
    mailboxes: list[Mailbox] = []
    at = 0
    while at < len(text):
        entry = _ENTRY.match(text, at)
        if entry is None:
            raise ValueError("write name@example.com or Name <name@example.com>, with commas between several")
        quoted, plain, bracketed, bare = entry.groups()
        name = _ESCAPED.sub(r"\1", quoted) if quoted is not None else (plain or "").strip()
        mailboxes.append(_mailbox(bracketed if bracketed is not None else bare, name))
        at = entry.end()
    return tuple(mailboxes)


def _mailbox(address: str, name: str) -> Mailbox:
    if not ADDRESS.fullmatch(address):
        raise ValueError(f"{address[:80]!r} is no email address such as name@example.com")
    if not address.rpartition("@")[0].isascii():
        raise ValueError(f"the part of {address[:80]!r} before @ is not ASCII, which many mail servers do not take")
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise ValueError(f"a name has at most {LONGEST_NAME} characters, and no line break or invisible character")
    return Mailbox(address, name)
