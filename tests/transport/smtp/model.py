"""An SMTP server as a function: bytes in, replies out, faults by recipient. For tests of our side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OFFERS = ("PIPELINING", "SIZE 10240000", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN XOAUTH2", "STARTTLS")

#: local part of a recipient -> the command whose reply is bad, and the reply
FAULTS: Mapping[str, tuple[str, bytes]] = {
    "nobody": ("RCPT", b"550 5.1.1 no such user"),
    "later": ("RCPT", b"451-4.7.1 greylisted\r\n451 4.7.1 come back"),
    "sender": ("MAIL", b"550 5.7.1 sender refused"),
    "nodata": ("DATA", b"554 5.5.1 no data now"),
    "spam": (".", b"554 5.7.1 that is spam"),
    "full": (".", b"452 4.2.2 mailbox full"),
    "closing": (".", b"421 4.3.2 going down"),
}


@dataclass
class Server:
    """`careless`: DATA is answered 354 although no recipient was taken, as some servers do."""

    offers: tuple[str, ...] = OFFERS
    careless: bool = False
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)
    _rest: bytes = b""
    _sender: str | None = None
    _recipients: list[str] = field(default_factory=list)
    _fate: str = ""
    _text: list[bytes] | None = None
    closed: bool = False

    def greeting(self) -> bytes:
        return b"220 model.example ESMTP\r\n"

    def receive(self, data: bytes) -> bytes:
        """The replies to what is complete. Without PIPELINING more than one command at a time is an error."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        replies: list[bytes] = []
        for line in lines:
            if not self.closed and (reply := self._line(line)):
                replies.append(reply + b"\r\n")
        if "PIPELINING" not in self.offers:
            assert len(replies) <= 1, "commands were pipelined"
        return b"".join(replies)

    def _line(self, line: bytes) -> bytes:
        if self._text is not None:
            return self._text_line(line)
        verb = line.split(b" ")[0].upper().decode()
        return getattr(self, f"_on_{verb.lower()}", self._on_unknown)(line)

    def _text_line(self, line: bytes) -> bytes:
        assert self._text is not None
        if line != b".":
            self._text.append(line[1:] if line.startswith(b".") else line)
            return b""
        text, self._text = self._text, None
        sender, recipients = self._sender, self._recipients
        self._sender, self._recipients = None, []
        if not recipients:
            return b"554 5.5.1 no valid recipients"
        if self._fate in FAULTS and FAULTS[self._fate][0] == ".":
            self.closed = self._fate == "closing"
            return FAULTS[self._fate][1]
        assert sender is not None
        self.taken.append((sender, recipients[0], b"\r\n".join([*text, b""])))
        return b"250 2.0.0 queued as ABC123"

    def _on_ehlo(self, line: bytes) -> bytes:
        return b"\r\n".join([b"250-model.example", *(b"250-" + offer.encode() for offer in self.offers), b"250 OK"])

    def _on_mail(self, line: bytes) -> bytes:
        if self._sender is not None:
            return b"503 5.5.1 nested MAIL"
        address = line[line.index(b"<") + 1 : line.index(b">")].decode()
        self._sender = address
        if address.startswith("sender@"):
            self._sender = None
            return FAULTS["sender"][1]
        return b"250 2.1.0 ok"

    def _on_rcpt(self, line: bytes) -> bytes:
        if self._sender is None:
            return b"503 5.5.1 MAIL first"
        address = line[line.index(b"<") + 1 : line.index(b">")].decode()
        fate = address.partition("@")[0].partition("+")[0]
        if fate in FAULTS and FAULTS[fate][0] == "RCPT":
            return FAULTS[fate][1]
        self._fate = fate
        self._recipients.append(address)
        return b"250 2.1.5 ok"

    def _on_data(self, line: bytes) -> bytes:
        if not self._recipients and not (self.careless and self._sender is not None):
            return b"503 5.5.1 RCPT first"
        if self._recipients and self._fate == "nodata":
            return FAULTS["nodata"][1]
        self._text = []
        return b"354 go on"

    def _on_rset(self, line: bytes) -> bytes:
        self._sender, self._recipients = None, []
        return b"250 2.0.0 ok"

    def _on_quit(self, line: bytes) -> bytes:
        self.closed = True
        return b"221 2.0.0 bye"

    def _on_unknown(self, line: bytes) -> bytes:
        return b"502 5.5.2 what?"
