"""Provider accounts: credentials that open, settings that the provider takes, health, the way back for receipts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from django.conf import settings

from notifier.delivery.accounts import health, receipts_address, registry
from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register
from notifier.errors import NotifierError
from notifier.models import ProviderAccount
from notifier.providers import provider_class, providers

LOCKED = error(
    "account-key",
    "Its messages fail: no key in ENCRYPTION_KEYS opens its credentials.",
    "put the earlier key back behind the newest one in ENCRYPTION_KEYS, or type the credentials anew",
)
MISCONFIGURED = error(
    "account-settings", "Its messages fail.", "correct it in the admin, Provider accounts; Test connection"
)
DOWN = error("account-down", "Its messages wait or leave by other accounts.", "admin, its page: Test connection")
FAILING = warning("account-failing", "Many of its messages are refused.", "admin, its page: Test connection")
NO_RECEIPTS = warning(
    "no-receipts-address",
    "Bounces, complaints and STOP do not reach the product.",
    "admin, its page: renew the receipts address, and paste it at the provider",
)
UNREACHABLE = warning(
    "receipts-unreachable",
    "Providers cannot report what became of messages.",
    "set SITE_URL to the public https address of the site",
)


def credentials(options: Options) -> Iterator[Finding]:
    for account in _enabled():
        try:
            registry.settings_of(account)
            receipts_address.address_of(account)
        except ValueError:
            yield LOCKED.says(f"{_name(account)} cannot be opened.")
            continue
        try:
            registry.provider_for(account)
        except (NotifierError, ValueError) as problem:
            # the type only: the text may quote the settings
            yield MISCONFIGURED.says(f"{_name(account)} has settings that cannot be used ({type(problem).__name__}).")


def healths(options: Options) -> Iterator[Finding]:
    accounts = _enabled()
    weights = health.read_weights([account.pk for account in accounts])
    for account in accounts:
        weight = weights.get(account.pk, health.FULL)
        if weight == 0:
            yield DOWN.says(f"{_name(account)} is unavailable.")
        elif weight <= health.FULL // 2:
            yield FAILING.says(f"{_name(account)} has a health of {weight} of {health.FULL}.")


def receipts(options: Options) -> Iterator[Finding]:
    reporting = [a for a in _enabled() if not a.sandbox and provider_class(a.provider).reports]
    for account in reporting:
        if not account.receipts_secret:
            yield NO_RECEIPTS.says(f"{_name(account)} has no receipts address.")
    if reporting and not is_public(settings.SITE_URL):
        names = ", ".join(sorted({account.provider for account in reporting}))
        yield UNREACHABLE.says(f"SITE_URL ({settings.SITE_URL}) is not reached from outside by {names}.")


def is_public(url: str) -> bool:
    """Whether a provider's server may reach the address, as far as the address itself tells. Pure."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost"))


def _enabled() -> Sequence[ProviderAccount]:
    accounts = ProviderAccount.objects.filter(enabled=True, tenant__active=True).select_related("tenant")
    known = providers()
    return [account for account in accounts.order_by("pk") if account.provider in known]


def _name(account: ProviderAccount) -> str:
    return f"The account {account.name!r} of {account.tenant.slug} ({account.provider})"


def register_checks() -> None:
    register("credentials", credentials, Server.DATABASE)
    register("health of accounts", healths, Server.DATABASE, Server.REDIS)
    register("receipts addresses", receipts, Server.DATABASE)
