"""The login to an SMTP server (RFC 4954) by AUTH PLAIN, LOGIN or XOAUTH2, one line at a time. Does no I/O."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field

from notifier.transport.smtp.replies import Reply

CONTINUE = 334


@dataclass(frozen=True)
class Login:
    """`token`: an OAuth access token instead of a password."""

    user: str
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


class Negotiation:
    """`offered`: the mechanisms that the server announces; `encrypted`: whether the connection uses TLS. When no
    mechanism can be used, the first `next_line` returns None, and `problem` says why."""

    def __init__(self, login: Login, offered: str, encrypted: bool) -> None:
        self.problem = ""
        self._login = login
        self._lines = self._choose(set(offered.upper().split()), encrypted)

    def next_line(self, reply: Reply | None) -> bytes | None:
        """The next line for the server; None when there is none. `reply`: the server's reply to the line before."""
        if reply is not None and reply.code != CONTINUE:
            return None
        return next(self._lines, None)

    def _choose(self, offered: set[str], encrypted: bool) -> Iterator[bytes]:
        if not encrypted:
            self.problem = "a password is sent over an encrypted connection only"
            return iter(())
        if self._login.token:
            return self._auth_xoauth2() if "XOAUTH2" in offered else self._unsupported("XOAUTH2", offered)
        if "PLAIN" in offered:
            return self._auth_plain()
        return self._auth_login() if "LOGIN" in offered else self._unsupported("PLAIN or LOGIN", offered)

    def _unsupported(self, needed: str, offered: set[str]) -> Iterator[bytes]:
        self.problem = f"the server offers no {needed}; it offers: {', '.join(sorted(offered)) or 'nothing'}"
        return iter(())

    def _auth_plain(self) -> Iterator[bytes]:
        yield b"AUTH PLAIN " + b64encode(f"\0{self._login.user}\0{self._login.password}".encode())

    def _auth_login(self) -> Iterator[bytes]:
        yield b"AUTH LOGIN"
        yield b64encode(self._login.user.encode())
        yield b64encode(self._login.password.encode())

    def _auth_xoauth2(self) -> Iterator[bytes]:
        """https://developers.google.com/gmail/imap/xoauth2-protocol. An empty line asks the server for its error."""
        yield b"AUTH XOAUTH2 " + b64encode(
            f"user={self._login.user}\x01auth=Bearer {self._login.token}\x01\x01".encode()
        )
        yield b""
