"""Stop. The state is flipped in the request; senders look at it before every chunk (under a second of sending)."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.db import connection, transaction
from django.db.models.functions import Now

from campaigns.launch import find
from campaigns.models import Campaign, Shard
from campaigns.prepare import id_range
from campaigns.states import State, move
from notifier.delivery import recheck
from notifier.errors import Conflict
from notifier.tasks import post
from notifier.vocabulary import Reason, Status
from tenants import audit
from tenants.models import User

# a row whose earlier attempt got no answer may have arrived: it ends unknown, not cancelled;
# rows that wait for a retry stand outside the shards and are few: they are stopped in the request itself
_CANCEL = """
UPDATE notifier_delivery SET settled_at = now(), lease_until = NULL,
  status = CASE WHEN reason = %s THEN %s ELSE %s END, reason = CASE WHEN reason = %s THEN reason ELSE %s END
WHERE id = ANY(ARRAY(SELECT id FROM notifier_delivery WHERE campaign_id = %s AND status = ANY(%s)
                     AND id >= %s AND id < %s LIMIT %s FOR UPDATE SKIP LOCKED)) AND id >= %s AND id < %s
"""
_BATCH = 10_000


def stop(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, user: User | None = None, api_key_id: uuid.UUID | None = None
) -> bool:
    """True for the one caller that stopped it, False for a repeat. Raises NotFound, or Conflict when it has ended or
    was never armed."""
    campaign = find(tenant_id, campaign_id)
    with transaction.atomic():
        if not move(
            campaign.pk,
            State.CANCELLED,
            allowed_from=[State.ARMED, State.RUNNING, State.PAUSED],
            stopped_at=Now(),
        ):
            campaign.refresh_from_db(fields=["state"])
            if campaign.state == State.CANCELLED:
                return False
            raise Conflict(f"A campaign that is {campaign.state} cannot be stopped.", code="not_stoppable")
        _cancel(campaign, (Status.QUEUED, Status.CLAIMED), _BATCH)
        audit.record(tenant_id, "campaign.stop", str(campaign.pk), {}, user=user, api_key_id=api_key_id)
        transaction.on_commit(lambda: post("campaigns.cancel_rows", str(campaign.pk)))
    return True


def cancel_rows(campaign_id: uuid.UUID) -> None:
    """Write down, in batches, that the unsent rows of a stopped campaign will not be sent, and close its shards.

    Rows on the wire of a living shard are left to it; those of a lost one end `unknown`: after a stop nothing is
    repeated."""
    campaign = Campaign.objects.get(pk=campaign_id)
    if campaign.state != State.CANCELLED:
        return
    Shard.objects.filter(campaign=campaign, state=Shard.State.ARMED).update(state=Shard.State.CANCELLED)
    while _cancel(campaign, (Status.ARMED, Status.QUEUED, Status.CLAIMED), _BATCH):
        continue
    _close_lost_shards(campaign)


def _cancel(campaign: Campaign, statuses: tuple[Status, ...], limit: int) -> int:
    low, high = id_range(campaign)
    with connection.cursor() as cursor:
        cursor.execute(
            _CANCEL,
            [
                str(Reason.IN_DOUBT), int(Status.UNKNOWN), int(Status.CANCELLED), str(Reason.IN_DOUBT),
                str(Reason.STOPPED), campaign.pk, [int(s) for s in statuses], low, high, limit,
                low, high,
            ],
        )  # fmt: skip
        return int(cursor.rowcount)


_CLOSE_LOST = """
UPDATE campaigns_shard SET state = 'cancelled', fence = fence + 1, ended_at = now()
WHERE campaign_id = %(campaign)s AND state = 'running' AND lease_until < now()
"""

# a shard keeps its lease until its last answer is written, so without one such rows are nobody's; rows with a lease of
# their own are the engine's
_DOUBT = f"""
UPDATE notifier_delivery SET status = {Status.UNKNOWN}, reason = '{Reason.IN_DOUBT}', settled_at = now()
WHERE campaign_id = %(campaign)s AND status = {Status.SENDING} AND lease_until IS NULL
  AND id >= %(low)s AND id < %(high)s
  AND NOT EXISTS (SELECT 1 FROM campaigns_shard s
                  WHERE s.campaign_id = %(campaign)s AND s.state IN ('armed', 'running'))
"""


def _close_lost_shards(campaign: Campaign) -> None:
    low, high = id_range(campaign)
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE_LOST, {"campaign": campaign.pk})
        cursor.execute(_DOUBT, {"campaign": campaign.pk, "low": low, "high": high})


def close_doubt(campaign_id: uuid.UUID) -> None:
    """Rows on the wire of a shard that nobody holds any more, and that is done: a worker froze over its lease, began
    them after the shard was taken over, and died. Without this the campaign would never finish."""
    campaign = Campaign.objects.get(pk=campaign_id)
    low, high = id_range(campaign)
    with connection.cursor() as cursor:
        cursor.execute(_DOUBT, {"campaign": campaign.pk, "low": low, "high": high})


def stopped(campaign_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Which of these campaigns were stopped."""
    found = Campaign.objects.filter(pk__in=campaign_ids, state=State.CANCELLED)
    return set(found.values_list("pk", flat=True))


recheck.use(stopped)
