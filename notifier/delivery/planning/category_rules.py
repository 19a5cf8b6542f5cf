"""The rules of messages that name their category by its key, also after the category was deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from notifier.delivery.planning.rule import CategoryRow, Rule, TenantDefaults, rule_of
from notifier.models import Delivery, Route, Template
from notifier.vocabulary.status import LANE_OF, Lane, QueuePosition, Status
from tenants.categories import MAX_USES, CategoryUse
from tenants.models import Category, OptIn, Tenant

_KIND_OF = {lane: kind for kind, lane in LANE_OF.items()}


@dataclass(frozen=True)
class KnownRules:
    """The rules of those categories that exist, by key, and what the tenant says for all."""

    by_key: Mapping[str, Rule]
    defaults: TenantDefaults


def load_rules(tenant: Tenant, keys: Collection[str]) -> KnownRules:
    """The rules of categories. One query."""
    defaults = TenantDefaults(tenant.opt_in, tenant.send_windows)
    rows = Category.objects.filter(tenant_id=tenant.pk, key__in=keys).values_list(*CategoryRow._fields)
    return KnownRules({row[0]: rule_of(CategoryRow(*row), defaults) for row in rows}, defaults)


def rule_for(known: KnownRules, key: str, lane: int) -> Rule:
    """The rule of one message. Opt-outs name the key of a category, so they hold after the category was deleted; the
    message's lane tells the kind that the category had at acceptance. A deleted category asks for no opt-in."""
    if not key:
        return Rule()
    return known.by_key.get(key) or rule_of(CategoryRow(key, _KIND_OF[Lane(lane)], OptIn.OFF), known.defaults)


def find_uses(category: Category) -> Iterator[CategoryUse]:
    """Templates of the category, and whether notifications of it are scheduled."""
    for template in Template.objects.filter(category=category).order_by("key")[:MAX_USES]:
        yield CategoryUse(f"template {template.key}")
    # by the index of parked rows, which are few, instead of the whole ledger
    parked = Delivery.objects.filter(status=Status.QUEUED, queue_position=QueuePosition.PARKED)
    if parked.filter(tenant_id=category.tenant_id, category=category.key).exists():
        yield CategoryUse("scheduled notifications")
    waiting = Route.objects.filter(tenant_id=category.tenant_id, due_at__isnull=False)
    if waiting.filter(notification__category=category.key).exists():
        yield CategoryUse("notifications with a route that is not over")
