"""The provider contract. A new provider is one new file in this folder or in a package of it, and nothing else:
`registry` finds it.

A provider builds the request and tells what the response means; it does no I/O. A provider without network (the inbox)
overrides `send`. The provider of another app is `<app>/provider.py`. An account's settings are in `config.py`.
"""

from __future__ import annotations

import dataclasses
import secrets
from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any, ClassVar, Generic, TypeVar

import orjson

from notifier.channels.base import Message
from notifier.errors import Forged, InvalidInput
from notifier.providers.body_template import BodyTemplate, Placeholders, compile_template
from notifier.providers.config import Config, choice, optional_secret, secret, setting
from notifier.values.push_token import MAX_PLATFORM, is_push_token
from notifier.vocabulary.checks import ConnectionCheck, SenderDomain
from notifier.vocabulary.columns import MessageColumns
from notifier.vocabulary.http import (
    WITHDRAWN,
    HttpClient,
    Request,
    Response,
    TokenRefused,
    TokenRequest,
    TransportError,
)
from notifier.vocabulary.inquiries import Doubt
from notifier.vocabulary.mail import BounceMailbox, Unreadable
from notifier.vocabulary.receipts import ReceiptEvent, ReceiptRequest
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Temporary, Verdict, Withdrawn

#: a provider's file names all of the contract as `base.…`
__all__ = [
    "Answers", "Config", "Provider", "Unbuildable", "choice", "has_own_check", "optional_secret", "secret", "setting",
]  # fmt: skip

M = TypeVar("M", bound=Message)
Answers = Sequence[tuple[int, Verdict]]
_KEY = secrets.token_bytes(32)  #: keeps a digest of credentials meaningless outside of this process


class Unbuildable(ValueError):
    """The provider cannot carry this message. The text says why, and quotes nothing of the message."""


AnyConfig = Config  # inside Provider the name means the provider's own class


class Provider(ABC, Generic[M]):
    """Credentials and origin -> requests and verdicts. The engine has one instance for each account and process."""

    name: ClassVar[str]
    channel: ClassVar[str]
    #: which client sends its requests: `http` or `smtp` (notifier.transport)
    protocol: ClassVar[str] = "http"
    #: whose addresses it serves; "" for a channel without platforms
    platform: ClassVar[str] = ""
    #: needs no account of the tenant's own (the inbox)
    builtin: ClassVar[bool] = False
    #: a tenant gets an account of this provider in the sandbox without asking; False for a provider beside another one
    #: of its channel, so that twenty email services do not become twenty accounts of each tenant
    default_account: ClassVar[bool] = True
    #: a device of its platform that was not seen for so many days is marked dead, reason `stale`; None: never
    stale_after_days: ClassVar[int | None] = None
    #: messages a second that the provider's server allows by default; None: no known limit
    rate_per_s: ClassVar[float | None] = None
    #: the subject of that limit in a sentence
    limit_of: ClassVar[str] = "this account"
    #: bytes of content that the provider's server accepts, as `size` counts them; None: no known limit
    largest: ClassVar[int | None] = None
    #: the provider can check a message without delivering it (Envelope.rehearsal)
    rehearses: ClassVar[bool] = False
    #: template parts whose texts may differ between the messages of one body template ("data": every value of it);
    #: None: the provider builds each request by itself. With a body template, a plain 200 means that the message was
    #: accepted
    templatable: ClassVar[frozenset[str] | None] = None
    #: each request has a path of its own (with the recipient's address), and nothing else outside of its body differs
    #: between messages: requests without a body template form batches, too
    own_paths: ClassVar[bool] = False
    #: names of headers whose values differ between messages, beside the path: in a body template each value is one
    #: column (address, delivery id or key), or a constant; requests that were built singly share a batch although their
    #: values differ
    own_headers: ClassVar[tuple[str, ...]] = ()
    #: messages of a campaign that the provider takes at once as columns (`send_columns`); 0: it takes messages
    column_batch: ClassVar[int] = 0
    #: a message's body costs so much to make that a campaign makes it while it is armed: `prepare`
    prepares: ClassVar[bool] = False
    #: the setting with a key that an owner can replace by a new one: `Config.complete` makes one where it is empty
    rotates: ClassVar[str] = ""
    #: the provider's server calls us later and says what became of a message: `verify` and `receipts` read the call
    reports: ClassVar[bool] = False
    #: the provider's server must be asked what became of messages: a message whose verdict is `Sent` with
    #: `receipt_after` is asked about by `receipts_request`, and `fetched_receipts` reads the answer
    polls_receipts: ClassVar[bool] = False
    #: the provider's server can be asked about a message in doubt: `inquiry` makes the request, and `found` reads the
    #: answer. Not beside `polls_receipts`
    can_be_asked: ClassVar[bool] = False
    #: messages of one request of polled receipts at most
    most_receipts: ClassVar[int] = 1000
    #: the provider's server reports no opens and clicks: the site puts its own pixel and links into the HTML
    needs_tracking: ClassVar[bool] = False
    Config: ClassVar[type[Config]] = Config
    origin: ClassVar[str] = ""

    #: the id of the account that the instance sends for
    account: str = ""
    #: the public address at which the provider's server reports on messages of this account; empty: there is none
    receipts_url: str = ""
    #: keys of this account for keyed hashes in what a message carries out and a report brings back, newest first
    signing_keys: tuple[bytes, ...] = ()

    _registry: ClassVar[dict[str, type[Provider[Any]]]] = {}

    def __init__(self, config: AnyConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        """`timeout`: seconds that one request may take."""
        self.config = config
        self.base = origin or self.origin
        self.timeout = timeout

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("name"):
            _check_platform(cls)
            Provider._registry[cls.name] = cls

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    # -- what a provider file defines --

    @classmethod
    def raise_quota(cls, rate_per_s: float) -> str:
        """How to get a quota of so many messages a second, as a clause of a sentence; "" where it is not known."""
        return ""

    @classmethod
    def size(cls, parts: Mapping[str, Any]) -> int:
        """Bytes of these parts, as the provider's server counts them. A provider with `largest` needs it."""
        raise NotImplementedError(f"{cls.__name__} must implement size() to have a largest")

    @classmethod
    def check_content(cls, parts: Mapping[str, Any]) -> None:
        """Raise InvalidInput, naming the part, for rendered parts that the provider's server would refuse. `parts` may
        lack parts that are not rendered yet."""
        largest = cls.largest_for(parts)
        if largest is not None and (size := cls.size(parts)) > largest:
            longest = max(parts, key=lambda part: len(str(parts[part])))
            raise InvalidInput(
                f"The content has {size:,} bytes; {cls.name} takes {largest:,}, names of data and links included.",
                field=longest,
            )

    @classmethod
    def largest_for(cls, parts: Mapping[str, Any]) -> int | None:
        """Bytes that the provider's server takes for a message with these parts: at least `largest`."""
        return cls.largest

    @property
    def pool(self) -> str:
        """Requests of different pools never share a connection, as of two teams at Apple. `checked_request` puts it on
        the requests of messages; a request for another purpose carries it by itself."""
        return ""

    @property
    def default_rate(self) -> float | None:
        """Messages a second that the provider's server allows this account by default; None: no known limit."""
        return self.rate_per_s

    @classmethod
    def check_token(cls, token: str) -> str:
        """A device's token as it is stored. Raises InvalidInput, with the field `token` and the remedy, for a text that
        can be no token of this platform."""
        if not is_push_token(token):
            raise InvalidInput("A token is 8 to 1024 visible ASCII characters.", field="token")
        return token

    def prepare(self, message: M) -> bytes:
        """The body of the message's request, made while its campaign is armed and kept until it leaves as
        `message.prepared`. Called with `prepares` only, by several processes at once; no I/O."""
        raise NotImplementedError(f"{type(self).__name__} must implement prepare() to have prepared bodies")

    def send_columns(self, columns: MessageColumns, until: float) -> Mapping[int, Verdict]:
        """Send up to `column_batch` messages; the verdicts of those not delivered, by index. What has not left until
        `until` (`time.monotonic()`) stays, because the check for stops and opt-outs is older then: Withdrawn, or
        Temporary if it may have left. The sender checks both anew and repeats them; nothing arrives twice."""
        raise NotImplementedError(f"{type(self).__name__} must implement send_columns() to have a column_batch")

    def token_request(self) -> Request | None:
        """The request that fetches the access token; None for a provider without one. The engine keeps the token under
        `token_key`."""
        return None

    def request(self, message: M, token: str) -> Request:
        """The request that sends `message`."""
        raise NotImplementedError(f"{type(self).__name__} must implement request() or override send()")

    def verdict_of(self, response: Response) -> Verdict:
        """What the response means."""
        raise NotImplementedError(f"{type(self).__name__} must implement verdict_of() or override send()")

    def refuses_token(self, response: Response) -> bool:
        """Whether the server refused the access token, so that the next request needs a new one."""
        return response.status == 401

    def finish(self, bodies: list[bytes]) -> list[bytes]:
        """The bodies as they leave, for a provider that signs each whole body."""
        return bodies

    def can_replace(self, other: Provider[M]) -> bool:
        """Whether this account reaches the addresses of that one. False where an address belongs to an account, as a
        push token does."""
        return True

    def verify(self, request: ReceiptRequest) -> None:
        """Raise Forged unless the call comes from the provider's server. The web process calls it; no I/O. The secret
        in the address has been checked already; a provider that signs its calls checks the signature here."""
        raise Forged("This provider sends no receipts.")

    def receipts(self, request: ReceiptRequest, client: HttpClient) -> Sequence[ReceiptEvent]:
        """The events of a verified call. A worker calls it. Raises Forged, or ValueError for a body that cannot be
        read."""
        raise NotImplementedError(f"{type(self).__name__} must implement receipts() to report")

    def receipts_request(self, refs: Sequence[str]) -> Request:
        """The request that asks for the receipts of the messages with these references of `Sent(ref)`."""
        raise NotImplementedError(f"{type(self).__name__} must implement receipts_request() to have polled receipts")

    def inquiry(self, doubt: Doubt) -> Request:
        """The request that asks for the messages of which one may be this message in doubt."""
        raise NotImplementedError(f"{type(self).__name__} must implement inquiry() to be asked about messages in doubt")

    def found(self, doubt: Doubt, response: Response) -> Sequence[ReceiptEvent]:
        """The messages of the answer that may be this one, each as an event with its reference (`provider_ref`); none
        when the server does not know the message."""
        raise NotImplementedError(f"{type(self).__name__} must implement found() to be asked about messages in doubt")

    def fetched_receipts(self, response: Response) -> Mapping[str, ReceiptEvent]:
        """The answer's events, by the reference of the message. A message without one is asked about again later.
        Raises ValueError for an answer without receipts: a refusal, or a page that is not the provider's own."""
        raise NotImplementedError(f"{type(self).__name__} must implement fetched_receipts() to have polled receipts")

    @property
    def bounce_mailbox(self) -> BounceMailbox | None:
        """The mailbox in which reports about messages arrive as emails; each is read as the body of a call. None for
        a provider whose server calls us."""
        return None

    def receipt_answer(self, request: ReceiptRequest) -> tuple[str, bytes]:
        """Content type and body of the answer that the provider's server expects to a call."""
        return "text/plain", b""

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        """Try the account without reaching a recipient: one check after the other, the first failure last. Here: fetch
        the access token, where there is one."""
        if (token_request := self.required_token()) is None:
            return
        try:
            client.token(token_request)
            yield ConnectionCheck("credentials", True, "The provider accepts the credentials.")
        except TokenRefused as refused:
            yield ConnectionCheck("credentials", False, f"The provider gave no access token: {refused.detail}")

    def sender_domains(self) -> Sequence[SenderDomain]:
        """The domains of the sender, whose DNS records "test connection" checks; empty for what is no email."""
        return ()

    def untemplatable(self, addresses: Sequence[str]) -> list[int]:
        """The indexes of addresses for which a request differs in more than the address: no body template fits them."""
        return []

    def encode(self, column: str, texts: Sequence[str]) -> list[bytes]:
        """The texts of a column of a body template, as the body of a request holds them."""
        raise NotImplementedError(f"{type(self).__name__} must implement encode() to have body templates")

    # -- what the engine calls --

    @cached_property
    def token_key(self) -> str:
        """The key under which a token is kept: this account with exactly these credentials. A provider cannot choose
        it: a key of some parts of the credentials, such as the id of a private key, would hand the token to an account
        that forged the other parts."""
        identity = orjson.dumps([self.name, self.account, self.base, dataclasses.asdict(self.config)], default=repr)
        return blake2b(identity, key=_KEY, digest_size=16).hexdigest()

    def required_token(self) -> TokenRequest | None:
        """The access token that requests need; None for a provider without one."""
        request = self.token_request()
        return None if request is None else TokenRequest(self.token_key, request)

    def body_template(self, message: M, placeholders: Placeholders, token: str) -> BodyTemplate:
        """The body template of messages like this one, which was made of placeholders. Raises Untemplatable."""
        request = self.checked_request(message, token)
        return compile_template(request, placeholders, own_paths=self.own_paths, own_headers=self.own_headers)

    def send(self, messages: Sequence[M], client: HttpClient) -> Iterator[Answers]:
        """Send all messages; yield (index, verdict) in batches as the answers come. Each index gets one verdict."""
        try:
            token_request = self.required_token()
            token = client.token(token_request) if token_request else ""
        except TokenRefused as refused:
            verdict: Verdict = Temporary(refused.detail) if refused.temporary else Misconfigured(refused.detail)
            yield [(i, verdict) for i in range(len(messages))]
            return
        requests, indexes, unbuildable = self._requests(messages, token)
        if unbuildable:
            yield unbuildable
        for answers in client.exchange(requests):
            yield [(indexes[i], self.verdict(answer)) for i, answer in answers]
            if token_request and any(isinstance(a, Response) and self.refuses_token(a) for _, a in answers):
                client.forget_token(token_request.cache_key)

    def _requests(
        self, messages: Sequence[M], token: str
    ) -> tuple[list[Request], list[int], list[tuple[int, Verdict]]]:
        """The requests, the index of the message of each, and verdicts for messages of which no request can be built:
        one such message must not fail the messages around it."""
        requests: list[Request] = []
        indexes: list[int] = []
        unbuildable: list[tuple[int, Verdict]] = []
        for index, message in enumerate(messages):
            try:
                requests.append(self.checked_request(message, token))
                indexes.append(index)
            except Unreadable as error:
                unbuildable.append((index, Temporary(str(error))))
            except Unbuildable as error:
                unbuildable.append((index, Permanent(f"it makes no request: {error}")))
            except (ValueError, TypeError, KeyError) as error:
                unbuildable.append((index, Permanent(f"it makes no request ({type(error).__name__})")))
        return requests, indexes, unbuildable

    def checked_request(self, message: M, token: str) -> Request:
        """The request that sends `message`, in the pool of the provider. Raises ValueError, TypeError or KeyError for a
        message without one."""
        self.refuse_rehearsal(message)
        request = self.request(message, token)
        return dataclasses.replace(request, pool=self.pool) if self.pool else request

    def refuse_rehearsal(self, message: M) -> None:
        """Raise ValueError for a rehearsal that the provider would deliver: the last guard, because a rehearsal must
        reach no recipient."""
        if message.envelope.rehearsal and not self.rehearses:
            raise ValueError("a rehearsal would be delivered")

    def verdict(self, answer: Response | TransportError) -> Verdict:
        """What an answer means, or the lack of one."""
        if isinstance(answer, Response):
            return self.verdict_of(answer)
        if answer == WITHDRAWN:
            return Withdrawn()
        if answer.begun:
            return InDoubt(answer.detail, answer.disconnected)
        return Temporary(answer.detail, unavailable=answer.unreachable, disconnected=answer.disconnected)


def has_own_check(kind: type[Provider[Any]]) -> bool:
    """Whether the provider checks tokens in a way of its own."""
    return _check_of(kind) is not _check_of(Provider)


def _check_of(kind: type[Provider[Any]]) -> Any:
    return kind.check_token.__func__  # type: ignore[attr-defined]


def _check_platform(kind: type[Provider[Any]]) -> None:
    """Raise TypeError, when the provider's file is loaded, for a platform that no column holds, and for a second check
    of one platform's tokens: its devices would be stored in two spellings."""
    if len(kind.platform) > MAX_PLATFORM:
        raise TypeError(f"{kind.name}: the platform {kind.platform!r} has more than {MAX_PLATFORM} characters")
    for other in Provider._registry.values():
        same_platform = kind.platform and other.platform == kind.platform and other.name != kind.name
        if same_platform and has_own_check(kind) and has_own_check(other) and _check_of(kind) is not _check_of(other):
            raise TypeError(
                f"{kind.name} and {other.name} check the tokens of {kind.platform} in two ways: let one of the two"
                " leave check_token out"
            )
