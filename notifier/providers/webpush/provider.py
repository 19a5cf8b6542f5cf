"""Web Push (RFC 8030): one POST to the subscription's own endpoint for each message."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from notifier.channels.push import LONGEST_TTL, PushMessage
from notifier.providers import base
from notifier.providers.common.collapse_keys import topic
from notifier.providers.webpush import services, subscription, vapid, verdicts
from notifier.providers.webpush.config import WebPushConfig
from notifier.providers.webpush.encryption import LARGEST_PLAINTEXT, encrypt
from notifier.providers.webpush.payload import payload_of, size_of
from notifier.providers.webpush.vapid import VapidKey
from notifier.vocabulary.checks import ConnectionCheck
from notifier.vocabulary.http import HttpClient, Request, Response, TransportError
from notifier.vocabulary.verdicts import Temporary, Verdict

#: origins whose authorization is kept: browsers have about ten; Microsoft has some dozens
MOST_ORIGINS = 512


class WebPush(base.Provider[PushMessage]):
    name = "webpush"
    channel = "push"
    platform = "webpush"
    limit_of = "this push service"
    largest = LARGEST_PLAINTEXT
    own_paths = True
    own_headers = ("topic",)
    prepares = True
    rotates = "private_key"
    Config = WebPushConfig
    config: WebPushConfig
    #: where most messages go; the sandbox's origin in its place takes all of them
    origin = "https://fcm.googleapis.com"

    def __init__(self, config: WebPushConfig, origin: str | None = None, timeout: float = 10.0) -> None:
        super().__init__(config, origin, timeout)
        self._sandbox = self.base != self.origin
        self._authorizations: dict[tuple[str, str], tuple[float, str]] = {}

    # -- content and token --

    @classmethod
    def size(cls, parts: Mapping[str, Any]) -> int:
        return size_of(parts)

    @classmethod
    def check_token(cls, token: str) -> str:
        return subscription.check_token(token)

    # -- the VAPID keys --

    @cached_property
    def current_key(self) -> VapidKey:
        """The key with which browsers subscribe now. An account of the sandbox has no settings: its keys belong to the
        account's own secrets, so that all processes have the same."""
        return self.config.current or vapid.derived_key((*self.signing_keys, b"sandbox")[0])

    @cached_property
    def keys(self) -> Mapping[str, VapidKey]:
        """The account's key pairs by their ids."""
        earlier = [vapid.derived_key(seed) for seed in self.signing_keys[1:]] if self.config.current is None else []
        keys = [self.current_key, *(previous.key for previous in self.config.previous), *earlier]
        return {key.key_id: key for key in keys}

    def _key_of(self, key_id: str, device_id: uuid.UUID | None) -> VapidKey:
        """The key with which a browser subscribed. Raises Unbuildable."""
        if key_id:
            key = self.keys.get(key_id)
            if key is None:
                raise base.Unbuildable("this account does not have the VAPID key of the subscription")
            return key
        if device_id is not None:
            # the id's first 48 bits are the milliseconds at which the device was registered
            registered = device_id.int >> 80
            for previous in reversed(self.config.previous):
                if registered < previous.ended * 1000:
                    return previous.key
        return self.current_key

    def can_replace(self, other: base.Provider[PushMessage]) -> bool:
        """A subscription belongs to a VAPID key: an account replaces one whose keys it has."""
        return isinstance(other, WebPush) and other.keys.keys() <= self.keys.keys()

    # -- the message --

    def prepare(self, message: PushMessage) -> bytes:
        subscribed = subscription.parse_stored(message.envelope.address.value)
        plaintext = payload_of(message)
        if len(plaintext) > LARGEST_PLAINTEXT:
            raise base.Unbuildable(f"its content has more than the {LARGEST_PLAINTEXT:,} bytes that a browser takes")
        return encrypt(plaintext, subscribed.browser_key, subscribed.secret)

    def request(self, message: PushMessage, token: str) -> Request:
        envelope = message.envelope
        endpoint, _, keys = envelope.address.value.partition("#")
        key = self._key_of(keys.split(".")[-1] if keys.count(".") == 2 else "", envelope.address.device_id)
        origin = endpoint[: endpoint.find("/", 8)]
        block, lifetime = message.webpush, message.lifetime
        ttl = LONGEST_TTL if lifetime is None else max(0, min(lifetime, LONGEST_TTL))
        headers = (
            ("authorization", self._authorization(origin, key)),
            ("content-encoding", "aes128gcm"),
            ("content-type", "application/octet-stream"),
            ("ttl", str(ttl)),
            ("urgency", block.get("urgency") or ("high" if message.is_urgent else "normal")),
            ("topic", block.get("topic") or topic(envelope.collapse_key)),
        )
        body = message.prepared or self.prepare(message)
        return Request("POST", self._url(endpoint, origin), headers, body, self.timeout)

    def _url(self, endpoint: str, origin: str) -> str:
        if not self._sandbox or origin == self.base:
            return endpoint
        return f"{self.base}{services.SANDBOX_PATH}{endpoint.removeprefix('https://')}"

    def _authorization(self, origin: str, key: VapidKey) -> str:
        """The header for a push service, made once in half a day. Looks at the host anew: the operator may have taken a
        service off since the token was registered."""
        now = time.time()
        period, known = now // vapid.PERIOD, self._authorizations.get((origin, key.key_id))
        if known is not None and known[0] == period:
            return known[1]
        self._check_origin(origin)
        if len(self._authorizations) >= MOST_ORIGINS:
            self._authorizations.clear()
        value = vapid.authorization(key, origin, self.config.subject, now)
        self._authorizations[origin, key.key_id] = period, value
        return value

    def _check_origin(self, origin: str) -> None:
        if services.is_of_sandbox(f"{origin}{services.SANDBOX_PATH}"):
            if not self._sandbox:
                raise base.Unbuildable("the subscription is one of the sandbox, and the account is not")
        elif not services.is_service(origin.removeprefix("https://")):
            raise base.Unbuildable("its host is no push service that this site knows (WEBPUSH_SERVICES)")

    def test(self, client: HttpClient) -> Iterator[ConnectionCheck]:
        """No push service has an address that tells whether it takes a VAPID key."""
        key = self.current_key
        yield ConnectionCheck(
            "VAPID key",
            None,
            f"Pages subscribe with the public key {key.public_key} (key id {key.key_id}). The first message shows"
            " whether the push services take it.",
        )

    # -- the answer --

    def verdict_of(self, response: Response) -> Verdict:
        return verdicts.verdict_of(response)

    def verdict(self, answer: Response | TransportError) -> Verdict:
        """A push service that cannot be reached is one of several, and a token may name a host that does not exist:
        neither is about the account."""
        verdict = super().verdict(answer)
        if isinstance(answer, TransportError) and isinstance(verdict, Temporary):
            return Temporary(verdict.detail, one_address=True, disconnected=verdict.disconnected)
        return verdict
