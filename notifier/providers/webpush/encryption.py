"""The body of a message: RFC 8291 on top of RFC 8188 (aes128gcm), one record.

Cost of one message of 400 bytes on one core, with `cryptography` 50 (OpenSSL): 125 µs. ECDH takes 67, the key pair 22,
HKDF 10, reading the browser's key 7, AES 2, and Python the rest: 8,000 messages a second and core. Arming pays it
(Provider.prepares), so that the sender does not.

Each message has a key pair and a salt of its own, as RFC 8291 §3.1 asks. One key pair for many messages would save a
sixth, because ECDH with the browser's key stays; and one stolen private key would open all of those messages.
"""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PUBLIC_KEY_SIZE, SECRET_SIZE, SALT_SIZE = 65, 16, 16
#: what a push service must accept (RFC 8030 §7.2); the record size of the header says the same
LARGEST_BODY = 4096
#: salt, record size, length of the key, public key
_HEADER_SIZE = SALT_SIZE + 4 + 1 + PUBLIC_KEY_SIZE
#: the delimiter of the last record, and the tag of AES-GCM
_OVERHEAD = 1 + 16
#: bytes of plaintext that one message carries: 3,993
LARGEST_PLAINTEXT = LARGEST_BODY - _HEADER_SIZE - _OVERHEAD

_CURVE, _ECDH = SECP256R1(), ECDH()
_RECORD_SIZE = LARGEST_BODY.to_bytes(4, "big") + bytes([PUBLIC_KEY_SIZE])
_LAST_RECORD = b"\x02"


def encrypt(plaintext: bytes, browser_key: bytes, secret: bytes) -> bytes:
    """The request's body. `browser_key`: 65 bytes, `secret`: 16 bytes of the subscription (p256dh and auth). Raises
    ValueError for a plaintext that is too long, and for a key that is no point of the curve."""
    return encrypt_with(plaintext, browser_key, secret, generate_private_key(_CURVE), os.urandom(SALT_SIZE))


def encrypt_with(
    plaintext: bytes, browser_key: bytes, secret: bytes, own_key: EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """As `encrypt`, with a key pair and a salt that no other message may have."""
    if len(plaintext) > LARGEST_PLAINTEXT:
        raise ValueError(f"the plaintext has more than {LARGEST_PLAINTEXT} bytes")
    shared_secret = own_key.exchange(_ECDH, read_public_key(browser_key))
    own_public_key = public_bytes(own_key.public_key())
    key_info = b"WebPush: info\x00" + browser_key + own_public_key
    keying_material = _hkdf(secret, shared_secret, key_info, 32)
    extracted = hmac.digest(salt, keying_material, "sha256")
    content_key = _expand(extracted, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _expand(extracted, b"Content-Encoding: nonce\x00", 12)
    sealed = AESGCM(content_key).encrypt(nonce, plaintext + _LAST_RECORD, None)
    return b"".join((salt, _RECORD_SIZE, own_public_key, sealed))


def read_public_key(raw: bytes) -> EllipticCurvePublicKey:
    """The key of an uncompressed point. Raises ValueError for bytes that are none of P-256."""
    if len(raw) != PUBLIC_KEY_SIZE:
        raise ValueError("not an uncompressed point")
    try:
        return EllipticCurvePublicKey.from_encoded_point(_CURVE, raw)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not a point of P-256") from None


def public_bytes(key: EllipticCurvePublicKey) -> bytes:
    """The uncompressed point, 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _hkdf(salt: bytes, keying_material: bytes, info: bytes, size: int) -> bytes:
    return _expand(hmac.digest(salt, keying_material, "sha256"), info, size)


def _expand(extracted: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand (RFC 5869) of at most one block: 1 µs; 6 µs with the HKDF of `cryptography`."""
    return hmac.digest(extracted, info + b"\x01", "sha256")[:size]
