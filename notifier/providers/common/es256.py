"""A JWT that a key of P-256 signs (ES256), for servers that know the sender by a key: APNs, and push services (VAPID).

The signature is deterministic (RFC 6979), so that all processes make the same text from the same claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from notifier.providers.common import base64url

_SIZE = 32  #: bytes of each half of the signature
_ECDSA = ECDSA(SHA256(), deterministic_signing=True)


def signed_jwt(key: EllipticCurvePrivateKey, header: Mapping[str, str], claims: Mapping[str, Any]) -> str:
    """The JWT. `header`: the fields beside `alg`. A signature takes 33 to 100 µs."""
    signed = f"{_part({'alg': 'ES256', **header})}.{_part(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), _ECDSA))
    return f"{signed}.{base64url.encode(r.to_bytes(_SIZE, 'big') + s.to_bytes(_SIZE, 'big'))}"


def _part(document: Mapping[str, Any]) -> str:
    return base64url.encode(orjson.dumps(document))
