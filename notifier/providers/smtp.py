"""SMTP: any mail server that relays messages (RFC 5321, 6409).

This file composes the message; `notifier.transport.smtp` speaks with the server. A request of the method MAIL names the
server, the login and the envelope; a response is the server's reply.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote, urlsplit

from notifier.channels.email import EmailMessage
from notifier.errors import Forged, InvalidInput
from notifier.mail_reports import return_path
from notifier.mail_reports.dead_mailbox import NO_MAILBOX, says_no_mailbox, says_relaying_denied, without_addresses
from notifier.mail_reports.report import read_report
from notifier.providers import base, body_template
from notifier.providers.body_template import BodyTemplate, Placeholders, compile_template
from notifier.providers.common import bounce_settings
from notifier.providers.common.requests import answer_to
from notifier.providers.mime import as_html, compose, encode_headers, encode_values, with_ascii_domain
from notifier.providers.mime.dkim import DkimKey
from notifier.vocabulary.checks import ConnectionCheck, SenderDomain
from notifier.vocabulary.http import HttpClient, Request, Response, TransportError
from notifier.vocabulary.mail import ADDRESS, HOST, BounceMailbox, Mailbox
from notifier.vocabulary.receipts import ReceiptEvent, ReceiptRequest
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Verdict

#: the sandbox accepts any password
SANDBOX_PASSWORD = "notifier-sandbox: anybody may send here"  # noqa: S105
SECURITY = ("starttls", "tls", "none")
#: of MAIL: the message is too large (RFC 1870), which is no fault of the account
_TOO_LARGE = 552
LONGEST_NAME = 200
DKIM_HELP = (
    "Only where the mail server does not sign: Notifier signs with the private key below (PEM, RSA or Ed25519), whose"
    ' public key stands in DNS under this selector. "Test connection" shows the record.'
)
TEST_TIMEOUT = 15.0  #: seconds for all of "test connection"
#: codes that concern the account, whatever the command (RFC 4954 §6)
_ACCOUNT = frozenset({530, 534, 535, 538})
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]+\]")
#: a line end that is not CR LF, or a line that begins with a dot
_ODD_LINE = re.compile(rb"(?<!\r)\n|\r(?!\n)|^\.", re.MULTILINE)
_QUEUED = re.compile(r"queued as ([A-Za-z0-9.-]{4,60})", re.IGNORECASE)


@dataclass(frozen=True)
class SmtpConfig(base.Config):
    """`security`: starttls (port 587), tls (port 465) or none. `connections`: of one process, at most.

    `bounce_address`: bounces come back to this address, with the name of the message after a +; without it, they go to
    the sender. `bounce_mailbox`: the mailbox that `manage.py read_bounces` reads
    (notifier.providers.common.bounce_settings)."""

    host: str
    from_address: str
    from_name: str = ""
    port: int = 587
    security: str = base.choice(*SECURITY)
    user: str = ""
    password: str = base.optional_secret()
    connections: int = 4
    messages_per_connection: int = 500
    dkim_selector: str = base.setting("", label="DKIM selector", help_text=DKIM_HELP)
    dkim_private_key: str = base.optional_secret(label="DKIM private key")
    bounce_address: str = base.setting("", help_text=bounce_settings.ADDRESS_HELP)
    bounce_mailbox: str = base.choice(
        bounce_settings.NONE, bounce_settings.IMAP, bounce_settings.POP3, help_text=bounce_settings.MAILBOX_HELP
    )
    bounce_host: str = ""
    bounce_port: int = base.setting(0, help_text="0: the protocol's own.")
    bounce_security: str = base.choice(bounce_settings.TLS, bounce_settings.STARTTLS)
    bounce_user: str = ""
    bounce_password: str = base.optional_secret()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        if not _is_host(config.host):
            raise InvalidInput("host is the name of a mail server, such as smtp.example.com.", field="host")
        if not ADDRESS.fullmatch(config.from_address) or not _is_host(_ascii_domain(config.from_address)):
            raise InvalidInput("from_address looks like name@example.com.", field="from_address")
        if config.security not in SECURITY:
            raise InvalidInput(f"security is one of {', '.join(SECURITY)}.", field="security")
        if config.user and config.security == "none":
            raise InvalidInput(
                "A password is sent over an encrypted connection only: choose starttls or tls.", field="security"
            )
        if config.user and not config.password:
            raise InvalidInput("A user needs a password.", field="password")
        for name, most in (("port", 65_535), ("connections", 100), ("messages_per_connection", 100_000)):
            value = getattr(config, name)
            if not isinstance(value, int) or not 0 < value <= most:
                raise InvalidInput(f"{name} is a number from 1 to {most:,}.", field=name)
        if not config.user and config.password:
            config = replace(config, password="")  # without a user, no login needs the password
        if not config.from_name.isprintable() or len(config.from_name) > LONGEST_NAME:
            raise InvalidInput(
                f"from_name has at most {LONGEST_NAME} characters, and no line break or control character.",
                field="from_name",
            )
        bounce_settings.check_bounce_settings(config)
        config.dkim_key()
        return config

    def dkim_key(self) -> DkimKey | None:
        """The key that signs; None without one. Raises InvalidInput."""
        if not self.dkim_private_key:
            return None
        try:
            return DkimKey.load(_ascii_domain(self.from_address), self.dkim_selector, self.dkim_private_key)
        except ValueError as error:
            selector = "selector" in str(error)
            raise InvalidInput(str(error), field="dkim_selector" if selector else "dkim_private_key") from None

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        """The sandbox listens for SMTP on the port after that for HTTPS."""
        url = urlsplit(origin)
        return cls(
            host=url.hostname or "", port=(url.port or 443) + 1, from_address="notifier@sandbox.example",
            user="sandbox", password=SANDBOX_PASSWORD,
        )  # fmt: skip


class Smtp(base.Provider[EmailMessage]):
    name = "smtp"
    channel = "email"
    protocol = "smtp"
    limit_of = "this mail server"
    templatable = frozenset({"subject", "text", "html", "preheader"})
    own_paths = True
    reports = True
    needs_tracking = True
    Config = SmtpConfig
    config: SmtpConfig
    origin = "smtp://"

    def __init__(self, config: SmtpConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        self._sender = Mailbox(with_ascii_domain(config.from_address), config.from_name)
        self.base = f"smtp://{config.host}:{config.port}"
        self._dkim = config.dkim_key()
        self._headers = (
            ("security", config.security), ("user", config.user), ("password", config.password),
            ("hello", self._sender.domain), ("connections", str(config.connections)),
            ("per_connection", str(config.messages_per_connection)),
        )  # fmt: skip

    def request(self, message: EmailMessage, token: str) -> Request:
        [body] = self.finish([compose(message, self._sender)])
        return self._mail(message, body)

    def _mail(self, message: EmailMessage, body: bytes) -> Request:
        recipient = with_ascii_domain(message.envelope.address.value)
        envelope = quote(f"{self._return_path(message.envelope.delivery_id)} {recipient}", safe="@+")
        return Request("MAIL", f"{self.base}/{envelope}", self._headers, body, self.timeout)

    # -- body templates --

    def body_template(self, message: EmailMessage, placeholders: Placeholders, token: str) -> BodyTemplate:
        self.refuse_rehearsal(message)
        body = compose(message, self._sender, placeholders.text_pattern)
        template = compile_template(self._mail(message, body), placeholders, own_paths=True)
        # the encoders of the values make no other lines
        return replace(template, head=replace(template.head, plain_lines=not _ODD_LINE.search(body)))

    def untemplatable(self, addresses: Sequence[str]) -> list[int]:
        together = "".join(addresses)
        if together.isascii() and together.isprintable():
            return []
        fits = (address.isprintable() and with_ascii_domain(address).isascii() for address in addresses)
        return [i for i, address_fits in enumerate(fits) if not address_fits]

    def encode(self, column: str, texts: Sequence[str]) -> list[bytes]:
        match column.partition(":")[0]:
            case "text" | "html":
                return encode_values(texts)
            case "preheader":
                return encode_values([as_html(text) for text in texts])
            case "subject":
                return encode_headers(texts)
            case body_template.ADDRESS:
                return [with_ascii_domain(text).encode() for text in texts]
        return [text.encode() for text in texts]

    def finish(self, bodies: list[bytes]) -> list[bytes]:
        return [self._dkim.sign(body) for body in bodies] if self._dkim else bodies

    def _return_path(self, delivery_id: uuid.UUID) -> str:
        if not self.config.bounce_address or not self.signing_keys:
            return self._sender.address
        return return_path.address_for(self.config.bounce_address, delivery_id, self.signing_keys[0])

    @property
    def bounce_mailbox(self) -> BounceMailbox | None:
        return bounce_settings.mailbox_of(self.config)

    def verify(self, request: ReceiptRequest) -> None:
        """A mail server that pipes a message signs nothing: the secret in the address is the whole authorization."""
        if request.method != "POST" or not request.body:
            raise Forged("A bounce or a complaint is the body of a POST, as the mail server received it.")

    def receipts(self, request: ReceiptRequest, client: HttpClient) -> Sequence[ReceiptEvent]:
        """The body is a whole message. Other messages than reports, such as out-of-office replies, give no event."""
        event = read_report(request.body, self.signing_keys)
        return [] if event is None else [event]

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        """Connect, log in and name the sender; no recipient, no message."""
        probe = Request(
            "MAIL",
            f"{self.base}/{quote(self._return_path(uuid.UUID(int=0)), safe='@+')}",
            self._headers,
            b"",
            TEST_TIMEOUT,
        )
        answer = answer_to(client, probe)
        yield _connection_check(answer, self.config)

    def sender_domains(self) -> Sequence[SenderDomain]:
        key = self._dkim
        return (
            SenderDomain(self._sender.domain, key.selector, key.public) if key else SenderDomain(self._sender.domain),
        )

    def verdict_of(self, response: Response) -> Verdict:
        stage, enhanced = response.headers.get("stage", ""), response.headers.get("enhanced", "")
        text = response.body.decode(errors="replace").replace("\n", " ")
        detail = f"{response.status} {text}"[:300]
        if response.status < 300:
            queued = _QUEUED.search(text)
            return Sent(queued[1] if queued else "")
        if response.status < 500:
            # a recipient's 4xx is often greylisting, which expects the repeat from the same server
            return Temporary(detail, unavailable=stage not in ("rcpt", "data", "body"))
        too_large = stage == "mail" and response.status == _TOO_LARGE
        if response.status in _ACCOUNT or (stage not in ("rcpt", "data", "body") and not too_large):
            return Misconfigured(detail)
        words = without_addresses(text)
        no_mailbox = says_no_mailbox(enhanced, words)
        if enhanced not in NO_MAILBOX and says_relaying_denied(words):
            return Misconfigured(detail)
        return Permanent(detail, address_is_dead=stage == "rcpt" and no_mailbox)


#: command that the server refused -> what is wrong, and the remedy
_REMEDIES = {
    "connect": "The server refuses this machine. Ask its operator whether this machine may connect",
    "hello": "The server refuses the domain of from_address as our name",
    "starttls": "The server offers no encryption here. Choose tls and port 465, or another port",
    "auth": "The server refuses user and password. Check both; some services want an app password",
    "mail": "The server takes no mail from from_address for this user. Check from_address at the service",
}


def _connection_check(answer: Response | TransportError, config: SmtpConfig) -> ConnectionCheck:
    """The result of a probe in a sentence."""
    server = f"{config.host}:{config.port}"
    if isinstance(answer, TransportError):
        text = f"No mail can be sent to {server}: {answer.detail}. Check host, port and security, and the firewall."
        return ConnectionCheck("connection", False, text)
    if answer.status >= 300:
        remedy = _REMEDIES.get(answer.headers.get("stage", ""), "The server refuses the sender")
        reply = answer.body.decode(errors="replace")[:200]
        return ConnectionCheck("connection", False, f"{remedy}. {server} answered: {answer.status} {reply}")
    login = f" and took the login of {config.user}" if config.user else ""
    speed = (
        "" if "PIPELINING" in answer.headers.get("extensions", "") else " It offers no PIPELINING, so sending is slow."
    )
    return ConnectionCheck(
        "connection", True, f"{server} answered{login}, and takes mail from {config.from_address}.{speed}"
    )


def _is_host(name: str) -> bool:
    return bool(HOST.fullmatch(name) or _IPV6.fullmatch(name))


def _ascii_domain(address: str) -> str:
    return with_ascii_domain(address).rpartition("@")[2]
