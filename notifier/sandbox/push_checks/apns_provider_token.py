"""Provider tokens (JWT, ES256) as APNs checks them.

The fake knows one team and one key. The key is derived from a public text: a provider does no I/O and so cannot read a
file of the sandbox. The key protects nothing, on purpose. `AuthKey_OPENKEY000.p8` in the sandbox's folder holds it for
other clients.
"""

from __future__ import annotations

import time
from functools import cache
from hashlib import sha256
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

TEAM, KEY_ID = "NOTIFIER00", "OPENKEY000"
SEED = b"notifier-sandbox: anybody may send here"
LONGEST_AGE = 3600  #: seconds
FAST_CLOCK = 60  #: seconds by which the client's clock may be fast
_MOST_KEPT = 1000


class ProviderTokens:
    """The provider tokens of one run. A token is verified once, as a sender uses one for thousands of messages."""

    def __init__(self) -> None:
        self._issued_at: dict[str, float] = {}

    @property
    def seen(self) -> int:
        """How many different good tokens came."""
        return len(self._issued_at)

    def refusal(self, authorization: str) -> str:
        """Apple's reason against this header; empty when its token is good."""
        issued_at = self._issued_at.get(authorization)
        if issued_at is None:
            scheme, _, token = authorization.partition(" ")
            if not token or scheme.lower() != "bearer":
                return "MissingProviderToken"
            try:
                issued_at = _issued_at(token.strip())
            except (jwt.PyJWTError, ValueError):
                return "InvalidProviderToken"
            if len(self._issued_at) < _MOST_KEPT:
                self._issued_at[authorization] = issued_at
        age = time.time() - issued_at
        if age > LONGEST_AGE:
            return "ExpiredProviderToken"
        return "InvalidProviderToken" if age < -FAST_CLOCK else ""


def _issued_at(token: str) -> float:
    """When a token of our team and key was issued. Raises ValueError or PyJWTError for any other token."""
    if jwt.get_unverified_header(token).get("kid") != KEY_ID:
        raise ValueError("kid")
    claims = jwt.decode(
        token, _key().public_key(), algorithms=["ES256"], options={"require": ["iss", "iat"], "verify_iat": False}
    )
    if claims["iss"] != TEAM:
        raise ValueError("iss")
    return float(claims["iat"])


@cache
def _key() -> EllipticCurvePrivateKey:
    return derive_private_key(int.from_bytes(sha256(SEED).digest()), SECP256R1())


def write_key(folder: Path) -> Path:
    """The key as Apple hands it out: AuthKey_<key id>.p8."""
    path = folder / f"AuthKey_{KEY_ID}.p8"
    path.write_bytes(_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
