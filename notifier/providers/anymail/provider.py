"""What all email services over HTTP share. A service is a subclass with a name, Anymail's module and its settings."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from notifier.channels.base import Envelope
from notifier.channels.email import EmailMessage
from notifier.errors import Forged
from notifier.providers import base
from notifier.providers.anymail import building, events, webhooks
from notifier.providers.anymail.answers import (
    Refusal,
    detail_of,
    parse_json,
    text_at,
    texts_in,
    verdict_of_status,
)
from notifier.providers.anymail.config import EspConfig
from notifier.providers.common.email_headers import extra_headers
from notifier.providers.common.requests import answer_to
from notifier.providers.mime import message_id, with_ascii_domain
from notifier.vocabulary.checks import ConnectionCheck, SenderDomain
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.mail import Mailbox
from notifier.vocabulary.people import Address
from notifier.vocabulary.receipts import ReceiptEvent, ReceiptRequest
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Verdict

#: an address of RFC 2606, for a message that is built and never sent
SAMPLE_ADDRESS = "sample@example.com"
#: tells a fake service of the sandbox where to report; the real services have it in their own settings
CALLBACK = "x-notifier-sandbox-callback"
#: Mailgun, Mandrill, Mailjet, SparkPost, Postmark, Amazon SES, Brevo, SendGrid, and Anymail's own
_COMMANDS = (
    "x-mailgun-", "x-mc-", "x-mj-", "x-mailjet-", "x-msys-", "x-pm-", "x-ses-", "x-mailin-", "x-sib-", "x-smtpapi",
    "x-metadata", "x-tag",
)  # fmt: skip
#: headers of a request that are no credentials
_NO_CREDENTIALS = frozenset({"content-type", "content-length", "idempotency-key", CALLBACK})


class EmailService(base.Provider[EmailMessage]):
    """One email service. An instance serves one account; threads share it."""

    channel = "email"
    default_account = False  # the sandbox account of `smtp` is enough for a new tenant
    reports = True
    limit_of = "this account"
    Config = EspConfig
    config: EspConfig

    # -- what a service's file defines --

    title: ClassVar[str] = ""  #: the service's name for people; Anymail's spelling
    backend_module: ClassVar[str] = ""  #: in anymail.backends; empty: the provider's name
    api_path: ClassVar[str] = "/"  #: of the API, below the origin
    webhook_view: ClassVar[str] = ""  #: in anymail.webhooks: `module.Class`; empty: the service sends no reports
    #: where the delivery's id travels: `metadata`, or `tags` for a service without metadata
    carrier: ClassVar[str] = "metadata"
    #: the service keeps our Message-ID when the message has one
    keeps_message_id: ClassVar[bool] = False
    #: the header by which the service recognizes a repeated request; empty: there is none
    idempotency_header: ClassVar[str] = ""
    #: the header of a 429 that names the Unix time of the next request; empty: only Retry-After
    reset_header: ClassVar[str] = ""
    #: the header of an answer that has the message's id, where the body has none
    reference_header: ClassVar[str] = ""
    error_key: ClassVar[str] = "message"  #: a key that the service's own error bodies have
    code_path: ClassVar[tuple[str | int, ...]] = ("code",)  #: where its own error code is
    field_path: ClassVar[tuple[str | int, ...]] = ()  #: where it names the refused field
    account_codes: ClassVar[frozenset[str]] = frozenset()  #: codes of errors that are the account's fault
    temporary_codes: ClassVar[frozenset[str]] = frozenset()
    #: a GET, below the origin, that needs the credentials and does nothing; empty: there is none
    test_path: ClassVar[str] = ""

    def options(self) -> dict[str, Any]:
        """The settings of Anymail's backend, without `api_url`."""
        return {}

    def extras(self, headers: dict[str, str]) -> dict[str, Any]:
        """More of Anymail's attributes for a message with these headers, such as `esp_extra`."""
        return {}

    def signature_options(self) -> dict[str, Any]:
        """The keys with which Anymail's view checks a report's signature; empty: the account has none."""
        return {}

    #: what Anymail's view needs for parsing alone, when the account has no key
    unsigned_options: ClassVar[Mapping[str, Any]] = {}

    def verdict_of_accepted(self, document: Any) -> Verdict | None:
        """The verdict for a 2xx answer that says more than Anymail reads from it; None: Anymail decides."""
        return None

    def is_dead(self, document: Any) -> bool:
        """Whether the body says that the recipient's address takes no message: a hard bounce that the service
        remembers."""
        return False

    @staticmethod
    def is_hard_bounce(report: Mapping[str, Any]) -> bool:
        """Whether a bounce, in the service's own words, means that the address takes no message."""
        return False

    @staticmethod
    def is_machine(report: Mapping[str, Any]) -> bool:
        """Whether an open or a click, in the service's own words, was a scanner's or a prefetcher's."""
        return False

    def origin_of(self, config: Any) -> str:
        """The server's origin, for a service with regions."""
        return self.origin

    # -- the request --

    def __init__(self, config: EspConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        self.base = origin or self.origin_of(config)
        self._in_sandbox = origin is not None
        self._sender = Mailbox(config.from_address, config.from_name)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("name"):
            cls.reports = bool(cls.webhook_view)

    @cached_property
    def _backend(self) -> Any:
        module = self.backend_module or self.name
        return building.load_backend(module, {"api_url": f"{self.base}{self.api_path}", **self.options()})

    def request(self, message: EmailMessage, token: str) -> Request:
        built = building.build_request(self._backend, self._django_email(message), self.timeout)
        more: list[tuple[str, str]] = []
        if self.idempotency_header:
            more.append((self.idempotency_header, message.envelope.delivery_id.hex))
        if self._in_sandbox and self.receipts_url:
            more.append((CALLBACK, self.receipts_url))
        return with_headers(built, more)

    def _django_email(self, message: EmailMessage) -> Any:
        delivery, sender = message.envelope.delivery_id, message.sender or self._sender
        headers = {n: v for n, v in extra_headers(message, sender.domain) if not is_command(n)}
        if self.keeps_message_id:
            headers["Message-ID"] = f"<{message_id(delivery.hex, sender)}>"
        carried: dict[str, Any] = (
            {"metadata": {events.DELIVERY: str(delivery)}}
            if self.carrier == "metadata"
            else {"tags": [f"{events.TAG}{delivery}"]}
        )
        extras = {"extra_headers": headers, **carried}
        return building.django_email(message, self._sender, extras | self.extras(headers))

    # -- the answer --

    def verdict_of(self, response: Response) -> Verdict:
        document = parse_json(response.body)
        if 200 <= response.status < 300:
            return self.verdict_of_accepted(document) or self._verdict_of_statuses(response, document)
        return self.verdict_of_refusal(response, self.refusal_in(document), document)

    def verdict_of_refusal(self, response: Response, refusal: Refusal | None, document: Any) -> Verdict:
        if refusal is not None and response.status != 429:
            detail = detail_of(response.status, refusal)
            if self.is_dead(document):
                return Permanent(detail, address_is_dead=True)
            if refusal.code in self.account_codes:
                return Misconfigured(detail)
            if refusal.code in self.temporary_codes:
                return Temporary(detail)
        return verdict_of_status(response, refusal, self.reset_header)

    def refusal_in(self, document: Any) -> Refusal | None:
        """The service's own error; None when the body is not the service's."""
        if not isinstance(document, dict) or self.error_key not in document:
            return None
        words = " ".join(texts_in(document[self.error_key]))[:1000]
        return Refusal(words, text_at(document, *self.code_path), text_at(document, *self.field_path))

    def _verdict_of_statuses(self, response: Response, document: Any) -> Verdict:
        """The verdict by what Anymail reads from the answer. An accepted message whose answer cannot be read is sent: a
        repeat would arrive twice."""
        status, reference = webhooks.recipient_status(self._backend, *self._sample, response)
        if status == "invalid":
            return Permanent("the service calls the address invalid", address_is_dead=self.is_dead(document))
        if status == "rejected":
            return Permanent("the service rejects the address", address_is_dead=self.is_dead(document))
        if status == "failed":
            return Permanent("the service did not take the message")
        return Sent((reference or response.headers.get(self.reference_header, ""))[:200])

    @cached_property
    def _sample(self) -> tuple[Any, Any]:
        """A payload and a message with one recipient: Anymail wants both to read an answer, and takes the number of
        recipients from them."""
        email = self._django_email(sample_message())
        return self._backend.build_message_payload(email, self._backend.send_defaults), email

    # -- reports --

    def verify(self, request: ReceiptRequest) -> None:
        if not self.webhook_view:
            raise Forged(f"{self.title} sends no reports.")
        if options := self.signature_options():
            webhooks.check_signature(self.webhook_view, options, request)

    def receipts(self, request: ReceiptRequest, client: HttpClient) -> Sequence[ReceiptEvent]:
        options = self.signature_options() or self.unsigned_options
        with webhooks.reading():
            parsed = webhooks.parse_events(self.webhook_view, options, request)
            return events.receipt_events(parsed, self.is_hard_bounce, self.is_machine)

    # -- "test connection" --

    def sender_domains(self) -> Sequence[SenderDomain]:
        return (SenderDomain(with_ascii_domain(self._sender.address).rpartition("@")[2]),)

    def test_request(self) -> Request | None:
        """A request that only the right credentials may make, and that changes nothing."""
        if not self.test_path:
            return None
        sample = self.request(sample_message(), "")
        headers = tuple(header for header in sample.headers if header[0] not in _NO_CREDENTIALS)
        return Request("GET", f"{self.base}{self.test_path}", headers, b"", self.timeout)

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        request = self.test_request()
        if request is None:
            text = f"{self.title} has no call that tests the key without sending; send a test message."
            yield ConnectionCheck("credentials", None, text)
            return
        answer = answer_to(client, request)
        yield self.check_of(answer)

    def check_of(self, answer: Any) -> ConnectionCheck:
        """The result of the test, from the answer to `test_request`."""
        if not isinstance(answer, Response):
            return ConnectionCheck("connection", False, f"{self.title} cannot be reached: {answer.detail}")
        if 200 <= answer.status < 300:
            return ConnectionCheck("credentials", True, f"{self.title} accepts the credentials.")
        detail = detail_of(answer.status, self.refusal_in(parse_json(answer.body)))
        if answer.status == 429 or answer.status >= 500:
            return ConnectionCheck("connection", None, f"{self.title} cannot answer now ({detail}). Try again later.")
        text = f"{self.title} refuses the credentials ({detail}). Check the key, its rights and the region."
        return ConnectionCheck("credentials", False, text)


def is_command(header: str) -> bool:
    """Whether a service takes orders from this header, or carries our delivery's id in it: no header for a template."""
    return header.lower().startswith(_COMMANDS)


def with_headers(request: Request, more: Sequence[tuple[str, str]]) -> Request:
    if not more:
        return request
    return Request(request.method, request.url, (*request.headers, *more), request.body, request.timeout)


def sample_message() -> EmailMessage:
    """A message that is built and never sent."""
    none = uuid.UUID(int=0)
    envelope = Envelope(none, none, none, Address(SAMPLE_ADDRESS), collapse_key=none.hex)
    return EmailMessage(envelope, subject="Test", text="Test")
