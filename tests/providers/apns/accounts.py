"""APNs accounts and pushes for the tests of this folder."""

from __future__ import annotations

import dataclasses
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifier.channels.push import PushMessage
from notifier.providers.apns.config import ApnsConfig
from notifier.providers.apns.provider import Apns
from tests.providers.people import a_push

URL = "https://127.0.0.1:1"
TOKEN = "a1" * 32
ACTIVITY = {"event": "update", "content_state": '{"minutes": 4}'}


def provider(origin: str | None = URL, **changes: Any) -> Apns:
    return Apns(ApnsConfig.parse({**dataclasses.asdict(ApnsConfig.sandbox(URL)), **changes}), origin, timeout=60.0)


def push(address: str = TOKEN, **changes: Any) -> PushMessage:
    return a_push(address, **changes)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
