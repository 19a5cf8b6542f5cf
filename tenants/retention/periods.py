"""How long each tenant keeps its data: the operator's settings, and the tenant's choice within them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from notifier.errors import InvalidInput
from notifier.vocabulary.retention import LEAST_DAYS, Bounds, Keep, cutoff
from tenants.models import Tenant

#: who keeps messages for fewer days gets them deleted to the day; the others' go with the table of their month, which
#: costs nothing, and is up to a month later
EXACT_BELOW = 60
#: a month's table that still has rows which must stay is emptied row by row from then on
OVERDUE = timedelta(days=3)

#: the column of a tenant's choice
COLUMNS = {Keep.MESSAGES: "keep_messages_days", Keep.COUNTS: "keep_counts_days"}


def bounds(keep: Keep) -> Bounds:
    """What the operator's settings say of this kind."""
    name = f"RETENTION_{keep.name}"
    return Bounds(getattr(settings, f"{name}_DAYS"), getattr(settings, f"{name}_MAX_DAYS"))


def days_of(tenant: Tenant, keep: Keep) -> int:
    """The days that hold for this tenant. Counts are kept at least as long as messages."""
    days = bounds(keep).days(getattr(tenant, COLUMNS[keep]))
    return max(days, days_of(tenant, Keep.MESSAGES)) if keep is Keep.COUNTS else days


def check_days(keep: Keep, days: Any) -> int | None:
    """A choice, or None for the operator's usual time. Raises InvalidInput."""
    if days is None or days == "":
        return None
    most = bounds(keep).most
    if isinstance(days, bool) or not isinstance(days, int) or not bounds(keep).allows(days):
        raise InvalidInput(f"Must be {LEAST_DAYS} to {most} days; the operator sets the maximum.", field=COLUMNS[keep])
    return days


@dataclass(frozen=True)
class Cutoffs:
    """What of one tenant is too old: rows from before `of(keep)`. `longest`: the earliest `messages` of all tenants;
    a month's table is dropped when it is all older."""

    tenant_id: uuid.UUID
    slug: str
    messages: datetime
    counts: datetime
    longest: datetime
    exact: bool

    def of(self, keep: Keep) -> datetime:
        return self.messages if keep is Keep.MESSAGES else self.counts

    @property
    def rows(self) -> datetime:
        """Rows of the ledger from before are deleted one by one; later ones wait for the drop of their month."""
        if self.exact or self.messages > self.longest:
            return self.messages
        return (self.longest - OVERDUE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def all_cutoffs(now: datetime, slug: str = "") -> list[Cutoffs]:
    """Of every tenant, inactive ones as well; of one with this slug."""
    tenants = list(Tenant.objects.only("id", "slug", *COLUMNS.values()).order_by("id"))
    most = max((days_of(tenant, Keep.MESSAGES) for tenant in tenants), default=bounds(Keep.MESSAGES).usual)
    return [_cutoffs(tenant, now, most) for tenant in tenants if slug in ("", tenant.slug)]


def _cutoffs(tenant: Tenant, now: datetime, most: int) -> Cutoffs:
    days = {keep: days_of(tenant, keep) for keep in Keep}
    ends = {keep: cutoff(now, days[keep]) for keep in Keep}
    exact = days[Keep.MESSAGES] < EXACT_BELOW
    return Cutoffs(tenant.pk, tenant.slug, ends[Keep.MESSAGES], ends[Keep.COUNTS], cutoff(now, most), exact)
