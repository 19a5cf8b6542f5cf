"""The VAPID keys of a tenant: the one with which a browser subscribes to its pushes, and all of them."""

from __future__ import annotations

import uuid

from notifier.delivery.accounts import registry
from notifier.errors import NotFound, NotifierError
from notifier.models import ProviderAccount
from notifier.providers.webpush.provider import WebPush
from notifier.providers.webpush.subscription import without_key_id
from notifier.providers.webpush.vapid import VapidKey
from tenants.models import Tenant


def current_key(tenant: Tenant, mode: str, app: str = "") -> VapidKey:
    """The current key of the account that sends to browsers of `app`; of several accounts, the oldest one's. A key of
    mode `test` is that of the sandbox's account. Raises NotFound."""
    accounts = registry.usable_accounts(tenant, WebPush.channel, WebPush.platform, mode, app)
    if not accounts:
        of_app = f" for the app {app[:100]!r}" if app else ""
        raise NotFound(
            f"There is no enabled Web Push account{of_app}: an owner adds one in the admin under Provider accounts.",
            code="no_push_key",
        )
    provider = registry.provider_for(accounts[0])
    assert isinstance(provider, WebPush)
    return provider.current_key


def tokens_of_browser(tenant_id: uuid.UUID, token: str) -> list[str]:
    """All stored tokens that stand for the subscription of this one, the one without a key id first: a key id names a
    key of one of the tenant's accounts, or nothing is sent with it."""
    key_ids: set[str] = set()
    for account in ProviderAccount.objects.filter(tenant_id=tenant_id, provider=WebPush.name):
        try:
            provider = registry.provider_for(account)
        except (NotifierError, ValueError):
            continue  # settings that cannot be used send nothing
        assert isinstance(provider, WebPush)
        key_ids |= provider.keys.keys()
    bare = without_key_id(token)
    return list(dict.fromkeys([bare, *(f"{bare}.{key_id}" for key_id in sorted(key_ids)), token]))
