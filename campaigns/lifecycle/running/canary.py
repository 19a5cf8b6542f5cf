"""The canary: a small share that leaves first. When the canary is done its outcomes decide whether the rest leaves."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.db.models.functions import Coalesce, Now

from campaigns.audit import Act, record
from campaigns.lifecycle.fan_out.fanout import OPEN, start_fanout
from campaigns.lifecycle.fan_out.finish import finish_if_done, pause_if_only_halted
from campaigns.lifecycle.fan_out.waves import is_due
from campaigns.lifecycle.running import thresholds
from campaigns.lifecycle.running.pausing import halt
from campaigns.models import Campaign, Rollout, Shard, ShardPayload
from campaigns.shard.outcomes import failure_details
from campaigns.states import State
from tenants.models import AuditLog

#: the reason of a pause after GO with `canary_wait`
LOOK_AT_CANARY = "The canary is done: look at it, then resume."
#: the sweep judges shards that began within so many seconds. Older outcomes say nothing about the provider now, and the
#: sender of a rate-limited shard judges its own outcomes
RECENT = timedelta(seconds=30)
#: shards that tell why a campaign halts
_SAMPLED_SHARDS = 3
#: the columns of thresholds.OutcomeCounts, in its order
_COUNTS = ("sent", "failed", "dead", "requeued", "skipped", "disconnected")
#: shards of a channel that are read for its newest outcomes, one by one
_NEWEST_SHARDS = 400


def advance(campaign_id: uuid.UUID, now: datetime | None = None) -> bool:
    """Take the next step after shards have ended: finish the campaign, pause it when only halted channels are left, or
    decide about its canary. True when the campaign does not run any more."""
    if finish_if_done(campaign_id) or pause_if_only_halted(campaign_id):
        return True
    decide(campaign_id, now)
    return False


def decide(campaign_id: uuid.UUID, now: datetime | None = None) -> None:
    """When the canary of a running campaign is done: let the rest leave, or halt. When several callers try, one
    succeeds. Of a canary in several waves, the part that is due decides."""
    campaign = Campaign.objects.get(pk=campaign_id)
    waits = campaign.rollout != Rollout.ALL and campaign.canary_passed_at is None
    canary = Shard.objects.filter(campaign=campaign, canary=True).exclude(channel__in=list(campaign.halted_channels))
    if campaign.state != State.RUNNING or not waits:
        return
    every_wave, canary = canary, canary.filter(is_due(now))
    if canary.filter(state__in=OPEN).exists() or (not canary.exists() and every_wave.exists()):
        return
    counts = outcome_counts(canary)
    failing = {
        name: why
        for name, each in counts.items()
        if (why := thresholds.reason_to_halt(each, campaign, least=1, answers=partial(_answers, canary, name)))
    }
    if campaign.rollout == Rollout.CANARY_WAIT:
        _wait(campaign, failing)
        return
    for name, why in failing.items():
        halt(campaign_id, why, name)
    _pass(campaign, counts.values())  # changes nothing when the campaign halted as a whole


def _wait(campaign: Campaign, failing: Mapping[str, str]) -> None:
    for name, why in failing.items():
        halt(campaign.pk, why, name)
    halt(campaign.pk, LOOK_AT_CANARY)  # changes nothing when every channel failed, which has halted the campaign


def _pass(campaign: Campaign, counts: Collection[thresholds.OutcomeCounts]) -> None:
    with transaction.atomic():
        waiting = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING, canary_passed_at__isnull=True)
        if waiting.update(canary_passed_at=Now()):
            sums = {name: sum(getattr(each, name) for each in counts) for name in ("sent", "failed", "requeued")}
            record(campaign, Act.CANARY_PASSED, **sums)
            start_fanout(campaign)


def watch(campaign_id: uuid.UUID) -> None:
    """Halt a running campaign whose recent messages fail. Only shards that began after the last resume count: the actor
    who resumed the campaign accepted the earlier failures."""
    campaign = Campaign.objects.get(pk=campaign_id)
    recent = Shard.objects.filter(campaign=campaign, began_at__gt=Now() - RECENT)
    if not _failing(recent, campaign):
        return
    resumes = AuditLog.objects.filter(tenant_id=campaign.tenant_id, at__gt=Now() - RECENT)
    resumes = resumes.filter(action=f"campaign.{Act.RESUME}", object_id=str(campaign_id))
    resumed_at = resumes.aggregate(at=Max("at"))["at"]
    since_then = recent.filter(began_at__gt=resumed_at) if resumed_at else recent
    for channel, why in _failing(since_then, campaign).items():
        halt(campaign_id, why, channel)


def _failing(shards: QuerySet[Shard], campaign: Campaign) -> dict[str, str]:
    """Why channels should halt by the outcomes of these shards."""
    failing: dict[str, str] = {}
    for channel, counts in outcome_counts(shards).items():
        why = thresholds.reason_to_halt(counts, campaign, answers=partial(_answers, shards, channel))
        if not why and counts.disconnected:
            why = _lost_lately(shards.filter(channel=channel), campaign, channel)
        if why:
            failing[channel] = why
    return failing


def _lost_lately(shards: QuerySet[Shard], campaign: Campaign, channel: str) -> str:
    """Whether the newest of these shards lost their connections, however many messages left before."""
    of_channel = Shard.objects.filter(campaign=campaign, channel=channel)
    messages = of_channel.aggregate(messages=Coalesce(Sum("size"), 0))["messages"]
    rows = shards.order_by("-began_at").values_list(*_COUNTS)[:_NEWEST_SHARDS]
    newest = thresholds.first_of((thresholds.OutcomeCounts(*row) for row in rows), thresholds.fewest_outcomes(messages))
    return thresholds.mostly_disconnected(newest, campaign, messages)


def _answers(shards: QuerySet[Shard], channel: str) -> Counter[str]:
    """What providers said about failed messages, by the notes of a few of these shards."""
    failed = shards.filter(channel=channel, failed__gt=0).order_by("-failed")[:_SAMPLED_SHARDS]
    notes = ShardPayload.objects.filter(shard__in=list(failed)).values_list("notes", flat=True)
    return sum(map(failure_details, map(bytes, notes)), Counter())


def outcome_counts(shards: QuerySet[Shard]) -> dict[str, thresholds.OutcomeCounts]:
    """Sums over these shards by channel: a channel that fails must not halt another."""
    sums = {name: Coalesce(Sum(name), 0) for name in _COUNTS}
    rows = shards.order_by("channel").values("channel").annotate(**{f"all_{name}": each for name, each in sums.items()})
    values = rows.values_list("channel", *[f"all_{name}" for name in sums])
    return {channel: thresholds.OutcomeCounts(**dict(zip(sums, row, strict=True))) for channel, *row in values}
