"""Which events the endpoints of a tenant want: a process believes for a second what it read, so that a tenant without
endpoints costs a change one look into a dictionary (1 µs), and an endpoint misses at most the first second."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models import Q

from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.models import WebhookEndpoint
from notifier.vocabulary.webhooks import EventType, matches

SECONDS = 1.0
_wanted: TtlCache[uuid.UUID, frozenset[EventType]] = TtlCache(SECONDS, max_entries=10_000)


def wanted(tenant_id: uuid.UUID) -> frozenset[EventType]:
    """The types that at least one endpoint of the tenant wants: one that is enabled, or that Notifier disabled, whose
    owner will replay what happened meanwhile."""
    known = _wanted.get(tenant_id)
    if known is None:
        known = _read(tenant_id)
        _wanted.keep(tenant_id, known)
    return known


def _read(tenant_id: uuid.UUID) -> frozenset[EventType]:
    endpoints = WebhookEndpoint.objects.filter(~Q(disabled_because="") | Q(enabled=True), tenant_id=tenant_id)
    filters = list(endpoints.values_list("event_types", flat=True))
    return frozenset(name for name in EventType if any(matches(of_endpoint, name) for of_endpoint in filters))


def reset() -> None:
    """Forget what was read."""
    _wanted.clear()


def forget(tenant_id: uuid.UUID) -> None:
    """Read again what the tenant wants, now and after the caller's transaction: until then another thread reads what
    was before. Other processes do within a second."""
    _wanted.forget(tenant_id)
    transaction.on_commit(lambda: _wanted.forget(tenant_id))
