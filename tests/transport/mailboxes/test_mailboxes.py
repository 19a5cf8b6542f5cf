"""Reading a mailbox over IMAP and POP3: Dovecot, which we did not write, and servers that mean no good."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from notifier.local.servers.ports import free_port
from notifier.sandbox.identity import load_identity
from notifier.transport import egress
from notifier.transport.mailboxes import MailboxError, open_mailbox
from notifier.vocabulary.mail import BounceMailbox
from tests.transport.mailboxes.dovecot import Dovecot

FIRST = b"Subject: first\r\n\r\nhello\r\n.dot\r\n..two dots\r\n"
LONG = b"Subject: long\r\n\r\n" + b"x" * 200_000 + b"\r\n.\r\n"
WAYS = [(protocol, security) for protocol in ("imap", "pop3") for security in ("tls", "starttls")]


@pytest.mark.parametrize(("protocol", "security"), WAYS)
def test_messages_are_read_once(trusted: Dovecot, protocol: str, security: str) -> None:
    user = f"{protocol}-{security}"
    trusted.deliver(user, FIRST, LONG, b"Subject: third\r\n\r\n")
    mailbox = trusted.mailbox(user, protocol, security)
    with open_mailbox(mailbox) as opened:
        first, second, _ = opened.waiting(10)
        assert opened.waiting(2) == [first, second]
        assert opened.read(first, 1_000) == FIRST
        assert opened.read(second, 1_000) == LONG[:1_000]
        assert opened.read(second, 1_000_000) == LONG
        opened.finish([first], [second])
    with open_mailbox(mailbox) as opened:
        [name] = opened.waiting(10)
        assert opened.read(name, 1_000).startswith(b"Subject: third")
    left = {message.split(b"\r\n")[0] for message in trusted.left(user)}
    kept = {b"Subject: long"} if protocol == "imap" else set()  # marked as read
    assert left == {b"Subject: third"} | kept


@pytest.mark.parametrize(("protocol", "security"), WAYS)
def test_a_session_that_breaks_off_deletes_nothing_that_was_not_finished(
    trusted: Dovecot, protocol: str, security: str
) -> None:
    user = f"broken-{protocol}-{security}"
    trusted.deliver(user, FIRST)
    with suppress(RuntimeError), open_mailbox(trusted.mailbox(user, protocol, security)) as opened:
        opened.read(opened.waiting(1)[0], 1_000)
        raise RuntimeError("the worker is killed")
    assert trusted.left(user) == [FIRST]


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_wrong_password_is_named_without_the_password(trusted: Dovecot, protocol: str) -> None:
    with (
        pytest.raises(MailboxError, match="refused the user or the password") as caught,
        open_mailbox(trusted.mailbox("ann", protocol, password="wrong-one"), timeout=60),
    ):
        pass
    assert "wrong-one" not in str(caught.value) and "ann" not in str(caught.value)


@pytest.mark.parametrize(("protocol", "security"), WAYS)
def test_a_certificate_that_nobody_signed_is_refused(mail_server: Dovecot, protocol: str, security: str) -> None:
    mailbox = mail_server.mailbox("ann", protocol, security)
    with pytest.raises(MailboxError, match="certificate is not valid"), open_mailbox(mailbox):
        pass


def test_an_internal_server_needs_the_operators_permission(mail_server: Dovecot) -> None:
    egress.allow([])
    with pytest.raises(MailboxError, match="INTERNAL_HOSTS"), open_mailbox(mail_server.mailbox("ann")):
        pass


# ---- servers that mean no good -------------------------------------------------------------------------------------

Talk = Callable[[socket.socket], None]


def hang(connection: socket.socket) -> None:
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"*")
        threading.Event().wait(0.05)


def endless_lines(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"* OK more\r\n" * 1_000)


def one_endless_line(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 65_536)


def noise(connection: socket.socket) -> None:
    connection.sendall(b"\x00\xff\r\n\r\n* BYE\r\n-ERR\r\n")


def a_capability_that_is_no_ascii(connection: socket.socket) -> None:
    connection.sendall(b"* OK ready\r\n")
    tag = connection.recv(1_000).split(b" ")[0]
    connection.sendall(b"* CAPABILITY \xff IMAP4REV1\r\n" + tag + b" OK done\r\n")
    connection.recv(1_000)


def a_number_of_many_digits(connection: socket.socket) -> None:
    connection.sendall(b"* OK ready\r\n")
    connection.recv(1_000)
    connection.sendall(b"* CAPABILITY {" + b"9" * 5_000 + b"}\r\n")
    connection.recv(1_000)


def a_challenge_that_is_no_base64(connection: socket.socket) -> None:
    connection.sendall(b"* OK [CAPABILITY IMAP4REV1 AUTH=PLAIN] ready\r\n")
    tag = connection.recv(1_000).split(b" ")[0]
    connection.sendall(b"* CAPABILITY IMAP4REV1 AUTH=PLAIN\r\n" + tag + b" OK done\r\n")
    connection.recv(1_000)
    connection.sendall(b"+ =\r\n+ A\r\n")
    connection.recv(1_000)


NONSENSE = [a_capability_that_is_no_ascii, a_number_of_many_digits, a_challenge_that_is_no_base64]


def a_giant_literal(connection: socket.socket) -> None:
    connection.sendall(b"* OK ready\r\n")
    connection.recv(1_000)
    connection.sendall(b"* CAPABILITY {9000000000}\r\n")
    one_endless_line(connection)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Talk, str], BounceMailbox]]:
    """Starts a server over TLS that talks so with each client."""
    identity = load_identity(tmp_path, "https://127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.ca))
    listener = socket.create_server(("127.0.0.1", 0))

    def start(talk: Talk, protocol: str) -> BounceMailbox:
        def serve() -> None:
            with suppress(OSError):
                plain, _ = listener.accept()
                with closing(_server_side(plain, identity.tls())) as connection, suppress(OSError):
                    talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        return BounceMailbox(protocol, "127.0.0.1", listener.getsockname()[1], "tls", "ann", "secret")

    yield start
    listener.close()


def _server_side(plain: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
    return tls.wrap_socket(plain, server_side=True)


@pytest.mark.parametrize("talk", [hang, drip, endless_lines, one_endless_line, noise, a_giant_literal, *NONSENSE])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_no_server_keeps_a_worker(hostile: Callable[[Talk, str], BounceMailbox], talk: Talk, protocol: str) -> None:
    with pytest.raises(MailboxError), open_mailbox(hostile(talk, protocol), timeout=1.0, deadline=1.5):
        pass


@pytest.mark.parametrize("host", ["a" * 64 + ".example.com", "a..example.com", "a." * 100 + "example.com"])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_name_that_no_host_can_have_is_no_connection(host: str, protocol: str) -> None:
    with (
        pytest.raises(MailboxError, match="no connection"),
        open_mailbox(BounceMailbox(protocol, host, 993, "tls", "ann", "secret")),
    ):
        pass


def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    mailbox = BounceMailbox("imap", "127.0.0.1", port, "tls", "ann", "secret")
    with pytest.raises(MailboxError, match="no connection"), open_mailbox(mailbox):
        pass
