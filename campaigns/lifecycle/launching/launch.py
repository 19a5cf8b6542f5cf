"""GO: one conditional UPDATE and one message. A second GO, from any surface, changes nothing."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.approval import check_cleared
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.lifecycle.fan_out.fanout import start_fanout
from campaigns.lifecycle.launching import quotas
from campaigns.lifecycle.launching.checks import LaunchRequest, check_launch, check_rollout, rfc_3339
from campaigns.lifecycle.transition import Transition, apply, find_campaign
from campaigns.models import Campaign, Rollout
from campaigns.states import State, move
from notifier.delivery.infra.database_clock import database_now
from notifier.errors import Conflict
from notifier.tracing import derived, switch

_TAKE_BACK = Transition(
    act=Act.TAKE_BACK,
    to=State.ARMED,
    allowed_from=(State.LAUNCHING,),
    repeated_in=frozenset({State.ARMED}),
    code="not_launching",
    refusal="cannot be taken back; what runs can be paused or stopped",
)

#: columns of a campaign without a planned launch
NO_PLAN: dict[str, Any] = {
    "launch_at": None,
    "launch_rollout": Rollout.ALL,
    "launch_ignores_opt_outs": False,
    "launch_planned_by": None,
    "launch_planned_by_key": None,
    "launch_failure": "",
}


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
    if launch(campaign, LaunchRequest(rollout, ignore_opt_outs, by), database_now()):
        return True
    campaign.refresh_from_db(fields=["state", "launched_at"])
    if campaign.launched_at is not None or campaign.state == State.LAUNCHING:
        return False
    raise Conflict(f"GO needs an armed campaign; this one is {campaign.state}.", code="not_armed")


def launch(campaign: Campaign, request: LaunchRequest, now: datetime) -> bool:
    """Launch a campaign that is armed, and whose plan is still the one that asks. True for the one caller that launched
    it. Raises what `check_launch` and `check_cleared` raise.

    The checks follow the move, which an error rolls back: shards change only before the launch, and the answer to a
    repeated GO does not depend on the time."""
    check_rollout(request.rollout)
    began = switch.clock()
    with transaction.atomic():
        if not _move(campaign, request):
            return False
        check_launch(campaign, request, now)
        check_cleared(campaign)
        quotas.reserve(campaign, now)
        detail: dict[str, Any] = {"audience": campaign.audience_size, "excluded": campaign.excluded}
        if request.ignore_opt_outs:
            detail["ignore_opt_outs"] = True
        if request.planned_for is not None:
            detail["planned_for"] = rfc_3339(request.planned_for)
        record(campaign, Act.GO, request.by, **detail, rollout=request.rollout, hold_seconds=campaign.hold_seconds)
        if not campaign.hold_seconds:
            start_fanout(campaign, now)
    if began:
        attributes = {"tenant.id": str(campaign.tenant_id), "campaign.id": str(campaign.pk)}
        derived.record_launch(campaign.pk, began, attributes)
    return True


def _move(campaign: Campaign, request: LaunchRequest) -> bool:
    columns: dict[str, Any] = {"rollout": request.rollout, "canary_passed_at": None, "launch_failure": ""}
    columns |= {"halted": "", "halted_channels": {}}
    same_plan = Q() if request.planned_for is None else Q(launch_at=request.planned_for, launch_failure="")
    if not campaign.hold_seconds:
        columns["launched_at"] = Now()
        return move(campaign.pk, State.RUNNING, allowed_from=[State.ARMED], where=same_plan, **columns)
    columns["hold_until"] = Now() + timedelta(seconds=campaign.hold_seconds)
    return move(campaign.pk, State.LAUNCHING, allowed_from=[State.ARMED], where=same_plan, **columns)


def take_back(tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, by: Actor = OPERATOR) -> bool:
    """Undo GO within its hold. True for the one caller that took GO back, False when the campaign is armed already. A
    campaign is either taken back or launched. Raises NotFound, or Conflict when the hold is over.

    A plan whose time has come is cancelled as well: it would launch the campaign again at once."""
    campaign = find_campaign(tenant_id, campaign_id)
    is_due = campaign.launch_at is not None and campaign.launch_at <= database_now()
    with transaction.atomic():
        taken_back = apply(_TAKE_BACK, campaign, by, hold_until=None, **(NO_PLAN if is_due else {}))
        if taken_back:
            quotas.give_back_all(campaign)
    return taken_back


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
        start_fanout(campaign)
    return True
