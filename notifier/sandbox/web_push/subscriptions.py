"""Subscriptions of fake browsers. All of a subscription follows from its name, which is the last segment of its
endpoint: a sandbox that was started anew decrypts for the subscriptions of an earlier start, and a million of them
need no memory. Whoever knows a name knows the keys; the sandbox guards no secret, it shows every test message."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifier.sandbox.web_push.encryption import Keys

#: `s` and 24 digits; then `k` and a digest of the VAPID key that alone may send to it
_NAME = re.compile(r"(?:^|-)(s[0-9a-f]{24}(?:k([0-9a-f]{16}))?)(?:-|$)")
_WORDS = re.compile(r"[a-z]{1,20}")
_HOST = re.compile(r"[a-z0-9.-]{1,100}(?::[0-9]{1,5})?")
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  #: of P-256
MOST = 10_000  #: subscriptions of one call


@dataclass(frozen=True, slots=True)
class Subscription:
    name: str
    key_digest: str  #: of the VAPID key with which it was made; empty: every key may send

    @property
    def keys(self) -> Keys:
        return _keys(self.name)

    def made_with(self, key: bytes) -> bool:
        """Whether a server with this VAPID public key may send to the subscription."""
        return self.key_digest in ("", _digest(key))


def subscription_in(name: str) -> Subscription | None:
    """The subscription that the last segment of an endpoint names; None if the sandbox did not make it."""
    match = _NAME.search(name)
    return None if match is None else Subscription(match[1], match[2] or "")


def endpoint_of(path: str, host: str) -> tuple[str, str]:
    """Origin and endpoint, as the browser knows them, of a request to `path` of the sandbox at `host`.

    `/webpush/fcm.googleapis.com/wp/s1f…` is `https://fcm.googleapis.com/wp/s1f…`: a VAPID token is made for that
    origin, because the sender makes it before the sandbox account changes the destination."""
    first, slash, below = path.removeprefix("/webpush/").partition("/")
    if slash and ("." in first or ":" in first or first in ("localhost", "sandbox")):
        return f"https://{first}", f"https://{first}/{below}"
    return f"https://{host}", f"https://{host}{path}"


def create(request: Any, host: str) -> dict[str, Any]:
    """The answer to `POST /_webpush/subscriptions`. `request` may be empty, or an object of: `application_server_key`
    (base64url; only this VAPID key may send), `host` (of a browser's push service, which the endpoint names), `word`
    (steers the answers), `count` (answers `{"subscriptions": […]}`). Raises ValueError naming the field."""
    values = {} if request is None else request
    known = ("application_server_key", "host", "word", "count")
    if not isinstance(values, dict) or any(name not in known for name in values):
        raise ValueError(f"the body must be an object of: {', '.join(known)}")
    digest = _digest(_server_key(values["application_server_key"])) if values.get("application_server_key") else ""
    word, foreign, count = values.get("word", ""), values.get("host", ""), values.get("count", 1)
    if word and not (isinstance(word, str) and _WORDS.fullmatch(word)):
        raise ValueError("word: lower-case letters")
    if foreign and not (isinstance(foreign, str) and _HOST.fullmatch(foreign)):
        raise ValueError("host: a host name")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise ValueError(f"count: 1 to {MOST}")
    base = f"https://{foreign}/wp" if foreign else f"https://{host}/webpush"
    created = [_create_one(base, word, digest) for _ in range(count)]
    return {"subscriptions": created} if "count" in values else created[0]


def _create_one(base: str, word: str, digest: str) -> dict[str, Any]:
    name = f"s{secrets.token_hex(12)}{f'k{digest}' if digest else ''}"
    endpoint = f"{base}/{word}-{name}" if word else f"{base}/{name}"
    keys = _keys(name)
    shown = {"p256dh": encode(keys.public), "auth": encode(keys.auth)}
    return {"endpoint": endpoint, "expirationTime": None, "keys": shown}


def _server_key(text: Any) -> bytes:
    try:
        key = decode(text)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except (ValueError, TypeError, AttributeError):
        raise ValueError("application_server_key: a public key of P-256, 65 bytes in base64url") from None
    return key


def encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _digest(key: bytes) -> str:
    return sha256(key).hexdigest()[:16]


def _derived(name: str, purpose: str) -> bytes:
    return sha256(f"notifier sandbox subscription {purpose} {name}".encode()).digest()


@lru_cache(maxsize=4096)
def _keys(name: str) -> Keys:
    scalar = int.from_bytes(_derived(name, "key"), "big") % (_ORDER - 1) + 1
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Keys(private, public, _derived(name, "auth")[:16])
