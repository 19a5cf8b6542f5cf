"""Reads a mailbox over IMAP (RFC 3501) or POP3 (RFC 1939), for bounces.

`notifier.delivery.bounces` calls `open_mailbox`; this package imports only the vocabulary and `egress`. open.py chooses
between imap.py and pop3.py; deadline.py ends a connection to a server that is too slow or says too much.
"""

from notifier.transport.mailboxes.open import MailboxError, OpenMailbox, open_mailbox

__all__ = ["MailboxError", "OpenMailbox", "open_mailbox"]
