"""The SQL of A/B tests on the ledger: what the people of each part of a test did. Parts are made of slots, which the
caller's expression computes from a row's recipient (campaigns.arming.planning.assignment)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from notifier.delivery.ledger.campaigns.campaign_rows import IdRange
from notifier.vocabulary.status import TAKEN, ConsentSource, Status


class PartCounts(NamedTuple):
    """People of one part: reached by a message that a provider took, and of them those who did each thing at least
    once. `part`: the index of the part's first slot. The columns of _COUNT."""

    part: int
    reached: int
    delivered: int
    opened: int
    clicked: int
    unsubscribed: int
    complained: int


def _in(*statuses: Status) -> str:
    return f"status IN ({', '.join(str(int(status)) for status in statuses)})"


# by person and not by message: a person who got a push and an email is one observation. An opt-out counts when the
# person made it after the launch
_COUNT = f"""
WITH people AS (
  SELECT recipient_id, bool_or({_in(Status.DELIVERED, Status.OPENED, Status.CLICKED, Status.COMPLAINED)}) AS delivered,
    bool_or({_in(Status.OPENED, Status.CLICKED)}) AS opened, bool_or({_in(Status.CLICKED)}) AS clicked,
    bool_or({_in(Status.COMPLAINED)}) AS complained
  FROM notifier_delivery
  WHERE tenant_id = %(tenant)s AND campaign_id = %(campaign)s AND id >= %(low)s AND id < %(high)s AND {_in(*TAKEN)}
  GROUP BY recipient_id),
left_again AS (
  SELECT DISTINCT recipient_id FROM tenants_consentchange
  WHERE tenant_id = %(tenant)s AND at >= %(launched)s AND changed = 'preference'
    AND source IN ('{ConsentSource.PERSON}', '{ConsentSource.RECEIPT}')
    AND (detail -> 'categories_off' ?| %(opt_outs)s OR detail -> 'channels_off' ?| %(channels)s
         OR detail -> 'everything_off' = 'true'))
SELECT width_bucket({{slot}}, %(starts)s::int[]) - 1, count(*), count(*) FILTER (WHERE delivered),
  count(*) FILTER (WHERE opened), count(*) FILTER (WHERE clicked),
  count(*) FILTER (WHERE left_again.recipient_id IS NOT NULL), count(*) FILTER (WHERE complained)
FROM people LEFT JOIN left_again USING (recipient_id)
GROUP BY 1 ORDER BY 1
"""


class PartQuery(NamedTuple):
    """What to count. `slot_sql`: the slot of a row, with `{recipient}` for the recipient's column; `starts`: the first
    slot of each part, ascending from 0; `opt_outs`: entries of categories_off that leave the campaign's category."""

    tenant_id: uuid.UUID
    campaign_id: uuid.UUID
    ids: IdRange
    slot_sql: str
    starts: Sequence[int]
    launched: datetime
    opt_outs: Sequence[str]
    channels: Sequence[str]


def count_parts(query: PartQuery) -> list[PartCounts]:
    """Counts of the parts that reached anybody."""
    low, high = query.ids
    values: dict[str, Any] = {
        "tenant": query.tenant_id, "campaign": query.campaign_id, "low": low, "high": high,
        "starts": list(query.starts), "launched": query.launched,
        "opt_outs": list(query.opt_outs), "channels": list(query.channels),
    }  # fmt: skip
    slot = query.slot_sql.format(recipient="recipient_id")
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(slot=slot), values)
        return [PartCounts(*row) for row in cursor.fetchall()]
