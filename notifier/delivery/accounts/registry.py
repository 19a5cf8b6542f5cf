"""Provider accounts: their sealed settings, the provider object of an account, and the choice among accounts."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from notifier import encryption
from notifier.delivery.accounts import health, receipts_address
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.errors import NotifierError, Unconfigured
from notifier.models import ProviderAccount
from notifier.providers import Provider, provider_class, providers
from notifier.transport import http_client
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.status import SILENT, Mode
from tenants.models import Tenant

_PURPOSE = "provider account"
#: a tenant's enabled accounts; a disabled account stops within so many seconds
_enabled = TtlCache[uuid.UUID, list[ProviderAccount]](seconds=2.0)
_by_id = TtlCache[uuid.UUID, ProviderAccount](seconds=1.0)
_overrides: dict[uuid.UUID, Provider[Any]] = {}


def load_account(pk: uuid.UUID) -> ProviderAccount | None:
    """The account as it was a second ago at most; None when there is none."""
    account = _by_id.get(pk)
    if account is None and (account := ProviderAccount.objects.filter(pk=pk).first()):
        _by_id.keep(pk, account)
    return account


#: seconds until a provider's server is asked about a message in doubt: its own receipt may come before
ASK_AFTER = 5.0


def ask_after(account: ProviderAccount | None) -> float | None:
    """Seconds until the server of the account is asked about a message in doubt; None: it cannot be asked."""
    return ASK_AFTER if account is not None and provider_class(account.provider).can_be_asked else None


def save_config(account: ProviderAccount, raw: Mapping[str, Any]) -> None:
    """Check and seal settings into `account` (not saved). Raises InvalidInput naming the setting."""
    cls = provider_class(account.provider)
    cls.Config.parse(raw)
    raw = cls.Config.complete(raw, settings_of(account))
    account.channel, account.platform = cls.channel, cls.platform
    account.config = encryption.seal(account.tenant_id, _PURPOSE, orjson.dumps(dict(raw)))
    if not account.receipts_secret:
        receipts_address.renew_secret(account)


def renew_key(account: ProviderAccount) -> None:
    """Let a new key of the provider's making replace the current one (not saved); the settings keep the current key as
    a previous one. Only for a provider with `rotates`."""
    save_config(account, {**settings_of(account), provider_class(account.provider).rotates: ""})


def settings_of(account: ProviderAccount) -> dict[str, Any]:
    """The plain settings, secrets included: for merging with newly typed settings, never for showing."""
    if not account.config:
        return {}
    plain: dict[str, Any] = orjson.loads(encryption.unseal(account.tenant_id, _PURPOSE, account.config))
    return plain


def provider_for(account: ProviderAccount) -> Provider[Any]:
    """The provider object that sends for this account and for no other; built once a process and settings. Raises
    ValueError when no key opens the settings, and InvalidInput when the provider refuses them."""
    if account.id in _overrides:
        return _overrides[account.id]
    return _provider(
        _Stored(
            account.id,
            account.tenant_id,
            account.provider,
            bytes(account.config),
            bytes(account.receipts_secret),
            account.sandbox,
        )
    )


class _Stored(NamedTuple):
    """The columns of an account on which its provider object depends."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    provider: str
    config: bytes
    receipts_secret: bytes
    sandbox: bool


@lru_cache(maxsize=1000)
def _provider(account: _Stored) -> Provider[Any]:
    provider = _build(account)
    provider.account = str(account.id)
    provider.receipts_url = receipts_address.address_of(account)
    provider.signing_keys = encryption.signing_keys(account.tenant_id, f"reports of account {account.id}")
    return provider


def _build(account: _Stored) -> Provider[Any]:
    cls = provider_class(account.provider)
    if cls.builtin:
        return cls(cls.Config())
    timeout = settings.PROVIDER_TIMEOUT_SECONDS
    if account.sandbox:
        return cls(cls.Config.sandbox(settings.SANDBOX_URL), settings.SANDBOX_URL, timeout)
    raw = orjson.loads(encryption.unseal(account.tenant_id, _PURPOSE, account.config))
    return cls(cls.Config.parse(raw), None, timeout)


def http_client_for(account: ProviderAccount) -> HttpClient:
    """The process's client; the sandbox's own CA is trusted for sandbox accounts only."""
    trust = settings.SANDBOX_CA or None if account.sandbox else None
    return http_client(trust, settings.PROVIDER_CONNECTIONS, provider_class(account.provider).protocol)


def span_attributes(account: ProviderAccount) -> Mapping[str, str]:
    """What the spans of a trace say about an account."""
    ids = {"tenant.id": str(account.tenant_id), "account.id": str(account.id)}
    return {**ids, "channel": account.channel, "provider": account.provider}


def rate_of(account: ProviderAccount) -> float | None:
    """Messages a second that this account allows; the sandbox has no limit of its own."""
    if account.rate_per_s or account.sandbox:
        return account.rate_per_s
    try:
        return provider_for(account).default_rate
    except (NotifierError, ValueError):  # the account sends nothing: the dispatcher says why
        return provider_class(account.provider).rate_per_s


def choose_account(tenant: Tenant, channel: str, platform: str, mode: str, app: str = "") -> ProviderAccount:
    """One of the tenant's accounts that can carry the message to devices of `app`: by weight and health. Raises
    Unconfigured."""
    accounts = usable_accounts(tenant, channel, platform, mode, app)
    if not accounts:
        raise Unconfigured(f"{no_account(channel, platform, app)}.", field="channels")
    return pick_account(accounts)


def pick_account(accounts: Sequence[ProviderAccount]) -> ProviderAccount:
    """One of these accounts, by weight and health."""
    if len(accounts) == 1:
        return accounts[0]
    return pick_by_weight(accounts, health.read_weights([a.id for a in accounts]), random.random())  # noqa: S311


def pick_by_weight(
    accounts: Sequence[ProviderAccount], weights: Mapping[uuid.UUID, int], dice: float
) -> ProviderAccount:
    """Weighted choice: configured weight x health; `dice` in [0, 1). The first account when no account is healthy."""
    shares = [a.weight * weights.get(a.id, health.FULL) for a in accounts]
    mark = dice * sum(shares)
    for account, share in zip(accounts, shares, strict=True):
        mark -= share
        if mark < 0:
            return account
    return accounts[0]


def no_account(channel: str, platform: str, app: str) -> str:
    """Why such a message has no account, without a full stop."""
    devices = f" for {platform} devices" if platform else ""
    of_app = f" of the app {app!r}" if app else ""
    return f"No enabled provider account of this tenant carries {channel}{devices}{of_app}"


def usable_accounts(tenant: Tenant, channel: str, platform: str, mode: str, app: str = "") -> list[ProviderAccount]:
    """Enabled accounts for this channel and platform: the accounts of `app`, else those without an app. A test message
    uses sandbox accounts only, and so does a tenant that has not gone live; a live tenant's live message never does. A
    silent message uses only accounts whose provider checks a message without delivering it."""
    sandbox = mode == Mode.TEST or tenant.sandbox
    usable = [
        a
        for a in _enabled_accounts(tenant)
        if a.channel == channel
        and a.platform == platform
        and (not a.app or a.app == app)
        and (a.sandbox == sandbox or provider_class(a.provider).builtin)
        and (mode != SILENT or provider_class(a.provider).rehearses)
    ]
    return [a for a in usable if a.app] or usable


def account_app(tenant: Tenant, channel: str, platform: str, mode: str, app: str) -> str:
    """The `app` of the accounts that send for devices of this app: its own name, or "" when it has no account of its
    own. Messages with the same answer may share an account."""
    return app if app and any(a.app for a in usable_accounts(tenant, channel, platform, mode, app)) else ""


def fallback_accounts(tenant: Tenant, account: ProviderAccount, mode: str) -> list[ProviderAccount]:
    """The accounts that can carry a message instead of `account`, the one with the greatest weight and health first.
    An account with an open circuit is none of them."""
    usable = usable_accounts(tenant, account.channel, account.platform, mode, account.app)
    healths = health.read_weights([other.id for other in usable if other.id != account.id])
    healthy = [other for other in usable if healths.get(other.id, 0) and other.weight and _can_replace(other, account)]
    return sorted(healthy, key=lambda other: -other.weight * healths[other.id])


def _can_replace(other: ProviderAccount, account: ProviderAccount) -> bool:
    try:
        return provider_for(other).can_replace(provider_for(account))
    except (NotifierError, ValueError):
        return False  # the settings of one of the two cannot be used


def _enabled_accounts(tenant: Tenant) -> list[ProviderAccount]:
    enabled = _enabled.get(tenant.id)
    if enabled is None:
        stored = list(ProviderAccount.objects.filter(tenant=tenant).order_by("id"))
        created = _create_defaults(tenant, {a.name for a in stored})
        enabled = [a for a in [*stored, *created] if a.enabled]
        if not created:  # the caller's transaction may still roll created rows back
            _enabled.keep(tenant.id, enabled)
    return enabled


def _create_defaults(tenant: Tenant, stored: set[str]) -> list[ProviderAccount]:
    """The accounts that every tenant has without credentials: the inbox, and in the sandbox each provider with
    `default_account`. Also for a provider that came after the tenant."""
    defaults = {
        "inbox" if cls.builtin else f"sandbox {name}": (name, cls)
        for name, cls in sorted(providers().items())
        if cls.default_account
    }
    return [
        ProviderAccount.objects.get_or_create(
            tenant=tenant,
            name=account_name,
            defaults={
                "provider": name,
                "channel": cls.channel,
                "platform": cls.platform,
                "sandbox": not cls.builtin,
                "receipts_secret": b"" if cls.builtin else receipts_address.new_secret(tenant.id),
            },
        )[0]
        for account_name, (name, cls) in defaults.items()
        if account_name not in stored
    ]


def override_provider(account_id: uuid.UUID, provider: Provider[Any]) -> None:
    """Let this object send for the account in this process, until `reset`: an in-memory provider for tests."""
    _overrides[account_id] = provider


def reset() -> None:
    """Forget what this process read of accounts, and the overrides."""
    _enabled.clear()
    _by_id.clear()
    _overrides.clear()
