"""The VAPID key with which a browser subscribes to a tenant's pushes."""

from __future__ import annotations

from notifier.delivery.accounts import registry
from notifier.errors import NotFound
from notifier.providers.webpush.provider import WebPush
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
