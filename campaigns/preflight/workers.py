"""Who would send: the bulk workers that listen now, and what one of them did with an account the last times."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.db import connection
from kombu.exceptions import OperationalError

from campaigns.models import Campaign
from notifier.delivery.infra import redis

#: workers answer within 50 ms; a page must not wait long for one that is gone
PATIENCE = 0.3
#: seconds for which an answer is used again: the page, its reload and GO ask one after the other
REMEMBERED = 5.0
#: a handful of messages says nothing about speed
ENOUGH = 5_000
LAST = 5

_asked: tuple[float, Mapping[str, int] | None] = (float("-inf"), None)


@dataclass(frozen=True)
class Speed:
    """Messages a second of one worker while it was at work, and the campaign that showed it."""

    per_s: float
    shown_by: str


def listening() -> Mapping[str, int] | None:
    """Queue -> worker processes that take from it; None when the broker is away and nobody knows."""
    global _asked
    at, found = _asked
    if time.monotonic() - at > REMEMBERED:
        found = _ask()
        _asked = (time.monotonic(), found)
    return found


def _ask() -> Mapping[str, int] | None:
    try:
        # our client knows at once that Redis is away; the broker's tries for seconds
        redis.client().ping()
        answers = current_app.control.inspect(timeout=PATIENCE).active_queues() or {}
    except (redis.Unavailable, OperationalError):
        return None
    return Counter(queue["name"] for queues in answers.values() for queue in queues)


_SPEEDS = """
SELECT s.account_id, c.name, sum(s.size) / sum(extract(epoch FROM s.ended_at - s.began_at))
FROM campaigns_shard s JOIN campaigns_campaign c ON c.id = s.campaign_id
WHERE s.tenant_id = %(tenant)s AND s.account_id = ANY(%(accounts)s) AND s.state = 'done' AND s.ended_at > s.began_at
  AND s.campaign_id = ANY(ARRAY(SELECT id FROM campaigns_campaign WHERE tenant_id = %(tenant)s
                                AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT %(last)s))
GROUP BY 1, c.id HAVING sum(s.size) >= %(enough)s ORDER BY 3
"""


def speeds(campaign: Campaign, accounts: Collection[uuid.UUID]) -> dict[uuid.UUID, Speed]:
    """What one worker did with each account at its best, of the tenant's last campaigns: a limit or a pause slows a
    campaign down, and nothing makes it faster than its workers are."""
    wanted: dict[str, Any] = {"tenant": campaign.tenant_id, "accounts": list(accounts), "last": LAST, "enough": ENOUGH}
    with connection.cursor() as cursor:
        cursor.execute(_SPEEDS, wanted)
        return {account: Speed(float(per_s), name) for account, name, per_s in cursor.fetchall()}
