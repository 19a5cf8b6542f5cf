"""The rules of messages that name their category by its key, also when that category has been deleted since."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping

from notifier.delivery.planning.plan import Rule
from notifier.models import Delivery, Template
from notifier.vocabulary.status import LANE_OF, Kind, Lane, QueuePosition, Status
from tenants.categories import MAX_USES, CategoryUse
from tenants.models import Category

_KIND_OF = {lane: kind for kind, lane in LANE_OF.items()}


def load_rules(tenant_id: uuid.UUID, keys: Collection[str]) -> dict[str, Rule]:
    """The rules of those categories that exist, by key."""
    found = Category.objects.filter(tenant_id=tenant_id, key__in=keys).values_list("key", "kind")
    return {key: Rule(key, Kind(kind)) for key, kind in found}


def rule_for(known: Mapping[str, Rule], key: str, lane: int) -> Rule:
    """The rule of one message. People's noes name the key, so they hold without the category; its lane tells the kind
    that it had when the message was accepted."""
    if not key:
        return Rule()
    return known.get(key) or Rule(key, _KIND_OF[Lane(lane)])


def find_uses(category: Category) -> Iterator[CategoryUse]:
    """Templates of the category, and whether notifications of it are scheduled."""
    for template in Template.objects.filter(category=category).order_by("key")[:MAX_USES]:
        yield CategoryUse(f"template {template.key}")
    # by the index of parked rows: what waits for its time, not the ledger
    parked = Delivery.objects.filter(status=Status.QUEUED, queue_position=QueuePosition.PARKED)
    if parked.filter(tenant_id=category.tenant_id, category=category.key).exists():
        yield CategoryUse("scheduled notifications")
