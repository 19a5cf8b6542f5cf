"""The check of `Authorization: vapid t=<JWT>, k=<public key>` (RFC 8292)."""

from __future__ import annotations

import re
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from notifier.sandbox.web_push.subscriptions import decode

_HEADER = re.compile(r"vapid\s+(.+)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r"\s*([tk])=\"?([A-Za-z0-9_.=-]+)\"?\s*")
LONGEST = 24 * 3600  #: seconds that a token may still live
CACHED = 1_000


class VapidRefused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Vapid:
    """Verifies each token once: a signature of ES256 costs 80 µs, and a sender uses one token for many messages."""

    def __init__(self) -> None:
        self._verified: dict[str, tuple[bytes, dict[str, Any]]] = {}

    def verify(self, header: str, origin: str) -> bytes:
        """The public key that signed for this origin. Raises VapidRefused."""
        if not header:
            raise VapidRefused(401, "The header Authorization is required: vapid t=<JWT>, k=<public key>.")
        verified = self._verified.get(header)
        if verified is None:
            verified = _signed_claims(header)
            if len(self._verified) >= CACHED:
                self._verified.clear()
            self._verified[header] = verified
        key, claims = verified
        if claims.get("aud") != origin:
            raise VapidRefused(403, f"The token's aud must be {origin}.")
        lifetime = claims["exp"] - time.time()
        if lifetime <= 0:
            raise VapidRefused(403, "The token has expired.")
        if lifetime > LONGEST:
            raise VapidRefused(403, "The token's exp is more than 24 hours ahead.")
        return key


def _signed_claims(header: str) -> tuple[bytes, dict[str, Any]]:
    scheme = _HEADER.fullmatch(header)
    if scheme is None:
        raise VapidRefused(401, "The scheme of Authorization must be vapid.")
    pairs = [_PARAMETER.fullmatch(part) for part in scheme[1].split(",")]
    parameters = {pair[1]: pair[2] for pair in pairs if pair}
    if set(parameters) != {"t", "k"}:
        raise VapidRefused(401, "Authorization must have the parameters t and k.")
    try:
        key = decode(parameters["k"].rstrip("="))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        claims = jwt.decode(
            parameters["t"], public, algorithms=["ES256"], options={"verify_aud": False, "verify_exp": False}
        )
    except (ValueError, jwt.InvalidTokenError) as error:
        raise VapidRefused(403, f"The token is not signed by k with ES256 ({type(error).__name__}).") from None
    if isinstance(claims.get("exp"), bool) or not isinstance(claims.get("exp"), (int, float)):
        raise VapidRefused(403, "The token has no exp.")
    # Apple refuses a token without a way to reach the sender: BadJwtToken
    if not str(claims.get("sub", "")).startswith(("mailto:", "https:")):
        raise VapidRefused(403, "The token's sub must be a mailto: or https: address.")
    return key, claims
