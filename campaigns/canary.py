"""The canary: a small share that leaves first. When it is done it is judged, and the rest leaves, or nothing more."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.db.models.functions import Coalesce, Now

from campaigns import control, health
from campaigns.fanout import set_off
from campaigns.models import Campaign, Rollout, Shard
from campaigns.states import State
from campaigns.steps import By, note
from tenants.models import AuditLog

#: what a campaign says that waits for its owner's look at the canary
LOOK = "The canary is done: look at it, then resume."
#: the sweep judges what began within so many seconds: neither what was long ago, nor a shard that waits for its speed
#: limit (its sender judges that one)
RECENT = timedelta(seconds=30)


def judge(campaign_id: uuid.UUID) -> None:
    """When a running campaign's canary is done: let the rest leave, or halt. Any number of callers, once."""
    campaign = Campaign.objects.get(pk=campaign_id)
    waits = campaign.rollout != Rollout.ALL and campaign.canary_passed_at is None
    canary = Shard.objects.filter(campaign=campaign, canary=True)
    if campaign.state != State.RUNNING or not waits or canary.filter(state__in=control.OPEN).exists():
        return
    counts = tally(canary)
    why = health.verdict(counts, campaign, least=1)
    if not why and campaign.rollout == Rollout.CANARY_WAIT:
        why = LOOK
    if why:
        control.halt(campaign_id, why)
    else:
        _pass(campaign, counts)


def _pass(campaign: Campaign, counts: health.Tally) -> None:
    with transaction.atomic():
        waiting = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING, canary_passed_at__isnull=True)
        if waiting.update(canary_passed_at=Now()):
            note(campaign, "canary_passed", By(), sent=counts.sent, failed=counts.failed, handed=counts.handed)
            set_off(campaign.pk)


def watch(campaign_id: uuid.UUID) -> None:
    """Halt a running campaign whose recent messages fail: those of shards that began after its last resume, because
    whoever resumed knew of the others."""
    campaign = Campaign.objects.get(pk=campaign_id)
    recent = Shard.objects.filter(campaign=campaign, began_at__gt=Now() - RECENT)
    if health.verdict(tally(recent), campaign):
        resumed = AuditLog.objects.filter(tenant_id=campaign.tenant_id, at__gt=Now() - RECENT)
        known = resumed.filter(action="campaign.resume", object_id=str(campaign_id)).aggregate(at=Max("at"))["at"]
        if why := health.verdict(tally(recent.filter(began_at__gt=known) if known else recent), campaign):
            control.halt(campaign_id, why)


def tally(shards: QuerySet[Shard]) -> health.Tally:
    """What became of the messages of these shards."""
    sums = {name: Coalesce(Sum(name), 0) for name in ("sent", "failed", "dead", "handed", "excused")}
    return health.Tally(**shards.order_by().aggregate(**sums))
