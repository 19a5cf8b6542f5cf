"""Stop: nothing more of a campaign leaves. The state changes in the request; senders read it with every chunk, which is
less than a second of sending."""

from __future__ import annotations

import uuid

from django.db import connection, transaction
from django.db.models.functions import Now

from campaigns.arming import delivery_id_range
from campaigns.audit import OPERATOR, Act, Actor
from campaigns.lifecycle.transition import Transition, apply, find_campaign
from campaigns.models import Campaign
from campaigns.states import State
from notifier.channels.queues import BATCH
from notifier.delivery.ledger import leases
from notifier.delivery.ledger.campaigns import campaign_rows
from notifier.tasks import post

_STOP = Transition(
    act=Act.STOP,
    to=State.CANCELLED,
    allowed_from=(State.ARMED, State.LAUNCHING, State.RUNNING, State.PAUSED),
    repeated_in=frozenset({State.CANCELLED}),
    code="not_stoppable",
    refusal="cannot be stopped",
)

#: rows of the ledger that one statement cancels
_BATCH = 10_000

# a worker that still sends a shard reads the stop with its next chunk and closes the shard itself
_CLOSE = f"""
UPDATE campaigns_shard SET state = 'cancelled', fence = fence + 1, lease_until = NULL, ended_at = now()
WHERE campaign_id = %(campaign)s AND (state = 'armed' OR (state = 'running'
      AND {leases.expired("lease_until", "%(lease)s")}))
"""

_DELETE_RANGES = """
DELETE FROM campaigns_audiencerange WHERE id = ANY(ARRAY(
  SELECT id FROM campaigns_audiencerange WHERE campaign_id = %s FOR UPDATE SKIP LOCKED))
"""

# Requeued messages may wait in the ledger for another attempt. A day after the stop none waits any more, so that old
# campaigns cost nothing.
_STOPPED_WITH_ROWS = f"""
SELECT c.id FROM campaigns_campaign c WHERE c.state = 'cancelled' AND (
  EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id
          AND (s.state = 'armed' OR (s.state = 'running' AND s.lease_until < now())))
  OR EXISTS (SELECT 1 FROM campaigns_audiencerange r WHERE r.campaign_id = c.id)
  OR c.stopped_at > now() - interval '1 day' AND {campaign_rows.waiting("c.id")})
"""


def stop(tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, by: Actor = OPERATOR) -> bool:
    """True for the one caller that stopped the campaign, False for a repeat. Raises NotFound, or Conflict when the
    campaign has ended or was never armed."""
    campaign = find_campaign(tenant_id, campaign_id)
    with transaction.atomic():
        if not apply(_STOP, campaign, by, stopped_at=Now(), next_wave_at=None):
            return False
        _cancel(campaign)
        transaction.on_commit(lambda: post("campaigns.cancel_rows", str(campaign.pk)))
    return True


def cancel_rows(campaign_id: uuid.UUID) -> None:
    """Close the shards of a stopped campaign that no worker holds, and its rows that wait in the ledger for another
    attempt. Accounting writes the outcomes of the closed shards into the ledger."""
    campaign = Campaign.objects.get(pk=campaign_id)
    if campaign.state != State.CANCELLED:
        return
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, {"campaign": campaign.pk, "lease": leases.lease_seconds()})
        # the rest of an A/B test; a worker that still arms a range sees the stop, and leaves the range to the next call
        cursor.execute(_DELETE_RANGES, [campaign.pk])
    while _cancel(campaign):
        continue
    post("campaigns.account", str(campaign.pk), queue=BATCH)


def _cancel(campaign: Campaign) -> int:
    """Cancel one batch of rows; returns how many."""
    return campaign_rows.cancel_waiting(campaign.pk, delivery_id_range(campaign), _BATCH)


def stopped_with_rows() -> list[uuid.UUID]:
    """Stopped campaigns for which `cancel_rows` has something to do."""
    with connection.cursor() as cursor:
        cursor.execute(_STOPPED_WITH_ROWS)
        return [row[0] for row in cursor.fetchall()]
