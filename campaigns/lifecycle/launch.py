"""GO: one conditional UPDATE and one message. A second GO, from any surface, changes nothing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.audience import topic_of
from campaigns.audience.topics import NO_OPT_OUT_HOLDS
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.lifecycle.fanout import start_fanout
from campaigns.lifecycle.transition import Transition, apply, find_campaign
from campaigns.models import Campaign, Rollout, Shard
from campaigns.states import State, move
from notifier.errors import Conflict, InvalidInput

_TAKE_BACK = Transition(
    act=Act.TAKE_BACK,
    to=State.ARMED,
    allowed_from=(State.LAUNCHING,),
    repeated_in=frozenset({State.ARMED}),
    code="not_launching",
    refusal="cannot be taken back; what runs can be paused or stopped",
)


def go(
    tenant_id: uuid.UUID,
    campaign_id: uuid.UUID,
    *,
    by: Actor = OPERATOR,
    rollout: str = Rollout.ALL,
    ignore_opt_outs: bool = False,
) -> bool:
    """Launch. True for the one caller that launched the campaign, False for a repeat. Raises NotFound, or Conflict
    before the campaign is armed. `ignore_opt_outs`: the caller knows that no opt-out holds for a topic.

    With `hold_seconds` the campaign is `launching` until they are over; until then GO can be taken back."""
    campaign = find_campaign(tenant_id, campaign_id)
    with transaction.atomic():
        if not _launch(campaign, rollout):
            campaign.refresh_from_db(fields=["state", "launched_at"])
            if campaign.launched_at is not None or campaign.state == State.LAUNCHING:
                return False
            raise Conflict(f"GO needs an armed campaign; this one is {campaign.state}.", code="not_armed")
        _check_acknowledged(campaign, ignore_opt_outs)
        _check_canary(campaign, rollout)
        _check_not_after(campaign)
        counts: dict[str, Any] = {"audience": campaign.audience_size, "excluded": campaign.excluded}
        if ignore_opt_outs:
            counts["ignore_opt_outs"] = True
        record(campaign, Act.GO, by, **counts, rollout=rollout, hold_seconds=campaign.hold_seconds)
        if not campaign.hold_seconds:
            start_fanout(campaign.pk)
    return True


def _launch(campaign: Campaign, rollout: str) -> bool:
    if rollout not in Rollout.values:
        raise InvalidInput(f"Must be one of: {', '.join(Rollout.values)}.", field="rollout", code="invalid_choice")
    columns: dict[str, Any] = {"rollout": rollout, "canary_passed_at": None, "halted": "", "halted_channels": {}}
    if not campaign.hold_seconds:
        return move(campaign.pk, State.RUNNING, allowed_from=[State.ARMED], launched_at=Now(), **columns)
    hold_until = Now() + timedelta(seconds=campaign.hold_seconds)
    return move(campaign.pk, State.LAUNCHING, allowed_from=[State.ARMED], hold_until=hold_until, **columns)


def _check_acknowledged(campaign: Campaign, ignore_opt_outs: bool) -> None:
    """A topic reaches people who opted out at Notifier: the caller must say so. Checked after the move, as the
    others."""
    is_topic = bool(topic_of(campaign))
    if ignore_opt_outs and not is_topic:
        raise InvalidInput(
            "Is for a campaign to a topic; for this campaign opt-outs hold. Leave it out.", field="ignore_opt_outs"
        )
    if is_topic and not ignore_opt_outs and not campaign.silent:
        raise Conflict(
            f"{NO_OPT_OUT_HOLDS} To launch it all the same, say so: ignore_opt_outs in the API, --ignore-opt-outs at "
            "the command line, the tick in the admin.",
            code="not_acknowledged",
        )


def _check_canary(campaign: Campaign, rollout: str) -> None:
    """A caller that asks for a canary must not get everything at once. Checked after the move, which an error rolls
    back: shards change only before the launch."""
    if rollout != Rollout.ALL and not Shard.objects.filter(campaign=campaign, canary=True).exists():
        raise Conflict(
            f"There is no canary: {campaign.canary_percent} % of this campaign is not a single message.",
            code="no_canary",
        )


def _check_not_after(campaign: Campaign) -> None:
    """Checked after the move as well: the answer to a repeated GO does not depend on the time."""
    begins = datetime.now(UTC) + timedelta(seconds=campaign.hold_seconds)
    if campaign.not_after is not None and campaign.not_after <= begins:
        latest = campaign.not_after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise Conflict(
            f"No message could leave: not_after is {latest}. Set a later not_after, or none.", code="too_late"
        )


def take_back(tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, by: Actor = OPERATOR) -> bool:
    """Undo GO within its hold. True for the one caller that took GO back, False when the campaign is armed already. A
    campaign is either taken back or launched. Raises NotFound, or Conflict when the hold is over."""
    return apply(_TAKE_BACK, find_campaign(tenant_id, campaign_id), by, hold_until=None)


def launch_held() -> None:
    """Launch every campaign whose hold is over. The sweep calls this."""
    hold_is_over = Q(hold_until__lte=Now())
    for campaign in Campaign.objects.filter(hold_is_over, state=State.LAUNCHING):
        launch_if_hold_is_over(campaign)


def launch_if_hold_is_over(campaign: Campaign) -> bool:
    """Launch a campaign that was seen in `launching`. True for the one caller that launched it."""
    # the hold is checked again: a campaign that was taken back and launched anew meanwhile has a hold that began anew
    hold_is_over = Q(hold_until__lte=Now())
    with transaction.atomic():
        if not move(campaign.pk, State.RUNNING, allowed_from=[State.LAUNCHING], where=hold_is_over, launched_at=Now()):
            return False
        record(campaign, Act.LAUNCHED)
        start_fanout(campaign.pk)
    return True
