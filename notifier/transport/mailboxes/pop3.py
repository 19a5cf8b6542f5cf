"""A mailbox over POP3. The standard library's client refuses lines of more than 2,048 bytes, which bounces have."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from notifier.transport.mailboxes.open import MailboxError
from notifier.vocabulary.mail import BounceMailbox

#: bytes of one line, of one message, and of everything that a server may send
_LONGEST_LINE, _LARGEST, _MOST_BYTES = 64 * 1024, 32 * 1024 * 1024, 128 * 1024 * 1024
_STAT = re.compile(rb"\+OK (\d{1,9})")


class Pop3:
    """A session. Deletions take effect when it ends regularly; a session that is cut deletes nothing."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file: BinaryIO = connection.makefile("rb")
        self._received = 0
        self._check(self._line(), "the connection")

    def secure(self, tls: ssl.SSLContext, host: str) -> socket.socket:
        """Upgrade to TLS (RFC 2595). What the server sent before is forgotten, as the RFC demands."""
        self._command("STLS")
        self._file.close()
        self._connection = tls.wrap_socket(self._connection, server_hostname=host)
        self._file = self._connection.makefile("rb")
        return self._connection

    def log_in(self, user: str, password: str) -> None:
        self._command(f"USER {user}", "the user or the password")
        self._command(f"PASS {password}", "the user or the password")

    def quit(self) -> None:
        self._command("QUIT")

    def waiting(self, most: int) -> Sequence[str]:
        match = _STAT.match(self._command("STAT"))
        if match is None:
            raise MailboxError("the answer of the server makes no sense")
        return [str(number) for number in range(1, min(int(match[1]), most) + 1)]

    def read(self, name: str, most: int) -> bytes:
        self._command(f"RETR {name}")
        lines: list[bytes] = []
        kept = size = 0
        begins = True  #: the next piece begins a line
        while not ((line := self._line()) in (b".\r\n", b".\n") and begins):
            size += len(line)
            if size > _LARGEST:
                raise MailboxError("a message is too large")
            if kept < most:
                lines.append(line[1:] if begins and line.startswith(b".") else line)
                kept += len(line)
            begins = line.endswith(b"\n")
        return b"".join(lines)[:most]

    def finish(self, reports: Sequence[str], others: Sequence[str]) -> None:
        for name in (*reports, *others):
            self._command(f"DELE {name}")

    def _command(self, text: str, subject: str = "") -> bytes:
        self._connection.sendall(text.encode() + b"\r\n")
        return self._check(self._line(), subject or text.partition(" ")[0])

    def _check(self, answer: bytes, subject: str) -> bytes:
        if not answer.startswith(b"+OK"):
            raise MailboxError(f"the server refused {subject}")
        return answer

    def _line(self) -> bytes:
        """A line, or a piece of a line that is longer than _LONGEST_LINE."""
        line = self._file.readline(_LONGEST_LINE)
        self._received += len(line)
        if not line:
            raise EOFError
        if self._received > _MOST_BYTES:
            raise MailboxError("the server sends too much")
        return line


@contextlib.contextmanager
def open_pop3(connection: socket.socket, mailbox: BounceMailbox, tls: ssl.SSLContext | None) -> Iterator[Pop3]:
    """`tls`: to be started; None: the connection is encrypted already."""
    session = Pop3(connection)
    if tls is not None:
        connection = session.secure(tls, mailbox.host)
    with connection:
        session.log_in(mailbox.user, mailbox.password)
        yield session
        session.quit()
