"""Pause, resume, stop, halt. The state is flipped in the request; senders look at it with every chunk (under a second
of sending)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.db.models.functions import Now

from campaigns.arming import delivery_id_range
from campaigns.lifecycle.fanout import set_off
from campaigns.lifecycle.launch import find
from campaigns.lifecycle.transition import By, Control, record_control, transition
from campaigns.models import Campaign, Rollout, Shard
from campaigns.states import State, move
from notifier.channels.queues import BATCH
from notifier.delivery.ledger import campaign_rows, leases
from notifier.delivery.recheck import CampaignPolicy
from notifier.tasks import post
from tenants.models import User

log = structlog.get_logger("campaigns")

_PAUSE = Control(
    name="pause",
    to=State.PAUSED,
    allowed_from=(State.RUNNING,),
    done=frozenset({State.PAUSED}),
    code="not_pausable",
    cannot="cannot be paused",
)
_RESUME = Control(
    name="resume",
    to=State.RUNNING,
    allowed_from=(State.PAUSED,),
    done=frozenset({State.RUNNING, State.FINISHED}),
    code="not_resumable",
    cannot="cannot be resumed",
)
_STOP = Control(
    name="stop",
    to=State.CANCELLED,
    allowed_from=(State.ARMED, State.LAUNCHING, State.RUNNING, State.PAUSED),
    done=frozenset({State.CANCELLED}),
    code="not_stoppable",
    cannot="cannot be stopped",
)
OPEN = (Shard.State.ARMED, Shard.State.RUNNING)


def pause(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, user: User | None = None, api_key_id: uuid.UUID | None = None
) -> bool:
    """True for the one caller that paused it, False for a repeat. Raises NotFound, or Conflict when it does not run."""
    return transition(_PAUSE, find(tenant_id, campaign_id), By(user, api_key_id), halted="")


def resume(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, user: User | None = None, api_key_id: uuid.UUID | None = None
) -> bool:
    """True for the one caller that resumed it, False for a repeat. Raises NotFound, or Conflict when it is not paused.

    A running campaign of which a channel paused itself is resumed, too: the channel goes on. A canary that is done has
    been looked at by whoever resumes: the rest leaves, whatever the canary said."""
    campaign = find(tenant_id, campaign_id)
    open_canary = Shard.objects.filter(campaign=OuterRef("pk"), canary=True, state__in=OPEN)
    judged = Q(canary_passed_at__isnull=True) & ~Q(rollout=Rollout.ALL) & ~Exists(open_canary)
    passed = Case(When(judged, then=Now()), default=F("canary_passed_at"))
    by = By(user, api_key_id)
    with transaction.atomic():
        resumed = transition(_RESUME, campaign, by, **_NOT_HALTED, canary_passed_at=passed) or _resume_channels(
            campaign, by
        )
        if resumed:
            set_off(campaign.pk)
    return resumed


_NOT_HALTED: dict[str, Any] = {"halted": "", "halted_channels": {}}


def _resume_channels(campaign: Campaign, by: By) -> bool:
    """Of a campaign that runs on its other channels."""
    halted = Campaign.objects.filter(pk=campaign.pk, state=State.RUNNING).exclude(halted_channels={})
    if not halted.update(**_NOT_HALTED):
        return False
    record_control(campaign, "resume", by)
    return True


def halt(campaign_id: uuid.UUID, why: str, channel: str = "") -> bool:
    """The campaign pauses itself, and says why; only `channel`, while another one has something to send. True for the
    one caller that did it."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().filter(pk=campaign_id, state=State.RUNNING).first()
        if campaign is None or channel in campaign.halted_channels:
            return False
        channels = {**campaign.halted_channels, **({channel: why[:500]} if channel else {})}
        columns: dict[str, Any] = {"halted": _halted(campaign, why, channels)[:500], "halted_channels": channels}
        if channel and _others_go_on(campaign, channels):
            Campaign.objects.filter(pk=campaign_id).update(**columns)
        else:
            move(campaign_id, State.PAUSED, allowed_from=[State.RUNNING], **columns)
        record_control(campaign, "halted", By(), why=why[:500], **({"channel": channel} if channel else {}))
    log.warning("campaign halted", action="halt", campaign=str(campaign_id), channel=channel, why=why)
    return True


def _halted(campaign: Campaign, why: str, channels: Mapping[str, str]) -> str:
    """In a sentence for each channel, which is not named where there is only one."""
    if not channels or len(campaign.channels) == 1:
        return why
    said = [f"{name}: {of_channel}" for name, of_channel in channels.items()]
    return " ".join(said if why in channels.values() else [*said, why])


def _others_go_on(campaign: Campaign, halted: Collection[str]) -> bool:
    return Shard.objects.filter(campaign=campaign, state__in=OPEN).exclude(channel__in=list(halted)).exists()


# ---- stop --------------------------------------------------------------------------------------------------------

#: rows of the ledger that one statement cancels
_BATCH = 10_000

# what a living worker holds is left to it: it finds the stop with its next chunk
_CLOSE = f"""
UPDATE campaigns_shard SET state = 'cancelled', fence = fence + 1, lease_until = NULL, ended_at = now()
WHERE campaign_id = %(campaign)s AND (state = 'armed' OR (state = 'running'
      AND {leases.expired("lease_until", "%(lease)s")}))
"""


def stop(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, user: User | None = None, api_key_id: uuid.UUID | None = None
) -> bool:
    """True for the one caller that stopped it, False for a repeat. Raises NotFound, or Conflict when it has ended or
    was never armed."""
    campaign = find(tenant_id, campaign_id)
    with transaction.atomic():
        if not transition(_STOP, campaign, By(user, api_key_id), stopped_at=Now()):
            return False
        _cancel(campaign)
        transaction.on_commit(lambda: post("campaigns.cancel_rows", str(campaign.pk)))
    return True


def cancel_rows(campaign_id: uuid.UUID) -> None:
    """Close the shards of a stopped campaign that nobody holds, and whatever of it waits in the ledger for another
    attempt. What the shards held is written into the ledger by the accounting."""
    campaign = Campaign.objects.get(pk=campaign_id)
    if campaign.state != State.CANCELLED:
        return
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, {"campaign": campaign.pk, "lease": leases.lease_seconds()})
    while _cancel(campaign):
        continue
    post("campaigns.account", str(campaign.pk), queue=BATCH)


def _cancel(campaign: Campaign) -> int:
    return campaign_rows.cancel_waiting(campaign.pk, delivery_id_range(campaign), _BATCH)


# ---- what the engine is told -------------------------------------------------------------------------------------


def policies(campaign_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, CampaignPolicy]:
    """What the engine must know before it sends rows of these campaigns."""
    found = Campaign.objects.filter(pk__in=campaign_ids).values_list("pk", "state", "rate_per_s", "halted_channels")
    return {
        pk: CampaignPolicy(state == State.CANCELLED, state == State.PAUSED, rate, frozenset(halted))
        for pk, state, rate, halted in found
    }
