"""The rules of messages that name their category by its key, also after the category was deleted."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping

from notifier.delivery.planning.plan import Rule
from notifier.models import Delivery, Route, Template
from notifier.vocabulary.status import LANE_OF, Kind, Lane, QueuePosition, Status
from tenants.categories import MAX_USES, CategoryUse
from tenants.models import Category

_KIND_OF = {lane: kind for kind, lane in LANE_OF.items()}


def load_rules(tenant_id: uuid.UUID, keys: Collection[str]) -> dict[str, Rule]:
    """The rules of those categories that exist, by key."""
    kinds = Category.objects.filter(tenant_id=tenant_id, key__in=keys).values_list("key", "kind")
    return {key: Rule(key, Kind(kind)) for key, kind in kinds}


def rule_for(known: Mapping[str, Rule], key: str, lane: int) -> Rule:
    """The rule of one message. Opt-outs name the key of a category, so they hold after the category was deleted; the
    message's lane tells the kind that the category had at acceptance."""
    if not key:
        return Rule()
    return known.get(key) or Rule(key, _KIND_OF[Lane(lane)])


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
