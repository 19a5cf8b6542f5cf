"""Past hours of channels: a look every minute, kept for 90 days, of the tenants whose status page is open."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import TruncDay

from notifier.delivery.channel_status.read import read_accounts, states
from notifier.delivery.channel_status.state import ChannelState, state_of_looks
from notifier.delivery.infra import bulk
from notifier.models import StatusHour
from notifier.vocabulary.ids import new_id
from tenants.models import Tenant

HOURS, DAYS = 24, 90

_COLUMNS: bulk.Columns = {
    "id": "uuid", "tenant_id": "uuid", "channel": "text", "hour": "timestamptz", "looks": "smallint",
    "degraded": "smallint", "outage": "smallint", "minute": "smallint",
}  # fmt: skip
_ADD = f"""
{bulk.insert_statement("notifier_statushour", _COLUMNS)}
ON CONFLICT (tenant_id, channel, hour) DO UPDATE SET looks = notifier_statushour.looks + excluded.looks,
  degraded = notifier_statushour.degraded + excluded.degraded, outage = notifier_statushour.outage + excluded.outage,
  minute = excluded.minute
WHERE notifier_statushour.minute <> excluded.minute
"""


@dataclass(frozen=True)
class Bars:
    """States from the oldest to the newest; None: nobody looked."""

    hours: tuple[ChannelState | None, ...]
    days: tuple[ChannelState | None, ...]


def record_look(now: datetime) -> None:
    """Keep how the channels are now; forget hours that no page shows any more. A minute counts once, however often it
    is looked at: more than one beat may run."""
    tenants = list(Tenant.objects.filter(active=True, status_page=True).values_list("pk", flat=True))
    hour = now.replace(minute=0, second=0, microsecond=0)
    looks = [
        (new_id(), tenant, channel, hour, 1, state is ChannelState.DEGRADED, state is ChannelState.OUTAGE, now.minute)
        for tenant, accounts in read_accounts(tenants).items()
        for channel, state in states(accounts).items()
    ]
    with transaction.atomic():
        if looks:
            with bulk.cursor() as cursor:
                rows = [(*look[:5], int(look[5]), int(look[6]), look[7]) for look in looks]
                cursor.execute(_ADD, bulk.by_column(_COLUMNS, rows))
        StatusHour.objects.filter(hour__lt=now - timedelta(days=DAYS + 1)).delete()


def load_bars(tenant_id: uuid.UUID, now: datetime) -> Mapping[str, Bars]:
    """channel -> its bars: two statements. Days are those of UTC."""
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    today = this_hour.replace(hour=0)
    rows = StatusHour.objects.filter(tenant_id=tenant_id)
    hours = {
        (channel, hour): state_of_looks(looks, degraded, outage)
        for channel, hour, looks, degraded, outage in rows.filter(
            hour__gt=this_hour - timedelta(hours=HOURS)
        ).values_list("channel", "hour", "looks", "degraded", "outage")
    }
    sums = (
        rows.filter(hour__gte=today - timedelta(days=DAYS - 1))
        .annotate(day=TruncDay("hour", tzinfo=UTC), of=F("channel"))
        .values("of", "day")
        .annotate(all=Sum("looks"), late=Sum("degraded"), out=Sum("outage"))
        .order_by()
    )
    days = {(row["of"], row["day"]): state_of_looks(row["all"], row["late"], row["out"]) for row in sums}
    return {
        channel: Bars(
            tuple(hours.get((channel, this_hour - timedelta(hours=n))) for n in reversed(range(HOURS))),
            tuple(days.get((channel, today - timedelta(days=n))) for n in reversed(range(DAYS))),
        )
        for channel in {channel for channel, _ in (*hours, *days)}
    }
