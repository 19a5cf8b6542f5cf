"""Provider accounts: their sealed settings, the provider object of one, and the choice among several."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings

from notifier import encryption
from notifier.delivery.accounts import health
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.errors import Unconfigured
from notifier.models import ProviderAccount
from notifier.providers import Provider, provider_class, providers
from notifier.transport import http_client
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.status import Mode
from tenants.models import Tenant

_PURPOSE = "provider account"
#: a tenant's enabled accounts; a revoked one stops within so many seconds
_enabled = TtlCache[uuid.UUID, list[ProviderAccount]](seconds=2.0)
_by_id = TtlCache[uuid.UUID, ProviderAccount](seconds=1.0)


def load_account(pk: uuid.UUID) -> ProviderAccount | None:
    """As it was a second ago at most; None when there is none."""
    found = _by_id.get(pk)
    if found is None and (found := ProviderAccount.objects.filter(pk=pk).first()):
        _by_id.keep(pk, found)
    return found


def save_config(account: ProviderAccount, raw: Mapping[str, Any]) -> None:
    """Check and seal settings into `account` (not saved). Raises InvalidInput naming the setting."""
    cls = provider_class(account.provider)
    cls.Config.parse(raw)
    account.channel, account.platform = cls.channel, cls.platform
    account.config = encryption.seal(account.tenant_id, _PURPOSE, orjson.dumps(dict(raw)))


def settings_of(account: ProviderAccount) -> dict[str, Any]:
    """The plain settings, secrets included: to be merged with newly typed ones, never to be shown."""
    if not account.config:
        return {}
    found: dict[str, Any] = orjson.loads(encryption.unseal(account.tenant_id, _PURPOSE, account.config))
    return found


def provider_for(account: ProviderAccount) -> Provider[Any]:
    """The provider object that sends for this account and for no other; built once per process and settings."""
    return _provider(account.id, account.tenant_id, account.provider, bytes(account.config), account.sandbox)


@lru_cache(maxsize=1000)
def _provider(account_id: uuid.UUID, tenant_id: uuid.UUID, name: str, sealed: bytes, sandbox: bool) -> Provider[Any]:
    made = _build(tenant_id, name, sealed, sandbox)
    made.account = str(account_id)
    return made


def _build(tenant_id: uuid.UUID, name: str, sealed: bytes, sandbox: bool) -> Provider[Any]:
    cls = provider_class(name)
    if cls.builtin:
        return cls(cls.Config())
    timeout = settings.PROVIDER_TIMEOUT_SECONDS
    if sandbox:
        return cls(cls.Config.sandbox(settings.SANDBOX_URL), settings.SANDBOX_URL, timeout)
    return cls(cls.Config.parse(orjson.loads(encryption.unseal(tenant_id, _PURPOSE, sealed))), None, timeout)


def http_client_for(account: ProviderAccount) -> HttpClient:
    """The process's client; the sandbox's own CA is trusted for sandbox accounts only."""
    trust = settings.SANDBOX_CA or None if account.sandbox else None
    return http_client(trust, settings.PROVIDER_CONNECTIONS)


def rate_of(account: ProviderAccount) -> float | None:
    """Messages a second that this account allows; the sandbox has no limit of its own."""
    if account.sandbox and not account.rate_per_s:
        return None
    return account.rate_per_s or provider_class(account.provider).rate_per_s


def choose_account(tenant: Tenant, channel: str, platform: str, mode: str) -> ProviderAccount:
    """One of the tenant's accounts that can carry this: healthy ones by weight. Raises Unconfigured."""
    found = usable_accounts(tenant, channel, platform, mode)
    if not found:
        raise Unconfigured(
            f"No enabled provider account of this tenant carries {channel} {platform}".rstrip() + ".", field="channels"
        )
    if len(found) == 1:
        return found[0]
    return pick_by_weight(found, health.read_weights([a.id for a in found]), random.random())  # noqa: S311


def pick_by_weight(found: Sequence[ProviderAccount], well: Mapping[uuid.UUID, int], dice: float) -> ProviderAccount:
    """Weighted choice: configured weight x health; `dice` in [0, 1). All dead: the first."""
    shares = [a.weight * well.get(a.id, health.FULL) for a in found]
    mark = dice * sum(shares)
    for account, share in zip(found, shares, strict=True):
        mark -= share
        if mark < 0:
            return account
    return found[0]


def usable_accounts(tenant: Tenant, channel: str, platform: str, mode: str) -> list[ProviderAccount]:
    """Enabled accounts for this channel and platform. A test message, and a tenant that has not gone live, may use
    sandbox accounts only; a live one never does."""
    sandbox = mode == Mode.TEST or tenant.sandbox
    return [
        a
        for a in _of(tenant)
        if a.channel == channel
        and a.platform == platform
        and (a.sandbox == sandbox or provider_class(a.provider).builtin)
    ]


def _of(tenant: Tenant) -> list[ProviderAccount]:
    found = _enabled.get(tenant.id)
    if found is None:
        every = list(ProviderAccount.objects.filter(tenant=tenant).order_by("id"))
        made = _make_built_in(tenant, {a.name for a in every})
        found = [a for a in [*every, *made] if a.enabled]
        if not made:  # the caller's transaction may still roll these rows back
            _enabled.keep(tenant.id, found)
    return found


def _make_built_in(tenant: Tenant, have: set[str]) -> list[ProviderAccount]:
    """What a tenant has from its first day without credentials: the inbox, and each provider in the sandbox; also
    those of a provider that came later."""
    wanted = {"inbox" if cls.builtin else f"sandbox {name}": (name, cls) for name, cls in sorted(providers().items())}
    return [
        ProviderAccount.objects.get_or_create(
            tenant=tenant,
            name=account_name,
            defaults={
                "provider": name,
                "channel": cls.channel,
                "platform": cls.platform,
                "sandbox": not cls.builtin,
            },
        )[0]
        for account_name, (name, cls) in wanted.items()
        if account_name not in have
    ]
