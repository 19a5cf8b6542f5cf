"""What a tenant's status page shows, without its words. Kept for some seconds: the page is public."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from notifier.delivery.channel_status.history import DAYS, HOURS, Bars, load_bars
from notifier.delivery.channel_status.read import read_accounts, states
from notifier.delivery.channel_status.state import ChannelState
from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.models import Incident
from tenants.access import scope
from tenants.models import Tenant

#: seconds for which a page is kept, whoever asks; and for how long at most it is shown while one thread reads it anew
KEPT_SECONDS, OLDER_SECONDS = 5.0, 60.0
#: incidents that began within so many days are shown, so many at most
INCIDENT_DAYS, MOST_INCIDENTS = 90, 20
_NOTHING = Bars((None,) * HOURS, (None,) * DAYS)


@dataclass(frozen=True)
class ShownChannel:
    name: str
    state: ChannelState
    bars: Bars


@dataclass(frozen=True)
class Shown:
    """A page. Holds no count of messages and no name of an account or a person."""

    tenant: Tenant
    at: datetime
    state: ChannelState
    channels: Sequence[ShownChannel]
    incidents: Sequence[Incident]


_kept = TtlCache[str, Shown](seconds=KEPT_SECONDS)
#: what others get while one thread reads a page anew
_older = TtlCache[str, Shown](seconds=OLDER_SECONDS)
#: of each page that exists: one thread reads it at a time
_reading: dict[str, threading.Lock] = {}


def load(slug: str, now: datetime) -> Shown | None:
    """The page of the tenant with the slug; None when there is no such tenant, or its page is off."""
    if (shown := _kept.get(slug)) is not None:
        return shown
    older = _older.get(slug)
    tenant_id = None if older else _find(slug)
    if older is None and tenant_id is None:
        return None
    reading = _reading.setdefault(slug, threading.Lock())
    if not reading.acquire(blocking=older is None):
        return older
    try:
        return _kept.get(slug) or _read(slug, tenant_id or _find(slug), now)
    finally:
        reading.release()


def _read(slug: str, tenant_id: uuid.UUID | None, now: datetime) -> Shown | None:
    if tenant_id is None:
        _older.forget(slug)
        return None
    shown = _load(tenant_id, now)
    _kept.keep(slug, shown)
    _older.keep(slug, shown)
    return shown


def expire() -> None:
    """Read every page anew at its next visit."""
    _kept.clear()


def reset() -> None:
    """Forget the pages that are kept."""
    _kept.clear()
    _older.clear()


def _find(slug: str) -> uuid.UUID | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT tenant_of_status_page(%s)", [slug])
        [tenant_id] = cursor.fetchone()
    return tenant_id  # type: ignore[no-any-return]


def _load(tenant_id: uuid.UUID, now: datetime) -> Shown:
    with scope(tenant_id):
        tenant = Tenant.objects.get(pk=tenant_id)
        present = states(read_accounts([tenant_id])[tenant_id])
        bars = load_bars(tenant_id, now)
        since = now - timedelta(days=INCIDENT_DAYS)
        incidents = list(
            Incident.objects.filter(began_at__gte=since, began_at__lte=now).order_by("-began_at")[:MOST_INCIDENTS]
        )
    return _shown(tenant, now, present, bars, incidents)


def _shown(
    tenant: Tenant,
    now: datetime,
    present: Mapping[str, ChannelState],
    bars: Mapping[str, Bars],
    incidents: Sequence[Incident],
) -> Shown:
    channels = [ShownChannel(name, state, bars.get(name, _NOTHING)) for name, state in present.items()]
    return Shown(tenant, now, worst(present.values()), channels, incidents)


def worst(found: object) -> ChannelState:
    """The worst of these states; operational when there is none."""
    order = list(ChannelState)
    return max(found, key=order.index, default=ChannelState.OPERATIONAL)  # type: ignore[call-overload,no-any-return]
