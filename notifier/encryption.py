"""Secrets at rest: AES-256-GCM under keys of their own (not SECRET_KEY), bound to tenant and purpose, rotatable."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE = 12
_KEY_ID = 4


def seal(tenant_id: uuid.UUID, purpose: str, plain: bytes) -> bytes:
    """Key id + nonce + ciphertext under the newest key. Cannot be opened for another tenant or purpose."""
    key = _keys()[0]
    nonce = os.urandom(_NONCE)
    return _key_id(key) + nonce + _cipher(key).encrypt(nonce, plain, _bound_to(tenant_id, purpose))


def unseal(tenant_id: uuid.UUID, purpose: str, sealed: bytes | memoryview) -> bytes:
    """The plain bytes. Raises ValueError when no configured key opens it."""
    raw = bytes(sealed)
    key_id, nonce, cipher = raw[:_KEY_ID], raw[_KEY_ID : _KEY_ID + _NONCE], raw[_KEY_ID + _NONCE :]
    for key in _keys():
        if _key_id(key) == key_id:
            try:
                return _cipher(key).decrypt(nonce, cipher, _bound_to(tenant_id, purpose))
            except InvalidTag:
                break
    raise ValueError("No configured encryption key opens this secret.")


def signing_keys(tenant_id: uuid.UUID, purpose: str) -> tuple[bytes, ...]:
    """Keys of 32 bytes for keyed hashes (BLAKE2b), one for each configured key, newest first: make a hash with the
    first key, accept the hash of any. Another tenant or purpose has other keys. 4 µs a configured key."""
    bound = _bound_to(tenant_id, purpose)
    return tuple(
        hashlib.blake2b(bound, key=key, digest_size=32, person=b"notifier signing").digest() for key in _keys()
    )


def _keys() -> tuple[bytes, ...]:
    return _decoded(tuple(settings.ENCRYPTION_KEYS))


@lru_cache(maxsize=4)
def _decoded(keys: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(base64.urlsafe_b64decode(key) for key in keys)


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


@lru_cache(maxsize=16)
def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"notifier key id" + key).digest()[:_KEY_ID]


@lru_cache(maxsize=256)
def _bound_to(tenant_id: uuid.UUID, purpose: str) -> bytes:
    return f"{tenant_id}:{purpose}".encode()
