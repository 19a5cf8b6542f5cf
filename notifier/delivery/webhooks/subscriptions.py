"""Which events the endpoints of a tenant want: a process believes for a second what it read, so that a tenant without
endpoints costs a change one look into a dictionary (1 µs), and an endpoint misses at most the first second."""

from __future__ import annotations

import uuid

from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.models import WebhookEndpoint
from notifier.vocabulary.webhooks import EventType, matches

SECONDS = 1.0
_wanted: TtlCache[uuid.UUID, frozenset[EventType]] = TtlCache(SECONDS, max_entries=10_000)


def wanted(tenant_id: uuid.UUID) -> frozenset[EventType]:
    """The types that at least one enabled endpoint of the tenant wants."""
    known = _wanted.get(tenant_id)
    if known is None:
        known = _read(tenant_id)
        _wanted.keep(tenant_id, known)
    return known


def _read(tenant_id: uuid.UUID) -> frozenset[EventType]:
    endpoints = WebhookEndpoint.objects.filter(tenant_id=tenant_id, enabled=True)
    filters = list(endpoints.values_list("event_types", flat=True))
    return frozenset(name for name in EventType if any(matches(of_endpoint, name) for of_endpoint in filters))


def reset() -> None:
    """Forget what was read."""
    _wanted.clear()


def forget(tenant_id: uuid.UUID) -> None:
    """Read again what the tenant wants; other processes do within a second."""
    _wanted.forget(tenant_id)
