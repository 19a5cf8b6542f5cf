"""A mailbox over IMAP4rev1, with the standard library's client."""

from __future__ import annotations

import contextlib
import imaplib
import socket
import ssl
from collections.abc import Iterator, Sequence

from notifier.transport.mailboxes.open import MailboxError
from notifier.vocabulary.mail import BounceMailbox

#: bytes that a server may send for one mailbox: 200 messages of 256 kB, and their frames
_MOST_BYTES = 64 * 1024 * 1024


class _Client(imaplib.IMAP4):
    """Over a connection that is open already. Refuses a server that sends more than _MOST_BYTES: the standard library
    reads a literal of any size."""

    def __init__(self, connection: socket.socket, host: str) -> None:
        self._connection, self._received = connection, 0
        super().__init__(host)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        self.host, self.port, self.sock = host, port, self._connection
        self.file = self.sock.makefile("rb")

    def read(self, size: int) -> bytes:
        self._count(size)
        return super().read(size)

    def readline(self) -> bytes:
        line = super().readline()
        self._count(len(line))
        return line

    def _count(self, size: int) -> None:
        self._received += size
        if self._received > _MOST_BYTES:
            raise self.abort("the server sends too much")


class Imap:
    """The folder INBOX. A read message has the flag \\Seen or is deleted."""

    def __init__(self, client: imaplib.IMAP4) -> None:
        self._client = client

    def waiting(self, most: int) -> Sequence[str]:
        found = self._command("SEARCH", "UNSEEN", "UNDELETED")
        numbers = [number for line in found if isinstance(line, bytes) for number in line.split()]
        return [number.decode("ascii", "replace") for number in numbers[:most] if number.isdigit()]

    def read(self, name: str, most: int) -> bytes:
        parts = self._command("FETCH", name, f"(BODY.PEEK[]<0.{most}>)")
        return next((part[1][:most] for part in parts if isinstance(part, tuple)), b"")

    def finish(self, reports: Sequence[str], others: Sequence[str]) -> None:
        if others:
            self._command("STORE", ",".join(others), "+FLAGS.SILENT", r"(\Seen)")
        if reports:
            self._command("STORE", ",".join(reports), "+FLAGS.SILENT", r"(\Seen \Deleted)")
            self._expunge(reports)

    def _expunge(self, names: Sequence[str]) -> None:
        # without UIDPLUS (RFC 4315) EXPUNGE also removes what another client marked as deleted
        if "UIDPLUS" in self._client.capabilities:
            self._command("EXPUNGE", ",".join(names))
        else:
            with _answers_checked():
                self._client.expunge()

    def _command(self, *args: str) -> list[object]:
        with _answers_checked():
            kind, data = self._client.uid(*args)
        if kind != "OK":
            raise MailboxError(f"the server refused {args[0]}")
        return list(data)


@contextlib.contextmanager
def open_imap(connection: socket.socket, mailbox: BounceMailbox, tls: ssl.SSLContext | None) -> Iterator[Imap]:
    """`tls`: to be started; None: the connection is encrypted already."""
    with _answers_checked():
        client = _Client(connection, mailbox.host)
        if tls is not None:
            client.starttls(tls)
    with client.sock:
        with _answers_checked():
            _log_in(client, mailbox)
            if client.select("INBOX")[0] != "OK":
                raise MailboxError("the mailbox has no INBOX")
        yield Imap(client)
        with _answers_checked():
            client.logout()


@contextlib.contextmanager
def _answers_checked() -> Iterator[None]:
    """Raises MailboxError for an answer that makes no sense: the standard library raises ValueError for a number of
    5,000 digits, for a capability that is no ASCII and for a challenge that is no base64, and more for other
    nonsense."""
    try:
        yield
    except OSError:
        raise  # that of a certificate is a ValueError, too
    except (imaplib.IMAP4.error, LookupError, TypeError, ValueError, AttributeError):
        raise MailboxError("the server refused a command, or its answer makes no sense") from None


def _log_in(client: imaplib.IMAP4, mailbox: BounceMailbox) -> None:
    try:
        if "AUTH=PLAIN" in client.capabilities:
            # takes any character, which LOGIN does not
            client.authenticate("PLAIN", lambda _: f"\0{mailbox.user}\0{mailbox.password}".encode())
        else:
            client.login(_quoted(mailbox.user), mailbox.password)
    except client.abort:
        raise
    except (client.error, UnicodeError):
        raise MailboxError("the server refused the user or the password") from None


def _quoted(text: str) -> str:
    """A quoted string (RFC 3501 §4.3); the standard library quotes the password only."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
