"""Cards of the home page: quotas that end, what waits to leave, providers, and dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest

from notifier.channels import channels
from notifier.delivery.accounts.health import FULL, read_weights
from notifier.delivery.quotas import counting, watching
from notifier.models import DeadLetter, Delivery, ProviderAccount
from notifier.vocabulary.quotas import read_quotas
from notifier.vocabulary.status import QueuePosition, Status
from tenants.admin.base.visibility import visible_rows
from tenants.admin.home import Card, register_card
from tenants.admin.pages.tenant_limits import register_usage
from tenants.models import Tenant

#: rows of a card; more are counted up to COUNTED
SHOWN, COUNTED = 6, 2_000


def register() -> None:
    register_usage(usage_lines)
    register_card(Card("quotas", 9, "admin/notifier/home/quotas.html", quotas))
    register_card(Card("waiting", 30, "admin/notifier/home/waiting.html", waiting))
    register_card(Card("providers", 60, "admin/notifier/home/providers.html", providers))
    register_card(Card("dead-letters", 65, "admin/notifier/home/dead_letters.html", dead_letters))


def quotas(request: HttpRequest) -> Mapping[str, Any] | None:
    """Quotas of which 80 percent or more are used: of the member's tenants, for an operator of all."""
    tenants = visible_rows(Tenant.objects.filter(quotas__isnull=False), request).order_by("name")
    now = datetime.now(UTC)
    near = [(tenant, use) for tenant in tenants[:SHOWN] for use in watching.near_end(tenant, now)]
    return {"near": near} if near else None


def usage_lines(tenant: Tenant) -> list[str]:
    """What the tenant used of its quotas, for its settings page."""
    used = counting.uses(tenant.pk, read_quotas(tenant.quotas), tenant.timezone, datetime.now(UTC))
    return [f"{u.quota.channel}, {u.quota.period}: {u.used:,} / {u.quota.most:,} ({u.percent} %)" for u in used]


def waiting(request: HttpRequest) -> Mapping[str, Any] | None:
    """Single messages that are due and wait for a worker. The index of the claim answers it."""
    accounts = list(visible_rows(ProviderAccount.objects.all(), request).values_list("pk", flat=True)[:200])
    due = Delivery.objects.filter(
        channel__in=list(channels()),
        account_id__in=accounts,
        status=Status.QUEUED,
        queue_position=QueuePosition.HAS_TURN,
    ).order_by()
    rows = list(due.values_list("due_at", flat=True)[: COUNTED + 1])
    if not rows:
        return None
    return {"count": min(len(rows), COUNTED), "more": len(rows) > COUNTED, "oldest": min(rows)}


def providers(request: HttpRequest) -> Mapping[str, Any] | None:
    """Provider accounts with their health, the worst first."""
    rows = list(visible_rows(ProviderAccount.objects.filter(enabled=True), request).order_by("name")[:50])
    if not rows:
        return None
    weights = read_weights([row.pk for row in rows])
    listed = sorted(((row, weights.get(row.pk, FULL)) for row in rows), key=lambda pair: pair[1])[:SHOWN]
    return {"accounts": listed, "full": FULL, "more": len(rows) > SHOWN}


def dead_letters(request: HttpRequest) -> Mapping[str, Any] | None:
    """Messages whose attempts are used up, and that nobody has sent again."""
    rows = visible_rows(DeadLetter.objects.filter(redriven_at__isnull=True), request)
    count = rows.order_by()[: COUNTED + 1].count()
    return {"count": min(count, COUNTED), "more": count > COUNTED} if count else None
