"""The messages of one campaign in the ledger: whether one of them must stay, and their deletion. `campaigns.retention`
decides when."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from notifier.delivery.ledger.campaigns.campaign_rows import IdRange
from notifier.delivery.retention import rows
from tenants.retention.registry import Amount, Pace

_OF_CAMPAIGN = "d.tenant_id = %(tenant)s AND d.campaign_id = %(campaign)s AND d.id >= %(low)s AND d.id < %(high)s"
_HOLDS = f"SELECT EXISTS (SELECT FROM notifier_delivery d WHERE {_OF_CAMPAIGN} AND {rows.STAYS})"
_BATCH = f"""
SELECT d.id FROM notifier_delivery d WHERE {_OF_CAMPAIGN} AND (d.id > %(after)s OR %(first)s)
ORDER BY d.id LIMIT %(batch)s
"""
_SIZE = f"""
SELECT count(*), coalesce(sum(pg_column_size(d.*)), 0) FROM notifier_delivery d WHERE {_OF_CAMPAIGN}
"""


@dataclass(frozen=True)
class OldCampaign:
    """`ids`: the range of its messages; `cutoff`: nothing that ended later is deleted."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    ids: IdRange
    cutoff: datetime

    @property
    def values(self) -> dict[str, Any]:
        low, high = self.ids
        names = {"tenant": self.tenant_id, "campaign": self.id, "cutoff": self.cutoff}
        return {**names, "low": low, "high": high, "after": low, "first": True}


def holds(campaign: OldCampaign) -> bool:
    """Whether a message of the campaign must stay."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDS, campaign.values)
        return bool(cursor.fetchone()[0])


def size_of(campaign: OldCampaign) -> Amount:
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, campaign.values)
        return Amount("notifier_delivery", *map(int, cursor.fetchone()))


def delete(campaign: OldCampaign, pace: Pace) -> tuple[int, bool]:
    """Delete its messages; returns the number of rows, and whether all messages are gone."""
    values, removed, left = {**campaign.values, "batch": pace.batch}, 0, False
    while pace.may_go_on():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_BATCH, values)
                ids = [row[0] for row in cursor.fetchall()]
            _, stay = rows.lock(ids, campaign.cutoff)
            removed += rows.delete([delivery_id for delivery_id in ids if delivery_id not in stay])
            left = left or bool(stay)
        if len(ids) < pace.batch:
            return removed, not left
        values |= {"after": ids[-1], "first": False}
    return removed, False
