"""VAPID (RFC 8292): the key pair of an application server, and the JWT that it signs for a push service.

A signature costs 33 µs and serves an origin for half a day: all messages of a process share it, and all processes sign
the same text, because the time is rounded and ECDSA is deterministic (RFC 6979).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from notifier.providers.common import base64url
from notifier.providers.common.es256 import signed_jwt
from notifier.providers.webpush.encryption import public_bytes

#: seconds: a JWT serves half a day and ends at most 23 hours after it was made. RFC 8292 §2 allows 24, and a push
#: service's clock may differ
PERIOD, LIFE = 43_200, 23 * 3600
_SCALAR_SIZE = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, repr=False)
class VapidKey:
    """A key pair. `public_key` is what a page gives to the browser (applicationServerKey), in base64url."""

    private: EllipticCurvePrivateKey
    public_key: str
    key_id: str

    @classmethod
    def from_private(cls, private: EllipticCurvePrivateKey) -> VapidKey:
        public = public_bytes(private.public_key())
        return cls(private, base64url.encode(public), base64url.encode(sha256(public).digest())[:8])

    @property
    def text(self) -> str:
        """The private key in base64url, as `read_key` reads it. A secret."""
        scalar = self.private.private_numbers().private_value
        return base64url.encode(scalar.to_bytes(_SCALAR_SIZE, "big"))


def new_key() -> VapidKey:
    return VapidKey.from_private(generate_private_key(SECP256R1()))


def derived_key(seed: bytes) -> VapidKey:
    """The key pair that belongs to these bytes."""
    scalar = int.from_bytes(sha256(b"VAPID key\x00" + seed).digest(), "big") % (_ORDER - 1) + 1
    return VapidKey.from_private(derive_private_key(scalar, SECP256R1()))


def read_key(text: str) -> VapidKey:
    """The key pair of a private key: 32 bytes in base64url, or PEM. Raises ValueError, without the text."""
    text = text.strip()
    if text.startswith("-----BEGIN"):
        try:
            private = load_pem_private_key(text.encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("not a PEM key") from None
        if not isinstance(private, EllipticCurvePrivateKey) or not isinstance(private.curve, SECP256R1):
            raise ValueError("not a key of P-256")
        return VapidKey.from_private(private)
    raw = base64url.decode(text)
    if len(raw) != _SCALAR_SIZE or not 0 < int.from_bytes(raw, "big") < _ORDER:
        raise ValueError("not a private key of P-256")
    return VapidKey.from_private(derive_private_key(int.from_bytes(raw, "big"), SECP256R1()))


def authorization(key: VapidKey, origin: str, subject: str, now: float) -> str:
    """The header's value for requests to `origin` at this time."""
    claims = {"aud": origin, "exp": int(now // PERIOD * PERIOD) + LIFE, "sub": subject}
    return f"vapid t={signed_jwt(key.private, {'typ': 'JWT'}, claims)}, k={key.public_key}"
