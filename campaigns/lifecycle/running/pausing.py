"""Pause, resume and halt. The state changes in the request; senders read it with every chunk, which is less than a
second of sending."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.db.models.functions import Now

from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.lifecycle.fan_out.fanout import OPEN, start_fanout
from campaigns.lifecycle.fan_out.waves import is_due
from campaigns.lifecycle.transition import Transition, apply, find_campaign
from campaigns.models import Campaign, Rollout, Shard
from campaigns.states import State, move
from notifier.delivery.ledger.campaigns import campaign_rows

log = structlog.get_logger("campaigns")

_PAUSE = Transition(
    act=Act.PAUSE,
    to=State.PAUSED,
    allowed_from=(State.RUNNING,),
    repeated_in=frozenset({State.PAUSED}),
    code="not_pausable",
    refusal="cannot be paused",
)
_RESUME = Transition(
    act=Act.RESUME,
    to=State.RUNNING,
    allowed_from=(State.PAUSED,),
    repeated_in=frozenset({State.RUNNING, State.FINISHED}),
    code="not_resumable",
    refusal="cannot be resumed",
)
_NOT_HALTED: dict[str, Any] = {"halted": "", "halted_channels": {}}


def pause(tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, by: Actor = OPERATOR) -> bool:
    """True for the one caller that paused the campaign, False for a repeat. Raises NotFound, or Conflict when the
    campaign does not run."""
    return apply(_PAUSE, find_campaign(tenant_id, campaign_id), by, halted="")


def resume(tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, by: Actor = OPERATOR) -> bool:
    """True for the one caller that resumed the campaign, False for a repeat. Raises NotFound, or Conflict when the
    campaign is not paused.

    A running campaign with halted channels is resumed as well: the channels go on. Resuming accepts a canary that is
    done: the rest leaves, whatever became of the canary."""
    campaign = find_campaign(tenant_id, campaign_id)
    # a canary in several waves is done when that of the waves that are due is
    canary = Shard.objects.filter(is_due(), campaign=OuterRef("pk"), canary=True)
    done = Exists(canary) & ~Exists(canary.filter(state__in=OPEN))
    accepts_canary = Q(canary_passed_at__isnull=True) & ~Q(rollout=Rollout.ALL) & done
    passed_at = Case(When(accepts_canary, then=Now()), default=F("canary_passed_at"))
    with transaction.atomic():
        resumed = apply(_RESUME, campaign, by, **_NOT_HALTED, canary_passed_at=passed_at)
        resumed = resumed or _resume_channels(campaign, by)
        if resumed:
            start_fanout(campaign)
    return resumed


def _resume_channels(campaign: Campaign, by: Actor) -> bool:
    """Resume the halted channels of a campaign that runs on its other channels."""
    halted = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING).exclude(halted_channels={})
    if not halted.update(**_NOT_HALTED):
        return False
    record(campaign, Act.RESUME, by)
    return True


def halt(campaign_id: uuid.UUID, why: str, channel: str = "") -> bool:
    """Pause a campaign that does harm, and store why; only `channel` of it, while another channel has something to
    send. True for the one caller that did it."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(pk=campaign_id, state=State.RUNNING).first()
        if campaign is None or channel in campaign.halted_channels:
            return False
        channels = {**campaign.halted_channels, **({channel: why[:500]} if channel else {})}
        columns: dict[str, Any] = {"halted": _reason(campaign, why, channels)[:500], "halted_channels": channels}
        if channel and _has_other_channels(campaign, channels):
            Campaign.objects.filter(pk=campaign_id).update(**columns)
        else:
            move(campaign_id, State.PAUSED, allowed_from=[State.RUNNING], **columns)
        detail = {"why": why[:500], "channel": channel} if channel else {"why": why[:500]}
        record(campaign, Act.HALTED, OPERATOR, **detail)
    log.warning("campaign halted", action="halt", campaign=str(campaign_id), channel=channel, why=why)
    return True


def _reason(campaign: Campaign, why: str, channels: Mapping[str, str]) -> str:
    """A sentence for each halted channel; the channel is named only where the campaign has several."""
    if not channels or len(campaign.channels) == 1:
        return why
    sentences = [f"{name}: {reason}" for name, reason in channels.items()]
    return " ".join(sentences if why in channels.values() else [*sentences, why])


def _has_other_channels(campaign: Campaign, halted: Collection[str]) -> bool:
    """Whether a channel that is not halted has something to send."""
    shards = Shard.objects.filter(campaign=campaign, state__in=OPEN).exclude(channel__in=list(halted))
    return shards.exists() or campaign_rows.is_unfinished(campaign.pk, without=halted)
