"""The facts by which load is shed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from notifier.channels import channels
from notifier.delivery.accounts import health, rate_limits, registry
from notifier.delivery.ledger.urgent_waits import UrgentWait, read_served_channels, read_waits
from notifier.delivery.load_shedding import reports
from notifier.delivery.load_shedding.reports import WebReport
from notifier.models import ProviderAccount
from tenants.models import Tenant

#: waits below this are not looked at more closely
_SHORT = 1.0


@dataclass(frozen=True)
class Wait:
    """Urgent messages of one provider account have waited for a worker for `seconds`. `pause`: seconds for which the
    account's own rate lets nothing leave."""

    tenant: object
    channel: str
    seconds: float
    pause: float = 0.0

    def exceeds(self, bound: float) -> bool:
        return self.seconds - self.pause > bound


@dataclass(frozen=True)
class Facts:
    """`waits`: accounts with urgent messages that wait. `tenants`: how many active tenants there are, counted up to 2.
    `served`: the channels that have a worker for urgent messages, as far as messages wait in them."""

    waits: Sequence[Wait]
    tenants: int
    web: Sequence[WebReport] = ()
    served: Collection[str] = ()


def gather() -> Facts:
    """The facts of now."""
    waits = _without_stopped(read_waits(list(channels())))
    long = any(wait.seconds > _SHORT for wait in waits)
    served = read_served_channels() if long else frozenset(wait.channel for wait in waits)
    tenants = len(Tenant.objects.filter(active=True).order_by()[:2])
    return Facts(_with_pauses(waits), tenants, reports.read(), served)


def _without_stopped(waits: Sequence[UrgentWait]) -> list[UrgentWait]:
    """The waits without those of accounts that the provider stopped (429), or whose circuit is open: they wait for the
    provider, not for us."""
    weights = health.read_weights([wait.account_id for wait in waits if wait.seconds > _SHORT])
    return [wait for wait in waits if wait.seconds <= _SHORT or (weights[wait.account_id] and not _is_stopped(wait))]


def _is_stopped(wait: UrgentWait) -> bool:
    return rate_limits.take_tokens(0, rate_limits.account_limit(wait.account_id, None)).wait > 0


def _with_pauses(waits: Sequence[UrgentWait]) -> list[Wait]:
    accounts = ProviderAccount.objects.in_bulk([wait.account_id for wait in waits if wait.seconds > _SHORT])
    pauses = {account.id: pause_of(registry.rate_of(account)) for account in accounts.values()}
    return [Wait(w.tenant_id, w.channel, w.seconds, pauses.get(w.account_id, 0.0)) for w in waits]


def pause_of(rate: float | None) -> float:
    """Seconds for which a worker leaves an account alone whose bucket is empty: until the bucket has one token, or half
    of what it holds (`rate_limits`). Pure."""
    return max(1.0, rate_limits.Limit("", rate).burst / 2) / rate if rate else 0.0
