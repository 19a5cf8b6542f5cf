"""Opens and clicks of campaigns that are counted without persons."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from notifier.delivery.engagement.hits import Hit
from notifier.delivery.infra import bulk
from notifier.models import EngagementCount
from notifier.vocabulary.ids import new_id


class _Row(NamedTuple):
    """One row of notifier_engagementcount. Fields are columns, in the order of SQL."""

    id: Annotated[uuid.UUID, "uuid"]
    tenant_id: Annotated[uuid.UUID, "uuid"]
    campaign_id: Annotated[uuid.UUID, "uuid"]
    kind: Annotated[str, "text"]
    machine: Annotated[bool, "boolean"]
    total: Annotated[int, "bigint"]


_COLUMNS = bulk.columns_of(_Row)
_ADD = f"""{bulk.insert_statement("notifier_engagementcount", _COLUMNS)}
ON CONFLICT (tenant_id, campaign_id, kind, machine)
DO UPDATE SET total = notifier_engagementcount.total + excluded.total
"""


def add(tenant_id: uuid.UUID, hits: Iterable[Hit]) -> None:
    """Count hits that name a campaign, with one statement."""
    counts = Counter((hit.campaign, hit.kind, hit.machine) for hit in hits)
    rows = [
        _Row(new_id(), tenant_id, uuid.UUID(campaign), kind, machine, count)
        for (campaign, kind, machine), count in sorted(counts.items())
    ]
    if rows:
        with bulk.cursor() as cursor:
            cursor.execute(_ADD, bulk.by_column(_COLUMNS, rows), prepare=True)


def of_campaign(campaign_id: uuid.UUID) -> dict[str, int]:
    """`opened`, `clicked` by persons and `machine_opened`, `machine_clicked`; only those that occurred."""
    rows = EngagementCount.objects.filter(campaign_id=campaign_id)
    return {f"machine_{row.kind}" if row.machine else row.kind: row.total for row in rows}
