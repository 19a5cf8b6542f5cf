"""API keys: `nk_live_<secret>` or `nk_test_<secret>`, stored as a digest, shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from notifier.errors import InvalidInput
from notifier.vocabulary import Mode
from tenants.models import ApiKey, Tenant

SCOPES = ("send", "recipients", "campaigns", "inbox")
#: characters of a key that are kept to recognise it by: `nk_live_` and the first eight
_SHOWN = 16


def digest_of(key: str) -> bytes:
    """What is stored of a key. It is 256 random bits, so a plain hash cannot be searched backwards."""
    return hashlib.sha256(key.encode()).digest()


def create_key(tenant: Tenant, name: str, mode: Mode | str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """A new key and its only showing."""
    for scope in scopes:
        if scope != "*" and scope not in SCOPES:
            raise InvalidInput(f"Unknown scope {scope!r}; known: *, {', '.join(SCOPES)}.", field="scopes")
    key = f"nk_{Mode(mode).value}_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(
        tenant=tenant, name=name, mode=Mode(mode).value, prefix=key[:_SHOWN], digest=digest_of(key), scopes=list(scopes)
    )
    return row, key
