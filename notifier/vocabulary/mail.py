"""What an email is made of besides its texts: mailboxes and attachments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mailbox:
    """An address with the name that a mail client shows for it (RFC 5322 §3.4). `name` may be empty."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


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
