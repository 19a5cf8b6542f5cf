"""The bulk workers that would send: how many listen now, and how fast one of them was with an account in the last
campaigns."""

from __future__ import annotations

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
from notifier.delivery.infra.ttl_cache import TtlCache

#: seconds; workers answer within 50 ms, and a page must not wait long for a worker that is gone
TIMEOUT = 0.3
#: seconds for which an answer is used again: the page, its reload and GO ask in short succession
REMEMBERED = 5.0
#: fewer messages prove nothing about speed
LEAST_MESSAGES = 5_000
LAST_CAMPAIGNS = 5

_answers = TtlCache[str, tuple[Mapping[str, int] | None]](seconds=REMEMBERED)


@dataclass(frozen=True)
class Speed:
    """Messages a second of one worker while it was at work, and the campaign that showed it."""

    per_s: float
    shown_by: str


def listening() -> Mapping[str, int] | None:
    """Queue -> worker processes that take from the queue; None while the broker is away."""
    kept = _answers.get("queues")
    if kept is None:
        kept = (_inspect(),)
        _answers.keep("queues", kept)
    return kept[0]


def reset() -> None:
    """Forget the last answer of the workers."""
    _answers.clear()


def _inspect() -> Mapping[str, int] | None:
    try:
        # our client knows at once that Redis is away; the broker's tries for seconds
        redis.client().ping()
        answers = current_app.control.inspect(timeout=TIMEOUT).active_queues() or {}
    except (redis.Unavailable, OperationalError):
        return None
    return Counter(queue["name"] for queues in answers.values() for queue in queues)


_SPEEDS = """
SELECT s.account_id, c.name, sum(s.size) / sum(extract(epoch FROM s.ended_at - s.began_at))
FROM campaigns_shard s JOIN campaigns_campaign c ON c.id = s.campaign_id
WHERE s.tenant_id = %(tenant)s AND s.account_id = ANY(%(accounts)s) AND s.state = 'done' AND s.ended_at > s.began_at
  AND s.campaign_id = ANY(ARRAY(SELECT id FROM campaigns_campaign WHERE tenant_id = %(tenant)s
                                AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT %(last)s))
GROUP BY 1, c.id HAVING sum(s.size) >= %(least)s ORDER BY 3
"""


def speeds(campaign: Campaign, accounts: Collection[uuid.UUID]) -> dict[uuid.UUID, Speed]:
    """The best speed of one worker with each account in the tenant's last campaigns: a limit or a pause slows a
    campaign down, and nothing makes a campaign faster than its workers are."""
    parameters: dict[str, Any] = {
        "tenant": campaign.tenant_id,
        "accounts": list(accounts),
        "last": LAST_CAMPAIGNS,
        "least": LEAST_MESSAGES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SPEEDS, parameters)
        return {account: Speed(float(per_s), name) for account, name, per_s in cursor.fetchall()}
