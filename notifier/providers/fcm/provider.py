"""FCM as a provider: the access token, the checks of a content, requests and verdicts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from google.auth.credentials import AnonymousCredentials

from notifier.channels.push import PushMessage
from notifier.channels.push_keys import BLOCKS
from notifier.errors import InvalidInput
from notifier.providers import base
from notifier.providers.common.app_data import check_own_keys
from notifier.providers.common.json_answers import json_object
from notifier.providers.common.json_texts import json_texts
from notifier.providers.common.requests import form_request
from notifier.providers.common.short_pushes import is_short
from notifier.providers.fcm.config import SANDBOX_TYPE, FcmConfig, parse_document
from notifier.providers.fcm.payload import INSTALLATION_ID, INSTALLATION_ID_SIZE, Payloads, is_topic
from notifier.providers.fcm.verdicts import THIRD_PARTY_AUTH_ERROR, fcm_code, verdict_of_error
from notifier.vocabulary.http import Request, Response
from notifier.vocabulary.verdicts import Sent, Verdict

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
ASSERTION_LIFE, ASSERTION_KEPT = 3600, 1800  #: seconds; Google allows an hour
LONG_NOTICE_RATE = 18_000_000  #: messages a minute above which Google asks for a month's notice

#: names that a message's data may not have, by Google's reference
RESERVED, RESERVED_PREFIXES = frozenset({"from", "message_type"}), ("google.", "gcm.notification.")
#: parts whose texts stand in the body as they are, and nowhere else decide what the body is
TEMPLATABLE = frozenset({"title", "body", "data", "sound"})
#: keys of blocks, likewise
TEMPLATABLE_KEYS = {
    "android": ("channel_id", "icon", "color", "image", "sound", "tag", "click_action", "ticker", "collapse_key"),
    "apns": ("subtitle", "sound", "thread_id", "category", "target_content_id", "filter_criteria", "collapse_id"),
    "webpush": ("icon", "badge", "image", "tag", "topic"),
    "fcm": ("analytics_label", "live_activity_token"),
}


class Fcm(base.Provider[PushMessage]):
    name = "fcm"
    channel = "push"
    platform = "fcm"
    #: Google expires a token of Android after so many days: https://firebase.google.com/docs/cloud-messaging/manage-tokens
    stale_after_days = 270
    rate_per_s = 10_000  # 600,000 a minute and project, Google's default quota
    limit_of = "this FCM project"
    largest = 4096  # https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type
    rehearses = True  # validate_only
    templatable = TEMPLATABLE.union(f"{block}.{key}" for block, keys in TEMPLATABLE_KEYS.items() for key in keys)
    Config = FcmConfig
    config: FcmConfig
    origin = "https://fcm.googleapis.com"

    def __init__(self, config: FcmConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        account = parse_document(config.service_account)
        self._key, self._key_id = account["private_key"], account.get("private_key_id", "")
        self._algorithm = "HS256" if account.get("type") == SANDBOX_TYPE else "RS256"
        self._project = account["project_id"]
        self._issuer = account["client_email"]
        self._url = f"{self.base}/v1/projects/{self._project}/messages:send"
        # not the account's own token_uri: it is the tenant's input, and a tenant must not choose where we post
        self._token_url = GOOGLE_TOKENS if self.base == self.origin else f"{self.base}/token"
        self._token_request: tuple[float, Request] | None = None
        self._headers: tuple[str, tuple[tuple[str, str], ...]] = ("", ())
        self._payloads = Payloads(credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]

    @classmethod
    def raise_quota(cls, rate_per_s: float) -> str:
        """https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas"""
        days = 30 if rate_per_s * 60 > LONG_NOTICE_RATE else 15
        return f"ask Google for more at least {days} days ahead"

    # -- the content --

    @classmethod
    def size(cls, parts: Mapping[str, Any]) -> int:
        """Bytes of `notification` and `data` together, names and texts; and of the largest block, because Apple's and
        the browsers' servers count it, too."""
        links = {name: parts[name] for name in ("link", "image") if parts.get(name)}
        notification = {name: parts[name] for name in ("title", "body", "image") if parts.get(name)}
        data = {**(parts.get("data") or {}), **links, "delivery_id": "-" * 36}
        blocks = [_bytes_of(parts[block]) for block in BLOCKS if parts.get(block)]
        return _bytes_of(notification) + _bytes_of(data) + max(blocks, default=0)

    @classmethod
    def check_content(cls, parts: Mapping[str, Any]) -> None:
        data = parts.get("data") or {}
        for key in data:
            if key in RESERVED or key.startswith(RESERVED_PREFIXES):
                raise InvalidInput(f"FCM reserves the data key {key!r}; choose another name.", field=f"data.{key}")
        check_own_keys(data)
        if not is_short(parts):
            super().check_content(parts)

    # -- the address --

    @classmethod
    def check_token(cls, token: str) -> str:
        if is_topic(token):
            raise InvalidInput("A topic is no device: send a campaign to an audience of a topic.", field="token")
        return super().check_token(token)

    # -- the access token --

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
        return form_request(self._token_url, {"grant_type": GRANT, "assertion": assertion}, self.timeout)

    def refuses_token(self, response: Response) -> bool:
        """A 401 by Apple or a browser's push service is not about the access token."""
        return response.status == 401 and fcm_code(_error_of(json_object(response.body))) != THIRD_PARTY_AUTH_ERROR

    # -- the message --

    def request(self, message: PushMessage, token: str) -> Request:
        header_token, headers = self._headers
        if header_token != token:
            headers = (("authorization", f"Bearer {token}"), ("content-type", "application/json"))
            self._headers = (token, headers)
        return Request("POST", self._url, headers, self._payloads.body_of(message), self.timeout)

    def untemplatable(self, addresses: Sequence[str]) -> list[int]:
        if addresses and is_topic(addresses[0]):  # a message to a topic has a shard of its own
            return list(range(len(addresses)))
        if INSTALLATION_ID_SIZE not in map(len, addresses):  # matching each address would cost far more
            return []
        return [i for i, address in enumerate(addresses) if INSTALLATION_ID.fullmatch(address)]

    def encode(self, column: str, texts: Sequence[str]) -> list[bytes]:
        return json_texts(texts)

    # -- the answer --

    def verdict_of(self, response: Response) -> Verdict:
        document = json_object(response.body)
        if 200 <= response.status < 300:
            name = document.get("name")
            return Sent(name if isinstance(name, str) else "")
        return verdict_of_error(response, _error_of(document))


def _error_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    error = document.get("error")
    return error if isinstance(error, dict) else {}


def _bytes_of(texts: Mapping[str, str]) -> int:
    return sum([len(name.encode()) + len(text.encode()) for name, text in texts.items()])
