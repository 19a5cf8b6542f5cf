"""Second provider accounts, in this process as a worker would see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.chaos.stack.django import use_django
from tests.chaos.stack.site import ChaosSite

#: provider -> its channel: what takes over from `twilio` and from `smtp`
SECOND = {"vonage": "sms", "postmark": "email"}


@contextmanager
def enable_second_accounts(site: ChaosSite, slugs: Sequence[str]) -> Iterator[None]:
    """These tenants have a second account of SMS and of email until the end of the block."""
    _enable(site, slugs, enabled=True)
    try:
        yield
    finally:
        _enable(site, slugs, enabled=False)


def _enable(site: ChaosSite, slugs: Sequence[str], *, enabled: bool) -> None:
    use_django(site)
    from notifier.delivery.accounts.receipts_address import new_secret
    from notifier.models import ProviderAccount
    from tenants.models import Tenant

    for tenant in Tenant.objects.filter(slug__in=slugs):
        for provider, channel in SECOND.items():
            values: dict[str, Any] = {"provider": provider, "channel": channel, "sandbox": True}
            values["receipts_secret"] = new_secret(tenant.pk)
            account, _ = ProviderAccount.objects.get_or_create(
                tenant=tenant, name=f"second {provider}", defaults=values
            )
            ProviderAccount.objects.filter(pk=account.pk).update(enabled=enabled)
