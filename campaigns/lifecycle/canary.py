"""The canary: a small share that leaves first. When it is done it is judged, and the rest leaves, or nothing more."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import timedelta

from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.db.models.functions import Coalesce, Now

from campaigns.lifecycle import control, thresholds
from campaigns.lifecycle.fanout import set_off
from campaigns.lifecycle.transition import By, record_control
from campaigns.models import Campaign, Rollout, Shard
from campaigns.states import State
from tenants.models import AuditLog

#: what a campaign says that waits for its owner's look at the canary
LOOK = "The canary is done: look at it, then resume."
#: the sweep judges what began within so many seconds: neither what was long ago, nor a shard that waits for its speed
#: limit (its sender judges that one)
RECENT = timedelta(seconds=30)


def decide(campaign_id: uuid.UUID) -> None:
    """When a running campaign's canary is done: let the rest leave, or halt. Any number of callers, once."""
    campaign = Campaign.objects.get(pk=campaign_id)
    waits = campaign.rollout != Rollout.ALL and campaign.canary_passed_at is None
    canary = Shard.objects.filter(campaign=campaign, canary=True).exclude(channel__in=list(campaign.halted_channels))
    if campaign.state != State.RUNNING or not waits or canary.filter(state__in=control.OPEN).exists():
        return
    counts = tally(canary)
    ill = {name: why for name, each in counts.items() if (why := thresholds.verdict(each, campaign, least=1))}
    if campaign.rollout == Rollout.CANARY_WAIT:
        _wait(campaign, ill)
        return
    for name, why in ill.items():
        control.halt(campaign_id, why, name)
    _pass(campaign, counts.values())  # of a campaign that halted as a whole, nothing


def _wait(campaign: Campaign, ill: Mapping[str, str]) -> None:
    for name, why in ill.items():
        control.halt(campaign.pk, why, name)
    control.halt(campaign.pk, LOOK)  # unless the last channel's illness has halted it


def _pass(campaign: Campaign, counts: Collection[thresholds.Tally]) -> None:
    with transaction.atomic():
        waiting = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING, canary_passed_at__isnull=True)
        if waiting.update(canary_passed_at=Now()):
            sums = {name: sum(getattr(each, name) for each in counts) for name in ("sent", "failed", "requeued")}
            record_control(campaign, "canary_passed", By(), **sums)
            set_off(campaign.pk)


def watch(campaign_id: uuid.UUID) -> None:
    """Halt a running campaign whose recent messages fail: those of shards that began after its last resume, because
    whoever resumed knew of the others."""
    campaign = Campaign.objects.get(pk=campaign_id)
    recent = Shard.objects.filter(campaign=campaign, began_at__gt=Now() - RECENT)
    if not any(thresholds.verdict(counts, campaign) for counts in tally(recent).values()):
        return
    resumed = AuditLog.objects.filter(tenant_id=campaign.tenant_id, at__gt=Now() - RECENT)
    known = resumed.filter(action="campaign.resume", object_id=str(campaign_id)).aggregate(at=Max("at"))["at"]
    for channel, counts in tally(recent.filter(began_at__gt=known) if known else recent).items():
        if why := thresholds.verdict(counts, campaign):
            control.halt(campaign_id, why, channel)


def tally(shards: QuerySet[Shard]) -> dict[str, thresholds.Tally]:
    """What became of the messages of these shards, by channel: one that is ill must not halt another."""
    sums = {name: Coalesce(Sum(name), 0) for name in ("sent", "failed", "dead", "requeued", "skipped", "disconnected")}
    rows = shards.order_by("channel").values("channel").annotate(**{f"all_{name}": each for name, each in sums.items()})
    found = rows.values_list("channel", *[f"all_{name}" for name in sums])
    return {channel: thresholds.Tally(**dict(zip(sums, counts, strict=True))) for channel, *counts in found}
