"""Which From addresses and names a tenant may use."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from notifier.errors import InvalidInput
from notifier.models import Sender
from notifier.vocabulary.mail import Mailbox, parse_mailboxes


def checked_sender(tenant_id: uuid.UUID, text: str) -> str:
    """The sender of the part `from` as messages carry it: with the name of the tenant's sender if the part has none.
    Raises InvalidInput, without a field."""
    try:
        mailboxes = parse_mailboxes(text)
    except ValueError as error:
        raise InvalidInput(f"The sender cannot be read: {error}.") from None
    if len(mailboxes) != 1:
        raise InvalidInput("A message has one sender: name@example.com or Name <name@example.com>.")
    senders = list(Sender.objects.filter(tenant_id=tenant_id))
    return str(allowed_mailbox(mailboxes[0], [(sender.address, sender.name) for sender in senders]))


def allowed_mailbox(mailbox: Mailbox, senders: Iterable[tuple[str, str]]) -> Mailbox:
    """The mailbox with its name. `senders`: address, or `@` and a domain, and name of each. Raises InvalidInput."""
    address = mailbox.address.lower()
    names = [name for sender, name in senders if sender.lower() in (address, f"@{mailbox.domain.lower()}")]
    if not names:
        raise InvalidInput(
            f"{mailbox.address} is no sender of this tenant. An owner adds it in the admin under Senders, or the part"
            " from names one that is there."
        )
    if mailbox.name:
        if mailbox.name not in names and "" not in names:
            raise InvalidInput(
                f"The sender {mailbox.address} has the name {names[0]!r}. Use it, leave the name out, or let an owner"
                " add this name in the admin under Senders."
            )
        return mailbox
    return Mailbox(mailbox.address, next(iter(sorted(filter(None, names))), ""))
