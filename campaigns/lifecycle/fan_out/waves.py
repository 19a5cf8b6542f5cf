"""Waves of a campaign at local time: a wave is the shards with one `not_before`.

The shards of a wave are not due before. The campaign keeps the time of its next wave (`next_wave_at`); the sweep puts
the wave on the queue when that time has come, and sets the time of the following one in the same UPDATE.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q, Sum
from django.db.models.functions import Now

from campaigns.models import Campaign, Passed, Shard

#: a wave whose time was over by more than this when the campaign began is late: GO was pressed late. Less is the time
#: between the look at the page and GO
LATE = timedelta(minutes=15)

#: a shard s that is due at %(now)s; NULL: now, by the database's clock. The clock of a worker may be a day ahead
DUE = "(s.not_before IS NULL OR s.not_before <= COALESCE(%(now)s::timestamptz, now()))"

_NEXT = """
(SELECT min(s.not_before) FROM campaigns_shard s
 WHERE s.campaign_id = c.id AND s.state = 'armed' AND s.not_before > %(now)s)
"""
_SET_NEXT = f"UPDATE campaigns_campaign c SET next_wave_at = {_NEXT} WHERE c.id = %(campaign)s"
# one partial index entry for each campaign with a wave to come; one caller gets the row
_TAKE_DUE = f"""
WITH due AS (
  SELECT id, next_wave_at FROM campaigns_campaign
  WHERE state = 'running' AND next_wave_at <= %(now)s FOR UPDATE SKIP LOCKED)
UPDATE campaigns_campaign c SET next_wave_at = {_NEXT} FROM due WHERE c.id = due.id RETURNING c.id, due.next_wave_at
"""


@dataclass(frozen=True)
class Wave:
    """The messages that become due at one moment."""

    at: datetime
    messages: int


def is_due(now: datetime | None = None) -> Q:
    """Shards that are due, as DUE."""
    return Q(not_before__isnull=True) | Q(not_before__lte=now or Now())


def set_next_wave(campaign_id: uuid.UUID, now: datetime) -> None:
    """Store when the next wave becomes due, after what is due now was put on the queue."""
    with connection.cursor() as cursor:
        cursor.execute(_SET_NEXT, {"campaign": campaign_id, "now": now})


def take_due(now: datetime) -> list[tuple[uuid.UUID, datetime]]:
    """Campaigns of which a wave has become due, and the time of the earliest such wave. One caller gets each wave."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_DUE, {"now": now})
        return list(cursor.fetchall())


def is_left_out(campaign: Campaign, not_before: datetime | None) -> bool:
    """Whether the recipients of a wave are left out, because GO came after their time. A wave that is late because of a
    pause, a limit or a lost worker leaves late."""
    if not_before is None or campaign.passed != Passed.LEAVE_OUT or campaign.launched_at is None:
        return False
    return not_before < campaign.launched_at - LATE


def waves_of(campaign: Campaign) -> Sequence[Wave]:
    """The waves of which messages have not begun, the earliest first; none of a campaign without a local time."""
    if campaign.local_time is None:
        return []
    shards = Shard.objects.filter(
        tenant_id=campaign.tenant_id, campaign=campaign, state=Shard.State.ARMED, not_before__isnull=False
    )
    sums = shards.order_by("not_before").values_list("not_before").annotate(Sum("size"))
    return [Wave(at, messages) for at, messages in sums if at is not None]
