"""A browser's subscription, with the private key that decrypts what it receives."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

import http_ece
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key

from notifier.providers.common import base64url
from notifier.providers.webpush.encryption import public_bytes

ENDPOINT = "https://fcm.googleapis.com/fcm/send/dIdLvxOyAbc:APA91bF-x_y"


@dataclass
class Browser:
    endpoint: str = ENDPOINT
    private: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def p256dh(self) -> str:
        return base64url.encode(public_bytes(self.private.public_key()))

    @property
    def auth(self) -> str:
        return base64url.encode(self.secret)

    @property
    def token(self) -> str:
        return f"{self.endpoint}#{self.p256dh}.{self.auth}"

    @property
    def as_json(self) -> str:
        """What `JSON.stringify(subscription)` gives in a page."""
        keys = {"p256dh": self.p256dh, "auth": self.auth}
        return json.dumps({"endpoint": self.endpoint, "expirationTime": None, "keys": keys})

    def read(self, body: bytes) -> dict[str, Any]:
        """The message that a body carries."""
        plain = http_ece.decrypt(body, private_key=self.private, auth_secret=self.secret, version="aes128gcm")
        document: dict[str, Any] = orjson.loads(plain)
        return document
