"""One SMTP connection as a function (RFC 5321, 2920, 3207, 4954, 6531): replies in, answers out; messages in, bytes
out. Does no I/O.

A server that announces PIPELINING gets the end of one message and the envelope of the next (MAIL, RCPT, DATA) in one
write. A message then costs one round trip instead of four: 35 µs of CPU, where clients without it take 300.
A server without PIPELINING gets one command at a time. When a connection is lost, at most one of its messages is in
doubt: the message whose final dot was written and not answered.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from notifier.transport.smtp.login import Login, Negotiation
from notifier.transport.smtp.replies import ProtocolError, Reply, ReplyParser, extensions_of
from notifier.vocabulary.http import Response, TransportError

#: messages that a connection has in flight: one whose body was sent, and one whose envelope is sent with that body
PIPELINE_DEPTH = 2
#: bytes a second of the slowest network that is waited for: a message of 10 MB takes longer than a timeout
SLOWEST_UPLOAD = 500_000
SERVICE_CLOSING = 421  #: the reply of a server that closes the connection

Finished = tuple["Mail", Response | TransportError]


class Security(enum.StrEnum):
    """How the connection is encrypted."""

    TLS = "tls"  #: from the first byte (port 465)
    STARTTLS = "starttls"  #: after EHLO; a server that does not offer STARTTLS gets no message
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Mail:
    """One message. `slot`: the caller's name for the message. `sender` and `recipient`: the envelope's addresses. A
    message without a recipient is a probe: it asks whether the server takes mail of the sender, and sends nothing. The
    body has CRLF line ends, and its dots are not doubled. `timeout`: seconds from its begin, or from the answer to the
    message before it on the connection."""

    slot: Any
    sender: str
    recipient: str
    body: bytes
    timeout: float
    dots: bool = True  #: a line may begin with a dot


@dataclass(slots=True)
class _Envelope:
    """The open mail transaction of one message, from MAIL until the body is written."""

    mail: Mail
    failure: Response | None = None
    withdrawn: bool = False


#: what a command belongs to: the envelope of a message, the body of a message, or the session (None)
_Context = _Envelope | Mail | None


class Connection:
    """`hello`: our host name, for EHLO. The owner of the connection writes what `data_to_send` returns, hands received
    bytes to `receive`, and starts TLS when `wants_tls` is set."""

    def __init__(self, hello: str, security: Security, login: Login | None = None) -> None:
        self._hello, self._security, self._login = hello, security, login
        self._parser = ReplyParser()
        self._out: list[bytes] = []
        #: the commands whose replies are due, in the order of the replies: (kind, context)
        self._expected: deque[tuple[str, _Context]] = deque()
        #: commands that wait for the reply to the command before them (a server without PIPELINING)
        self._unsent: deque[tuple[bytes, str, _Context]] = deque()
        self._waiting: deque[Mail] = deque()
        self._envelope: _Envelope | None = None
        self._finished: list[Finished] = []
        self._negotiation: Negotiation | None = None
        self._current: tuple[str, _Context] | None = None  #: the command whose reply is being handled
        self._reset = False  #: the last transaction was refused: RSET must end it
        self._body_unsent = False  #: `data_to_send` has not returned the newest body yet
        self._quit_sent = False
        self._spoke_helo = False  #: the server refused EHLO
        self.extensions: dict[str, str] = {}
        self.ready = False
        self.established = False  #: the connection was ready once
        self.wants_tls = False
        self.closed = False
        self.draining = False  #: the connection begins no further message
        self.begun = 0  #: messages so far
        #: why this connection sends no message: the server's reply, or our own reason
        self.refusal: Response | TransportError | None = None
        self._expected.append(("greeting", None))

    # -- the owner reads --

    @property
    def in_flight(self) -> int:
        """How many messages were given to the connection and are not answered."""
        awaited = sum(isinstance(context, Mail) for _, context in self._expected)
        return len(self._waiting) + (self._envelope is not None) + awaited

    @property
    def room(self) -> int:
        return PIPELINE_DEPTH - self.in_flight if self.ready and not self.draining and not self.closed else 0

    def data_to_send(self) -> bytes:
        out, self._out = self._out, []
        self._body_unsent = False
        return b"".join(out)

    # -- messages in --

    def refusal_of(self, mail: Mail) -> Response | None:
        """The reply to an address outside of ASCII where the server offers no SMTPUTF8 (RFC 6531 §3.5). The owner
        does not begin such a message."""
        if "SMTPUTF8" in self.extensions or (mail.sender.isascii() and mail.recipient.isascii()):
            return None
        stage = "rcpt" if mail.sender.isascii() else "mail"
        text = b"5.6.7 the server accepts no address with characters outside of ASCII"
        return Response(553, {"stage": stage, "enhanced": "5.6.7"}, text)

    def begin(self, mails: Sequence[Mail]) -> None:
        self._waiting.extend(mails)
        self.begun += len(mails)
        self._begin_next()

    def withdraw(self, chosen: Callable[[Any], bool]) -> list[Mail]:
        """Take back the messages of the chosen slots that wait. A message whose envelope is open cannot be taken back:
        its body is not sent, and `lost` returns it."""
        withdrawn = [mail for mail in self._waiting if chosen(mail.slot)]
        self._waiting = deque(mail for mail in self._waiting if not chosen(mail.slot))
        if self._envelope is not None and chosen(self._envelope.mail.slot):
            self._envelope.withdrawn = True
        return withdrawn

    def leave(self) -> None:
        """Send QUIT once no message is in flight. The owner closes the connection after the reply, or without one."""
        self.draining = True
        if self.ready and not (self._quit_sent or self.in_flight or self.closed):
            self._quit_sent = True
            self._command(b"QUIT", "quit")

    def secured(self) -> None:
        """TLS is established: forget what the server said before it, and send EHLO again (RFC 3207 §4.2)."""
        self.wants_tls, self._parser = False, ReplyParser()
        self._security = Security.TLS
        self._send_ehlo()

    # -- replies in --

    def receive(self, data: bytes) -> list[Finished]:
        """The messages that these bytes answer."""
        try:
            for reply in self._parser.feed(data):
                if self.closed:
                    break
                self._handle(reply)
                if reply.code == SERVICE_CLOSING:  # no reply follows, and some servers leave the connection open
                    return self.lost(f"421 {reply.text}"[:200])
        except ProtocolError as error:
            self._close(TransportError(False, str(error)))
            return self.lost(str(error))
        self._begin_next()
        finished, self._finished = self._finished, []
        return finished

    def lost(self, reason: str) -> list[Finished]:
        """The connection ended. A message whose body was written is in doubt; the other messages have not begun."""
        self.closed, self.ready = True, False
        finished, self._finished = self._finished, []
        for _, context in [self._current or ("", None), *self._expected]:
            if isinstance(context, Mail):
                finished.append((context, TransportError(True, reason, disconnected=True)))
        if self._envelope is not None:
            failure = self._envelope.failure
            finished.append((self._envelope.mail, failure or TransportError(False, reason)))
        finished += [(mail, TransportError(False, reason, disconnected=True)) for mail in self._waiting]
        self._expected.clear()
        self._unsent.clear()
        self._waiting.clear()
        self._out.clear()
        self._envelope = self._current = None
        return finished

    @property
    def timeout(self) -> float:
        """The shortest timeout of the messages in flight, and the time for their upload. When it is over, the owner
        aborts the connection, because SMTP cannot withdraw one message."""
        mails = [context for _, context in self._expected if isinstance(context, Mail)]
        if self._envelope is not None:
            mails.append(self._envelope.mail)
        mails += self._waiting
        return min((mail.timeout for mail in mails), default=math.inf) + self.upload_seconds

    @property
    def upload_seconds(self) -> float:
        """The time that the bodies without an answer may take to reach the server."""
        return sum(len(context.body) for _, context in self._expected if isinstance(context, Mail)) / SLOWEST_UPLOAD

    # -- each reply --

    def _handle(self, reply: Reply) -> None:
        if not self._expected:
            # between STARTTLS and TLS, a third party can have written the reply
            if reply.code != SERVICE_CLOSING or self.wants_tls:
                raise ProtocolError("the server sent a reply to no command")
            return
        kind, context = self._current = self._expected.popleft()
        if context is None:
            self._session_answered(kind, reply)
        elif kind == "probe" and isinstance(context, Mail):
            self._probe_answered(context, reply)
        elif isinstance(context, Mail):
            self._body_answered(context, reply)
        elif kind == "data":
            self._data_answered(context, reply)
        else:
            self._envelope_answered(context, reply, kind)
        self._current = None
        self._send_next()

    def _session_answered(self, kind: str, reply: Reply) -> None:
        """Handle a reply that belongs to the session and to no message."""
        match kind:
            case "greeting":
                self._send_ehlo() if reply.positive else self._refuse(reply, "connect")
            case "hello":
                self._hello_answered(reply)
            case "starttls":
                self.wants_tls = reply.code == 220
                if not self.wants_tls:
                    self._refuse(reply, "starttls")
            case "auth":
                self._authenticate(reply)
            case "quit":
                self.closed = True

    def _send_ehlo(self) -> None:
        self._command(b"EHLO " + self._hello.encode("ascii", "replace"), "hello")

    def _hello_answered(self, reply: Reply) -> None:
        if not reply.positive:
            if reply.code >= 500 and not self._spoke_helo:
                self._spoke_helo = True  # an old server, or a proxy that passes no EHLO (RFC 5321 §3.2)
                self._command(b"HELO " + self._hello.encode("ascii", "replace"), "hello")
                return
            self._refuse(reply, "hello")
            return
        self.extensions = {} if self._spoke_helo else extensions_of(reply)
        if self._security is Security.STARTTLS:
            if "STARTTLS" not in self.extensions:
                self._close(Response(554, {"stage": "starttls"}, b"the server offers no STARTTLS"))
                return
            self._command(b"STARTTLS", "starttls")
            return
        if self._login is None:
            self.ready = self.established = True
            return
        self._negotiation = Negotiation(self._login, self.extensions.get("AUTH", ""), self._security is Security.TLS)
        self._authenticate(None)

    def _authenticate(self, reply: Reply | None) -> None:
        assert self._negotiation is not None
        if reply is not None and reply.positive:
            self.ready = self.established = True
            return
        line = self._negotiation.next_line(reply)
        if line is not None:
            self._command(line, "auth")
        elif reply is not None:
            self._refuse(reply, "auth")
        else:
            self._close(Response(535, {"stage": "auth"}, self._negotiation.problem.encode()))

    def _envelope_answered(self, envelope: _Envelope, reply: Reply, stage: str) -> None:
        if reply.positive or envelope.failure is not None:
            return
        envelope.failure = _response(reply, stage)
        if self._unsent:  # without PIPELINING, the other commands of the refused envelope are not sent
            self._unsent.clear()
            self._end_envelope(envelope)

    def _data_answered(self, envelope: _Envelope, reply: Reply) -> None:
        if reply.positive and envelope.failure is None:
            raise ProtocolError("the server accepted a message without its body")
        if reply.code != 354:
            envelope.failure = envelope.failure or _response(reply, "data")
            self._end_envelope(envelope)
            return
        if envelope.withdrawn and envelope.failure is None:
            self.closed = True  # only an end without the final dot ends the message now
            return
        if envelope.failure is not None:
            # the server refused the recipient but waits for a body nevertheless: send an empty one (RFC 2920 §3.1)
            self._out.append(b".\r\n")
            self._expected.append(("nothing", None))
            self._end_envelope(envelope)
            return
        self._out += _with_end(envelope.mail)
        self._expected.append(("body", envelope.mail))
        self._envelope, self._body_unsent = None, True

    def _end_envelope(self, envelope: _Envelope) -> None:
        assert envelope.failure is not None
        self._finished.append((envelope.mail, envelope.failure))
        self._envelope, self._reset = None, True

    def _body_answered(self, mail: Mail, reply: Reply) -> None:
        if self._body_unsent:
            raise ProtocolError("the server answered a body before it was sent")
        if reply.code == SERVICE_CLOSING:
            self._finished.append((mail, TransportError(True, f"421 {reply.text}"[:200], disconnected=True)))
            return
        self._finished.append((mail, _response(reply, "body")))

    def _probe_answered(self, mail: Mail, reply: Reply) -> None:
        answer = _response(reply, "mail")
        extensions = " ".join(sorted(self.extensions))
        self._finished.append((mail, replace(answer, headers={**answer.headers, "extensions": extensions})))
        self._reset = True

    # -- commands --

    def _begin_next(self) -> None:
        """Send the envelope of the next message, unless another envelope is open."""
        if self._envelope is not None or not self._waiting or self.closed or not self.ready:
            return
        if "PIPELINING" not in self.extensions and self._expected:
            return
        mail = self._waiting.popleft()
        if self._reset:
            self._command(b"RSET", "nothing")
            self._reset = False
        mail_from = b"MAIL FROM:<%b>%b" % (mail.sender.encode(), self._parameters(mail))
        if not mail.recipient:
            self._command(mail_from, "probe", mail)
            return
        self._envelope = envelope = _Envelope(mail)
        self._command(mail_from, "mail", envelope)
        self._command(b"RCPT TO:<%b>" % mail.recipient.encode(), "rcpt", envelope)
        self._command(b"DATA", "data", envelope)

    def _parameters(self, mail: Mail) -> bytes:
        parameters = b""
        if "SIZE" in self.extensions:
            parameters += b" SIZE=%d" % len(mail.body)
        if "8BITMIME" in self.extensions and not mail.body.isascii():
            parameters += b" BODY=8BITMIME"
        if "SMTPUTF8" in self.extensions and not (mail.sender.isascii() and mail.recipient.isascii()):
            parameters += b" SMTPUTF8"
        return parameters

    def _command(self, line: bytes, kind: str, context: _Context = None) -> None:
        """Send a command now, or after the reply to the command before it when the server offers no PIPELINING."""
        if self._unsent or (self._expected and "PIPELINING" not in self.extensions):
            self._unsent.append((line, kind, context))
            return
        self._out.append(line + b"\r\n")
        self._expected.append((kind, context))

    def _send_next(self) -> None:
        if self._unsent and not self._expected:
            line, kind, context = self._unsent.popleft()
            self._out.append(line + b"\r\n")
            self._expected.append((kind, context))

    def _refuse(self, reply: Reply, stage: str) -> None:
        self._close(_response(reply, stage))

    def _close(self, reason: Response | TransportError) -> None:
        self.refusal = self.refusal or reason
        self.closed = True


def is_progress(answer: Response | TransportError) -> bool:
    """Whether the server handled the message, instead of ending the connection."""
    return isinstance(answer, Response) and answer.status != SERVICE_CLOSING


def _response(reply: Reply, stage: str) -> Response:
    """The reply as a Response. `stage`: the command that the reply answers."""
    return Response(reply.code, {"stage": stage, "enhanced": reply.enhanced}, reply.text.encode())


def _with_end(mail: Mail) -> tuple[bytes, ...]:
    """The body with doubled dots and the final dot (RFC 5321 §4.5.2). The search for dots takes 6 µs for 6 kB."""
    body = mail.body
    if mail.dots:
        if b"\r\n." in body:
            body = body.replace(b"\r\n.", b"\r\n..")
        if body.startswith(b"."):
            body = b"." + body
    return body, b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"
