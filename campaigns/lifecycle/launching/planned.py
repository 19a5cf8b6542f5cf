"""The planned launch: an armed campaign launches itself at `launch_at`.

The sweep is the clock. A plan is a column, so a lost worker or Redis delays it and never loses it; the launch is the
same conditional UPDATE as GO, so it happens once, however many sweeps run.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q

from campaigns.approval import check_cleared
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.lifecycle.launching.checks import (
    LaunchRequest,
    check_acknowledged,
    check_launch,
    check_launch_at,
    check_launch_before_local_time,
    check_rollout,
    rfc_3339,
)
from campaigns.lifecycle.launching.launch import NO_PLAN, launch
from campaigns.models import Campaign, Rollout
from campaigns.states import State
from notifier.errors import Conflict, NotFound, NotifierError

log = structlog.get_logger("campaigns")

#: states in which a launch can be planned; the campaign must be armed when the time comes
PLANNABLE = (State.DRAFT, State.ARMING, State.ARMED)
NOT_ARMED = "The campaign was not armed at its planned time. Arm it, and plan another time or press GO."

INACTIVE = "The tenant was inactive at the planned time. Plan another time or press GO."


def planner_columns(by: Actor) -> dict[str, Any]:
    """Columns that name the actor who planned the launch."""
    return {"launch_planned_by": by.user, "launch_planned_by_key": by.api_key_id, "launch_failure": ""}


def plan(
    tenant_id: uuid.UUID,
    campaign_id: uuid.UUID,
    *,
    launch_at: datetime,
    by: Actor = OPERATOR,
    rollout: str = Rollout.ALL,
    ignore_opt_outs: bool = False,
) -> bool:
    """Plan the launch, or change the plan. True when this caller changed it, False for a repeat. Raises NotFound,
    InvalidInput naming the field, or Conflict: after GO, or when GO would be refused at that time."""
    check_rollout(rollout)
    with transaction.atomic():
        campaign = _lock(tenant_id, campaign_id)
        values = {"launch_at": launch_at, "launch_rollout": rollout, "launch_ignores_opt_outs": ignore_opt_outs}
        if not campaign.launch_failure and all(getattr(campaign, name) == value for name, value in values.items()):
            return False
        check_launch_at(launch_at, campaign.not_after, datetime.now(UTC))
        check_launch_before_local_time(launch_at, campaign.local_time)
        if campaign.state == State.ARMED:
            check_launch(campaign, LaunchRequest(rollout, ignore_opt_outs), launch_at)
        else:
            check_acknowledged(campaign, ignore_opt_outs)
        Campaign.objects.filter(pk=campaign.pk).update(**values, **planner_columns(by))
        record(campaign, Act.PLAN, by, launch_at=rfc_3339(launch_at), rollout=rollout)
    return True


def unplan(tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, by: Actor = OPERATOR) -> bool:
    """Cancel the planned launch. True for the one caller that cancelled it, False when there is no plan. Raises
    NotFound, or Conflict after the launch."""
    with transaction.atomic():
        campaign = _lock(tenant_id, campaign_id)
        if campaign.launch_at is None:
            return False
        Campaign.objects.filter(pk=campaign.pk).update(**NO_PLAN)
        record(campaign, Act.UNPLAN, by, launch_at=rfc_3339(campaign.launch_at))
    return True


def _lock(tenant_id: uuid.UUID, campaign_id: uuid.UUID) -> Campaign:
    """The campaign, locked: its launch either comes before a change of the plan, or follows the changed plan."""
    rows = Campaign.objects.select_for_update(of=("self",)).select_related("audience")
    campaign = rows.filter(tenant_id=tenant_id, pk=campaign_id).first()
    if campaign is None:
        raise NotFound("There is no such campaign.", field="id")
    if campaign.state not in PLANNABLE:
        why = "take it back first" if campaign.state == State.LAUNCHING else "it was launched already"
        raise Conflict(
            f"The launch of a campaign that is {campaign.state} cannot be planned: {why}.", code="not_plannable"
        )
    return campaign


def launch_planned(now: datetime) -> None:
    """Launch every armed campaign whose planned time has come. The sweep calls this. A campaign that is being armed at
    that time is launched when it is armed; a draft is not."""
    due = Q(launch_at__lte=now, launched_at__isnull=True, launch_failure="")
    rows = Campaign.objects.filter(due, state__in=[State.DRAFT, State.ARMED])
    for campaign in rows.select_related("tenant", "audience", "launch_planned_by").order_by("launch_at"):
        if campaign.state == State.DRAFT:
            _refuse(campaign, due, NOT_ARMED, "not_armed")
        elif not campaign.tenant.active:
            _refuse(campaign, due, INACTIVE, "inactive_tenant")
        else:
            _launch(campaign, due, now)


def _launch(campaign: Campaign, due: Q, now: datetime) -> None:
    try:
        launch(campaign, _request(campaign), now)
    except NotifierError as error:
        _refuse(campaign, due, error.message, error.code)


def _request(campaign: Campaign) -> LaunchRequest:
    """What the plan asks for, in the planner's name."""
    by = Actor(user=campaign.launch_planned_by, api_key_id=campaign.launch_planned_by_key)
    return LaunchRequest(campaign.launch_rollout, campaign.launch_ignores_opt_outs, by, campaign.launch_at)


def _refuse(campaign: Campaign, due: Q, why: str, code: str) -> None:
    """The campaign stays as it is, and shows why. Changes nothing when the plan or the state has changed meanwhile."""
    with transaction.atomic():
        same = Campaign.objects.filter(due, pk=campaign.pk, state=campaign.state, launch_at=campaign.launch_at)
        if not same.update(launch_failure=why[:500]):
            return
        record(campaign, Act.LAUNCH_REFUSED, OPERATOR, why=why[:500], code=code)
    log.warning("planned launch refused", action="launch", campaign=str(campaign.pk), code=code)


def reason_to_refuse(campaign: Campaign) -> str:
    """Why the planned launch of this armed campaign would be refused, as far as is known now; empty: it would not."""
    if campaign.launch_at is None or campaign.launch_failure:
        return ""
    try:
        check_launch(campaign, _request(campaign), campaign.launch_at)
        check_cleared(campaign)
    except NotifierError as error:
        return error.message
    return ""
