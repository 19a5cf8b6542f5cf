"""The caps of a tenant as workers know them: some seconds old, so that a tenant without caps costs no statement."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from notifier.delivery.infra import bulk
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.delivery.planning.cap_rules import Cap
from notifier.models import FrequencyCap

#: a new or changed cap holds in all workers after so many seconds; the API reads caps with each request
SECONDS = 2.0
_ALL = "all"
# one statement for all tenants: with one for each tenant, many tenants with little traffic would cost one a claim
_capped_tenants = TtlCache[str, frozenset[uuid.UUID]](SECONDS)
_caps = TtlCache[uuid.UUID, tuple[Cap, ...]](SECONDS)


def load_caps(tenant_id: uuid.UUID) -> tuple[Cap, ...]:
    """All caps of the tenant, by id: places are always taken in this order."""
    rows = FrequencyCap.objects.filter(tenant_id=tenant_id).order_by("id")
    columns = rows.values_list("id", "category__key", "channel", "most", "period", "changed_at")
    return tuple(Cap(pk, key or "", channel, most, period, at) for pk, key, channel, most, period, at in columns)


def cached_caps(tenant_id: uuid.UUID) -> tuple[Cap, ...]:
    """The same, up to SECONDS old. Engine role: reads the caps of all tenants."""
    capped = _capped_tenants.get(_ALL)
    if capped is None:
        capped = frozenset(FrequencyCap.objects.values_list("tenant_id", flat=True).distinct())
        _capped_tenants.keep(_ALL, capped)
    if tenant_id not in capped:
        return ()
    caps = _caps.get(tenant_id)
    if caps is None:
        caps = load_caps(tenant_id)
        _caps.keep(tenant_id, caps)
    return caps


def reset() -> None:
    """Forget the cached caps."""
    _capped_tenants.clear()
    _caps.clear()


_ZONES = """
SELECT r.id, coalesce(nullif(r.device_timezone, ''), nullif(r.timezone, ''), t.timezone)
FROM tenants_recipient r JOIN tenants_tenant t ON t.id = r.tenant_id
WHERE r.tenant_id = %s AND r.id = ANY(%b::uuid[])
"""


def load_zones(tenant_id: uuid.UUID, recipients: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """recipient -> the zone whose calendar counts: of the phone, of the recipient, or of the tenant. The id of
    a deleted recipient is missing."""
    with bulk.cursor() as cursor:
        cursor.execute(_ZONES, [tenant_id, list(recipients)], binary=True, prepare=True)
        return dict(cursor.fetchall())
