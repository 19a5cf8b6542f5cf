"""The facts by which load is shed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.channels import channels
from notifier.delivery.accounts import health, rate_limits
from notifier.delivery.ledger.urgent_waits import UrgentWait, read_waits
from notifier.delivery.load_shedding import reports
from notifier.delivery.load_shedding.reports import WebReport
from tenants.models import Tenant

#: waits below this are not looked at more closely
_SHORT = 1.0


@dataclass(frozen=True)
class Facts:
    """`waits`: tenant -> seconds for which its urgent messages have waited for a worker; only tenants with such
    messages. `tenants`: how many active tenants there are, counted up to 2."""

    waits: Mapping[object, float]
    tenants: int
    web: Sequence[WebReport] = ()


def gather() -> Facts:
    """The facts of now."""
    waits: dict[object, float] = {}
    for wait in _without_stopped(read_waits(list(channels()))):
        waits[wait.tenant_id] = max(wait.seconds, waits.get(wait.tenant_id, 0.0))
    return Facts(waits, len(Tenant.objects.filter(active=True).order_by()[:2]), reports.read())


def _without_stopped(waits: Sequence[UrgentWait]) -> list[UrgentWait]:
    """The waits without those of accounts that the provider stopped (429), or whose circuit is open: they wait for the
    provider, not for us."""
    weights = health.read_weights([wait.account_id for wait in waits if wait.seconds > _SHORT])
    return [wait for wait in waits if wait.seconds <= _SHORT or (weights[wait.account_id] and not _is_stopped(wait))]


def _is_stopped(wait: UrgentWait) -> bool:
    return rate_limits.take_tokens(0, rate_limits.account_limit(wait.account_id, None)).wait > 0
