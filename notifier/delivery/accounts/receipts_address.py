"""The address at which a provider's server reports on an account's messages, and the secret in it.

    {SITE_URL}/v1/receipts/<provider>/<account id>/<secret>

The secret is encrypted at rest like the account's settings. A renewed secret leaves the one before it valid for
OVERLAP, because messages in flight carry the earlier address.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

import orjson
from django.conf import settings

from notifier import encryption
from notifier.models import ProviderAccount

#: for how long the secret before the newest one is still accepted
OVERLAP = timedelta(hours=24)
PATH = "v1/receipts/"
_PURPOSE = "receipts secret"
_BYTES = 24


class HasSecret(Protocol):
    """The columns of an account that its receipts address needs."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def tenant_id(self) -> uuid.UUID: ...
    @property
    def provider(self) -> str: ...
    @property
    def receipts_secret(self) -> bytes | memoryview[int]: ...


class _Secrets(NamedTuple):
    """`previous` is valid until the second `until` (Unix time)."""

    current: str = ""
    previous: str = ""
    until: float = 0.0


def new_secret(tenant_id: uuid.UUID, previous: str = "") -> bytes:
    """A new secret, sealed, for an account of the tenant."""
    plain = _Secrets(secrets.token_urlsafe(_BYTES), previous, (datetime.now(UTC) + OVERLAP).timestamp())
    return encryption.seal(tenant_id, _PURPOSE, orjson.dumps(list(plain)))


def renew_secret(account: ProviderAccount) -> None:
    """Put a new secret into `account` (not saved). The secret before it is valid for OVERLAP; older ones end."""
    account.receipts_secret = new_secret(account.tenant_id, _open(account).current)


def address_of(account: HasSecret) -> str:
    """The whole address, to be pasted at the provider; empty for an account without a secret."""
    current = _open(account).current
    return f"{settings.SITE_URL}/{PATH}{account.provider}/{account.id}/{current}" if current else ""


def is_secret_of(account: HasSecret, given: str) -> bool:
    """Whether `given` is a valid secret of the account; in a time that does not depend on its characters. An account
    without a secret has no valid one."""
    stored = _open(account)
    is_current = hmac.compare_digest(stored.current.encode(), given.encode())
    is_previous = hmac.compare_digest(stored.previous.encode(), given.encode())
    return bool(given) and (is_current or (is_previous and stored.until > datetime.now(UTC).timestamp()))


def _open(account: HasSecret) -> _Secrets:
    if not account.receipts_secret:
        return _Secrets()
    return _Secrets(*orjson.loads(encryption.unseal(account.tenant_id, _PURPOSE, account.receipts_secret)))
