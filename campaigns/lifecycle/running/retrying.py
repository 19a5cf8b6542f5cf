"""Retry what failed of a campaign: messages whose attempts were exhausted are queued again, each once for each request.

The campaign runs again until they are done, so that it can be paused and stopped. A stop holds: of a stopped campaign
nothing is retried.
"""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime

from django.db import transaction

from campaigns.arming import delivery_id_range
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.lifecycle.transition import find_campaign
from campaigns.models import Campaign
from campaigns.states import State, move
from notifier.channels.queues import BATCH
from notifier.delivery.ledger.campaigns import campaign_retries
from notifier.errors import Conflict
from notifier.tasks import post

#: messages that one transaction queues
BATCH_SIZE = 5_000
#: states in which failed messages may be retried
RETRYABLE_IN = (State.RUNNING, State.PAUSED, State.FINISHED)


def retryable(campaign: Campaign, before: datetime | None = None) -> dict[str, int]:
    """Channel -> messages that may be retried now."""
    if campaign.state not in RETRYABLE_IN:
        return {}
    ids = delivery_id_range(campaign)
    return campaign_retries.count_retryable(campaign.tenant_id, campaign.pk, ids, before or datetime.now(UTC))


def retry(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, before: datetime | None = None, by: Actor = OPERATOR
) -> bool:
    """Queue again what had failed before this time (now), and may be tried again. True if there was something. A second
    request with the same time finds nothing. Raises NotFound, or Conflict."""
    campaign = find_campaign(tenant_id, campaign_id)
    before = min(before or datetime.now(UTC), datetime.now(UTC))
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        _check(campaign)
        counts = retryable(campaign, before)
        if not counts or (campaign.retry_before is not None and campaign.retry_before >= before):
            return False
        if not move(campaign.pk, State.RUNNING, allowed_from=(State.FINISHED,), retry_before=before, accounted_at=None):
            Campaign.objects.filter(pk=campaign.pk).update(retry_before=before)
        record(campaign, Act.RETRY, by, messages=counts)
        queue_failed(campaign.pk)
    return True


def queue_failed(campaign_id: uuid.UUID) -> None:
    """Queue one batch of a retry that is under way; a task goes on with the next one. The last batch ends the retry.
    A repeat is harmless."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign_id)
        if campaign.retry_before is None or campaign.state not in (State.RUNNING, State.PAUSED):
            return
        ids = delivery_id_range(campaign)
        counts = retryable(campaign, campaign.retry_before)
        revived, of_shards = campaign_retries.revive(
            campaign.tenant_id, campaign.pk, ids, campaign.retry_before, BATCH_SIZE
        )
        before = campaign.retry_before if revived == BATCH_SIZE else None
        retried = dict(Counter(campaign.retried) + of_shards)
        Campaign.objects.filter(pk=campaign.pk).update(retried=retried, retry_before=before)
        transaction.on_commit(lambda: campaign_retries.notify_queues(counts))
        if revived == BATCH_SIZE:
            transaction.on_commit(lambda: post("campaigns.retry", str(campaign.pk), queue=BATCH))


def under_way() -> list[uuid.UUID]:
    """Campaigns whose retry has batches to queue."""
    rows = Campaign.objects.filter(retry_before__isnull=False, state__in=(State.RUNNING, State.PAUSED))
    return list(rows.values_list("pk", flat=True))


def _check(campaign: Campaign) -> None:
    if campaign.state == State.CANCELLED:
        raise Conflict("The campaign was stopped, and a stop holds: copy the campaign instead.", code="stopped")
    if campaign.state not in RETRYABLE_IN:
        raise Conflict(f"A campaign that is {campaign.state} has nothing to retry.", code="not_retryable")
    if campaign.accounted_at is None and campaign.state == State.FINISHED:
        raise Conflict("The outcomes are still being written down; try again in a minute.", code="not_accounted")
    if campaign.not_after is not None and campaign.not_after <= datetime.now(UTC):
        raise Conflict("The time until which messages may leave (not_after) has passed.", code="too_late")
    if campaign.silent:
        raise Conflict("A silent run has nothing to retry.", code="not_retryable")
    if campaign.report_final_at is not None:
        raise Conflict("Its messages are older than the tenant keeps them.", code="not_retryable")
