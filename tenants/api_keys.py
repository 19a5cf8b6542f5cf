"""API keys: creating one, its digest, and the scopes that a key may have.

The API recognises a caller by its key in `notifier.api.framework.authentication`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from notifier.errors import InvalidInput
from notifier.vocabulary.status import Mode
from tenants.models import ApiKey, Tenant

SCOPES = ("send", "recipients", "campaigns", "approvals", "inbox", "events", "webhooks")
#: scopes that `*` does not include: who may approve campaigns is said by name
NAMED_SCOPES = frozenset({"approvals"})
EVERYTHING = "*"
#: characters of a key that are stored to recognise it by: `nk_live_` and the first eight
_PREFIX = 16


def key_digest(key: str) -> bytes:
    """The SHA-256 that is stored in place of a key. A key is 256 random bits, so a plain hash cannot be inverted."""
    return hashlib.sha256(key.encode()).digest()


def create_key(tenant: Tenant, name: str, mode: Mode | str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """The stored key, and its text, which cannot be read again. Raises InvalidInput for an unknown scope."""
    for scope in scopes:
        if scope not in (EVERYTHING, *SCOPES):
            raise InvalidInput(f"Unknown scope {scope!r}; known: *, {', '.join(SCOPES)}.", field="scopes")
    text = f"nk_{Mode(mode).value}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        tenant=tenant,
        name=name,
        mode=Mode(mode).value,
        prefix=text[:_PREFIX],
        digest=key_digest(text),
        scopes=list(scopes),
    )
    return key, text
