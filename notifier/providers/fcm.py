"""Firebase Cloud Messaging, HTTP v1: Android, iOS and web apps that carry the Firebase SDK.

    https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send

pyfcm's own class builds the payload, in 9 to 14 µs a message. This file uses none of pyfcm's network functions: they
sleep in the caller on Retry-After, repeat POSTs on 502, and hold one token for each thread.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self
from urllib.parse import urlencode

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.auth.credentials import AnonymousCredentials
from pyfcm import FCMNotification

from notifier.channels.push import PushMessage
from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.common.json_answers import json_object
from notifier.providers.common.retry_after import retry_after
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.verdicts import Misconfigured, Permanent, Sent, Temporary, Throttled, Verdict

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
ASSERTION_LIFE, ASSERTION_KEPT = 3600, 1800  #: seconds; Google allows an hour
LONGEST_TTL = 28 * 86_400  #: FCM keeps a message for four weeks at most
LONG_NOTICE_RATE = 18_000_000  #: messages a minute above which Google asks for a month's notice

#: the sandbox accepts assertions signed with this key: a provider reads no file, so it cannot read the sandbox's key
SANDBOX_TYPE = "notifier_sandbox"
SANDBOX_KEY = "notifier-sandbox: anybody may send here"
SANDBOX_ISSUER = "sandbox@notifier"

#: a Firebase installation id is 22 characters of base64url whose first four bits are 0111; a registration token is
#: much longer and holds a colon. The discovery document has a field for each, `fid` and `token`.
INSTALLATION_ID, INSTALLATION_ID_SIZE = re.compile(r"[cdef][A-Za-z0-9_-]{21}"), 22
#: names that a message's data may not have, by Google's reference and because the message has data of its own
RESERVED, RESERVED_PREFIXES = frozenset({"from", "message_type"}), ("google.", "gcm.notification.")
OWN_KEYS = frozenset({"delivery_id", "link", "image"})
TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")  #: what Web Push allows as Topic (RFC 8030 §5.4)

ADDRESS_FIELDS = frozenset({"message.token", "message.fid"})


@dataclass(frozen=True)
class FcmConfig(base.Config):
    service_account: str = base.secret()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        config = super().parse(raw)
        document = _document(config.service_account)
        missing = [name for name in ("project_id", "client_email", "private_key") if not document.get(name)]
        if missing:
            raise InvalidInput(f"The service account lacks {', '.join(missing)}.", field="service_account")
        if not re.fullmatch(r"[a-z0-9:.-]{1,100}", str(document["project_id"])):
            raise InvalidInput("The service account's project_id is not one.", field="service_account")
        if document.get("type") != SANDBOX_TYPE:
            _check_key(str(document["private_key"]))
        return config

    @classmethod
    def sandbox(cls, origin: str) -> Self:
        document = {
            "type": SANDBOX_TYPE,
            "project_id": "notifier-sandbox",
            "private_key_id": "open",
            "private_key": SANDBOX_KEY,
            "client_email": SANDBOX_ISSUER,
        }
        return cls(service_account=json.dumps(document))


class Fcm(base.Provider[PushMessage]):
    name = "fcm"
    channel = "push"
    platform = "fcm"
    rate_per_s = 10_000  # 600,000 a minute and project, Google's default quota
    limit_of = "this FCM project"
    largest = 4096  # https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type
    rehearses = True  # validate_only
    templatable = frozenset({"title", "body", "data"})
    Config = FcmConfig
    config: FcmConfig
    origin = "https://fcm.googleapis.com"

    def __init__(self, config: FcmConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        account = _document(config.service_account)
        self._key, self._key_id = account["private_key"], account.get("private_key_id", "")
        self._algorithm = "HS256" if account.get("type") == SANDBOX_TYPE else "RS256"
        self._project = account["project_id"]
        self._issuer, project = account["client_email"], account["project_id"]
        self._url = f"{self.base}/v1/projects/{project}/messages:send"
        # not the account's own token_uri: it is the tenant's input, and a tenant must not choose where we post
        self._token_url = GOOGLE_TOKENS if self.base == self.origin else f"{self.base}/token"
        self._token_request: tuple[float, Request] | None = None
        self._headers: tuple[str, tuple[tuple[str, str], ...]] = ("", ())
        self._payloads = _Payloads(credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]

    @classmethod
    def raise_quota(cls, rate_per_s: float) -> str:
        """https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas"""
        days = 30 if rate_per_s * 60 > LONG_NOTICE_RATE else 15
        return f"ask Google for more at least {days} days ahead"

    # -- the content --

    @classmethod
    def size(cls, parts: Mapping[str, Any]) -> int:
        """Bytes of `notification` and `data` together, names and texts."""
        links = {name: parts[name] for name in ("link", "image") if parts.get(name)}
        notification = {name: parts[name] for name in ("title", "body", "image") if parts.get(name)}
        data = {**(parts.get("data") or {}), **links, "delivery_id": "-" * 36}
        return sum(len(text.encode()) for part in (notification, data) for pair in part.items() for text in pair)

    @classmethod
    def check_content(cls, parts: Mapping[str, Any]) -> None:
        for key in parts.get("data") or ():
            if key in RESERVED or key.startswith(RESERVED_PREFIXES):
                raise InvalidInput(f"FCM reserves the data key {key!r}; choose another name.", field=f"data.{key}")
            if key in OWN_KEYS:
                raise InvalidInput(f"The message carries its own {key!r}; choose another name.", field=f"data.{key}")
        super().check_content(parts)

    # -- the token --

    def can_replace(self, other: base.Provider[PushMessage]) -> bool:
        """A token belongs to one Firebase project: another project answers SENDER_ID_MISMATCH."""
        return isinstance(other, Fcm) and other._project == self._project

    def token_request(self) -> Request:
        """The request for a token. An RSA signature costs 1 ms, so one assertion is used for half of its hour."""
        now, cached = time.time(), self._token_request
        if cached is None or now - cached[0] > ASSERTION_KEPT:
            cached = self._token_request = (now, self._grant(int(now)))
        return cached[1]

    def _grant(self, now: int) -> Request:
        claims = {
            "iss": self._issuer,
            "scope": SCOPE,
            "aud": self._token_url,
            "iat": now,
            "exp": now + ASSERTION_LIFE,
        }
        assertion = jwt.encode(claims, self._key, self._algorithm, headers={"kid": self._key_id})
        form = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
        return Request(
            "POST", self._token_url, (("content-type", "application/x-www-form-urlencoded"),), form, self.timeout
        )

    # -- the message --

    def request(self, message: PushMessage, token: str) -> Request:
        header_token, headers = self._headers
        if header_token != token:
            headers = (("authorization", f"Bearer {token}"), ("content-type", "application/json"))
            self._headers = (token, headers)
        return Request("POST", self._url, headers, self._payloads.body_of(message), self.timeout)

    def untemplatable(self, addresses: Sequence[str]) -> list[int]:
        if INSTALLATION_ID_SIZE not in map(len, addresses):  # matching each address would cost far more
            return []
        return [i for i, address in enumerate(addresses) if INSTALLATION_ID.fullmatch(address)]

    def encode(self, column: str, texts: Sequence[str]) -> list[bytes]:
        """The texts as JSON strings hold them. Texts without escapes, such as tokens, take 0.2 µs each."""
        array = orjson.dumps(texts)
        if b"\\" not in array:
            return array[2:-2].split(b'","') if texts else []
        return [orjson.dumps(text)[1:-1] for text in texts]

    # -- the answer --

    def verdict_of(self, response: Response) -> Verdict:
        document = json_object(response.body)
        if 200 <= response.status < 300:
            name = document.get("name")
            return Sent(name if isinstance(name, str) else "")
        error = document.get("error")
        return _verdict_of_error(response, error if isinstance(error, dict) else {})


class _Payloads(FCMNotification):  # type: ignore[misc]  # pyfcm carries no types
    """pyfcm's payload builder, with a faster encoder and installation ids. No message changes its state."""

    def body_of(self, message: PushMessage) -> bytes:
        envelope = message.envelope
        topic, ttl = _topic(envelope.collapse_key), envelope.expires_in
        payload: bytes = self.parse_payload(
            fcm_token=envelope.address.value,
            notification_title=message.title,
            notification_body=message.body,
            notification_image=message.image or None,
            data_payload=_data(message),
            android_config=_android(envelope.collapse_key, envelope.urgent, ttl),
            apns_config=_apns(envelope.collapse_key, envelope.urgent, ttl),
            webpush_config=_webpush(message, topic, ttl),
            dry_run=envelope.rehearsal,
        )
        return payload

    def json_dumps(self, data: dict[str, Any]) -> bytes:
        message = data["message"]
        if INSTALLATION_ID.fullmatch(message["token"]):
            message["fid"] = message.pop("token")
        return orjson.dumps(data)


def _data(message: PushMessage) -> dict[str, str]:
    data = {name: value if type(value) is str else str(value) for name, value in message.data.items()}
    data["delivery_id"] = str(message.envelope.delivery_id)
    if message.link:
        data["link"] = message.link
    if message.image:
        data["image"] = message.image
    return data


def _android(collapse_key: str, urgent: bool, ttl: int | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "priority": "HIGH" if urgent else "NORMAL",
        "notification": {"tag": collapse_key},
    }
    if ttl is not None:
        config["ttl"] = f"{_clamp_ttl(ttl)}s"
    return config


def _apns(collapse_key: str, urgent: bool, ttl: int | None) -> dict[str, Any]:
    headers = {
        "apns-collapse-id": collapse_key if len(collapse_key.encode()) <= 64 else _digest(collapse_key),
        "apns-priority": "10" if urgent else "5",
    }
    if ttl is not None:
        headers["apns-expiration"] = str(int(time.time()) + _clamp_ttl(ttl))
    return {"headers": headers}


def _webpush(message: PushMessage, topic: str, ttl: int | None) -> dict[str, Any]:
    headers = {"Topic": topic, "Urgency": "high" if message.envelope.urgent else "normal"}
    if ttl is not None:
        headers["TTL"] = str(_clamp_ttl(ttl))
    if message.link.startswith("https://"):  # FCM refuses any other
        return {"headers": headers, "fcm_options": {"link": message.link}}
    return {"headers": headers}


def _clamp_ttl(seconds: int) -> int:
    return max(0, min(int(seconds), LONGEST_TTL))


def _topic(collapse_key: str) -> str:
    return collapse_key if TOPIC.fullmatch(collapse_key) else _digest(collapse_key)


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


# ---- verdicts ----------------------------------------------------------------------------------------------------


def _verdict_of_error(response: Response, error: Mapping[str, Any]) -> Verdict:
    """The verdict by FCM's own error code if the answer has one, else by the HTTP status.

    https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
    """
    status, code = response.status, _fcm_code(error)
    detail = f"{status} {code or error.get('status') or ''} {error.get('message') or ''}".strip()[:300]
    if code == "UNREGISTERED" or (code == "INVALID_ARGUMENT" and _blames_address(error)):
        return Permanent(detail, address_is_dead=True)
    if code == "SENDER_ID_MISMATCH":
        return Temporary(detail)  # the address belongs to another project, or the account is the wrong one
    if code == "THIRD_PARTY_AUTH_ERROR" or status == 403 or (status in (404, 410) and code is None):
        return Misconfigured(detail)  # 404 without a code: the project does not exist, or the server is not FCM
    if status == 401:
        return Temporary(detail)  # the token expired; the engine fetches a new one and tries again
    if code == "QUOTA_EXCEEDED" or status == 429:
        return Throttled(retry_after(response), detail)
    if code == "UNAVAILABLE" or status == 503:
        after = retry_after(response)
        return Temporary(detail) if after is None else Throttled(after, detail)
    if status >= 500 or status < 400 or status == 408 or not isinstance(error.get("status"), str):
        return Temporary(detail)  # this includes answers that are not Google's, such as a proxy's page
    return Permanent(detail)


def _details(error: Mapping[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _fcm_code(error: Mapping[str, Any]) -> str | None:
    for detail in _details(error):
        code = detail.get("errorCode")
        if isinstance(code, str) and str(detail.get("@type", "")).endswith("FcmError"):
            return code
    return None


def _blames_address(error: Mapping[str, Any]) -> bool:
    """Whether INVALID_ARGUMENT is about the address: FCM names the address's field, or the message says so. The code
    alone does not: https://firebase.google.com/docs/cloud-messaging/manage-tokens calls it a sign of an invalid token
    only where the payload is valid, and most of these answers are about the payload."""
    for detail in _details(error):
        violations = detail.get("fieldViolations")
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and violation.get("field") in ADDRESS_FIELDS:
                return True
    return "registration token" in str(error.get("message", "")).lower()


# ---- the service account -----------------------------------------------------------------------------------------


def _document(text: str) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        # `from None`, because the parser's error would quote the text
        raise InvalidInput("The service account is not JSON.", field="service_account") from None
    if not isinstance(document, dict):
        raise InvalidInput("The service account is not a JSON object.", field="service_account")
    return document


def _check_key(pem: str) -> None:
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        raise InvalidInput("The service account's private_key is not a PEM key.", field="service_account") from None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidInput("The service account's private_key is not an RSA key.", field="service_account")
