"""Opens a mailbox, whichever protocol it speaks."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Protocol

from notifier.transport import egress
from notifier.transport.mailboxes.deadline import closed_after
from notifier.vocabulary.mail import BounceMailbox

#: seconds for the connection, and for each answer
TIMEOUT = 10.0
#: seconds for everything that is done with an open mailbox
DEADLINE = 60.0
#: addresses of a server that are tried; a name may have hundreds
MOST_ADDRESSES = 3


class MailboxError(Exception):
    """The mailbox could not be read. The text names no user and no address."""


class OpenMailbox(Protocol):
    """A mailbox while it is open. A message is named by a text that is valid until the mailbox is closed."""

    def waiting(self, most: int) -> Sequence[str]:
        """The names of up to `most` messages that were not read yet, oldest first."""
        ...

    def read(self, name: str, most: int) -> bytes:
        """The first `most` bytes of a message."""
        ...

    def finish(self, reports: Sequence[str], others: Sequence[str]) -> None:
        """Never return these messages again. Reports are deleted; other messages are deleted only where the protocol
        cannot mark them as read."""
        ...


@contextlib.contextmanager
def open_mailbox(
    mailbox: BounceMailbox, *, timeout: float = TIMEOUT, deadline: float = DEADLINE
) -> Iterator[OpenMailbox]:
    """The mailbox, open for `deadline` seconds at most. Raises MailboxError, also for what fails inside the block."""
    # imported here: only the workers of one queue read mailboxes
    from notifier.transport.mailboxes.imap import open_imap
    from notifier.transport.mailboxes.pop3 import open_pop3

    open_ = open_imap if mailbox.protocol == "imap" else open_pop3
    tls = ssl.create_default_context()
    try:
        with _connect(mailbox.host, mailbox.port, min(timeout, deadline)) as plain, closed_after(plain, deadline):
            secure = mailbox.security == "tls"
            connection = tls.wrap_socket(plain, server_hostname=mailbox.host) if secure else plain
            with connection, open_(connection, mailbox, None if secure else tls) as opened:
                yield opened
    except egress.InternalHost as error:
        raise MailboxError(str(error)) from None
    except ssl.SSLCertVerificationError as error:
        raise MailboxError(f"the server's certificate is not valid: {error.verify_message}") from None
    except TimeoutError:
        raise MailboxError("the server does not answer") from None
    except (OSError, EOFError) as error:
        raise MailboxError(f"no connection ({type(error).__name__})") from None


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    """A connection to the first address that answers; to internal ones only where the operator allows them."""
    addresses = egress.resolve(host, port)[:MOST_ADDRESSES]
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), timeout)
    return socket.create_connection((addresses[-1], port), timeout)
