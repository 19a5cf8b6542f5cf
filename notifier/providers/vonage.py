"""Vonage: SMS by the Messages API (https://developer.vonage.com/en/api/messages). Vonage recommends this API over its
older SMS API, which hides an error inside of a 200 and does not sign its callbacks with a JWT.

A request is authorized by a JWT of the application's private key. Each request carries our delivery id as `client_ref`,
and the address of its status callbacks. Vonage signs its calls with a JWT (HS256, the account's signature secret) that
holds the hash of the body (https://developer.vonage.com/en/getting-started/concepts/webhooks).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from notifier.channels.sms import SmsMessage
from notifier.errors import Forged, InvalidInput
from notifier.providers import base
from notifier.providers.common.json_answers import get_json, json_object, verdict_by_status
from notifier.providers.common.retry_after import retry_after
from notifier.providers.common.sms_replies import LONGEST_ID, kind_of_reply, reply_events
from notifier.providers.common.sms_senders import Senders, check_price
from notifier.vocabulary.checks import ConnectionCheck
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.ids import parse_id
from notifier.vocabulary.receipts import EventKind, ReceiptEvent, ReceiptRequest
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

ACCOUNTS = "https://rest.nexmo.com"
TOKEN_LIFE, TOKEN_KEPT = 900, 600  #: seconds; an RSA signature costs 1 ms, so requests share a token
OLDEST_CALL, CLOCK_SKEW = 300, 60  #: seconds since a call was signed; by which the clocks may differ

#: of the sandbox, which knows no other account and takes this text instead of an RSA key
SANDBOX_APPLICATION, SANDBOX_API_KEY = "00000000-0000-4000-8000-00000000005a", "5a5a5a5a"
SANDBOX_KEY = "notifier-sandbox: anybody may send here"

# Vonage's words of an error, in its title or detail: https://developer.vonage.com/en/api-errors/messages
#: the number takes no SMS, or its owner refuses those of this sender
_DEAD = re.compile(r"invalid or missing msisdn|absent subscriber\W+permanent|illegal number|call barred by user", re.I)
#: the account, its credit or its sender
_ACCOUNT = re.compile(r"account barred|quota exceeded|not enabled|illegal sender|invalid sender|low.balance", re.I)

_KINDS = {
    "submitted": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "rejected": EventKind.FAILED,
    "undeliverable": EventKind.FAILED,
}


@dataclass(frozen=True)
class VonageConfig(base.Config):
    """`sender`: a number or an alphanumeric id; `senders`: those of some countries. The signature secret verifies
    receipts. The API key reads the balance, when the connection is tested."""

    application_id: str
    sender: str
    private_key: str = base.secret()
    signature_secret: str = base.secret()
    senders: str = ""
    api_key: str = ""
    api_secret: str = base.optional_secret()
    price_per_segment: float = 0.0

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        try:
            uuid.UUID(config.application_id)
        except ValueError:
            raise InvalidInput("application_id is the id of a Vonage application.", field="application_id") from None
        if config.private_key != SANDBOX_KEY:
            _check_key(config.private_key)
        for one, other in (("api_key", "api_secret"), ("api_secret", "api_key")):
            if getattr(config, one) and not getattr(config, other):
                raise InvalidInput("An API key has a secret: give both, or none.", field=other)
        Senders.parse(config.sender, config.senders)
        check_price(config.price_per_segment)
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        return cls(
            application_id=SANDBOX_APPLICATION, sender="Notifier", private_key=SANDBOX_KEY,
            signature_secret=SANDBOX_KEY, api_key=SANDBOX_API_KEY, api_secret=SANDBOX_KEY,
        )  # fmt: skip


class Vonage(base.Provider[SmsMessage]):
    name = "vonage"
    channel = "sms"
    rate_per_s = 30  # requests a second of one API key: https://api.support.vonage.com/hc/en-us/articles/203993598
    limit_of = "this Vonage account"
    default_account = False
    reports = True
    Config = VonageConfig
    config: VonageConfig
    origin = "https://api.nexmo.com"

    def __init__(self, config: VonageConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        self._senders = Senders.parse(config.sender, config.senders)
        self._accounts = ACCOUNTS if self.base == self.origin else self.base
        self._algorithm = "HS256" if config.private_key == SANDBOX_KEY else "RS256"
        self._headers: tuple[float, tuple[tuple[str, str], ...]] = (0.0, ())

    @classmethod
    def raise_quota(cls, rate_per_s: float) -> str:
        return "ask your Vonage account manager for more; a US long code sends 1 a second, whatever the account has"

    # -- the message --

    def request(self, message: SmsMessage, token: str) -> Request:
        envelope = message.envelope
        number = envelope.address.value
        body: dict[str, Any] = {
            "channel": "sms",
            "message_type": "text",
            "to": number.removeprefix("+"),
            "from": self._senders.of_number(number).removeprefix("+"),
            "text": message.text,
            "client_ref": str(envelope.delivery_id),
        }
        if self.receipts_url:
            body["webhook_url"] = f"{self.receipts_url}?delivery={envelope.delivery_id}"
            body["webhook_version"] = "v1"
        return Request("POST", f"{self.base}/v1/messages", self._authorized(), orjson.dumps(body), self.timeout)

    def _authorized(self) -> tuple[tuple[str, str], ...]:
        now, (made, headers) = time.time(), self._headers
        if now - made > TOKEN_KEPT:
            claims = {"application_id": self.config.application_id, "iat": int(now), "exp": int(now) + TOKEN_LIFE}
            token = jwt.encode({**claims, "jti": str(uuid.uuid4())}, self.config.private_key, self._algorithm)
            headers = (("authorization", f"Bearer {token}"), ("content-type", "application/json"))
            self._headers = (now, headers)
        return headers

    def verdict_of(self, response: Response) -> Verdict:
        document, status = json_object(response.body), response.status
        if 200 <= status < 300:
            reference = document.get("message_uuid")
            return Sent(reference if isinstance(reference, str) else "")
        words = f"{document.get('title') or ''} {document.get('detail') or ''}".strip()
        detail = f"{status} {words}".strip()[:300]
        if "api-errors" not in str(document.get("type")):
            return verdict_by_status(response, detail)
        if status == 429:
            return Throttled(retry_after(response), detail)
        if status in (401, 402, 403, 404) or _ACCOUNT.search(words):
            return Misconfigured(detail)
        if status == 503:
            return Temporary(detail, unavailable=True)
        if status >= 500:
            return InDoubt(detail)
        return Permanent(detail, address_is_dead=_DEAD.search(words) is not None)

    # -- what Vonage reports --

    def verify(self, request: ReceiptRequest) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            claims = jwt.decode(
                token,
                self.config.signature_secret,
                algorithms=["HS256"],
                leeway=CLOCK_SKEW,
                options={"require": ["iat", "payload_hash"], "verify_aud": False},
            )
            age = time.time() - float(claims["iat"])
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise Forged("The call has no JWT of the account's signature secret.") from error
        if scheme.lower() != "bearer" or age > OLDEST_CALL + CLOCK_SKEW:
            raise Forged("The JWT of the call is too old.")
        digest = hashlib.sha256(request.body).hexdigest()
        if not hmac.compare_digest(str(claims["payload_hash"]).lower().encode(), digest.encode()):
            raise Forged("The JWT is that of another body.")
        if claims.get("application_id", self.config.application_id) != self.config.application_id:
            raise Forged("The call is for another application.")

    def receipts(self, request: ReceiptRequest, client: HttpClient) -> Sequence[ReceiptEvent]:
        document = orjson.loads(request.body)
        if not isinstance(document, dict):
            raise ValueError("the body is no object")
        if "status" in document:
            return _status_events(document, parse_qs(urlsplit(request.url).query))
        number = f"+{str(document.get('from', '')).lstrip('+')}"
        kind = kind_of_reply(str(document.get("text", "")))
        return reply_events(kind, number, str(document.get("message_uuid", "")), _time(document))

    # -- test connection --

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        key, secret = self.config.api_key, self.config.api_secret
        if not key:
            text = "Enter the API key and its secret, too, so that the account can be tested without a message."
            yield ConnectionCheck("credentials", None, text)
            return
        headers = (("authorization", "Basic " + b64encode(f"{key}:{secret}".encode()).decode()),)
        request = Request("GET", f"{self._accounts}/account/get-balance", headers, b"", self.timeout)
        document, text = get_json(client, request)
        if document is None:
            yield ConnectionCheck("credentials", False, f"Vonage refused the API key and its secret: {text}.")
            return
        yield ConnectionCheck("credentials", True, "Vonage accepts the API key and its secret.")
        balance = document.get("value")
        if isinstance(balance, int | float):
            yield ConnectionCheck("balance", balance > 0 or None, f"The balance is {balance:,.2f} euros.")


def _status_events(document: Mapping[str, Any], query: Mapping[str, list[str]]) -> list[ReceiptEvent]:
    status, reference = str(document["status"]), str(document.get("message_uuid", ""))[:LONGEST_ID]
    if status not in _KINDS:
        return []
    error = document.get("error")
    words = f"{error.get('title', '')} {error.get('detail', '')}".strip() if isinstance(error, dict) else ""
    event = ReceiptEvent(
        _KINDS[status],
        delivery_id=parse_id(query.get("delivery", [""])[0]) or parse_id(str(document.get("client_ref", ""))),
        provider_ref=reference,
        at=_time(document),
        permanent=_DEAD.search(words) is not None,
        detail=words[:300],
        event_id=f"{reference} {status}",
    )
    return [event]


def _time(document: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(document.get("timestamp", "")))
    except ValueError:
        return None
    return at if at.tzinfo else None


def _check_key(pem: str) -> None:
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        raise InvalidInput("private_key is not a PEM key.", field="private_key") from None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidInput("private_key is not an RSA key.", field="private_key")
